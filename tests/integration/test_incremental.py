"""Incremental rebuilds through the public life cycle, on DuckDB and PostgreSQL: who is incremental, what is read, what
is told.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.errors import InvalidModelError
from airflow_atscale_aggs.engine.lifecycle.build.batch import BatchRequest
from airflow_atscale_aggs.engine.lifecycle.build.events import BuildEvent
from airflow_atscale_aggs.engine.lifecycle.build.plan import plan_batch
from airflow_atscale_aggs.engine.lifecycle.build.verify import Finding, verify
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import answer
from airflow_atscale_aggs.engine.lifecycle.retain.sweep import sweep
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from airflow_atscale_aggs.engine.settings import VerificationLevel
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession
from tests.support.stars import incremental_star as star
from tests.support.stars import tiny_star
from tests.support.stars.incremental_star import MODEL, START, Sale

_INCREMENTAL = BuildType.INCREMENTAL

Deployed = Callable[..., Workspace]


@pytest.fixture(params=["duckdb", pytest.param("postgres", marks=pytest.mark.postgres)])
def workspace(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workspace]:
    """The tables with a minute of facts; nothing is deployed."""
    url = str(request.getfixturevalue("postgres_url")) if request.param == "postgres" else ""
    with star.open_star(tmp_path, url) as made:
        yield made


@pytest.fixture
def deployed(workspace: Workspace, tmp_path: Path) -> Deployed:
    """Deploys the model with an indicator, by default the timestamp with a grace period of ten seconds."""

    def deployed(**options: Any) -> Workspace:
        deploy(workspace, star.write_model(tmp_path / "model", **options), now=utc_now())
        return workspace

    return deployed


@pytest.fixture
def built(deployed: Deployed) -> Workspace:
    """Deployed and built in full at START."""
    workspace = deployed()
    star.build(workspace, BuildType.FULL)
    return workspace


def _plan_notes(workspace: Workspace) -> str:
    numbers = iter(range(100))
    now = datetime.fromtimestamp(START, UTC)
    plan = plan_batch(workspace, MODEL, build_type=_INCREMENTAL, now=now, new_id=lambda: f"{next(numbers)}")
    return "\n".join([*plan.notes, *(one.reason for one in plan.refused)])


def test_the_first_build_is_full_and_says_so(deployed: Deployed) -> None:
    """In two segments: what ten seconds of grace cannot reach any more, and the rest."""
    workspace = deployed()

    report = star.build(workspace)

    assert set(star.reasons(report).values()) == {"it has not been built before"}
    assert "Built in full: by_city, by_day_and_shop, by_month: it has not been built before." in report.batch.notes
    settled, unsettled = star.segments(workspace)
    bound = (START - 10) * 10**6 - 1
    assert (settled.after, settled.through, settled.is_settled, settled.fact_rows) == (None, bound, True, 10)
    assert (unsettled.after, unsettled.through, unsettled.is_settled, unsettled.fact_rows) == (
        bound,
        START * 10**6,
        False,
        3,
    )
    star.check(workspace)


def test_an_increment_reads_the_grace_period_and_what_is_new(built: Workspace) -> None:
    """Late rows, ties with the greatest indicator, corrections and deletions in the window are found."""
    star.load(
        built,
        Sale(at=START + 8, day=2, amount=100),
        Sale(at=START, day=2, amount=200),
        Sale(at=START - 10, day=2, amount=300),
    )
    tiny_star.run_sql(
        built,
        f"DELETE FROM sales WHERE seq = {-5}",
        "UPDATE sales SET amount = 77, shop_id = 2 WHERE seq = 0 AND amount = 12",
    )
    events: list[BuildEvent] = []

    report = star.build(built, at=START + 9, events=events)

    assert set(star.reasons(report).values()) == {""}
    star.check(built)
    assert [one.is_settled for one in star.segments(built)] == [True, True, False]
    told = [one.text for one in events if one.kind == "segment" and one.aggregate == "by_city"]
    assert len(told) == 2
    assert "settled: read 2 fact rows, wrote 2 rows" in told[0]
    assert "unsettled: read 3 fact rows" in told[1]


def test_bounds_are_typed_literals_and_a_fact_is_looked_up_once(
    built: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One query on the indicator for all three aggregates; the very same expression wherever a range is read."""
    star.load(built, Sale(at=START + 8))
    asked = star.queries_asked(monkeypatch)

    report = star.build(built, at=START + 9)

    lookups = [sql for sql in asked if 'MAX("f"."loaded_at")' in sql]
    assert len(lookups) == 1
    start = datetime.fromtimestamp(START - 10, UTC) - timedelta(microseconds=1)
    literal = f"CAST('{start:%Y-%m-%d %H:%M:%S.%f}' AS TIMESTAMP)"
    assert (
        f'MAX("f"."loaded_at") AS TEXT) AS "value" FROM "sales" AS "f" WHERE "f"."loaded_at" > {literal}' in lookups[0]
    )
    for one in report.instances:
        assert one.step.verification is not None
        assert f'"loaded_at" > {literal}' in one.step.sources[-1].segment_sqls[0]
        assert f'"loaded_at" > {literal}' in one.step.verification.facts.sql


