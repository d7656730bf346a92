"""The demo behind `make demo`.

Generated data, a real Airflow, the ETL DAG, the batch it starts, the page that shows it, the table of aggregates, and
some queries as analysts ask them.

WAIT=0 exits when the aggregates are active; otherwise the UI stays up until Ctrl-C. SCALE=0.1 is the size of the data.
DEMO_FOLDER says where everything is kept: .demo in the checkout.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_processes import AirflowFailedError, LocalAirflow, terminated_by_signals

from airflow_atscale_aggs.cli.list_verbs import print_instances
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace

ROOT = Path(__file__).resolve().parents[2]
DEMO = Path(os.environ.get("DEMO_FOLDER", ROOT / ".demo"))
MODEL = "retail"
_BATCH_DAG = f"batch_build_{MODEL}"
_SETTINGS = {"AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.02"}
"""The next task of a batch waits until the scheduler looks: here fifty times a second, while people wait as well."""

_ETL_SECONDS = 300
_BATCH_SECONDS = 600
_QUERIES = tuple(
    f"SELECT {columns} FROM retail_demo.retail {rest}".rstrip()
    for columns, rest in (
        ('"Sold Year", "Store Revenue"', "ORDER BY 1"),
        ('"Category", "Store Revenue", "Store Quantity"', "ORDER BY 2 DESC"),
        ('"Sold Year", "Category", "Store Revenue"', "WHERE \"Category\" = 'Music'"),
        ('"Store", "Store Quantity"', "ORDER BY 2 DESC LIMIT 5"),
        ('"Store State", "Store Revenue"', ""),
        ('"Promotion", "Sold Day", "Store Revenue"', "ORDER BY 3 DESC LIMIT 10"),
        ('"Store", "Brand", "Sold Year", "Store Revenue"', "ORDER BY 4 DESC LIMIT 10"),
    )
)
"""What analysts ask after the batch.

