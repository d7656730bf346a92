"""Segments of incremental aggregates: how they are merged, verified, derived and read."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_atscale_aggs.engine.lifecycle.build.events import BuildEvent
from airflow_atscale_aggs.engine.lifecycle.query.router import answer
from airflow_atscale_aggs.engine.lifecycle.retain.sweep import sweep
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, utc_now
from airflow_atscale_aggs.engine.settings import VerificationLevel
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession
from tests.support.stars import incremental_star as star
from tests.support.stars import tiny_star
from tests.support.stars.incremental_star import MODEL, START, Sale


def test_small_segments_are_merged_by_each_increment(built_star: Workspace) -> None:
    """So an aggregate has the same few tables however many increments there were, and the answers of the facts."""
    star.put_setting(built_star, "aggregate.incrementalUpdate.mergeSmallSegments.rows", 10_000)
    counts = []
    for number in range(1, 7):
        star.load(built_star, Sale(at=START + 20 * number, amount=number, day=number))
        star.build(built_star, at=START + 20 * number)
        segments = star.segments(built_star)
        counts.append(len(segments))
        assert [segment.after for segment in segments[1:]] == [segment.through for segment in segments[:-1]]
    star.check_views(built_star)
    assert max(counts) == 4


def test_segments_are_merged_before_there_are_too_many(built_star: Workspace) -> None:
    """Only settled ones are merged, from their tables; a merged one is dropped when no instance consists of it."""
    star.put_setting(built_star, "aggregate.incrementalUpdate.maxConsecutiveStaticPartitions", 3)
    star.put_setting(built_star, "aggregates.drop.delaySeconds", 0)
    counts = []
    merged = 0
    for number in range(1, 9):
        star.load(built_star, Sale(at=START + 20 * number, amount=number, day=number))
        events: list[BuildEvent] = []
        star.build(built_star, at=START + 20 * number, events=events)
        star.check_views(built_star)
        segments = star.segments(built_star)
        counts.append(len([segment for segment in segments if segment.is_settled]))
        assert [segment.after for segment in segments[1:]] == [segment.through for segment in segments[:-1]]
        merged += sum("merged from" in event.text for event in events)
        sweep(built_star, dry_run=False, now=utc_now())
    assert max(counts) == 3
    assert merged >= 3
    with built_star.warehouse.session() as session:
        tables = [name for name in session.tables("aggs") if "_s" in name[-4:] and "by_city" in name]
    assert sorted(tables) == sorted(segment.table for segment in star.segments(built_star))
    answered = answer(built_star, 'SELECT "City", "Amount" FROM tiny_sales GROUP BY 1 ORDER BY 1')
    assert answered.plan.uses_aggregates
    assert (
        answered.rows
        == answer(
            built_star, 'SELECT "City", "Amount" FROM tiny_sales GROUP BY 1 ORDER BY 1', use_aggregates=False
        ).rows
    )


def test_the_router_reads_segments_without_grouping_them_first(built_star: Workspace) -> None:
    """It reads the union of the segments and groups once."""
    star.load(built_star, Sale(at=START + 8))
    star.build(built_star, at=START + 9)

    plan = answer(built_star, 'SELECT "City", "Amount" FROM tiny_sales GROUP BY 1').plan

    active = built_star.read.instances.serving(built_star.read.models.get(MODEL).id)
    names = [instance.table for instance in active if instance.table and instance.table in plan.sql]
    assert len(names) == 1
    union = star.fetch(built_star, f'SELECT COUNT(*) FROM aggs."{names[0]}"')[0][0]
    assert union == sum(segment.rows for segment in star.segments(built_star, plan.sources[0].aggregate or ""))
    assert plan.sql.upper().count("GROUP BY") == 1


def test_lost_segment_tables_are_rebuilt(built_star: Workspace) -> None:
    """Somebody dropped one; the batch does not fail for ever."""
    cascade = " CASCADE" if built_star.warehouse.dialect.name == "postgres" else ""
    tiny_star.run_sql(built_star, f'DROP TABLE aggs."{star.segments(built_star, "by_month")[0].table}"{cascade}')

    reasons = star.reasons(star.build(built_star, at=START + 1))

    assert reasons["by_month"] == "tables of its segments are not in the warehouse any more"
    assert reasons["by_city"] == ""
    star.check_views(built_star)


@pytest.mark.parametrize("level", list(VerificationLevel))
def test_increments_are_verified_at_every_level(built_star: Workspace, level: VerificationLevel) -> None:
    """Groups that stand in two segments are combined before they are compared."""
    star.put_setting(built_star, "aggregates.batch.verify", level)
    star.put_setting(built_star, "aggregate.incrementalUpdate.maxConsecutiveStaticPartitions", 2)
    for number in range(1, 5):
        star.load(built_star, Sale(at=START + 20 * number), Sale(at=START + 20 * number - 9))
        events: list[BuildEvent] = []
        star.build(built_star, at=START + 20 * number, events=events)
        assert not [event.text for event in events if event.kind == "undecided"]
    star.check_views(built_star)


def test_a_segment_that_disagrees_is_never_used(built_star: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A merge that loses rows is a mismatch; the old segments serve on."""
    from airflow_atscale_aggs.engine.errors import BuildFailedError

    star.put_setting(built_star, "aggregate.incrementalUpdate.maxConsecutiveStaticPartitions", 2)
    star.load(built_star, Sale(at=START + 20))
    star.build(built_star, at=START + 20)
    star.load(built_star, Sale(at=START + 40))
    before = star.view_contents(built_star)
    execute = DbApiSession.execute

    def losing(session: DbApiSession, sql: str) -> int | None:
        is_merge = sql.startswith("CREATE TABLE") and "_s1" in sql and "UNION ALL" in sql
        return execute(session, sql.replace("UNION ALL", "EXCEPT") if is_merge else sql)

    monkeypatch.setattr(DbApiSession, "execute", losing)
    with pytest.raises(BuildFailedError, match="does not agree"):
        star.build(built_star, at=START + 40)
    assert star.view_contents(built_star) == before


