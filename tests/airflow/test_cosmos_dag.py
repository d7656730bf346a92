"""The batch runs after a dbt project that Cosmos runs: dbt, Cosmos, Airflow and DuckDB, all of them real."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from airflow.sdk import Connection

from airflow_atscale_aggs.engine.lifecycle.query.router import answer
from airflow_atscale_aggs.engine.lifecycle.transfer.convert_model import ConversionWish, convert_dbt_project
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace
from tests.support.metricflow_answers import HOME, reason_without_metricflow
from tests.support.stars.bakery import PROJECT

_ROOT = Path(__file__).parents[2]
_COSMOS = _ROOT / ".cache" / "cosmos"
_REASON = reason_without_metricflow() or (
    "" if (_COSMOS / ".installed").exists() else f"Cosmos is not at {_COSMOS}; `make cosmos` puts it there"
)
pytestmark = [
    pytest.mark.airflow,
    pytest.mark.metricflow,
    pytest.mark.skipif(bool(_REASON), reason=_REASON or "all of it is here"),
]
_AGGREGATE = """\
aggregates:
  - unique_name: by_state
    label: by state
    metrics: [revenue, costs]
    attributes: [{name: basket__state, dimension: basket}]
"""
_PROGRAM = """\
import json, pathlib
from airflow.utils.db import initdb
initdb()
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db
folder = pathlib.Path.home() / "dags"
DagBundlesManager().sync_bundles_to_db()
bag = BundleDagBag(dag_folder=str(folder), bundle_path=folder, bundle_name="dags-folder")
assert bag.import_errors == {}, bag.import_errors
sync_bag_to_db(bag, "dags-folder", None)
run = bag.dags["dbt_then_batch"].test()
states = sorted((ti.task_id, str(ti.state)) for ti in run.get_task_instances())
print("TOLD", json.dumps({"run": str(run.state), "states": states}))
"""


def test_the_batch_runs_after_dbt(tmp_path: Path) -> None:
    project, database = tmp_path / "bakery", tmp_path / "warehouse.duckdb"
    # One model of the project is enough, and each run of dbt takes many seconds.
    for name in ("dbt_project.yml", "profiles.yml", "models/baskets.sql"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / name, project / name)
    convert_dbt_project(PROJECT, tmp_path / "sml", ConversionWish(schema="bakery"))
    with (tmp_path / "sml" / "models" / "bakery.yml").open("a") as model:
        model.write(_AGGREGATE)
    registry = f"sqlite:///{tmp_path / 'registry.sqlite'}"
    fields = {"registry_url": registry, "warehouse_url": f"duckdb:///{database}", "aggregate_schema": "aggs"}
    variables = {
        **os.environ,
        "AIRFLOW_CONN_ATSCALE_AGGS_DEFAULT": Connection(
            conn_id="atscale_aggs_default", conn_type="atscale_aggs", extra=json.dumps(fields)
        ).as_json(),
        "HOME": str(tmp_path / "home"),
        "AIRFLOW_HOME": str(tmp_path / "home"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "ATSCALE_AGGS_DBT_PROJECT": str(project),
        "ATSCALE_AGGS_DBT": str(HOME / "bin" / "dbt"),
        "ATSCALE_AGGS_DBT_MODEL": "bakery",
        "ATSCALE_AGGS_DBT_SML": str(tmp_path / "sml"),
        "BAKERY_DUCKDB": str(database),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
        "PYTHONPATH": os.pathsep.join((str(_ROOT), str(_COSMOS))),
    }
    (tmp_path / "home" / "dags").mkdir(parents=True)
    shutil.copy(_ROOT / "dags" / "dbt_then_batch.py", tmp_path / "home" / "dags")
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, env=variables, timeout=600, check=False
    )
    told = [line.removeprefix("TOLD ") for line in done.stdout.splitlines() if line.startswith("TOLD ")]

    assert told, (done.stdout + done.stderr)[-5000:]
    run = json.loads(told[0])
    assert run["run"] == "success", (done.stdout + done.stderr)[-5000:]
    assert {state for task, state in run["states"] if task.startswith("dbt_build.")} == {"success"}
    with open_workspace(registry=registry, warehouse=f"duckdb:///{database}", aggregate_schema="aggs") as place:
        told_rows = answer(place, 'SELECT "basket__state", revenue FROM bakery GROUP BY 1')
    assert told_rows.plan.uses_aggregates
    assert len(told_rows.rows) == 4
