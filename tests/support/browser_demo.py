"""A real Airflow with the demo's data, for looking at the page in a browser.

    python -m tests.support.browser_demo [FOLDER]

starts one that stays up until Ctrl-C and says what to put into ``BROWSER_AIRFLOW``, so that `pytest tests/browser` uses
it instead of starting its own each time.
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

import run_demo
from airflow_processes import LocalAirflow, terminated_by_signals

from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace
from tests.support.stars.tpc_data import generate

_ROOT = Path(__file__).parents[2]
CONNECTION, MODEL, BATCH_DAG = "retail_aggs", "retail", "batch_build_retail"


@dataclass(frozen=True, slots=True)
class Demo:
    """A running Airflow that has built the demo's aggregates.

    Attributes:
        url: where it is; everybody who reaches it is an administrator.
    """

    url: str

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
        return self.call("GET", f"atscale_aggs/api/connections/{CONNECTION}/{path}")

    def page(self, tab: str = "", **params: str) -> str:
        """The address of a tab of the page, showing the demo's model."""
        extra = "".join(f"&{name}={value}" for name, value in params.items())
        return f"{self.url}/plugin/aggregates/{tab}?conn={CONNECTION}&model={MODEL}{extra}"

    def first_run(self) -> str:
        """The id of the DAG run that built everything."""
        runs = self.call("GET", f"api/v2/dags/{BATCH_DAG}/dagRuns?limit=1&order_by=run_after")["dag_runs"]
        return str(runs[0]["dag_run_id"])


@contextlib.contextmanager
def demo_airflow(folder: Path) -> Iterator[Demo]:
    """What `make demo` starts, on a tenth of its data, after its batch and its queries."""
    registry, warehouse = f"sqlite:///{folder}/registry.sqlite", f"duckdb:///{folder}/warehouse.duckdb"
    retail = {"registry_url": registry, "warehouse_url": warehouse, "aggregate_schema": "aggregates"}
    variables = {
        "AIRFLOW_CONN_RETAIL_AGGS": json.dumps({"conn_type": "atscale_aggs", "extra": retail}),
        "RETAIL_DATA_FOLDER": str(generate("tpcds", "0.01", folder)),
    }
    with LocalAirflow(folder / "airflow", _ROOT / "dags", variables) as airflow:
        demo = Demo(airflow.url)
        airflow.unpause(BATCH_DAG)
        etl = airflow.trigger("etl_retail")
        airflow.wait_for(lambda: airflow.run_state("etl_retail", etl) == "success", "the ETL run", 120)
        airflow.wait_for(lambda: _first_state(airflow) == "success", "the batch", 240)
        with open_workspace(registry=registry, warehouse=warehouse, aggregate_schema="aggregates") as workspace:
            run_demo.ask_as_analysts(workspace)
        yield demo


def _first_state(airflow: LocalAirflow) -> str:
    runs = airflow.call("GET", f"dags/{BATCH_DAG}/dagRuns?limit=1&order_by=run_after")["dag_runs"]
    return str(runs[0]["state"]) if runs else ""


def main() -> None:
    """Keep one running."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp(prefix="browser_demo_"))
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(KeyboardInterrupt), terminated_by_signals(), demo_airflow(folder) as demo:
        print(f"BROWSER_AIRFLOW={demo.url}", flush=True)
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    main()
