"""A real Airflow with the demo's data, for looking at the page in a browser.

    python -m tests.support.browser_demo [FOLDER]

starts one that stays up until Ctrl-C and says what to put into ``BROWSER_AIRFLOW`` and ``BROWSER_WAREHOUSE``, so that
`pytest tests/browser` uses it instead of starting its own each time.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import run_demo
from airflow_processes import LocalAirflow, terminated_by_signals

from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from tests.support.stars.tpc_data import generate, load_duckdb

_ROOT = Path(__file__).parents[2]
CONNECTION, MODEL, BATCH_DAG = "retail_aggs", "retail", "batch_build_retail"
_OURS = f"atscale_aggs/api/connections/{CONNECTION}"
_FEW = ("store_month_category", "store_year_category")
_HOLD_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Demo:
    """A running Airflow that has built the demo's aggregates.

    Attributes:
        url: where it is; everybody who reaches it is an administrator.
        warehouse: the DuckDB file that it builds in; None where that is not known.
    """

    url: str
    warehouse: Path | None = None

    def call(self, method: str, path: str, body: object = None) -> Any:
        """A REST call below the address; the decoded answer."""
        with urllib.request.urlopen(f"{self.url}/auth/token", timeout=30) as answer:
            token = json.loads(answer.read())["access_token"]
        request = urllib.request.Request(
            f"{self.url}/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def get(self, path: str) -> Any:
        """An answer of our API about the demo's connection, below ``/atscale_aggs/api/connections/retail_aggs``."""
        return self.call("GET", f"{_OURS}/{path}")

    def put(self, path: str, body: object) -> None:
        """Put something into our API, as `get` reads it."""
        self.call("PUT", f"{_OURS}/{path}", body)

    def delete(self, path: str) -> None:
        """Delete something over our API, as `get` reads it."""
        self.call("DELETE", f"{_OURS}/{path}")

    def newest_batch(self, *statuses: str, but: str = "", seconds: float = 90) -> Any:
        """The newest batch as soon as it has one of the statuses.

        Args:
            but: id of one that was there before.

        Raises:
            TimeoutError: it has none of them in that time.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            newest = self.get("batches?limit=1")["items"][0]
            if newest["id"] != but and newest["status"] in statuses:
                return newest
            time.sleep(0.3)
        message = f"the newest batch is {newest['status']}, not {' or '.join(statuses)}"
        raise TimeoutError(message)

    def wait_for_runs(self, seconds: float = 90) -> None:
        """Wait until no run of the batch DAG is under way. Raises TimeoutError."""
        path = f"api/v2/dags/{BATCH_DAG}/dagRuns?limit=1&state=queued&state=running"
        deadline = time.monotonic() + seconds
        while self.call("GET", path)["total_entries"]:
            if time.monotonic() > deadline:
                message = f"a run of {BATCH_DAG} has not ended"
                raise TimeoutError(message)
            time.sleep(0.5)

    @contextlib.contextmanager
    def holding_warehouse(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Hold the warehouse's file: whatever is to be built waits until it is let go."""
        assert self.warehouse is not None
        deadline = time.monotonic() + _HOLD_SECONDS
        while True:
            try:
                connection = duckdb.connect(str(self.warehouse))
                break
            except duckdb.IOException:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        with contextlib.closing(connection):
            yield connection

    def page(self, tab: str = "", **params: str) -> str:
        """The address of a tab of the page, showing the demo's model."""
        extra = "".join(f"&{name}={value}" for name, value in params.items())
        return f"{self.url}/plugin/aggregates/{tab}?conn={CONNECTION}&model={MODEL}{extra}"

    def first_run(self) -> str:
        """The id of the DAG run that built everything."""
        runs = self.call("GET", f"api/v2/dags/{BATCH_DAG}/dagRuns?limit=1&order_by=run_after")["dag_runs"]
        return str(runs[0]["dag_run_id"])


@contextlib.contextmanager
def demo_airflow(folder: Path, *, is_whole: bool) -> Iterator[Demo]:
    """What `make demo` starts, on a tenth of its data, after its batch and its queries.

    Args:
        is_whole: Airflow loads the data and builds all aggregates, which takes a minute; otherwise both are done here,
            and Airflow builds a few of them once more.
    """
    file = folder / "warehouse.duckdb"
    registry, warehouse = f"sqlite:///{folder}/registry.sqlite", f"duckdb:///{file}"
    retail = {"registry_url": registry, "warehouse_url": warehouse, "aggregate_schema": "aggregates"}
    data = generate("tpcds", "0.01", folder)
    variables = {
        "AIRFLOW_CONN_RETAIL_AGGS": json.dumps({"conn_type": "atscale_aggs", "extra": retail}),
        "RETAIL_DATA_FOLDER": str(data),
    }

    def workspace() -> contextlib.AbstractContextManager[Workspace]:
        return open_workspace(registry=registry, warehouse=warehouse, aggregate_schema="aggregates")

    if not is_whole:
        load_duckdb(data, file, "retail")
        with workspace() as place:
            deploy(place, _ROOT / "dags" / "models" / "retail", now=utc_now())
            run_batch(place, MODEL, owner="somebody")
    with LocalAirflow(folder / "airflow", _ROOT / "dags", variables) as airflow:
        if is_whole:
            airflow.unpause(BATCH_DAG)
            etl = airflow.trigger("etl_retail")
            airflow.wait_for(lambda: airflow.run_state("etl_retail", etl) == "success", "the ETL run", 120)
        else:
            airflow.trigger(BATCH_DAG, {"build_type": "full", "aggregates": list(_FEW)})
        airflow.wait_for(lambda: _first_state(airflow) == "success", "the batch", 240)
        with workspace() as place:
            run_demo.ask_as_analysts(place)
        yield Demo(airflow.url, file)


def _first_state(airflow: LocalAirflow) -> str:
    runs = airflow.call("GET", f"dags/{BATCH_DAG}/dagRuns?limit=1&order_by=run_after")["dag_runs"]
    return str(runs[0]["state"]) if runs else ""


def main() -> None:
    """Keep one running."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp(prefix="browser_demo_"))
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(KeyboardInterrupt), terminated_by_signals(), demo_airflow(folder, is_whole=True) as demo:
        print(f"BROWSER_AIRFLOW={demo.url} BROWSER_WAREHOUSE={demo.warehouse}", flush=True)
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    main()
