"""Incremental rebuilds through the public life cycle, on DuckDB and PostgreSQL: who is incremental, what is read, what
is told.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.lifecycle.build.batch import BatchRequest
from airflow_atscale_aggs.engine.lifecycle.build.events import BuildEvent
from airflow_atscale_aggs.engine.lifecycle.build.plan import plan_batch
from airflow_atscale_aggs.engine.lifecycle.build.verify import Finding, verify
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.retain.sweep import sweep
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, utc_now
from airflow_atscale_aggs.engine.settings import VerificationLevel
from tests.support.stars import incremental_star as star
from tests.support.stars import tiny_star
from tests.support.stars.incremental_star import MODEL, START, DeployModel, Sale

_INCREMENTAL = BuildType.INCREMENTAL


def _plan_notes(workspace: Workspace) -> str:
    numbers = iter(range(100))
    now = datetime.fromtimestamp(START, UTC)
    plan = plan_batch(workspace, MODEL, build_type=_INCREMENTAL, now=now, new_id=lambda: f"{next(numbers)}")
    return "\n".join([*plan.notes, *(refusal.reason for refusal in plan.refused)])


def test_the_first_build_is_full_and_says_so(deploy_model: DeployModel) -> None:
    """It has two segments: what ten seconds of grace cannot reach any more, and the rest."""
    workspace = deploy_model()

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
    star.check_views(workspace)


def test_an_increment_reads_the_grace_period_and_what_is_new(built_star: Workspace) -> None:
    """Late rows, ties with the greatest indicator, corrections and deletions in the window are found."""
    star.load(
        built_star,
        Sale(at=START + 8, day=2, amount=100),
        Sale(at=START, day=2, amount=200),
        Sale(at=START - 10, day=2, amount=300),
    )
    tiny_star.run_sql(
        built_star,
        f"DELETE FROM sales WHERE seq = {-5}",
        "UPDATE sales SET amount = 77, shop_id = 2 WHERE seq = 0 AND amount = 12",
    )
    events: list[BuildEvent] = []

    report = star.build(built_star, at=START + 9, events=events)

    assert set(star.reasons(report).values()) == {""}
    star.check_views(built_star)
    assert [segment.is_settled for segment in star.segments(built_star)] == [True, True, False]
    texts = [event.text for event in events if event.kind == "segment" and event.aggregate == "by_city"]
    assert len(texts) == 2
    assert "settled: read 2 fact rows, wrote 2 rows" in texts[0]
    assert "unsettled: read 3 fact rows" in texts[1]


def test_bounds_are_typed_literals_and_a_fact_is_looked_up_once(
    built_star: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One query reads the indicator for all three aggregates; every range is the very same expression."""
    star.load(built_star, Sale(at=START + 8))
    queries = star.record_queries(monkeypatch)

    report = star.build(built_star, at=START + 9)

    lookups = [sql for sql in queries if 'MAX("f"."loaded_at")' in sql]
    assert len(lookups) == 1
    start = datetime.fromtimestamp(START - 10, UTC) - timedelta(microseconds=1)
    literal = f"CAST('{start:%Y-%m-%d %H:%M:%S.%f}' AS TIMESTAMP)"
    assert (
        f'MAX("f"."loaded_at") AS TEXT) AS "value" FROM "sales" AS "f" WHERE "f"."loaded_at" > {literal}' in lookups[0]
    )
    for instance in report.instances:
        assert instance.step.verification is not None
        assert f'"loaded_at" > {literal}' in instance.step.sources[-1].segment_sqls[0]
        assert f'"loaded_at" > {literal}' in instance.step.verification.facts.sql


def test_an_empty_increment_makes_no_table(built_star: Workspace) -> None:
    """Nothing is new and nothing has changed, as the groups show; the segments stay as they were."""
    before = star.segments(built_star)
    events: list[BuildEvent] = []

    report = star.build(built_star, at=START + 100, events=events)

    assert star.segments(built_star) == before
    assert {event.text for event in events if event.kind == "segment"} == {"nothing has changed: no segment is made"}
    assert {instance.rows for instance in report.instances if instance.step.aggregate == "by_city"} == {
        sum(s.rows for s in before)
    }
    sweep(built_star, dry_run=False, now=utc_now() + timedelta(days=1))
    star.check_views(built_star)