def test_an_empty_increment_makes_no_table(built: Workspace) -> None:
    """Nothing new and nothing changed, proven by comparing groups: the segments are as they were."""
    before = star.segments(built)
    events: list[BuildEvent] = []

    report = star.build(built, at=START + 100, events=events)

    assert star.segments(built) == before
    assert {one.text for one in events if one.kind == "segment"} == {"nothing has changed: no segment is made"}
    assert {one.rows for one in report.instances if one.step.aggregate == "by_city"} == {sum(s.rows for s in before)}
    sweep(built, dry_run=False, now=utc_now() + timedelta(days=1))
    star.check(built)


def test_a_change_that_leaves_all_counts_alone_is_no_empty_increment(built: Workspace) -> None:
    """An amount that moves from one group to another keeps counts and totals."""
    tiny_star.run_sql(built, "UPDATE sales SET shop_id = CASE WHEN shop_id = 1 THEN 3 ELSE 1 END WHERE seq >= -10")

    star.build(built, at=START + 1)

    star.check(built)


@pytest.mark.parametrize("indicator", sorted(star.INDICATORS))
def test_a_row_that_is_late_by_exactly_the_grace_period_is_found(deployed: Deployed, indicator: str) -> None:
    """Measured from the greatest indicator; one step further back is too late, and counted."""
    workspace = deployed(indicator=indicator, grace="10" if indicator == "plain" else "10s")
    star.build(workspace, BuildType.FULL)
    star.load(workspace, Sale(at=START - 10, amount=1000))
    star.build(workspace)
    star.check(workspace)

    star.load(workspace, Sale(at=START - 11, amount=2000))
    report = star.build(workspace)

    assert any("1 row of sales came later than the grace period of 10" in note for note in report.batch.notes)
    star.build(workspace, BuildType.FULL)
    star.check(workspace)
    assert not any("later than" in note for note in star.build(workspace).batch.notes)


def test_late_rows_are_not_counted_when_the_setting_is_off(built: Workspace) -> None:
    """The check reads what increments do not, which may be dear."""
    star.put_setting(built, "aggregate.incrementalUpdate.countLateRows.enabled", "false")
    star.load(built, Sale(at=START - 50), Sale(at=START + 1))

    assert not any("later than" in note for note in star.build(built, at=START + 1).batch.notes)


def test_rows_without_an_indicator_make_one_table(built: Workspace) -> None:
    """As long as there are such; then everything is made anew in segments, then by increments again."""
    star.load(built, Sale(at=None, amount=9))

    report = star.build(built)

    assert set(star.reasons(report).values()) == {"table: `loaded_at` is NULL in 1 row of `sales`"}
    star.check(built)
    tiny_star.run_sql(built, "UPDATE sales SET loaded_at = TIMESTAMP '2025-10-09 08:53:21' WHERE loaded_at IS NULL")
    assert set(star.reasons(star.build(built)).values()) == {"it was built as one table the last time"}
    assert set(star.reasons(star.build(built)).values()) == {""}
    star.check(built)


def test_an_indicator_in_the_future_does_not_settle_the_present(built: Workspace) -> None:
    """One clock that is a year ahead; rows that come in time afterwards are found."""
    star.load(built, Sale(at=START + 365 * 86400, amount=1))
    star.build(built, at=START + 5)
    star.load(built, Sale(at=START + 6, amount=2), Sale(at=START - 5, amount=3))

    report = star.build(built, at=START + 7)

    assert set(star.reasons(report).values()) == {""}
    star.check(built)


