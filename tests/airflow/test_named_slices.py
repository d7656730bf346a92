"""What has changed reaches a batch by the conf of a run, and by partition keys of asset events: many become one batch.

Events are those of Airflow's own types; `test_asset_events_in_real_airflow.py` has the events of a real Airflow.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.partition_mappers.temporal import StartOfQuarterMapper, StartOfWeekMapper
from airflow.sdk import Asset
from airflow.sdk.api.datamodels._generated import AssetEventDagRunReference, AssetReferenceAssetEventDagRun
from airflow.sdk.exceptions import AirflowFailException, DagRunTriggerException

from airflow_atscale_aggs.assets import partition_events as events_room
from airflow_atscale_aggs.assets.partition_events import (
    changed_by_events,
    changed_by_run,
    check_period,
    partition_events,
)
from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace, utc_now
from airflow_atscale_aggs.hooks.xcom_keys import COALESCED
from airflow_atscale_aggs.operators.aggregates import PlanBatchBuildOperator, TriggerBatchBuildOperator
from tests.support.airflow_context import task_context
from tests.support.connected_star import connect_star
from tests.support.stars import incremental_star as star
from tests.support.stars.incremental_star import MODEL, START

pytestmark = pytest.mark.airflow

_NOW = datetime(2026, 1, 5, tzinfo=UTC)


def _event(key: str | None, *, asset: str = "sales", minute: int = 0) -> AssetEventDagRunReference:
    return AssetEventDagRunReference(
        asset=AssetReferenceAssetEventDagRun(name=asset, uri=f"x://{asset}", extra={}),
        extra={},
        source_task_id=None,
        source_dag_id=None,
        source_run_id=None,
        source_map_index=None,
        source_aliases=[],
        timestamp=_NOW + timedelta(minutes=minute),
        partition_key=key,
    )


def _context(*events: AssetEventDagRunReference, run_id: str = "asset__1", conf: dict[str, Any] | None = None) -> Any:
    context = task_context("plan", run_id=run_id, conf=conf)
    context["triggering_asset_events"] = {
        Asset(event.asset.name): [other for other in events if other.asset.name == event.asset.name] for event in events
    }
    return context


@pytest.fixture
def urls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A star that was built in full and has a settled segment, and a connection to it."""
    addresses = connect_star(tmp_path, monkeypatch)
    with open_workspace(**addresses, aggregate_schema="aggs") as workspace:
        star.build(workspace, BuildType.FULL, at=START + 50)
    return addresses


def _plan(context: Any, **arguments: Any) -> list[dict[str, str]]:
    operator = PlanBatchBuildOperator(task_id="plan", model=MODEL, aggs_conn_id="tiny", **arguments)
    return list(operator.execute(context))


def test_ranges_of_a_conf_are_made_anew_by_an_incremental_batch(urls: dict[str, Any]) -> None:
    """The form says `full` outright; a conf that does not say it means an increment."""
    assert len(_plan(_context(), changed='{"sales": "2025-10-09"}')) == len(star.AGGREGATES)
    with open_workspace(**urls, aggregate_schema="aggs") as workspace:
        (first, _) = workspace.read.batches.find()
        workspace.registry.batches.cancel(first.id, now=utc_now())
    _plan(_context(run_id="other", conf={"build_type": "full"}), changed={"sales": ["2025-10-09", "2025-11"]})

    with open_workspace(**urls, aggregate_schema="aggs") as workspace:
        (second, *_) = workspace.read.batches.find()
    assert (first.build_type, first.slices_through) == (BuildType.INCREMENTAL, 1)
    assert (second.build_type, second.slices_through) == (BuildType.FULL, 3)
    with pytest.raises(AirflowFailException, match=r"There is no dataset `salez`\. Did you mean `sales`"):
        _plan(_context(run_id="third"), changed={"salez": "2025-10-09"})
    with pytest.raises(AirflowFailException, match="Did you mean `changed`"):
        _plan(_context(run_id="third", conf={"change": {"sales": "2025-10-09"}}))


