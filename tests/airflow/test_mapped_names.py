"""Mapped builds are named by the scheduler when it makes them, from what the plan has returned."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.models import import_all_models
from airflow.models.base import Base
from airflow.models.dagrun import DagRun
from airflow.models.xcom import XComModel
from airflow.utils.state import DagRunState
from sqlalchemy import create_engine, event
from sqlalchemy.orm import Session

from airflow_atscale_aggs.operators.aggregates import BuildAggregateOperator
from airflow_atscale_aggs.plugins import mapped_names

pytestmark = pytest.mark.airflow

_PLANNED = [{"instance_id": str(number), "aggregate": name} for number, name in enumerate(("by_city", "by_month"))]


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a metadata database of Airflow without a row."""
    file = tmp_path_factory.mktemp("metadata") / "airflow.sqlite"
    import_all_models()
    engine = create_engine(f"sqlite:///{file}")
    Base.metadata.create_all(engine)
    engine.dispose()
    return file


@pytest.fixture
def session(empty_database: Path, tmp_path: Path) -> Iterator[Session]:
    """A session of the scheduler."""
    engine = create_engine(f"sqlite:///{shutil.copy(empty_database, tmp_path)}")
    with Session(engine) as opened:
        yield opened
    engine.dispose()


def _run(session: Session, planned: Any = None, *, task_id: str = "plan") -> DagRun:
    """A run whose plan has returned something."""
    now = datetime.now(UTC)
    run = DagRun(dag_id="d", run_id="r", run_type="manual", run_after=now, state=DagRunState.RUNNING)
    session.add(run)
    session.flush()
    if planned is not None:
        key = {"dag_run_id": run.id, "dag_id": "d", "run_id": "r", "task_id": task_id, "map_index": -1}
        session.add(XComModel(**key, key="return_value", value=planned, timestamp=now))
    session.commit()
    return run


def _task(map_index: int, *, task_id: str = "build", operator: str = "BuildAggregateOperator", name: Any = None) -> Any:
    """What the hook looks at of a task instance."""
    return SimpleNamespace(task_id=task_id, map_index=map_index, operator=operator, _rendered_map_index=name)


def _named(task: Any, run: DagRun | None) -> Any:
    mapped_names.task_instance_mutation_hook(task, run)
    return task._rendered_map_index


def test_each_build_gets_the_name_of_its_aggregate(session: Session) -> None:
    run = _run(session, _PLANNED)

    assert [_named(_task(index), run) for index in (0, 1)] == ["by_city", "by_month"]


def test_the_plan_of_the_same_group_is_asked(session: Session) -> None:
    run = _run(session, _PLANNED, task_id="sales.batch_build.plan")

    assert _named(_task(1, task_id="sales.batch_build.build"), run) == "by_month"
    assert _named(_task(1, task_id="batch_build.build"), run) is None


@pytest.mark.parametrize(
    "task",
    [
        _task(0, operator="PythonOperator"),
        _task(-1),
        _task(5),
    ],
    ids=["another operator's", "not mapped", "beyond the plan"],
)
def test_other_tasks_are_left_as_they_are(session: Session, task: Any) -> None:
    assert _named(task, _run(session, _PLANNED)) is None


def test_a_name_that_the_worker_has_rendered_stays(session: Session) -> None:
    assert _named(_task(0, name="rendered"), _run(session, _PLANNED)) == "rendered"


def test_a_task_without_its_run_waits(session: Session) -> None:
    """Airflow asks once before it knows the run, and again afterwards."""
    assert _named(_task(0), None) is None


@pytest.mark.parametrize(
    "planned", [None, "s3://elsewhere/1.json", {"a": 1}, [1, 2], [{"aggregate": 5}], [{}], []], ids=repr
)
def test_a_plan_that_does_not_tell_gives_no_name(session: Session, planned: Any) -> None:
    """It has not ended, its values are kept elsewhere, or it is somebody else's task."""
    assert _named(_task(0), _run(session, planned)) is None


def test_a_long_name_is_cut_to_the_width_of_the_column(session: Session) -> None:
    assert _named(_task(0), _run(session, [{"aggregate": "a" * 300}])) == "a" * 250


def test_all_builds_of_a_run_cost_one_query(session: Session) -> None:
    run = _run(session, _PLANNED * 500)
    session.refresh(run)
    statements: list[str] = []
    event.listen(session.get_bind(), "before_cursor_execute", lambda _c, _u, sql, *_: statements.append(sql))

    names = [_named(_task(index), run) for index in range(1000)]

    assert names == ["by_city", "by_month"] * 500
    assert len(statements) == 1


def test_nothing_is_flushed_or_committed(session: Session) -> None:
    """The scheduler's loop holds locks that a commit would let go."""
    run = _run(session, _PLANNED)
    run.state = DagRunState.FAILED
    event.listen(session, "before_commit", lambda _: pytest.fail("committed"))
    event.listen(session, "before_flush", lambda *_: pytest.fail("flushed"))

    assert _named(_task(0), run) == "by_city"


def test_a_database_that_fails_fails_nobody(session: Session, tmp_path: Path) -> None:
    run = _run(session, _PLANNED)
    Base.metadata.tables["xcom"].drop(session.get_bind())

    assert _named(_task(0), run) is None
    session.rollback()
    session.expunge(run)
    assert _named(_task(0), run) is None


def test_the_plugin_has_airflow_ask_and_costs_it_little() -> None:
    """Twice is once. The operator has the name that the module looks for."""
    assert BuildAggregateOperator.__name__ == mapped_names._OPERATOR
    code = (
        "import sys, airflow.plugins_manager, airflow.sdk, airflow.settings\nbefore = set(sys.modules)\n"
        "from airflow_atscale_aggs.plugins.aggregates import AggregatesPlugin\n"
        "AggregatesPlugin.on_load()\nAggregatesPlugin.on_load()\n"
        "hooks = airflow.settings.get_policy_plugin_manager().hook.task_instance_mutation_hook.get_hookimpls()\n"
        "print([hook.plugin.__name__ for hook in hooks], airflow.settings.task_instance_mutation_hook.is_noop)\n"
        "print(sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    hooks, imported = done.stdout.splitlines()[-2:]
    assert hooks == f"['{mapped_names.__name__}'] True"
    assert "sqlalchemy" not in imported
    assert "airflow.models" not in imported