No aggregate has the grain of the last but one: the page has a miss to show. The last one reads a large aggregate, so
that a smaller one is recommended.
"""


def main() -> int:
    """Run the demo; the exit code."""
    started = time.monotonic()
    data = generate(os.environ.get("SCALE", "0.1"))
    remove(DEMO / "airflow", *DEMO.glob("warehouse.duckdb*"), *DEMO.glob("registry.sqlite*"))
    warehouse, registry = f"duckdb:///{DEMO / 'warehouse.duckdb'}", f"sqlite:///{DEMO / 'registry.sqlite'}"
    connection = {"registry_url": registry, "warehouse_url": warehouse, "aggregate_schema": "aggregates"}
    environment = {
        "AIRFLOW_CONN_RETAIL_AGGS": json.dumps({"conn_type": "atscale_aggs", "extra": connection}),
        "RETAIL_DATA_FOLDER": str(data),
    }
    with terminated_by_signals(), built_in_airflow(DEMO / "airflow", environment) as run:
        with open_workspace(registry=registry, warehouse=warehouse) as workspace:
            tell_what_is_active(workspace, run, started)
        wait_for_people()
    return 0


@dataclass(frozen=True)
class DemoRun:
    """A batch that Airflow has built: its run, and the page that shows it."""

    url: str
    page: str


@contextlib.contextmanager
def built_in_airflow(home: Path, environment: Mapping[str, str]) -> Iterator[DemoRun]:
    """A real Airflow in which the ETL DAG has loaded the data, and the batch that it started has built all aggregates.

    Args:
        environment: the connection ``retail_aggs``, and what the ETL DAG reads.
    """
    say("Starting Airflow: API server, scheduler, dag processor, triggerer ...")
    with LocalAirflow(home, ROOT / "dags", {**_SETTINGS, **environment}) as airflow:
        say(f"Airflow is up: {airflow.url}")
        page = f"{airflow.url}/plugin/aggregates?conn=retail_aggs&model={MODEL}"
        loading = time.monotonic()
        airflow.unpause(_BATCH_DAG)
        etl_run = airflow.trigger("etl_retail")
        airflow.wait_for(lambda: _has_ended(airflow, "etl_retail", etl_run), "the ETL run", _ETL_SECONDS)
        say(
            f"The ETL DAG has loaded the facts in {time.monotonic() - loading:.0f} s and emitted its asset, which "
            "starts the batch DAG."
        )
        say(f"The page Aggregates shows the batch while it runs: {page}")
        building = time.monotonic()
        run_id = str(airflow.wait_for(lambda: _run_after_etl(airflow), "the batch run", 60))
        _follow(airflow, run_id)
        say(f"The batch DAG has built all of them in {time.monotonic() - building:.0f} s.")
        yield DemoRun(f"{airflow.url}/dags/{_BATCH_DAG}/runs/{run_id}", page)


def tell_what_is_active(workspace: Workspace, run: DemoRun, started: float) -> None:
    """The table of aggregates, how many queries they answer, and where to look.

    Args:
        started: when the demo was, by the monotonic clock.
    """
    active = workspace.read.instances.serving(workspace.read.models.get(MODEL).id)
    print_instances(active)
    ask_as_analysts(workspace)
    say(f"\n{len(active)} aggregates are active after {time.monotonic() - started:.0f} s. The run: {run.url}")
    say(f"The page Aggregates: {run.page}")


def wait_for_people() -> None:
    """Keep the UI up until Ctrl-C, unless the environment says WAIT=0."""
    if os.environ.get("WAIT") != "0":
        say("The UI stays up until Ctrl-C.")
        _sleep_until_interrupt()


def remove(*left_over: Path) -> None:
    """Remove folders and files of an earlier run."""
    for path in left_over:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def generate(scale: str) -> Path:
    """TPC-DS tables as Parquet files, made once per scale."""
    folder = DEMO / f"tpcds-{scale}"
    if not (folder / "warehouse.parquet").exists():
        say(f"Generating TPC-DS data at scale {scale} ...")
        folder.mkdir(parents=True, exist_ok=True)
        generator = Path(sys.executable).parent / "tpcgen-cli"
        command = [str(generator), "tpcds", "parquet", "-s", scale, "--output-dir", str(folder), "-q"]
        subprocess.run(command, check=True)
    return folder


def _has_ended(airflow: LocalAirflow, dag_id: str, run_id: str) -> bool:
    state = airflow.run_state(dag_id, run_id)
    if state == "failed":
        raise AirflowFailedError(f"run {run_id} of {dag_id} failed; the logs are in {airflow.home / 'logs'}")
    return state == "success"


def _run_after_etl(airflow: LocalAirflow) -> str | None:
    runs = airflow.call("GET", f"dags/{_BATCH_DAG}/dagRuns?order_by=-run_after&limit=1")["dag_runs"]
    return runs[0]["dag_run_id"] if runs else None


def _follow(airflow: LocalAirflow, run_id: str) -> None:
    """One line per aggregate as it is built, until the run ends."""
    seen: set[int] = set()

    def tell() -> bool:
        instances = airflow.task_instances(_BATCH_DAG, run_id)
        builds = [instance for instance in instances if instance["task_id"] == "build" and instance["map_index"] >= 0]
        for instance in sorted(builds, key=lambda instance: int(instance["map_index"])):
            if instance["state"] == "success" and instance["map_index"] not in seen:
                seen.add(instance["map_index"])
                say(f"[{len(seen)}/{len(builds)}] built {_name(instance)}")
        return _has_ended(airflow, _BATCH_DAG, run_id)

    airflow.wait_for(tell, "the batch to be active", _BATCH_SECONDS, pause=1)


def ask_as_analysts(workspace: Workspace) -> None:
    """Ask what analysts ask, some of it more than once, and tell how much of it aggregates answered."""
    answered = 0
    with QueryRouter(workspace, user="analyst") as router:
        asked = [sql for number, sql in enumerate(_QUERIES) for _ in range(number + 1)]
        for sql in asked:
            answered += router.answer(sql).plan.uses_aggregates
    say(f"\n{answered} of {len(asked)} queries of analysts were answered from aggregates.")


def _name(task_instance: dict[str, Any]) -> str:
    return str(task_instance.get("rendered_map_index") or task_instance["map_index"])


def _sleep_until_interrupt() -> None:
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        say("Stopping Airflow ...")


def say(text: str) -> None:
    """One line, at once."""
    print(text, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except AirflowFailedError as failure:
        sys.exit(f"The demo failed: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
