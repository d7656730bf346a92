"""The sensor's own steps; a real Airflow runs it in test_file_signals_in_real_airflow.py."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowSensorTimeout, AirflowSkipException, TaskDeferred

from airflow_atscale_aggs.sensors.completion_file import CompletionFileSensor
from airflow_atscale_aggs.signals.errors import SignalError, WatchError
from airflow_atscale_aggs.signals.signal import read_signals

pytestmark = pytest.mark.airflow


class _Store(dict[str, str]):
    """A state store that keeps JSON, as Airflow's does."""

    def get(self, key: str, default: Any = None) -> Any:
        return json.loads(self[key]) if key in self else default

    def set(self, key: str, value: Any) -> None:
        self[key] = json.dumps(value)


class _Runs:
    """Makes the contexts of runs: what a task remembers is per run, what an asset remembers is for all."""

    def __init__(self) -> None:
        self.asset = _Store()

    def new(self) -> Any:
        runs = self

        class Assets:
            def __getitem__(self, asset: Any) -> _Store:
                assert asset.name == "files_of_nightly_loaded"
                return runs.asset

        return {"task_state_store": _Store(), "asset_state_store": Assets()}


def _sensor(*paths: Path, **options: Any) -> CompletionFileSensor:
    options = {"settle_seconds": 0, "poke_interval": 0.05, "timeout": 0.3, **options}
    with DAG("nightly", schedule=None):
        return CompletionFileSensor(task_id="loaded", paths=[str(path) for path in paths], **options)


def _payload_of_trigger(
    sensor: CompletionFileSensor, context: Any, meanwhile: Callable[[], object] = lambda: None
) -> Any:
    """What the trigger says, made anew from its arguments as by another triggerer."""
    with pytest.raises(TaskDeferred) as caught:
        sensor.execute(context)
    assert caught.value.method_name == "execute_complete"
    meanwhile()
    kwargs = json.loads(json.dumps(caught.value.trigger.serialize()[1]))

    async def first() -> Any:
        event = await anext(type(caught.value.trigger)(**kwargs).run())
        return json.loads(json.dumps(event.payload))

    return asyncio.run(asyncio.wait_for(first(), 10))


@pytest.mark.parametrize("deferrable", [True, False])
def test_each_run_takes_the_next_signal(tmp_path: Path, deferrable: bool) -> None:
    """A marker that an earlier run had does not count again; when it is written again, it does."""
    marker, runs = tmp_path / "_SUCCESS", _Runs()
    marker.touch()
    first = _sensor(marker, deferrable=deferrable).execute(runs.new())
    if deferrable:
        event = _payload_of_trigger(_sensor(marker), context := runs.new())
        with pytest.raises(AirflowSensorTimeout, match="No signal within"):
            _sensor(marker).execute_complete(context, event)
    else:
        with pytest.raises(AirflowSensorTimeout, match="No signal within"):
            _sensor(marker, deferrable=False).execute(runs.new())
    marker.write_text("again")
    second = _sensor(marker, deferrable=deferrable).execute(runs.new())
    assert [signal.kind for signal in read_signals([first, second])] == ["appeared", "overwritten"]


def test_a_deferred_sensor_takes_what_the_trigger_found(tmp_path: Path) -> None:
    """What stood there when the first look was taken does not count; the next run does not have the signal again."""
    log, runs = tmp_path / "etl.log", _Runs()
    log.write_text("finished before\n")
    context = runs.new()
    event = _payload_of_trigger(
        _sensor(log, pattern="finished"), context, lambda: log.write_text("finished before\nfinished now\n")
    )
    taken = _sensor(log, pattern="finished").execute_complete(context, event)
    assert [signal.text for signal in read_signals([taken])] == ["finished now"]
    assert _sensor(log, pattern="finished").execute(context) == taken
    assert _payload_of_trigger(_sensor(log, pattern="finished"), runs.new())["status"] == "timeout"


def test_a_retry_or_clear_has_the_signal_that_the_run_had(tmp_path: Path) -> None:
    """This holds as well when the worker died between taking the signal and remembering it for the next runs."""
    marker, runs = tmp_path / "_SUCCESS", _Runs()
    marker.touch()
    context = runs.new()
    before = dict(runs.asset)
    first = _sensor(marker).execute(context)
    runs.asset.clear()
    runs.asset.update(before)
    assert _sensor(marker).execute(context) == first
    assert _payload_of_trigger(_sensor(marker), runs.new())["status"] == "timeout"


def test_a_timeout_says_what_was_missing(tmp_path: Path) -> None:
    """Deferred and poking tasks say the same; ``soft_fail`` skips."""
    gone = tmp_path / "gone" / "_SUCCESS"
    event = _payload_of_trigger(_sensor(gone), context := _Runs().new())
    with pytest.raises(AirflowSensorTimeout, match=f"{gone}: there is not even the folder"):
        _sensor(gone).execute_complete(context, event)
    with pytest.raises(AirflowSensorTimeout, match="there is not even the folder"):
        _sensor(gone, deferrable=False).execute(_Runs().new())
    with pytest.raises(AirflowSkipException):
        _sensor(gone, soft_fail=True).resume_execution("execute_complete", {"event": event}, context)


@pytest.mark.parametrize("url", ["nothing-like-it://x", "gs://my_connection@bucket/_SUCCESS"])
def test_what_only_a_person_can_change_fails_at_once(url: str) -> None:
    """Nothing is installed for the URL, or for the connection in it, so waiting is of no use."""
    started = time.monotonic()
    sensor = CompletionFileSensor(task_id="loaded", paths=url, timeout=600)
    context: Any = {"task_state_store": _Store(), "asset_state_store": {sensor.inlets[-1]: _Store()}}
    with pytest.raises(SignalError, match="Install the fsspec package or the Airflow provider"):
        sensor.execute(context)
    assert time.monotonic() - started < 10


def test_paths_with_a_date_do_not_pile_up(tmp_path: Path) -> None:
    """Each run watches another path; only the newest are remembered."""
    runs = _Runs()
    for day in range(30):
        (tmp_path / f"{day}").touch()
        _sensor(tmp_path / f"{day}").execute(runs.new())
    assert len(runs.asset.get("completion_file")) == 20
    assert _payload_of_trigger(_sensor(tmp_path / "29"), runs.new())["status"] == "timeout"


def test_reschedule_mode_is_refused() -> None:
    """It would forget between two looks how long a file has been left alone."""
    with pytest.raises(WatchError, match="deferrable"):
        CompletionFileSensor(task_id="loaded", paths="/a", mode="reschedule")
