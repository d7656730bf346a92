"""An incremental batch by Airflow's operators: the form's values reach the builds, the log tells rows per segment."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from airflow_atscale_aggs.dag_factory import batch_build_dag
from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from airflow_atscale_aggs.operators.aggregates import (
    ActivateBatchOperator,
    BuildAggregateOperator,
    PlanBatchBuildOperator,
)
from tests.support.connected_star import connect_star
from tests.support.stars import incremental_star as star
from tests.support.stars.incremental_star import MODEL, START, Sale

pytestmark = pytest.mark.airflow


@pytest.fixture
def urls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A star that was built in full, new fact rows, and a connection to it."""
    addresses = connect_star(tmp_path, monkeypatch)
    with open_workspace(**addresses, aggregate_schema="aggs") as workspace:
        model = workspace.read.models.get(MODEL).id
        for key in (
            "aggregate.batch.gracePeriodOverrides.enabled",
            "aggregate.batch.cube.gracePeriodOverrides.enabled",
        ):
            workspace.registry.settings.put(model, key, "true")
        star.build(workspace, BuildType.FULL, at=START + 50)
        star.load(workspace, Sale(at=START + 60), Sale(at=START + 42, amount=1000))
    return addresses


def _workspace(urls: dict[str, Any]) -> Workspace:
    return open_workspace(**urls, aggregate_schema="aggs")


def _context(pulled: Any = None) -> Any:
    run = SimpleNamespace(dag_id="batch_build", run_id="manual", conf={}, run_after=utc_now())
    ti = SimpleNamespace(
        dag_id="batch_build",
        max_tries=0,
        xcom_pull=lambda **options: None if "key" in options else pulled,
        get_task_states=lambda **_: {},
    )
    return {"dag_run": run, "ti": ti}


def test_the_example_builds_increments_hourly_and_everything_weekly() -> None:
    """Two DAGs of one model, each with its kind of build as the form's default."""
    module_globals = runpy.run_path(str(Path(__file__).parents[2] / "dags" / "batch_build_incremental.py"))

    hourly, weekly = module_globals["hourly"], module_globals["weekly"]
    assert (hourly.params["build_type"], weekly.params["build_type"]) == ("incremental", "full")
    assert (hourly.schedule, weekly.schedule) == ("5 * * * *", "0 2 * * 0")
    assert hourly.task_dict["plan"].model == weekly.task_dict["plan"].model == "retail"


def test_an_incremental_batch_reaches_the_mapped_tasks(urls: dict[str, Any]) -> None:
    """The batch is planned with the values of the form, as the DAG's templates render them.

    It is built and activated task by task.
    """
    dag = batch_build_dag(MODEL, aggs_conn_id="tiny", build_type="incremental")
    assert dag.params["build_type"] == "incremental"
    plan = dag.task_dict["plan"]
    assert isinstance(plan, PlanBatchBuildOperator)
    assert plan.build_type == "{{ params.get('build_type', 'full') }}"
    operator = PlanBatchBuildOperator(
        task_id="plan", model=MODEL, build_type="incremental", grace_periods='{"sales": "5s"}', aggs_conn_id="tiny"
    )

    planned: list[dict[str, Any]] = operator.execute(_context())

    assert {arguments["aggregate"] for arguments in planned} == set(star.AGGREGATES)
    lineages = {}
    with structlog.testing.capture_logs() as logged:
        for arguments in planned:
            build = BuildAggregateOperator(task_id="build", aggs_conn_id="tiny", **arguments)
            build.execute(_context())
            lineages[arguments["aggregate"]] = build.get_openlineage_facets_on_complete(None)
        ActivateBatchOperator(task_id="activate", model=MODEL, aggs_conn_id="tiny").execute(_context(planned))
    with _workspace(urls) as workspace:
        star.check_views(workspace)
        (batch, _) = workspace.read.batches.find()
        assert batch.build_type is BuildType.INCREMENTAL
        assert "Grace period of sales: 5s instead of 10s." in batch.notes
    messages = [entry["event"] for entry in logged if entry["event"].startswith("Segment ")]
    assert len(messages) == 2 * len(planned)
    assert all("fact rows, wrote" in message for message in messages)
    assert {dataset.name for dataset in lineages["by_city"].inputs} >= {"sales", "shop"}