@pytest.mark.parametrize("reload", ["nothing", "less", "only new rows"])
def test_a_fact_that_was_truncated_or_reloaded_is_rebuilt(built: Workspace, reload: str) -> None:
    """Fewer rows than there were below what increments read."""
    tiny_star.run_sql(built, "DELETE FROM sales")
    star.load(built, *{"nothing": (), "less": star.HISTORY[3:], "only new rows": (Sale(at=START + 3),)}[reload])

    report = star.build(built, at=START + 4)

    expected = "holds no rows" if reload == "nothing" else "truncated or reloaded"
    assert all(expected in reason for reason in star.reasons(report).values())
    star.check(built)


def test_rows_that_vanish_in_the_window_are_no_reload(built: Workspace) -> None:
    """The greatest indicator goes down, down to where the window begins; nothing is made anew."""
    for seconds in (-5, -10):
        tiny_star.run_sql(built, f"DELETE FROM sales WHERE seq > {seconds}")
        assert set(star.reasons(star.build(built, at=START + 4)).values()) == {""}
        star.check(built)
    tiny_star.run_sql(built, "DELETE FROM sales WHERE seq >= -10")
    assert set(star.reasons(star.build(built, at=START + 4)).values()) == {""}
    star.check(built)


def test_an_emptied_window_is_looked_at_twice_when_nobody_counts(built: Workspace) -> None:
    """Without the count of older rows a truncation would look like deletions in the window."""
    star.put_setting(built, "aggregate.incrementalUpdate.countLateRows.enabled", "false")
    tiny_star.run_sql(built, "DELETE FROM sales WHERE seq > -30")

    report = star.build(built, at=START + 4)

    assert all("truncated or reloaded" in reason for reason in star.reasons(report).values())
    star.check(built)


def test_a_changed_column_type_is_rebuilt(built: Workspace) -> None:
    """The same column with another type: its segments cannot be compared with new bounds."""
    kind = "TIMESTAMP WITH TIME ZONE"
    tiny_star.run_sql(built, f"ALTER TABLE sales ALTER COLUMN loaded_at TYPE {kind}")

    reasons = star.reasons(star.build(built))

    assert all(reason.startswith("the indicator was `loaded_at` of type TIMESTAMP") for reason in reasons.values())
    star.check(built)


def test_an_edited_model_is_rebuilt(built: Workspace, tmp_path: Path) -> None:
    """It decides anew; a grace period is an edit, too."""
    deploy(built, star.write_model(tmp_path / "model", grace="20s"), now=utc_now())

    assert set(star.reasons(star.build(built)).values()) == {"the model was edited since it was built"}
    assert star.segments(built)[0].through == (START - 20) * 10**6 - 1
    star.check(built)


def test_a_scheduled_full_rebuild_resets_drift(built: Workspace) -> None:
    """After so many days an incremental batch is a full one; the days begin anew."""
    star.put_setting(built, "aggregate.incrementalUpdate.fullRebuildAfterDays", 7)
    star.load(built, Sale(at=START - 40, amount=500))
    week = START + 7 * 86400

    assert set(star.reasons(star.build(built, at=week - 1)).values()) == {""}
    reasons = star.reasons(star.build(built, at=week))
    assert all("full rebuild is 7 days ago or more" in reason for reason in reasons.values())
    star.check(built)
    assert set(star.reasons(star.build(built, at=week + 86400)).values()) == {""}


def test_a_grace_override_reaches_further_back(built: Workspace) -> None:
    """Whole segments are made anew, and what is settled afterwards is settled by the model's own grace period."""
    for key in ("aggregate.batch.gracePeriodOverrides.enabled", "aggregate.batch.cube.gracePeriodOverrides.enabled"):
        star.put_setting(built, key, "true")
    for seconds in (20, 40, 60):
        star.load(built, Sale(at=START + seconds, amount=seconds))
        star.build(built, at=START + seconds)
    assert len(star.segments(built)) == 5
    star.load(built, Sale(at=START + 15, amount=1000))
    tiny_star.run_sql(built, "UPDATE sales SET amount = 0 WHERE seq = 20")

    request = BatchRequest(grace_periods={"sales": "1m"})
    report = star.build(built, at=START + 60, request=request)

    assert "Grace period of sales: 1m instead of 10s." in report.batch.notes
    star.check(built)
    assert [one.is_settled for one in star.segments(built)] == [True, True, False]
    assert star.segments(built)[-1].after == (START + 50) * 10**6 - 1
    shorter = star.build(built, at=START + 61, request=BatchRequest(grace_periods={"sales": "1s"}))
    assert set(star.reasons(shorter).values()) == {""}
    star.check(built)


