"""One attempt builds one table, and whoever loses the comparison of statuses drops its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.aggregates.build_step import RowsBetween
from airflow_atscale_aggs.engine.errors import (
    BuildFailedError,
    IllegalTransitionError,
    StaleStatusError,
    TransientWarehouseError,
)
from airflow_atscale_aggs.engine.lifecycle.build.attempt import (
    build_instance,
    choose_source,
    must_wait,
    run_attempt,
)
from airflow_atscale_aggs.engine.lifecycle.build.events import BuildEvent
from airflow_atscale_aggs.engine.lifecycle.build.known_batch import KnownBatch
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.registry.records import InstanceRecord
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession
from tests.support.stars import standing_star
from tests.support.stars.standing_star import (
    NOW,
    OWNER,
    begin,
    open_batch,
    put_settings,
    rows_of,
    run_sql,
    tables_of,
)


def _begin_batch(workspace: Workspace, folder: Path) -> None:
    """Begin a batch of both aggregates; nothing of it is built."""
    standing_star.deploy_model(workspace, folder)
    begin(workspace)


@pytest.fixture
def begun_star(tmp_path: Path) -> Iterator[Workspace]:
    with standing_star.open_standing(tmp_path, _begin_batch) as workspace:
        yield workspace


def _instance(workspace: Workspace, aggregate: str) -> InstanceRecord:
    """The instance of the open batch, as it stands now."""
    instances = workspace.read.instances.find(batch_id=open_batch(workspace).id)
    return next(instance for instance in instances if instance.step.aggregate == aggregate)


def _build(workspace: Workspace, aggregate: str, *, rebuild: bool = False) -> list[BuildEvent]:
    """Build the instance of an aggregate; what happened."""
    events: list[BuildEvent] = []
    instance = _instance(workspace, aggregate)
    build_instance(workspace, instance.id, owner=OWNER, rebuild=rebuild, on_event=events.append)
    return events


def test_an_attempt_tells_what_it_does_and_leaves_a_verified_table(begun_star: Workspace) -> None:
    events = _build(begun_star, "by_city")

    assert [event.kind for event in events] == ["start", "source", "sql", "verified", "done"]
    # Nothing that it could derive from is built yet.
    assert (events[1].source, events[-1].source, events[-1].rows) == ("sales", "sales", 4)
    instance = _instance(begun_star, "by_city")
    assert (instance.status, instance.attempt, instance.rows, instance.source) == ("done", 1, 4, "sales")
    assert rows_of(begun_star, f'SELECT SUM(row_count) FROM aggs."{instance.table}"') == [(60,)]
    verified = begun_star.read.attempts.verification(instance.id, 1)
    assert verified is not None
    assert (verified.level, verified.undecided) == ("totals", ())
    assert dict(verified.totals or {})["sum(sales.amount)"] == "1785"


def test_what_is_built_is_built_again_only_when_that_is_asked_for(begun_star: Workspace) -> None:
    _build(begun_star, "by_city")
    first = _instance(begun_star, "by_city")

    assert _build(begun_star, "by_city") == []
    assert _instance(begun_star, "by_city") == first

    assert _build(begun_star, "by_city", rebuild=True)[-1].kind == "done"
    again = _instance(begun_star, "by_city")
    assert (again.status, again.attempt) == ("done", 2)
    assert again.table != first.table


def test_an_instance_of_a_batch_that_is_over_is_not_built(begun_star: Workspace) -> None:
    instance = _instance(begun_star, "by_city")
    begun_star.registry.batches.fail(instance.batch_id, owner=OWNER, now=NOW)

    with pytest.raises(IllegalTransitionError, match="its batch failed"):
        build_instance(begun_star, instance.id, owner=OWNER)


def test_a_table_is_derived_from_the_smallest_source_that_is_built(begun_star: Workspace) -> None:
    city = _instance(begun_star, "by_city")
    assert [option.name for option in city.step.sources] == ["by_day_and_shop", "sales"]
    assert choose_source(begun_star, city).option.name == "sales"

    _build(begun_star, "by_day_and_shop")

    chosen = choose_source(begun_star, city)
    # 20 days with three sales each, no two of a day in one shop.
    assert (chosen.option.name, chosen.attempt, chosen.rows) == ("by_day_and_shop", 1, 60)
    assert _build(begun_star, "by_city")[-1].source == "by_day_and_shop"
    # An aggregate without sources of its own batch is built from the facts.
    assert choose_source(begun_star, _instance(begun_star, "by_day_and_shop")).option.name == "sales"


@pytest.mark.parametrize(
    ("dearer", "source"),
    [((60, 63), "sales"), ((54, 60), "sales"), ((61, 70), "by_day_and_shop"), ((50, 59), "by_day_and_shop")],
)
def test_a_source_with_so_many_rows_that_the_facts_are_cheaper_is_passed_over(
    begun_star: Workspace, dearer: tuple[int, int], source: str
) -> None:
    """More rows than the facts are said to have tell nothing."""
    least, most = dearer
    _build(begun_star, "by_day_and_shop")
    city = _instance(begun_star, "by_city")
    other, facts = city.step.sources
    other = replace(other, dearer_rows=RowsBetween(least=least, most=most))

    chosen = choose_source(begun_star, replace(city, step=replace(city.step, sources=(other, facts))))

    assert chosen.option.name == source


def test_those_that_build_side_by_side_wait_for_sources_and_for_a_free_place(begun_star: Workspace) -> None:
    source, derived = _instance(begun_star, "by_day_and_shop"), _instance(begun_star, "by_city")
    assert not must_wait(begun_star, derived, most=None)

    begun_star.registry.attempts.claim(source.id, owner=OWNER, now=NOW)

    assert must_wait(begun_star, derived, most=None)
    assert not must_wait(begun_star, source, most=1)

    begun_star.registry.attempts.claim(derived.id, owner=OWNER, now=NOW)

    assert must_wait(begun_star, source, most=1)
    assert not must_wait(begun_star, source, most=2)
    _build(begun_star, "by_day_and_shop")
    assert not must_wait(begun_star, _instance(begun_star, "by_day_and_shop"), most=1)


def test_a_late_attempt_drops_its_own_table_and_leaves_that_of_the_newer_one(begun_star: Workspace) -> None:
    settings, instance = begun_star.settings, _instance(begun_star, "by_city")
    late = begun_star.registry.attempts.claim(instance.id, owner=OWNER, now=NOW)
    newer = begun_star.registry.attempts.claim(instance.id, owner=OWNER, now=NOW)
    assert run_attempt(begun_star, newer, known=KnownBatch(settings)).table == newer.instance.step.table

    with pytest.raises(StaleStatusError, match="in_progress, attempt 1 but is done, attempt 2"):
        run_attempt(begun_star, late, known=KnownBatch(settings))

    assert newer.instance.step.table in tables_of(begun_star)
    assert late.instance.step.table not in tables_of(begun_star)


def test_a_table_that_does_not_agree_with_its_facts_is_dropped_and_not_tried_again(begun_star: Workspace) -> None:
    """A shop stands there twice since the plan was made, so that its sales count twice."""
    run_sql(begun_star, "INSERT INTO shop VALUES (1, 'North 1', 'North')")

    with pytest.raises(BuildFailedError, match=r"`count_rows\(sales\)` should be 60 but is 70") as caught:
        _build(begun_star, "by_city")

    assert (caught.value.used, caught.value.may_retry) == (1, False)
    failed = _instance(begun_star, "by_city")
    assert (failed.status, failed.failures) == ("failed", 1)
    assert "does not agree with its facts" in str(failed.error)
    assert failed.table not in tables_of(begun_star)


@pytest.mark.parametrize(
    ("setting", "used"),
    [
        pytest.param({"max_attempts_per_aggregate": 2}, [(1, 2), (2, 2)], id="of the aggregate"),
        pytest.param({"max_attempts_per_batch": 1}, [(1, 1)], id="of the batch"),
    ],
)
def test_an_error_that_may_pass_is_tried_again_while_attempts_are_left(
    tmp_path: Path, setting: dict[str, int], used: list[tuple[int, int]]
) -> None:
    """The facts are a file that is away for a while."""
    file = tmp_path / "sales.parquet"
    with standing_star.open_standing(tmp_path / "star", standing_star.deploy_model) as workspace:
        run_sql(
            workspace,
            f"COPY sales TO '{file}'",
            "DROP TABLE sales",
            f"CREATE VIEW sales AS SELECT * FROM read_parquet('{file}')",
        )
        put_settings(workspace, **setting)
        begin(workspace)
        file.rename(tmp_path / "away")
        failures = []
        for _ in used:
            with pytest.raises(BuildFailedError) as caught:
                _build(workspace, "by_city")
            failures.append((caught.value.used, caught.value.allowed))
        assert failures == used

        (tmp_path / "away").rename(file)

        assert _build(workspace, "by_city")[-1].rows == 4


def test_an_attempt_that_somebody_interrupts_is_no_failure(begun_star: Workspace) -> None:
    """The process is about to end. Whoever resumes the batch begins the attempt anew."""
    execute = DbApiSession.execute

    def interrupted(session: DbApiSession, sql: str) -> int | None:
        if sql.startswith("CREATE TABLE"):
            begun_star.warehouse.cancel_all()
            raise TransientWarehouseError("duckdb", sql, "interrupted")
        return execute(session, sql)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(TransientWarehouseError, match="interrupted"):
        patch.setattr(DbApiSession, "execute", interrupted)
        _build(begun_star, "by_city")

    left = _instance(begun_star, "by_city")
    assert (left.status, left.attempt, left.failures) == ("in_progress", 1, 0)
    assert _build(begun_star, "by_city")[-1].kind == "done"
    assert _instance(begun_star, "by_city").attempt == 2


def test_where_a_comparison_with_the_source_cannot_decide_the_facts_are_read(begun_star: Workspace) -> None:
    """Nobody compared the source, and the facts have changed since it was made."""
    put_settings(begun_star, verify="off")
    _build(begun_star, "by_day_and_shop")
    put_settings(begun_star, verify="totals")
    run_sql(begun_star, "INSERT INTO sales VALUES (1, 1, 1, 1000)")

    events = _build(begun_star, "by_city")

    assert [event.source for event in events if event.kind == "source"] == ["by_day_and_shop", "sales"]
    (undecided,) = [event.text for event in events if event.kind == "undecided"]
    assert undecided.startswith("Built from by_day_and_shop: `count_rows(sales)` should be 61 but is 60, but the facts")
    instance = _instance(begun_star, "by_city")
    assert rows_of(begun_star, f'SELECT SUM(row_count) FROM aggs."{instance.table}"') == [(61,)]


def test_where_no_comparison_can_be_made_the_table_is_built_without_one(tmp_path: Path) -> None:
    """The total of two groups is too large for any number of the warehouse."""
    with standing_star.open_standing(tmp_path, standing_star.deploy_model) as workspace:
        run_sql(
            workspace,
            "ALTER TABLE sales ALTER quantity TYPE HUGEINT",
            f"INSERT INTO sales VALUES (1, 1, {10**38}, 1), (2, 1, {10**38}, 1)",
        )
        begin(workspace)

        events = _build(workspace, "by_day_and_shop")

        instance = _instance(workspace, "by_day_and_shop")
        verified = workspace.read.attempts.verification(instance.id, 1)
    assert [event.kind for event in events] == ["start", "source", "sql", "undecided", "sql", "done"]
    assert verified is not None
    assert verified.totals is None
    assert verified.undecided[0].startswith("the comparison failed: ")


def test_a_statement_that_fails_for_good_ends_the_attempts(begun_star: Workspace) -> None:
    run_sql(begun_star, "DROP TABLE shop")

    with pytest.raises(BuildFailedError, match="shop") as caught:
        _build(begun_star, "by_city")

    assert not caught.value.may_retry
    # A fresh allowance forgets the failure.
    run_sql(begun_star, "CREATE TABLE shop AS SELECT 1 AS shop_id, 'North 1' AS shop_name, 'North' AS city")
    instance = build_instance(begun_star, _instance(begun_star, "by_city").id, owner=OWNER, allowance="a person")
    assert (instance.status, instance.failures, instance.attempt) == ("done", 0, 2)
