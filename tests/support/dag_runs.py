"""Runs in Airflow's own database: which there are, and the states that a scheduler would leave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, TaskInstanceState
from sqlalchemy import select


def all_runs() -> list[DagRun]:
    """The runs of all DAGs, oldest first."""
    with create_session() as session:
        return list(session.scalars(select(DagRun).order_by(DagRun.id)))


def set_states(run: DagRun, state: DagRunState, states: dict[str, Sequence[TaskInstanceState | None]]) -> None:
    """The state of a run and of its tasks, as the scheduler leaves them; several states: a mapped task."""
    with create_session() as session:
        stored = session.scalars(select(DagRun).where(DagRun.id == run.id)).one()
        stored.state = state
        instances = session.scalars(select(TaskInstance).where(TaskInstance.run_id == run.run_id)).all()
        by_task = {instance.task_id: instance for instance in instances if instance.map_index < 1}
        for task_id, wanted in states.items():
            first = by_task[task_id]
            if len(wanted) > 1:
                first.map_index = 0
            first.state = wanted[0]
            for index, further in enumerate(wanted[1:], start=1):
                other = TaskInstance(first.task or _task(run, task_id), first.dag_version_id, run_id=run.run_id)
                other.map_index, other.state = index, further
                session.add(other)


def _task(run: DagRun, task_id: str) -> Any:
    from airflow.models.dagbag import DBDagBag

    with create_session() as session:
        dag = DBDagBag().get_latest_version_of_dag(run.dag_id, session=session)
    assert dag is not None
    return dag.get_task(task_id)


def states_of(run: DagRun) -> dict[tuple[str, int], str | None]:
    """States of the tasks of a run, by task and map index."""
    with create_session() as session:
        found = session.scalars(select(TaskInstance).where(TaskInstance.run_id == run.run_id))
        return {(instance.task_id, instance.map_index): instance.state for instance in found}