def test_an_override_beyond_the_first_row_rebuilds_in_full(built: Workspace) -> None:
    """There is nothing left to keep."""
    for key in ("aggregate.batch.gracePeriodOverrides.enabled", "aggregate.batch.cube.gracePeriodOverrides.enabled"):
        star.put_setting(built, key, "true")
    star.load(built, Sale(at=START - 500))

    report = star.build(built, request=BatchRequest(grace_periods={"sales": "1h"}))

    assert set(star.reasons(report).values()) == {"the grace period reaches back to the first row"}
    star.check(built)


def test_segments_are_merged_before_there_are_too_many(built: Workspace) -> None:
    """Settled ones only, from the segments; what was merged is dropped when no instance consists of it any more."""
    star.put_setting(built, "aggregate.incrementalUpdate.maxConsecutiveStaticPartitions", 3)
    star.put_setting(built, "aggregates.drop.delaySeconds", 0)
    counts = []
    merged = 0
    for number in range(1, 9):
        star.load(built, Sale(at=START + 20 * number, amount=number, day=number))
        events: list[BuildEvent] = []
        star.build(built, at=START + 20 * number, events=events)
        star.check(built)
        found = star.segments(built)
        counts.append(len([one for one in found if one.is_settled]))
        assert [one.after for one in found[1:]] == [one.through for one in found[:-1]]
        merged += sum("merged from" in one.text for one in events)
        sweep(built, dry_run=False, now=utc_now())
    assert max(counts) == 3
    assert merged >= 3
    with built.warehouse.session() as session:
        tables = [name for name in session.tables("aggs") if "_s" in name[-4:] and "by_city" in name]
    assert sorted(tables) == sorted(one.table for one in star.segments(built))
    answered = answer(built, 'SELECT "City", "Amount" FROM tiny_sales GROUP BY 1 ORDER BY 1')
    assert answered.plan.uses_aggregates
    assert (
        answered.rows
        == answer(built, 'SELECT "City", "Amount" FROM tiny_sales GROUP BY 1 ORDER BY 1', use_aggregates=False).rows
    )


def test_the_router_reads_segments_without_grouping_them_first(built: Workspace) -> None:
    """It reads the union of the segments and groups once."""
    star.load(built, Sale(at=START + 8))
    star.build(built, at=START + 9)

    plan = answer(built, 'SELECT "City", "Amount" FROM tiny_sales GROUP BY 1').plan

    active = built.read.instances.serving(built.read.models.get(MODEL).id)
    names = [one.table for one in active if one.table and one.table in plan.sql]
    assert len(names) == 1
    union = star.fetch(built, f'SELECT COUNT(*) FROM aggs."{names[0]}"')[0][0]
    assert union == sum(one.rows for one in star.segments(built, plan.sources[0].aggregate or ""))
    assert plan.sql.upper().count("GROUP BY") == 1


def test_lost_segment_tables_are_rebuilt(built: Workspace) -> None:
    """Somebody dropped one; the batch does not fail for ever."""
    cascade = " CASCADE" if built.warehouse.dialect.name == "postgres" else ""
    tiny_star.run_sql(built, f'DROP TABLE aggs."{star.segments(built, "by_month")[0].table}"{cascade}')

    reasons = star.reasons(star.build(built, at=START + 1))

    assert reasons["by_month"] == "tables of its segments are not in the warehouse any more"
    assert reasons["by_city"] == ""
    star.check(built)


def test_a_subset_can_be_built_by_increments(built: Workspace) -> None:
    """The others catch up with the next batch, each from where it stands."""
    star.load(built, Sale(at=START + 30, amount=7))
    star.build(built, at=START + 30, request=BatchRequest(aggregates=("by_city",)))
    star.check(built, ["by_city"])
    star.load(built, Sale(at=START + 25, amount=8), Sale(at=START + 60, amount=9))

    report = star.build(built, at=START + 60)

    assert set(star.reasons(report).values()) == {""}
    star.check(built)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"immutable": ["day"]}, "by_city, by_day_and_shop: it joins `shop`, not `immutable` in the model"),
        ({"immutable": []}, "by_day_and_shop: it joins `day`, `shop`, not `immutable`"),
        ({"indicator": "milliseconds", "grace": "5m"}, "epoch milliseconds (inferred from 1760000000000)"),
        ({"indicator": "plain", "grace": "2d"}, "the unit of `seq` is not known: 0 is no epoch time"),
    ],
)
def test_plan_says_why_an_aggregate_is_full(deployed: Deployed, options: dict[str, Any], expected: str) -> None:
    """And how it reads the indicator."""
    assert expected in _plan_notes(deployed(**options))