def test_readers_see_the_old_or_the_new(built_star: Workspace) -> None:
    """Stable views, several in one statement, and the router, read all the time while increments and merges go live."""
    star.put_setting(built_star, "aggregate.incrementalUpdate.maxConsecutiveStaticPartitions", 2)
    states = {_state_of_facts(built_star)}
    seen: set[tuple[object, ...]] = set()
    routed: set[tuple[object, ...]] = set()
    together: set[tuple[object, ...]] = set()
    stop = threading.Event()

    def read(*names: str) -> None:
        counts = ", ".join(f'(SELECT SUM(row_count) FROM aggs."agg_{MODEL}_{name}")' for name in names)
        while not stop.is_set():
            seen.update(
                star.fetch(built_star, f'SELECT SUM(row_count), SUM(sum_amount) FROM aggs."agg_{MODEL}_by_city"')
            )
            together.update(star.fetch(built_star, f"SELECT {counts}"))
            rows = answer(built_star, 'SELECT "Amount", "Quantity" FROM tiny_sales').rows
            routed.update((amount, quantity) for amount, quantity in rows)

    with ThreadPoolExecutor(2) as pool:
        names = ("by_city", "by_day_and_shop", "by_month")
        readers = [pool.submit(read, *names), pool.submit(read, *reversed(names))]
        try:
            for number in range(1, 6):
                at = START + 20 * number
                star.load(built_star, Sale(at=at, amount=number), Sale(at=at - 9, amount=1))
                states.add(_state_of_facts(built_star))
                star.build(built_star, at=at)
        finally:
            stop.set()
        for reader in readers:
            reader.result(timeout=180)
    assert seen <= {(count, amount) for count, amount, _ in states}
    assert together <= {(count,) * len(names) for count, _, _ in states}
    assert routed <= {(amount, quantity) for _, amount, quantity in states}
    assert len(seen) > 1
    assert len(together) > 1


def _state_of_facts(workspace: Workspace) -> tuple[object, ...]:
    return star.fetch(workspace, "SELECT COUNT(*), SUM(amount), SUM(quantity) FROM sales")[0]


def test_segments_are_derived_where_a_setting_says_so(built_star: Workspace) -> None:
    """By default increments read the facts; with the setting they read the parent's new segments of the same ranges."""
    star.load(built_star, Sale(at=START + 30, amount=5))
    assert {instance.source for instance in star.build(built_star, at=START + 30).instances} == {"sales"}
    star.put_setting(built_star, "aggregate.incrementalUpdate.buildFromExisting.enabled", "true")
    for number in (60, 90):
        star.load(built_star, Sale(at=START + number, amount=number, day=7), Sale(at=START + number - 9, amount=1))
        report = star.build(built_star, at=START + number)
        assert {instance.step.aggregate: instance.source for instance in report.instances} == {
            "by_day_and_shop": "sales",
            "by_month": "by_day_and_shop",
            "by_city": "sales",
        }
        star.check_views(built_star)
