"""Asset events in a real Airflow: whatever comes between an event and its batch, the row of each event is in an active
aggregate.

A row is put into the facts just before each event is posted. When all runs have ended, all are green and no row is
missing. The warehouse is PostgreSQL, since facts are loaded while batches build, and DuckDB lets one process in at a
time.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from airflow_processes import LocalAirflow

from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from airflow_atscale_aggs.signals.signal import read_signals
from tests.support.stars import tiny_star

PostgresDatabase = Callable[[str], AbstractContextManager[str]]

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.postgres,
    pytest.mark.slow,
    pytest.mark.xdist_group("airflow"),
]

_DAG_ID = "build"
_AGGREGATES = {"by_day": (("Day",), ("Amount",)), "by_shop": (("Shop",), ("Quantity",))}
_FIRST_DAY = 1000
_BURST = 15
_DAG_FILE = """\
from datetime import timedelta

from airflow.sdk import DAG, Asset, AssetWatcher
from airflow_atscale_aggs.dag_factory import batch_build_dag
from airflow_atscale_aggs.operators.aggregates import TriggerBatchBuildOperator
from airflow_atscale_aggs.triggers.completion_file import CompletionFileTrigger

trigger = CompletionFileTrigger({log!r}, pattern="status=0", poll_seconds=0.5, settle_seconds=1, existing=True)
finished = Asset("etl_finished", watchers=[AssetWatcher(name="log", trigger=trigger)])

dag = batch_build_dag("tiny_sales", dag_id="build", schedule=Asset("facts_loaded") | finished, aggs_conn_id="tiny")
dag.get_task("plan").retry_delay = timedelta(seconds=1)

with DAG("etl", schedule=None):
    TriggerBatchBuildOperator(task_id="trigger", model="tiny_sales", batch_dag_id="build", poke_interval=1)