def test_exact_distinct_counts_are_full(workspace: Workspace, tmp_path: Path) -> None:
    """They cannot be combined from segments."""
    folder = star.write_model(tmp_path / "model")
    (folder / "metric_Shops.yml").write_text(
        "unique_name: Shops Seen\nobject_type: metric\nlabel: Shops\ncalculation_method: count distinct\n"
        "dataset: sales\ncolumn: shop_id\n"
    )
    model = folder / "model.yml"
    text = model.read_text().replace("metrics:\n", "metrics:\n  - unique_name: Shops Seen\n", 1)
    model.write_text(text.replace("      - Amount\n", "      - Amount\n      - Shops Seen\n", 1))
    deploy(workspace, folder, now=utc_now())
    star.build(workspace, BuildType.FULL)

    reasons = star.reasons(star.build(workspace))

    assert reasons["by_city"] == "table: exact distinct values of `shop_id` cannot be combined from segments"
    assert reasons["by_month"] == ""


def test_settings_decide_who_may_be_incremental(deployed: Deployed) -> None:
    """Switched off: one table. Joins that prevent increments not allowed: not built at all, and no failure."""
    workspace = deployed(immutable=["day"])
    star.put_setting(workspace, "aggregate.create.joins.allowPreventIncremental.enabled", "false")
    assert "aggregate.create.joins.allowPreventIncremental.enabled is off" in _plan_notes(workspace)
    assert {one.step.aggregate for one in star.build(workspace).instances} == {"by_month"}
    star.put_setting(workspace, "aggregate.incrementalUpdate.enabled", "false")
    assert "by_month: aggregate.incrementalUpdate.enabled is off" in _plan_notes(workspace)


def test_a_declared_unit_is_used(deployed: Deployed) -> None:
    """Seconds for a column whose values are no epoch time; plain numbers and a time do not go together."""
    workspace = deployed(indicator="plain", grace="10s")
    star.put_setting(workspace, "aggregate.incrementalUpdate.indicatorUnit", "plain")
    assert "is plain, and the grace period 10s is a time" in _plan_notes(workspace)
    star.put_setting(workspace, "aggregate.incrementalUpdate.indicatorUnit", "seconds")
    assert "epoch seconds (declared from 0); a grace period of 10s is 10 of them" in _plan_notes(workspace)
    star.build(workspace, BuildType.FULL)
    assert star.segments(workspace)[0].through == -11
    star.put_setting(workspace, "aggregate.incrementalUpdate.indicatorUnit", "milliseconds")
    assert set(star.reasons(star.build(workspace)).values()) == {"`seq` was read in seconds and is now in milliseconds"}


@pytest.mark.parametrize("column", ["amount", "seq_text", "nothing"])
def test_deploy_refuses_an_indicator_of_another_type(workspace: Workspace, tmp_path: Path, column: str) -> None:
    """What the warehouse says counts, not what the model says."""
    tiny_star.run_sql(workspace, "ALTER TABLE sales ADD COLUMN seq_text VARCHAR(20)")
    folder = star.write_model(
        tmp_path / "model", column=column, more_columns="  - name: seq_text\n    data_type: long\n"
    )

    with pytest.raises(InvalidModelError) as raised:
        deploy(workspace, folder, now=utc_now())

    issue = next(one for one in raised.value.issues if one.is_error)
    assert column in issue.message
    assert issue.file == "dataset_sales.yml"
    assert issue.code == "indicator-type"
    assert workspace.read.models.current() == ()


def test_deploy_refuses_a_grace_period_that_is_none(workspace: Workspace, tmp_path: Path) -> None:
    """With the place."""
    with pytest.raises(InvalidModelError, match="grace period `soon` of dataset `sales` is not of the form 12h"):
        deploy(workspace, star.write_model(tmp_path / "model", grace="soon"), now=utc_now())