def test_events_of_partitions_that_came_meanwhile_become_one_batch(
    urls: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each key has a run of its own. The first one names all; the others find what they name answered."""
    first, second, third = _event("2025-10-09T08"), _event("2025-10-09T07", minute=1), _event("2025-10", minute=2)
    monkeypatch.setattr(events_room, "later_events", lambda _: [second, third])
    monkeypatch.setattr("airflow_atscale_aggs.operators.run_signals.later_events", lambda _: [second, third])

    planned = _plan(_context(first))

    with open_workspace(**urls, aggregate_schema="aggs") as workspace:
        batch = workspace.read.batches.find()[0]
        assert (batch.build_type, batch.slices_through) == (BuildType.INCREMENTAL, 3)
        for step in planned:
            claimed = workspace.read.instances.get(step["instance_id"])
            assert claimed.step.increment is not None
        workspace.registry.batches.fail(batch.id, owner=batch.owner, now=utc_now())
    monkeypatch.setattr(events_room, "later_events", lambda _: [])
    monkeypatch.setattr("airflow_atscale_aggs.operators.run_signals.later_events", lambda _: [])
    for number, event in enumerate((second, third)):
        context = _context(event, run_id=f"later {number}")
        with open_workspace(**urls, aggregate_schema="aggs") as workspace:
            due = workspace.read.slices.due(workspace.read.models.get(MODEL).id)
        assert [str(named) for named in due] == ["2025-10-09T08", "2025-10-09T07", "2025-10"]
        if _plan(context) == []:
            assert context["ti"].pushed[COALESCED] == batch.id


def test_keys_are_ranges_of_the_dataset_that_the_asset_stands_for() -> None:
    """A moment of a cron timetable stands for the period that begins with it."""
    midnight = "2026-01-03T00:00:00"
    events = [_event(midnight), _event(midnight, minute=5), _event("2026-01", asset="returns")]

    assert changed_by_events(events, {"returns": "sale_returns"}, "") == (
        ("sales", midnight),
        ("sale_returns", "2026-01"),
    )
    assert changed_by_events(events[:1], {}, check_period("day")) == (("sales", "2026-01-03"),)
    assert changed_by_events(events[:1], {}, check_period("hour")) == (("sales", "2026-01-03T00"),)
    with pytest.raises(ValueError, match="partition_period is `decade`, and must be one of hour, day, week, month, qu"):
        check_period("decade")
    assert partition_events(_context(_event(None))) == []


@pytest.mark.parametrize(
    ("key", "period", "expected"),
    [
        ("2026-01-05 (W02)", "", "2026-01-05..2026-01-11"),
        ("2025-12-29T00:00:00", "week", "2025-12-29..2026-01-04"),
        ("2026-Q4", "", "2026-10..2026-12"),
        ("2026-04-01T00:00:00", "quarter", "2026-04..2026-06"),
        ("2026-01-01T00:00:00", "year", "2026-01..2026-12"),
        ("2026", "year", "2026-01..2026-12"),
        ("2026-02-30 (W09)", "", "2026-02-30"),
        ("north", "week", "north"),
        ("9999-12-31", "week", "9999-12-31"),
        ("2025-11-01", "quarter", "2025-11..2026-01"),
        ("north", "quarter", "north"),
        ("north", "year", "north"),
    ],
)
def test_a_key_covers_its_week_its_quarter_or_its_year(key: str, period: str, expected: str) -> None:
    """What is no such period stays as it is, to be refused by name."""
    ((_, text),) = changed_by_events([_event(key)], {}, check_period(period))

    assert text == expected


@pytest.mark.parametrize("mapper", [StartOfWeekMapper, StartOfQuarterMapper])
def test_the_keys_of_airflows_mappers_are_read(mapper: Any) -> None:
    key = mapper(input_format="%Y-%m-%d").to_downstream("2026-01-07")
    ((_, text),) = changed_by_events([_event(key)], {}, "")

    assert text in {"2026-01-05..2026-01-11", "2026-01..2026-03"}


def test_the_key_of_a_run_that_no_event_has_started_names_a_range() -> None:
    """Somebody has started it with a key, or it belongs to a backfill of partitions."""
    context = _context()
    assert changed_by_run(context, {"sales_by_day": "sales"}, "") == ()
    context["dag_run"].partition_key = "2026-01-03T00:00:00"

    assert changed_by_run(context, {"sales_by_day": "sales", "copy": "sales", "returned": "returns"}, "day") == (
        ("sales", "2026-01-03"),
        ("returns", "2026-01-03"),
    )
    assert changed_by_run(context, {}, "day") == ()


def test_a_run_of_a_key_that_is_no_range_fails_at_once(urls: dict[str, Any]) -> None:
    with pytest.raises(AirflowFailException, match="The changed range `north` of dataset `sales` is refused"):
        _plan(_context(_event("north")))


def test_a_dag_that_loads_names_what_it_has_loaded() -> None:
    """Incremental where something is named, unless it says otherwise."""

    def conf(**arguments: Any) -> Any:
        ti = SimpleNamespace(dag_id="etl", run_id="r", task_id="t", try_number=1, xcom_push=lambda **_: None)
        context: Any = {"ti": ti}
        with pytest.raises(DagRunTriggerException) as started:
            TriggerBatchBuildOperator(task_id="t", model=MODEL, **arguments).execute(context)
        return started.value.conf

    assert conf() == {"build_type": "full", "aggregates": []}
    changed = {"sales": "2026-01-03"}
    assert conf(changed=changed) == {"build_type": "incremental", "aggregates": [], "changed": changed}
    assert conf(changed=changed, build_type="full")["build_type"] == "full"
