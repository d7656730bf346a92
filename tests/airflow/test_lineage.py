"""What OpenLineage is told of a build, from a real build on DuckDB."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.lifecycle.build.batch import begin_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace, utc_now
from airflow_atscale_aggs.operators.aggregates import BuildAggregateOperator
from airflow_atscale_aggs.operators.base import LEASE
from tests.support.stars import tiny_star

pytestmark = pytest.mark.airflow


def test_a_build_tells_what_it_read_and_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Facts and dimensions of the one built from the facts; the parent of the derived one; SQL and rows."""
    registry, warehouse = f"sqlite:///{tmp_path / 'r.sqlite'}", f"duckdb:///{tmp_path / 'w.duckdb'}"
    extra = {"registry_url": registry, "warehouse_url": warehouse, "aggregate_schema": "aggs"}
    monkeypatch.setenv("AIRFLOW_CONN_TINY", json.dumps({"conn_type": "atscale_aggs", "extra": extra}))
    run = SimpleNamespace(dag_id="d", run_id="r")
    with open_workspace(registry=registry, warehouse=warehouse, aggregate_schema="aggs") as workspace:
        tiny_star.run_sql(workspace, *tiny_star.SETUP_SQL)
        deploy(workspace, tiny_star.write_model(tmp_path / "m"), now=utc_now())
        begun = begin_batch(
            workspace, "tiny_sales", build_type=BuildType.FULL, owner="airflow:d/r", now=utc_now(), lease=LEASE
        )
    facets = {}
    for instance in begun.instances:
        operator = BuildAggregateOperator(task_id="build", instance_id=instance.id, aggs_conn_id="tiny")
        context: Any = {"dag_run": run, "ti": SimpleNamespace(max_tries=0)}
        operator.execute(context)
        facets[instance.step.aggregate] = operator.get_openlineage_facets_on_complete(None)

    namespace = f"duckdb://{tmp_path / 'w.duckdb'}"
    root, derived = facets["by_day_and_shop"], facets["by_month_and_city"]
    assert {dataset.name for dataset in root.inputs} == {"sales", "shop", "day"}
    assert {dataset.namespace for dataset in (*root.inputs, *root.outputs)} == {namespace}
    assert root.outputs[1].name == "aggs.agg_tiny_sales_by_day_and_shop"
    assert root.outputs[0].name in {dataset.name for dataset in derived.inputs}
    assert root.job_facets["sql"].query.startswith("CREATE TABLE")
    assert root.outputs[0].outputFacets["outputStatistics"].rowCount > 0


def test_a_build_task_needs_no_sql_library(tmp_path: Path) -> None:
    """Every task is a process of its own: importing the SQL parser would cost more than a small aggregate."""
    registry, warehouse = f"sqlite:///{tmp_path / 'r.sqlite'}", f"duckdb:///{tmp_path / 'w.duckdb'}"
    with open_workspace(registry=registry, warehouse=warehouse) as workspace:
        tiny_star.run_sql(workspace, *tiny_star.SETUP_SQL)
        deploy(workspace, tiny_star.write_model(tmp_path / "m"), now=utc_now())
        begun = begin_batch(
            workspace, "tiny_sales", build_type=BuildType.FULL, owner="airflow:d/r", now=utc_now(), lease=LEASE
        )
    extra = {"registry_url": registry, "warehouse_url": warehouse}
    environment = {**os.environ, "AIRFLOW_CONN_TINY": json.dumps({"conn_type": "atscale_aggs", "extra": extra})}
    code = (
        "import sys; from types import SimpleNamespace as N\n"
        "from airflow_atscale_aggs.operators.aggregates import BuildAggregateOperator\n"
        f"task = BuildAggregateOperator(task_id='b', instance_id={begun.instances[0].id!r}, aggs_conn_id='tiny')\n"
        "made = task.execute({'dag_run': N(dag_id='d', run_id='r'), 'ti': N(max_tries=0)})\n"
        "print(made['rows'] > 0, [name for name in ('sqlglot', 'alembic') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "True []"
