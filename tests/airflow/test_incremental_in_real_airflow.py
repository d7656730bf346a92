"""Increments in a real Airflow: the form's `build_type`, one task per aggregate, rows read and written in the log; and
partition keys of asset events, which name what has changed long ago.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow_processes import LocalAirflow

from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace
from tests.support.stars import incremental_star as star
from tests.support.stars import tiny_star

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.xdist_group("airflow")]

_CORRECTION = "UPDATE sales SET amount = 500 WHERE seq < 20"
_DAG_ID = "batch_build_tiny_sales"
_DAG_FILE = """\
from airflow.sdk import Asset, PartitionedAssetTimetable
from airflow_atscale_aggs.dag_factory import batch_build_dag

dag = batch_build_dag("tiny_sales", aggs_conn_id="tiny", models_folder={folder!r})
by_event = batch_build_dag(
    "tiny_sales",
    dag_id="by_event",
    aggs_conn_id="tiny",
    schedule=PartitionedAssetTimetable(assets=Asset("sales_by_minute")),
    build_type="incremental",
    partitions={{"sales_by_minute": "sales"}},
)
"""


def test_a_run_that_asks_for_increments_reads_what_is_new(tmp_path: Path) -> None:
    """A full and an incremental run give the numbers of the fact rows; the second reads a segment of new rows only."""
    urls = {"registry": f"sqlite:///{tmp_path / 'r.sqlite'}", "warehouse": f"duckdb:///{tmp_path / 'w.duckdb'}"}
    _in_warehouse(urls, lambda workspace: tiny_star.run_sql(workspace, *star.SETUP_SQL))
    _in_warehouse(
        urls, lambda workspace: star.load(workspace, *(star.Sale(star.START + number, shop=1) for number in range(100)))
    )
    folder = star.write_model(tmp_path / "model")
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "tiny.py").write_text(_DAG_FILE.format(folder=str(folder)))
    extra = {f"{name}_url": url for name, url in urls.items()} | {"aggregate_schema": "aggs"}
    variables = {"AIRFLOW_CONN_TINY": json.dumps({"conn_type": "atscale_aggs", "extra": extra})}

    with LocalAirflow(tmp_path / "home", tmp_path / "dags", variables) as airflow:
        _run(airflow, "full")
        _in_warehouse(urls, star.check_views)
        _in_warehouse(
            urls, lambda workspace: star.load(workspace, star.Sale(star.START + 150), star.Sale(star.START + 95))
        )
        run_id = _run(airflow, "incremental")
        _in_warehouse(urls, star.check_views)
        path = f"dags/{_DAG_ID}/dagRuns/{run_id}/taskInstances/build/logs/1?map_index=0"
        log = json.dumps(airflow.call("GET", path))
        _in_warehouse(urls, lambda workspace: tiny_star.run_sql(workspace, _CORRECTION))
        _name_partitions(airflow, "2025-10-09T08:53", "2025-10")
        _in_warehouse(urls, star.check_views)
        _in_warehouse(urls, _check_partitions)

    # Eleven of the hundred lie within the grace period before the greatest; they and the two new ones are read.
    assert "settled: read 12 fact rows" in log
    assert "unsettled: read 1 fact rows" in log


def _name_partitions(airflow: LocalAirflow, *keys: str) -> None:
    """Post an event of each key, and wait for the runs that they start."""
    airflow.unpause("by_event")
    (asset,) = (each for each in airflow.call("GET", "assets?limit=50")["assets"] if each["name"] == "sales_by_minute")
    for key in keys:
        airflow.call("POST", "assets/events", {"asset_id": asset["id"], "extra": {}, "partition_key": key})

    def are_over() -> bool:
        runs = airflow.call("GET", "dags/by_event/dagRuns")["dag_runs"]
        assert "failed" not in {run["state"] for run in runs}
        return len(runs) == len(keys) and {run["state"] for run in runs} == {"success"}

    airflow.wait_for(are_over, "the runs of the partitions to end", 240)


def _check_partitions(workspace: Workspace) -> None:
    """All keys were named, and made anew by incremental batches."""
    model_id = workspace.read.models.get(star.MODEL).id
    batches = workspace.read.batches.find(model_id)
    assert (batches[0].slices_through, workspace.read.slices.due(model_id)) == (2, ())
    assert all(batch.build_type is BuildType.INCREMENTAL for batch in batches if batch.slices_through)


def _in_warehouse(urls: dict[str, Any], do: Callable[[Workspace], None]) -> None:
    """DuckDB lets one process in at a time."""
    with open_workspace(**urls, aggregate_schema="aggs") as workspace:
        do(workspace)


def _run(airflow: LocalAirflow, build_type: str) -> str:
    run_id = airflow.trigger(_DAG_ID, {"build_type": build_type})
    end_state = airflow.wait_for(
        lambda: (state := airflow.run_state(_DAG_ID, run_id)) in {"success", "failed"} and state, "the run to end", 180
    )
    assert end_state == "success"
    return run_id