def test_a_change_that_leaves_all_counts_alone_is_no_empty_increment(built_star: Workspace) -> None:
    """An amount that moves from one group to another keeps counts and totals."""
    tiny_star.run_sql(built_star, "UPDATE sales SET shop_id = CASE WHEN shop_id = 1 THEN 3 ELSE 1 END WHERE seq >= -10")

    star.build(built_star, at=START + 1)

    star.check_views(built_star)


@pytest.mark.parametrize("indicator", sorted(star.INDICATORS))
def test_a_row_that_is_late_by_exactly_the_grace_period_is_found(deploy_model: DeployModel, indicator: str) -> None:
    """The period is measured from the greatest indicator; one step further back is too late, and counted."""
    workspace = deploy_model(indicator=indicator, grace="10" if indicator == "plain" else "10s")
    star.build(workspace, BuildType.FULL)
    star.load(workspace, Sale(at=START - 10, amount=1000))
    star.build(workspace)
    star.check_views(workspace)

    star.load(workspace, Sale(at=START - 11, amount=2000))
    report = star.build(workspace)

    assert any("1 row of sales came later than the grace period of 10" in note for note in report.batch.notes)
    star.build(workspace, BuildType.FULL)
    star.check_views(workspace)
    assert not any("later than" in note for note in star.build(workspace).batch.notes)


def test_late_rows_are_not_counted_when_the_setting_is_off(built_star: Workspace) -> None:
    """The check reads what increments do not, which may be dear."""
    star.put_setting(built_star, "aggregate.incrementalUpdate.countLateRows.enabled", "false")
    star.load(built_star, Sale(at=START - 50), Sale(at=START + 1))

    assert not any("later than" in note for note in star.build(built_star, at=START + 1).batch.notes)


def test_rows_without_an_indicator_make_one_table(built_star: Workspace) -> None:
    """Once there are none, everything is made anew in segments, and then by increments again."""
    star.load(built_star, Sale(at=None, amount=9))

    report = star.build(built_star)

    assert set(star.reasons(report).values()) == {"table: `loaded_at` is NULL in 1 row of `sales`"}
    star.check_views(built_star)
    tiny_star.run_sql(
        built_star, "UPDATE sales SET loaded_at = TIMESTAMP '2025-10-09 08:53:21' WHERE loaded_at IS NULL"
    )
    assert set(star.reasons(star.build(built_star)).values()) == {"it was built as one table the last time"}
    assert set(star.reasons(star.build(built_star)).values()) == {""}
    star.check_views(built_star)


def test_an_indicator_in_the_future_does_not_settle_the_present(built_star: Workspace) -> None:
    """One clock is a year ahead; rows that come in time afterwards are found."""
    star.load(built_star, Sale(at=START + 365 * 86400, amount=1))
    star.build(built_star, at=START + 5)
    star.load(built_star, Sale(at=START + 6, amount=2), Sale(at=START - 5, amount=3))

    report = star.build(built_star, at=START + 7)

    assert set(star.reasons(report).values()) == {""}
    star.check_views(built_star)


@pytest.mark.parametrize("reload", ["nothing", "less", "only new rows"])
def test_a_fact_that_was_truncated_or_reloaded_is_rebuilt(built_star: Workspace, reload: str) -> None:
    """There are fewer rows than before below what increments read."""
    tiny_star.run_sql(built_star, "DELETE FROM sales")
    star.load(built_star, *{"nothing": (), "less": star.HISTORY[3:], "only new rows": (Sale(at=START + 3),)}[reload])

    report = star.build(built_star, at=START + 4)

    expected = "holds no rows" if reload == "nothing" else "truncated or reloaded"
    assert all(expected in reason for reason in star.reasons(report).values())
    star.check_views(built_star)


