"""Airflow's API server makes the link to an aggregate's instance; tasks send none."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow import settings
from airflow.models import import_all_models
from airflow.models.base import Base
from airflow.models.dagrun import DagRun
from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.models.taskinstancekey import TaskInstanceKey
from airflow.models.xcom import XComModel
from airflow.sdk.definitions.mappedoperator import MappedOperator
from airflow.serialization.serialized_objects import DagSerialization
from airflow.utils.state import DagRunState
from sqlalchemy import create_engine, insert
from sqlalchemy.orm import Session, sessionmaker

from airflow_atscale_aggs.dag_factory import batch_build_dag
from airflow_atscale_aggs.operators.aggregates import BuildAggregateOperator
from airflow_atscale_aggs.plugins.instance_link import AggregateInstanceLink

pytestmark = pytest.mark.airflow

_OPERATOR = SimpleNamespace(partial_kwargs={"aggs_conn_id": "retail aggs"})


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Sessions of a metadata database in which a run has planned two builds, and the first one has begun."""
    import_all_models()
    engine = create_engine(f"sqlite:///{tmp_path_factory.mktemp('metadata') / 'airflow.sqlite'}")
    Base.metadata.create_all(engine)
    now = datetime.now(UTC)
    with Session(engine) as session:
        run = DagRun(dag_id="d", run_id="r", run_type="manual", run_after=now, state=DagRunState.RUNNING)
        session.add(run)
        session.flush()
        planned = [{"instance_id": "planned 0"}, {"instance_id": "planned 1"}]
        key = {"dag_run_id": run.id, "dag_id": "d", "run_id": "r", "task_id": "sales.plan", "map_index": -1}
        session.add(XComModel(**key, key="return_value", value=planned, timestamp=now))
        session.commit()
        fields = {"instance_id": "begun/0", "aggs_conn_id": "rendered"}
        begun = {"dag_id": "d", "run_id": "r", "task_id": "sales.build", "map_index": 0, "rendered_fields": fields}
        session.connection().exec_driver_sql("PRAGMA foreign_keys=OFF")
        session.execute(insert(RenderedTaskInstanceFields).values(**begun))
        session.commit()
    yield sessionmaker(engine)
    engine.dispose()


def _link(sessions: Any, monkeypatch: pytest.MonkeyPatch, map_index: int, task_id: str = "sales.build") -> str:
    monkeypatch.setattr(settings, "Session", sessions)
    key = TaskInstanceKey("d", task_id, "r", 1, map_index)
    return AggregateInstanceLink().get_link(_OPERATOR, ti_key=key)


@pytest.mark.parametrize(
    ("map_index", "page"), [(0, "rendered/begun/0"), (1, "retail%20aggs/planned%201"), (2, None), (-1, None)]
)
def test_a_build_links_to_its_instance_as_soon_as_it_is_planned(
    sessions: Any, monkeypatch: pytest.MonkeyPatch, map_index: int, page: str | None
) -> None:
    link = _link(sessions, monkeypatch, map_index)

    assert link == "" if page is None else link.endswith(f"/atscale_aggs/instances/{page}")


def test_a_task_that_nobody_has_planned_has_no_link(sessions: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _link(sessions, monkeypatch, 0, task_id="other.build") == ""


def test_a_database_that_fails_costs_the_link_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'empty.sqlite'}")

    assert _link(sessionmaker(engine), monkeypatch, 0) == ""
    engine.dispose()


def test_airflow_finds_the_link_by_the_name_of_the_operator() -> None:
    """Mapped or not; other tasks have none, and no task makes one."""
    dag = batch_build_dag("retail", dag_id="batch_of_retail")
    with dag:
        BuildAggregateOperator(task_id="single", instance_id="1")
    served = DagSerialization.from_dict(DagSerialization.to_dict(dag))

    links = {task_id: list(served.get_task(task_id).extra_links) for task_id in ("build", "single", "plan", "report")}
    assert links == {"build": ["Aggregate instance"], "single": ["Aggregate instance"], "plan": [], "report": []}
    assert [task.task_id for task in dag.tasks if task.operator_extra_links] == []


def test_builds_send_nothing_that_nobody_reads() -> None:
    """The registry and the log have what a build returns."""
    build = batch_build_dag("retail", dag_id="sends_little").get_task("build")

    assert isinstance(build, MappedOperator)
    assert build.partial_kwargs["do_xcom_push"] is False
