"""Signals in files in a real Airflow whose triggerer is killed: each of 1,000 lines is told, as one signal."""

from __future__ import annotations

import contextlib
import json
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow_processes import AirflowFailedError, LocalAirflow

from airflow_atscale_aggs.signals.signal import Signal, read_signals

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.xdist_group("airflow")]

_LINES, _KILLS = 1000, 3
_FIRST = "ETL finished the very first job status=0"
_DAG_FILE = """\
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset, AssetWatcher

from airflow_atscale_aggs.sensors.completion_file import CompletionFileSensor
from airflow_atscale_aggs.triggers.completion_file import CompletionFileTrigger

trigger = CompletionFileTrigger({log!r}, pattern=r"ETL finished .* status=0", poll_seconds=0.5, settle_seconds=1)
finished = Asset("etl_finished", watchers=[AssetWatcher(name="log", trigger=trigger)])

with DAG("answer", schedule=[finished], max_active_runs=1):
    EmptyOperator(task_id="answer")

with DAG("wait", schedule=None):
    CompletionFileSensor(task_id="marker", paths={marker!r}, poke_interval=1, settle_seconds=1, timeout=180)
"""


class _Place:
    def __init__(self, folder: Path) -> None:
        self.log, self.marker = folder / "etl.log", folder / "_SUCCESS"
        self.log.write_text("ETL finished before anybody watched status=0\n")
        (folder / "dags").mkdir()
        (folder / "dags" / "signals.py").write_text(_DAG_FILE.format(log=str(self.log), marker=str(self.marker)))
        quick = {
            # A killed triggerer is noticed after five seconds instead of thirty.
            "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "5",
            "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
            # Watchers of a DAG begin when its file is parsed after it was unpaused.
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3",
        }
        self.airflow = LocalAirflow(folder / "home", folder / "dags", quick)

    def payloads(self) -> list[tuple[str, dict[str, Any]]]:
        """(time, payload) of all events of the asset, oldest first.

        From the database: the REST API of Airflow 3.3.2 answers with 500 while a run of an event has not started.
        """
        with contextlib.closing(sqlite3.connect(self.airflow.home / "airflow.db", timeout=30)) as database:
            rows = database.execute("SELECT timestamp, extra FROM asset_event ORDER BY id").fetchall()
        return [(time, json.loads(extra)["payload"]) for time, extra in rows]

    def signals(self) -> tuple[Signal, ...]:
        """The distinct signals that were told."""
        return read_signals(payload for _, payload in self.payloads())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Place]:
    opened = _Place(tmp_path_factory.mktemp("signals"))
    with opened.airflow:
        yield opened


def test_no_line_is_lost_or_told_as_two_when_the_triggerer_is_killed(place: _Place) -> None:
    """Lines come all the time, the log is rotated, the triggerer is killed at three places and started again."""
    place.airflow.unpause("answer")
    log = place.airflow.home / "triggerer.log"
    place.airflow.wait_for(lambda: "ID 1 starting" in log.read_text(errors="replace"), "the watcher to start", 180)
    place.airflow.wait_for(lambda: _is_watched(place), "the first line to be told", 180)
    expected = []
    for number in range(_LINES):
        with place.log.open("a") as file:
            text = f"ETL finished job={number:04d} status=0"
            file.write(f"{text}\nETL finished job={number:04d} status=1\n")
        expected.append(text)
        if number % 400 == 399:
            place.log.rename(place.log.with_name(f"etl.log.{number}"))
        if number % (_LINES // _KILLS) == 150:
            place.airflow.stop_process("triggerer", signal.SIGKILL)
            place.airflow.start_process("triggerer")
        time.sleep(0.02)

    with contextlib.suppress(AirflowFailedError):  # the comparison says which one is missing
        place.airflow.wait_for(
            lambda: len({signal.text for signal in place.signals()}) > _LINES, "all signals to be told", 180
        )

    assert sorted(signal.text for signal in place.signals() if signal.text != _FIRST) == expected
    last = place.payloads()[-1][0]
    place.airflow.wait_for(lambda: _newest_run(place) >= last, "a run that starts after the last signal", 180)


def _is_watched(place: _Place) -> bool:
    """Lines count from the watcher's first look on; this one is written until it is seen."""
    with place.log.open("a") as file:
        file.write(f"{_FIRST}\n")
    return bool(place.signals())


def _newest_run(place: _Place) -> str:
    with contextlib.closing(sqlite3.connect(place.airflow.home / "airflow.db", timeout=30)) as database:
        return str(database.execute("SELECT max(start_date) FROM dag_run WHERE dag_id = 'answer'").fetchone()[0])


def test_a_sensor_succeeds_once_for_each_signal(place: _Place) -> None:
    """The second run waits for the marker to be written again, although it is there."""
    place.marker.write_text("")
    first = place.airflow.trigger("wait")
    assert _state_at_end(place, first) == "success"

    second = place.airflow.trigger("wait")
    time.sleep(6)
    assert place.airflow.run_state("wait", second) == "running"
    place.marker.write_text("again")
    assert _state_at_end(place, second) == "success"
    results = [
        place.airflow.call(
            "GET", f"dags/wait/dagRuns/{run}/taskInstances/marker/xcomEntries/return_value?deserialize=true"
        )
        for run in (first, second)
    ]
    assert len(read_signals(result["value"] for result in results)) == 2


def _state_at_end(place: _Place, run_id: str) -> str:
    def end_state() -> str | None:
        state = place.airflow.run_state("wait", run_id)
        return state if state in {"success", "failed"} else None

    return str(place.airflow.wait_for(end_state, "the run to end", 180))