def test_rows_that_vanish_in_the_window_are_no_reload(built_star: Workspace) -> None:
    """The greatest indicator goes down to where the window begins; nothing is made anew."""
    for seconds in (-5, -10):
        tiny_star.run_sql(built_star, f"DELETE FROM sales WHERE seq > {seconds}")
        assert set(star.reasons(star.build(built_star, at=START + 4)).values()) == {""}
        star.check_views(built_star)
    tiny_star.run_sql(built_star, "DELETE FROM sales WHERE seq >= -10")
    assert set(star.reasons(star.build(built_star, at=START + 4)).values()) == {""}
    star.check_views(built_star)


def test_an_emptied_window_is_looked_at_twice_when_nobody_counts(built_star: Workspace) -> None:
    """Without the count of older rows a truncation would look like deletions in the window."""
    star.put_setting(built_star, "aggregate.incrementalUpdate.countLateRows.enabled", "false")
    tiny_star.run_sql(built_star, "DELETE FROM sales WHERE seq > -30")

    report = star.build(built_star, at=START + 4)

    assert all("truncated or reloaded" in reason for reason in star.reasons(report).values())
    star.check_views(built_star)


def test_a_changed_column_type_is_rebuilt(built_star: Workspace) -> None:
    """The same column with another type: its segments cannot be compared with new bounds."""
    kind = "TIMESTAMP WITH TIME ZONE"
    tiny_star.run_sql(built_star, f"ALTER TABLE sales ALTER COLUMN loaded_at TYPE {kind}")

    reasons = star.reasons(star.build(built_star))

    assert all(reason.startswith("the indicator was `loaded_at` of type TIMESTAMP") for reason in reasons.values())
    star.check_views(built_star)


def test_an_edited_model_is_rebuilt(built_star: Workspace, tmp_path: Path) -> None:
    """The edited model is rebuilt in full; another grace period is an edit, too."""
    deploy(built_star, star.write_model(tmp_path / "model", grace="20s"), now=utc_now())

    assert set(star.reasons(star.build(built_star)).values()) == {"the model was edited since it was built"}
    assert star.segments(built_star)[0].through == (START - 20) * 10**6 - 1
    star.check_views(built_star)


def test_a_scheduled_full_rebuild_resets_drift(built_star: Workspace) -> None:
    """After so many days an incremental batch is a full one; the days begin anew."""
    star.put_setting(built_star, "aggregate.incrementalUpdate.fullRebuildAfterDays", 7)
    star.load(built_star, Sale(at=START - 40, amount=500))
    week = START + 7 * 86400

    assert set(star.reasons(star.build(built_star, at=week - 1)).values()) == {""}
    reasons = star.reasons(star.build(built_star, at=week))
    assert all("full rebuild is 7 days ago or more" in reason for reason in reasons.values())
    star.check_views(built_star)
    assert set(star.reasons(star.build(built_star, at=week + 86400)).values()) == {""}


def test_a_grace_override_reaches_further_back(built_star: Workspace) -> None:
    """Whole segments are made anew, and what is settled afterwards is settled by the model's own grace period."""
    for key in ("aggregate.batch.gracePeriodOverrides.enabled", "aggregate.batch.cube.gracePeriodOverrides.enabled"):
        star.put_setting(built_star, key, "true")
    for seconds in (20, 40, 60):
        star.load(built_star, Sale(at=START + seconds, amount=seconds))
        star.build(built_star, at=START + seconds)
    assert len(star.segments(built_star)) == 5
    star.load(built_star, Sale(at=START + 15, amount=1000))
    tiny_star.run_sql(built_star, "UPDATE sales SET amount = 0 WHERE seq = 20")

    request = BatchRequest(grace_periods={"sales": "1m"})
    report = star.build(built_star, at=START + 60, request=request)

    assert "Grace period of sales: 1m instead of 10s." in report.batch.notes
    star.check_views(built_star)
    assert [segment.is_settled for segment in star.segments(built_star)] == [True, True, False]
    assert star.segments(built_star)[-1].after == (START + 50) * 10**6 - 1
    shorter = star.build(built_star, at=START + 61, request=BatchRequest(grace_periods={"sales": "1s"}))
    assert set(star.reasons(shorter).values()) == {""}
    star.check_views(built_star)


