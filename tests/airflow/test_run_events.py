"""Since when a batch must have been begun to answer a run, and which events a run stands for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_atscale_aggs.assets import run_events
from airflow_atscale_aggs.assets.run_events import moment_of_newest_event, moment_of_request
from airflow_atscale_aggs.operators.run_signals import is_signals_only, signals_of_run

_T0 = datetime(2026, 1, 1, tzinfo=UTC)


def _at(seconds: float) -> datetime:
    return _T0 + timedelta(seconds=seconds)


def _event(seconds: float, *signals: str) -> SimpleNamespace:
    extra = {"payload": {"signals": [{"id": one} for one in signals]}} if signals else {}
    return SimpleNamespace(timestamp=_at(seconds), extra=extra)


def _context(*events: SimpleNamespace, conf: dict[str, object] | None = None) -> Any:
    asset = SimpleNamespace(name="facts", uri="facts")
    run = SimpleNamespace(conf=conf, run_after=_at(1), data_interval_start=None, start_date=_at(20))
    return {"dag_run": run, "triggering_asset_events": _Events({"facts": (asset, events)}) if events else {}}


class _Events(dict[str, Any]):
    """Events by asset, whose keys need not be hashable here."""

    def items(self) -> Any:
        return list(self.values())


@pytest.mark.parametrize("run_type", ["manual", "scheduled", "operator_triggered"])
def test_a_run_that_one_request_has_made_was_asked_for_then(run_type: str) -> None:
    """Queued runs of people, clocks and other DAGs can be answered by one batch."""
    assert moment_of_request(run_type=run_type, run_after=_at(1), began_at=_at(9)) == _at(1)


@pytest.mark.parametrize("run_type", ["asset_triggered", "backfill", "asset_materialization", "of a later Airflow"])
def test_other_runs_ask_when_their_plan_begins(run_type: str) -> None:
    """Their ``run_after`` may lie long before what they stand for."""
    assert moment_of_request(run_type=run_type, run_after=_at(1), began_at=_at(9)) == _at(9)


def test_events_a_clearing_and_loads_before_the_plan_ask_when_the_plan_begins() -> None:
    """An event of a clock that is ahead asks when it says."""
    asked: dict[str, Any] = {"run_type": "manual", "run_after": _at(1), "began_at": _at(9)}

    assert moment_of_request(**asked, events=[_at(2)]) == _at(9)
    assert moment_of_request(**asked, events=[_at(2), _at(11)]) == _at(11)
    assert moment_of_request(**asked, clear_number=1) == _at(9)
    assert moment_of_request(**asked, is_first=False) == _at(9)


@pytest.mark.parametrize(
    ("events", "later", "is_only"),
    [
        ([_event(1, "a")], [_event(1, "a")], True),
        ([_event(1, "a")], [_event(1, "a"), _event(2, "b")], False),
        ([_event(1, "a")], [_event(1, "a"), _event(2)], False),
        ([_event(1, "a"), _event(2)], [], False),
        ([_event(1, "a"), _event(2, "b")], [_event(2, "b")], True),
        ([_event(1, "a")], None, False),
        ([_event(1)], [], False),
    ],
)
def test_signals_answer_for_a_run_only_when_nothing_else_has_started_it(
    monkeypatch: pytest.MonkeyPatch, events: list[Any], later: list[Any] | None, is_only: bool
) -> None:
    """Neither an event without a signal, nor one that the run is not told of."""

    def since(*_: object) -> list[Any]:
        if later is None:
            raise RuntimeError
        return later

    monkeypatch.setattr(run_events, "_events_since", since)
    context = _context(*events)

    assert is_signals_only(context, signals_of_run(context)) is is_only


def test_signals_of_a_conf_need_no_events() -> None:
    """A run of the REST API."""
    context = _context(conf={"signals": ["a", {"id": "b"}]})

    assert signals_of_run(context) == ("a", "b")
    assert is_signals_only(context, ("a", "b"))


def test_a_sensor_waits_for_the_newest_event_that_was_there_when_its_run_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also for one that Airflow does not tell the run of; not for those that come while it waits."""
    monkeypatch.setattr(run_events, "_events_since", lambda *_: [_event(3), _event(12), _event(30)])

    assert moment_of_newest_event(_context(_event(2), _event(3))) == _at(12)
    assert moment_of_newest_event(_context()) == _at(1)
