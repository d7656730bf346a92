"""A DAG that loads facts and then builds a model: it is run only when it is named, and only its builds are stopped."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, TaskInstanceState
from sqlalchemy import delete, select, update

from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus, BuildType
from airflow_atscale_aggs.engine.lifecycle.build.batch import begin_batch
from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now
from airflow_atscale_aggs.plugins.api.access import model_dags
from tests.support.api_server import ApiServer

pytestmark = pytest.mark.airflow

_NIGHTLY = """\
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

from airflow_atscale_aggs.task_group import BatchBuildTaskGroup

with DAG("nightly", schedule=None) as nightly:
    EmptyOperator(task_id="load") >> BatchBuildTaskGroup("tiny_sales", aggs_conn_id="other")
"""
_MODEL = "/api/connections/other/models/tiny_sales"


@pytest.fixture(scope="module", autouse=True)
def nightly(server: ApiServer) -> None:
    """The only DAG that builds tiny_sales over the connection `other`."""
    folder = server.folder / "nightly"
    folder.mkdir()
    (folder / "nightly.py").write_text(_NIGHTLY)
    bag = BundleDagBag(dag_folder=os.fspath(folder), bundle_path=folder, bundle_name="dags-folder")
    assert bag.import_errors == {}
    sync_bag_to_db(bag, "dags-folder", None)
    with create_session() as session:
        session.execute(update(DagModel).values(is_paused=False))
    model_dags.forget()


@pytest.fixture(autouse=True)
def no_runs(server: ApiServer) -> Iterator[None]:
    yield
    with create_session() as session:
        session.execute(delete(DagRun))
    with server.workspace() as workspace:
        for batch in workspace.read.batches.find():
            if batch.status in {BatchStatus.IN_PROGRESS, BatchStatus.FAILED}:
                workspace.registry.batches.cancel(batch.id, now=utc_now())


def _start(server: ApiServer, **asked: Any) -> Any:
    return server.client("user").post(f"{_MODEL}/batches", json=asked)


def _begin(server: ApiServer, states: dict[str, TaskInstanceState | None]) -> tuple[str, str]:
    """(batch id, run id) of a batch that a run of the DAG has begun, with the states of the run's tasks."""
    run_id = str(_start(server, dag_id="nightly").json()["run_id"])
    with server.workspace() as workspace:
        owner = f"airflow:nightly/{run_id}"
        lease = timedelta(hours=1)
        begun = begin_batch(workspace, "tiny_sales", build_type=BuildType.FULL, owner=owner, now=utc_now(), lease=lease)
    with create_session() as session:
        session.scalars(select(DagRun).where(DagRun.run_id == run_id)).one().state = DagRunState.RUNNING
        for instance in session.scalars(select(TaskInstance).where(TaskInstance.run_id == run_id)):
            instance.state = states.get(instance.task_id, TaskInstanceState.SUCCESS)
    return begun.batch.id, run_id


def _states(run_id: str) -> tuple[str, dict[str, str | None]]:
    with create_session() as session:
        run = session.scalars(select(DagRun).where(DagRun.run_id == run_id)).one()
        found = session.scalars(select(TaskInstance).where(TaskInstance.run_id == run_id))
        return str(run.state), {instance.task_id: instance.state for instance in found}


def test_it_is_not_run_unless_it_is_named(server: ApiServer) -> None:
    """Building again must not load facts again that nobody has asked for."""
    refused, started = _start(server), _start(server, dag_id="nightly")

    assert refused.status_code == 409
    assert refused.json()["detail"].startswith(
        "DAG `nightly` builds model `tiny_sales` and does other things as well. To run all of it, name it as `dag_id`"
    )
    assert (started.status_code, started.json()["dag_id"]) == (201, "nightly")


def test_a_parameter_that_it_does_not_have_is_refused(server: ApiServer) -> None:
    """Nobody would look at it."""
    answer = _start(server, dag_id="nightly", max_concurrent_builds=2)

    assert answer.status_code == 422
    assert answer.json()["detail"] == (
        "DAG `nightly` refuses the run. It has no parameter `max_concurrent_builds`, leave it out. Nothing was started."
    )


def test_a_run_that_has_begun_no_batch_is_left_to_airflow(server: ApiServer) -> None:
    """It may be loading facts."""
    started = _start(server, dag_id="nightly").json()

    answer = server.client("user").post(f"/api/connections/other/batches/{started['id']}/cancel")

    assert answer.status_code == 409
    assert f"Stop the run itself: {started['run_url']}" in answer.json()["detail"]
    assert _states(started["run_id"])[0] == "queued"


def test_a_cancelled_batch_ends_its_builds_and_nothing_else(server: ApiServer) -> None:
    """What comes after decides for itself what it does about a build that has failed."""
    waiting = dict.fromkeys(("batch_build.activate", "batch_build.report"))
    batch_id, run_id = _begin(server, {"batch_build.build": TaskInstanceState.RUNNING, **waiting})

    answer = server.client("user").post(f"/api/connections/other/batches/{batch_id}/cancel")

    assert answer.status_code == 200, answer.text
    assert answer.json()["message"].endswith(f"What builds it in run `{run_id}` of DAG `nightly` is told to stop.")
    assert _states(run_id) == (
        "running",
        {
            "load": "success",
            "batch_build.plan": "success",
            "batch_build.build": "failed",
            "batch_build.activate": None,
            "batch_build.report": None,
        },
    )


def test_a_resumed_batch_tries_its_builds_again_and_loads_nothing(server: ApiServer) -> None:
    """Only from the failed builds on."""
    failed = TaskInstanceState.FAILED
    batch_id, run_id = _begin(server, {"batch_build.build": failed, "batch_build.activate": failed})

    answer = server.client("user").post(f"/api/connections/other/batches/{batch_id}/resume")

    assert answer.status_code == 200, answer.text
    assert _states(run_id)[1] == {
        "load": "success",
        "batch_build.plan": "success",
        "batch_build.build": None,
        "batch_build.activate": None,
        "batch_build.report": None,
    }