def test_an_override_beyond_the_first_row_rebuilds_in_full(built_star: Workspace) -> None:
    """There is nothing left to keep."""
    for key in ("aggregate.batch.gracePeriodOverrides.enabled", "aggregate.batch.cube.gracePeriodOverrides.enabled"):
        star.put_setting(built_star, key, "true")
    star.load(built_star, Sale(at=START - 500))

    report = star.build(built_star, request=BatchRequest(grace_periods={"sales": "1h"}))

    assert set(star.reasons(report).values()) == {"the grace period reaches back to the first row"}
    star.check_views(built_star)


def test_a_subset_can_be_built_by_increments(built_star: Workspace) -> None:
    """The others catch up with the next batch, each from where it stands."""
    star.load(built_star, Sale(at=START + 30, amount=7))
    star.build(built_star, at=START + 30, request=BatchRequest(aggregates=("by_city",)))
    star.check_views(built_star, ["by_city"])
    star.load(built_star, Sale(at=START + 25, amount=8), Sale(at=START + 60, amount=9))

    report = star.build(built_star, at=START + 60)

    assert set(star.reasons(report).values()) == {""}
    star.check_views(built_star)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"immutable": ["day"]}, "by_city, by_day_and_shop: it joins `shop`, not `immutable` in the model"),
        ({"immutable": []}, "by_day_and_shop: it joins `day`, `shop`, not `immutable`"),
        ({"indicator": "milliseconds", "grace": "5m"}, "epoch milliseconds (inferred from 1760000000000)"),
        ({"indicator": "plain", "grace": "2d"}, "the unit of `seq` is not known: 0 is no epoch time"),
    ],
)
def test_plan_says_why_an_aggregate_is_full(deploy_model: DeployModel, options: dict[str, Any], expected: str) -> None:
    """The plan also says how it reads the indicator."""
    assert expected in _plan_notes(deploy_model(**options))


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


def test_settings_decide_who_may_be_incremental(deploy_model: DeployModel) -> None:
    """Without increments there is one table. Where joins that prevent increments are not allowed, nothing is built."""
    workspace = deploy_model(immutable=["day"])
    star.put_setting(workspace, "aggregate.create.joins.allowPreventIncremental.enabled", "false")
    assert "aggregate.create.joins.allowPreventIncremental.enabled is off" in _plan_notes(workspace)
    assert {instance.step.aggregate for instance in star.build(workspace).instances} == {"by_month"}
    star.put_setting(workspace, "aggregate.incrementalUpdate.enabled", "false")
    assert "by_month: aggregate.incrementalUpdate.enabled is off" in _plan_notes(workspace)


def test_a_declared_unit_is_used(deploy_model: DeployModel) -> None:
    """They are seconds in a column without epoch times; plain numbers and a time do not go together."""
    workspace = deploy_model(indicator="plain", grace="10s")
    star.put_setting(workspace, "aggregate.incrementalUpdate.indicatorUnit", "plain")
    assert "is plain, and the grace period 10s is a time" in _plan_notes(workspace)
    star.put_setting(workspace, "aggregate.incrementalUpdate.indicatorUnit", "seconds")
    assert "epoch seconds (declared from 0); a grace period of 10s is 10 of them" in _plan_notes(workspace)
    star.build(workspace, BuildType.FULL)
    assert star.segments(workspace)[0].through == -11
    star.put_setting(workspace, "aggregate.incrementalUpdate.indicatorUnit", "milliseconds")
    assert set(star.reasons(star.build(workspace)).values()) == {"`seq` was read in seconds and is now in milliseconds"}


def test_verify_tells_behind_from_wrong(built_star: Workspace) -> None:
    """New rows are not looked at, changed rows in the window are behind, and others are a difference."""

    def findings() -> set[Finding]:
        return {instance.finding for instance in verify(built_star, MODEL, level=VerificationLevel.FULL).instances}

    star.load(built_star, Sale(at=START + 50))
    assert findings() == {Finding.AGREES}
    star.load(built_star, Sale(at=START - 3, amount=5))
    assert findings() == {Finding.BEHIND}
    star.build(built_star, at=START + 50)
    assert findings() == {Finding.AGREES}
    tiny_star.run_sql(built_star, "UPDATE sales SET amount = 999 WHERE seq = -60")
    assert findings() == {Finding.DIFFERS}