"""
_QUICK = {
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    # A watcher begins when its file is parsed again.
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3",
    # Tasks of a scheduler that was killed are given to the next one after seconds instead of minutes.
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "10",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
}


class _Place:
    """A star, a registry, an Airflow whose DAG is started by events, and the rows that were loaded for them."""

    def __init__(self, folder: Path, metadata: str, warehouse: str) -> None:
        self._metadata, self._warehouse, self._folder = metadata, warehouse, folder
        self._days, self._loaded = itertools.count(_FIRST_DAY), set[int]()
        self.log = folder / "etl.log"
        self.log.write_text("")
        self._urls: dict[str, Any] = {"registry": f"sqlite:///{folder / 'registry.sqlite'}", "warehouse": warehouse}
        with self._workspace() as workspace:
            tiny_star.run_sql(workspace, *tiny_star.SETUP_SQL)
            deploy(workspace, tiny_star.write_model(folder / "model", _AGGREGATES), now=utc_now())
        (folder / "dags").mkdir()
        (folder / "dags" / "build.py").write_text(_DAG_FILE.format(log=str(self.log)))
        extra = {f"{name}_url": url for name, url in self._urls.items()} | {"aggregate_schema": "aggs"}
        variables = {"AIRFLOW_CONN_TINY": json.dumps({"conn_type": "atscale_aggs", "extra": extra})}
        self.airflow = LocalAirflow(folder / "home", folder / "dags", _QUICK | variables, database=metadata)

    def load(self) -> int:
        """Load a sale of a new day; the day."""
        day = next(self._days)
        with psycopg.connect(_libpq(self._warehouse)) as connection:
            connection.execute("INSERT INTO day VALUES (%s, %s, 'of events')", [day, f"day {day}"])
            connection.execute("INSERT INTO sales VALUES (%s, 1, 1, 1)", [day])
        self._loaded.add(day)
        return day

    def event(self, asset: str = "facts_loaded") -> None:
        """Load a row, then say so."""
        self._post(asset, {"day": self.load()})

    def tell_last_line_again(self) -> None:
        """Post it as a triggerer does that was restarted before it knew that the event was stored."""
        sql = "SELECT extra FROM asset_event ORDER BY id DESC"
        self._post("etl_finished", next(extra for extra in self._extras(sql) if "payload" in extra))

    def line(self) -> None:
        """Load a row, then write a line into the log that is watched."""
        day = self.load()
        with self.log.open("a") as file:
            file.write(f"ETL of day {day} status=0\n")

    def trigger(self, dag_id: str, conf: Mapping[str, object] | None = None) -> None:
        """Load a row, then start a run of a DAG."""
        self.load()
        self.airflow.call("POST", f"dags/{dag_id}/dagRuns", {"logical_date": None, "conf": dict(conf or {})})

    def run_of_event(self) -> str:
        """An event while nothing runs; the run that it has started, as soon as it is there."""
        before = set(self.runs())
        self.event()
        return self.until(lambda: next(iter(set(self.runs()) - before), None), "the run of an event")

    def wait_for_task(self, run_id: str, task_id: str, *states: str) -> int | None:
        """Wait until a task (or the first of a mapped one) is in one of the states; its process id."""

        def row() -> list[tuple[Any, ...]]:
            sql = (
                "SELECT pid FROM task_instance "
                "WHERE run_id = %s AND task_id = %s AND map_index <= 0 AND state = ANY(%s)"
            )
            return self._metadata_rows(sql, run_id, task_id, list(states))

        ((pid,),) = self.until(row, f"{task_id} to be {' or '.join(states)}")
        return None if pid is None else int(pid)

    def wait_for_end(self, run_id: str) -> None:
        """Wait for the end of one run."""
        self.until(lambda: self.runs()[run_id] in {"success", "failed"}, "the run to end")

    def clear(self, run_id: str, task_id: str) -> None:
        """Clear it as the dialog of a task instance does by default."""
        body = {
            "dry_run": False,
            "dag_run_id": run_id,
            "include_downstream": True,
            "only_failed": False,
            "prevent_running_task": False,
            "task_ids": [task_id],
        }
        self.airflow.call("POST", f"dags/{_DAG_ID}/clearTaskInstances", body)

    def runs(self) -> dict[str, str]:
        """State by run of the DAG that builds."""
        return dict(self._metadata_rows("SELECT run_id, state FROM dag_run WHERE dag_id = %s", _DAG_ID))

    def number_of_batches(self) -> int:
        """How many batches were begun since the beginning."""
        with self._workspace() as workspace:
            return len(workspace.read.batches.find(workspace.read.models.get("tiny_sales").id, 1000))

    def number_of_lines(self) -> int:
        """How many lines of the log were told as events."""
        extras = self._extras("SELECT extra FROM asset_event")
        return len(read_signals(extra["payload"] for extra in extras if "payload" in extra))

    def settle(self) -> None:
        """Wait until nothing runs or waits to run, then compare: all runs green, all rows in both aggregates."""
        open_ends = (
            "SELECT (SELECT count(*) FROM asset_dag_run_queue)"
            " + (SELECT count(*) FROM dag_run WHERE state NOT IN ('success', 'failed'))"
        )
        self.until(lambda: self._metadata_rows(open_ends) == [(0,)], "all runs to end", 300)
        assert self._metadata_rows("SELECT dag_id, run_id FROM dag_run WHERE state <> 'success'") == []
        with psycopg.connect(_libpq(self._warehouse)) as connection:
            by_day = connection.execute("SELECT day_key, row_count FROM aggs.agg_tiny_sales_by_day").fetchall()
            by_shop = connection.execute("SELECT sum(row_count) FROM aggs.agg_tiny_sales_by_shop").fetchone()
            fact_count = connection.execute("SELECT count(*) FROM sales").fetchone()
        assert self._loaded - {day for day, _ in by_day} == set(), "days whose rows are in no batch"
        assert by_shop == fact_count
        assert (sum(rows for _, rows in by_day),) == fact_count

    def make_ready(self) -> None:
        """The DAGs are parsed, the asset is there, and a first batch is active."""
        for dag_id in (_DAG_ID, "etl"):
            self.airflow.unpause(dag_id)
        assets = self.airflow.call("GET", "assets?limit=50")["assets"]
        self._asset_ids = {asset["name"]: asset["id"] for asset in assets}
        self.run_of_event()
        self.settle()

    def until(self, is_so: Callable[[], Any], what: str, seconds: float = 180) -> Any:
        return self.airflow.wait_for(is_so, what, seconds, pause=0.1)

    def _post(self, asset: str, extra: Mapping[str, object]) -> None:
        self.airflow.call("POST", "assets/events", {"asset_id": self._asset_ids[asset], "extra": dict(extra)})

    def _extras(self, sql: str) -> list[dict[str, Any]]:
        rows = self._metadata_rows(sql)
        return [json.loads(extra) if isinstance(extra, str) else extra for (extra,) in rows]

    def _metadata_rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(_libpq(self._metadata)) as connection:
            return connection.execute(sql, values or None).fetchall()

    def _workspace(self) -> AbstractContextManager[Workspace]:
        return open_workspace(**self._urls, aggregate_schema="aggs")


def _libpq(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, postgres_database: PostgresDatabase) -> Iterator[_Place]:
    with postgres_database("events_metadata") as metadata, postgres_database("events_warehouse") as warehouse:
        opened = _Place(tmp_path_factory.mktemp("events"), metadata, warehouse)
        with opened.airflow:
            opened.make_ready()
            yield opened


def test_events_at_every_moment_of_a_batch(place: _Place) -> None:
    """Airflow folds them into one later run with the time of the first, which came before the batch under way was
    begun.
    """
    before = place.number_of_batches()
    run_id = place.run_of_event()
    place.event()
    place.wait_for_task(run_id, "plan", "running", "success")
    place.event()
    place.wait_for_task(run_id, "plan", "success")
    place.event()
    place.wait_for_task(run_id, "build", "success")
    place.event()
    place.wait_for_task(run_id, "activate", "running", "success")
    place.event()
    place.wait_for_end(run_id)
    place.event()
    place.settle()

    assert place.number_of_batches() - before <= 3


def test_a_burst_of_events_begins_few_batches(place: _Place) -> None:
    """One begins for the first event, one for those that come while it runs, and one more if the burst outlasts it."""
    before = place.number_of_batches()
    with ThreadPoolExecutor(5) as pool:
        for posted in [pool.submit(place.event) for _ in range(_BURST)]:
            posted.result()
    place.settle()

    assert 1 <= place.number_of_batches() - before <= 3


def test_the_scheduler_is_killed_between_an_event_and_its_plan(place: _Place) -> None:
    """Once before the run is there or has begun, with an event while it is down; once while the plan is at work."""
    place.event()
    place.airflow.stop_process("scheduler", signal.SIGKILL)
    place.event()
    place.airflow.start_process("scheduler")
    place.settle()

    run_id = place.run_of_event()
    place.wait_for_task(run_id, "plan", "queued", "running", "success")
    place.airflow.stop_process("scheduler")
    place.event()
    place.airflow.start_process("scheduler")
    place.settle()


def test_a_plan_is_killed_and_cleared_while_events_come(place: _Place) -> None:
    """The run goes on with what it has begun, or begins anew; events since then have their own run."""
    run_id = place.run_of_event()
    pid = place.wait_for_task(run_id, "plan", "running")
    assert pid is not None
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    place.event()
    place.wait_for_task(run_id, "plan", "success")
    place.event()
    place.clear(run_id, "plan")
    place.settle()

    place.event()
    place.clear(run_id, "plan")
    place.settle()


def test_runs_of_people_and_other_dags_beside_events(place: _Place) -> None:
    """Neither an answer by a batch that was begun before, nor by one of other aggregates."""
    before = place.number_of_batches()
    run_id = place.run_of_event()
    place.wait_for_task(run_id, "plan", "success")
    place.event()
    place.trigger(_DAG_ID, {"aggregates": ["by_day"]})
    place.trigger(_DAG_ID, {"build_type": "full", "aggregates": []})
    place.trigger("etl")
    place.settle()

    assert place.number_of_batches() - before <= 5


def test_lines_of_a_log_beside_events(place: _Place) -> None:
    """Each line has a batch after it.

    A run that is told only of a line that was answered stands for later events, too.
    """
    place.line()
    place.until(lambda: place.number_of_lines() == 1, "the first line to be told")
    place.event()
    place.line()
    place.event()
    place.until(lambda: place.number_of_lines() == 2, "the second line to be told")
    place.settle()

    run_id = place.run_of_event()
    # Both aggregates have read the facts.
    place.wait_for_task(run_id, "activate", "running", "success")
    place.tell_last_line_again()
    place.event("etl_finished")
    place.settle()