def test_deploy_warns_where_the_type_cannot_be_told_yet(workspace: Workspace, tmp_path: Path) -> None:
    """Models may be deployed before their tables are there; a batch looks again."""
    tiny_star.run_sql(workspace, "DROP TABLE sales")

    report = deploy(workspace, star.write_model(tmp_path / "model"), now=utc_now())

    assert [one.code for one in report.issues] == ["indicator-not-checked"]


def test_verify_tells_behind_from_wrong(built: Workspace) -> None:
    """New rows are not looked at; changed rows in the window are behind; others are a difference."""

    def findings() -> set[Finding]:
        return {one.finding for one in verify(built, MODEL, level=VerificationLevel.FULL).instances}

    star.load(built, Sale(at=START + 50))
    assert findings() == {Finding.AGREES}
    star.load(built, Sale(at=START - 3, amount=5))
    assert findings() == {Finding.BEHIND}
    star.build(built, at=START + 50)
    assert findings() == {Finding.AGREES}
    tiny_star.run_sql(built, "UPDATE sales SET amount = 999 WHERE seq = -60")
    assert findings() == {Finding.DIFFERS}


@pytest.mark.parametrize("level", list(VerificationLevel))
def test_increments_are_verified_at_every_level(built: Workspace, level: VerificationLevel) -> None:
    """Groups that stand in two segments are combined before they are compared."""
    star.put_setting(built, "aggregates.batch.verify", level)
    star.put_setting(built, "aggregate.incrementalUpdate.maxConsecutiveStaticPartitions", 2)
    for number in range(1, 5):
        star.load(built, Sale(at=START + 20 * number), Sale(at=START + 20 * number - 9))
        events: list[BuildEvent] = []
        star.build(built, at=START + 20 * number, events=events)
        assert not [one.text for one in events if one.kind == "undecided"]
    star.check(built)


def test_a_segment_that_disagrees_is_never_used(built: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A merge that loses rows is a mismatch; the old segments serve on."""
    from airflow_atscale_aggs.engine.errors import BuildFailedError

    star.put_setting(built, "aggregate.incrementalUpdate.maxConsecutiveStaticPartitions", 2)
    star.load(built, Sale(at=START + 20))
    star.build(built, at=START + 20)
    star.load(built, Sale(at=START + 40))
    before = star.stored(built)
    execute = DbApiSession.execute

    def losing(session: DbApiSession, sql: str) -> int | None:
        is_merge = sql.startswith("CREATE TABLE") and "_s1" in sql and "UNION ALL" in sql
        return execute(session, sql.replace("UNION ALL", "EXCEPT") if is_merge else sql)

    monkeypatch.setattr(DbApiSession, "execute", losing)
    with pytest.raises(BuildFailedError, match="does not agree"):
        star.build(built, at=START + 40)
    assert star.stored(built) == before


def test_a_time_zone_and_clocks_that_are_put_back(deployed: Deployed) -> None:
    """Civil time of Berlin: 02:49 comes twice that night, and rows of the second pass are found."""
    workspace = deployed(grace="10m")
    star.put_setting(workspace, "aggregate.incrementalUpdate.indicatorTimeZone", "Europe/Berlin")
    night = int(datetime(2026, 10, 25, tzinfo=UTC).timestamp())
    star.load(workspace, Sale(at=night + 2 * 3600 + 49 * 60))
    star.build(workspace, BuildType.FULL, at=night + 50 * 60)
    assert star.segments(workspace)[0].through == (night + 3600 + 39 * 60) * 10**6 - 1
    star.load(workspace, Sale(at=night + 2 * 3600 + 5 * 60, amount=9), Sale(at=night + 2 * 3600 + 15 * 60, amount=8))

    report = star.build(workspace, at=night + 80 * 60)

    assert set(star.reasons(report).values()) == {""}
    assert not any("later than" in note for note in report.batch.notes)
    star.check(workspace)


def test_a_calculated_indicator(deployed: Deployed) -> None:
    """With a type that the model tells; its bounds are literals, too."""
    workspace = deployed(
        column="known_at",
        more_columns="  - name: known_at\n    data_type: timestamp\n    sql: COALESCE(loaded_at, loaded_at)\n",
    )
    star.build(workspace, BuildType.FULL)
    star.load(workspace, Sale(at=START - 9, amount=3), Sale(at=START + 9, amount=4))

    assert set(star.reasons(star.build(workspace, at=START + 9)).values()) == {""}
    star.check(workspace)


def test_digits_beyond_microseconds_lose_no_row(tmp_path: Path) -> None:
    """DuckDB's TIMESTAMP_NS: deployment warns, bounds are rounded up, the greatest row is not above its own bound."""
    with open_workspace(
        registry=f"sqlite:///{tmp_path / 'r.sqlite'}", warehouse="duckdb:///:memory:", aggregate_schema="aggs"
    ) as workspace:
        tiny_star.run_sql(workspace, *star.SETUP_SQL, "ALTER TABLE sales ALTER COLUMN loaded_at TYPE TIMESTAMP_NS")
        star.load(workspace, *star.HISTORY)
        late = "TIMESTAMP_NS '2025-10-09 08:53:20.000000{}'"
        tiny_star.run_sql(workspace, f"UPDATE sales SET loaded_at = {late.format('001')} WHERE seq = 0")
        report = deploy(workspace, star.write_model(tmp_path / "model"), now=utc_now())
        assert [one.code for one in report.issues] == ["indicator-precision"]
        star.build(workspace, BuildType.FULL)
        star.check(workspace)
        star.load(workspace, Sale(at=START + 1), Sale(at=START - 10))
        tiny_star.run_sql(workspace, f"UPDATE sales SET loaded_at = {late.format('999')} WHERE seq = 1")
        report = star.build(workspace, at=START + 2)
        assert set(star.reasons(report).values()) == {""}
        assert any("digits beyond microseconds" in note for note in report.batch.notes)
        star.check(workspace)


def test_readers_see_the_old_or_the_new(built: Workspace) -> None:
    """Stable views, several in one statement, and the router, read all the time while increments and merges go live."""
    star.put_setting(built, "aggregate.incrementalUpdate.maxConsecutiveStaticPartitions", 2)
    states = {_state_of_facts(built)}
    seen: set[tuple[object, ...]] = set()
    routed: set[tuple[object, ...]] = set()
    together: set[tuple[object, ...]] = set()
    stop = threading.Event()

    def read(*names: str) -> None:
        counts = ", ".join(f'(SELECT SUM(row_count) FROM aggs."agg_{MODEL}_{name}")' for name in names)
        while not stop.is_set():
            seen.update(star.fetch(built, f'SELECT SUM(row_count), SUM(sum_amount) FROM aggs."agg_{MODEL}_by_city"'))
            together.update(star.fetch(built, f"SELECT {counts}"))
            rows = answer(built, 'SELECT "Amount", "Quantity" FROM tiny_sales').rows
            routed.update((amount, quantity) for amount, quantity in rows)

    with ThreadPoolExecutor(2) as pool:
        names = ("by_city", "by_day_and_shop", "by_month")
        readers = [pool.submit(read, *names), pool.submit(read, *reversed(names))]
        try:
            for number in range(1, 6):
                at = START + 20 * number
                star.load(built, Sale(at=at, amount=number), Sale(at=at - 9, amount=1))
                states.add(_state_of_facts(built))
                star.build(built, at=at)
        finally:
            stop.set()
        for one in readers:
            one.result(timeout=180)
    assert seen <= {(count, amount) for count, amount, _ in states}
    assert together <= {(count,) * len(names) for count, _, _ in states}
    assert routed <= {(amount, quantity) for _, amount, quantity in states}
    assert len(seen) > 1
    assert len(together) > 1


def _state_of_facts(workspace: Workspace) -> tuple[object, ...]:
    return star.fetch(workspace, "SELECT COUNT(*), SUM(amount), SUM(quantity) FROM sales")[0]


def test_segments_are_derived_where_a_setting_says_so(built: Workspace) -> None:
    """Off by default: rebuilds and increments read the facts. On: the parent's new segments, of the same ranges."""
    star.load(built, Sale(at=START + 30, amount=5))
    assert {one.source for one in star.build(built, at=START + 30).instances} == {"sales"}
    star.put_setting(built, "aggregate.incrementalUpdate.buildFromExisting.enabled", "true")
    for number in (60, 90):
        star.load(built, Sale(at=START + number, amount=number, day=7), Sale(at=START + number - 9, amount=1))
        report = star.build(built, at=START + number)
        assert {one.step.aggregate: one.source for one in report.instances} == {
            "by_day_and_shop": "sales",
            "by_month": "by_day_and_shop",
            "by_city": "sales",
        }
        star.check(built)
