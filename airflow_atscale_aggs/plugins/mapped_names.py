"""Names the mapped build tasks of a batch after their aggregates from the moment when they are made.

Airflow renders ``map_index_template`` in the worker, when a task starts: until then its page says ``0``, ``1``, ``2``.
The scheduler makes the task instances once the plan has ended, so their names are known then: they stand in what the
plan has returned.

The plugin registers it as a cluster policy, which is asked about each task instance that is made, so it answers at once
for those of others. It reads by the scheduler's own session, writes nothing but the name, commits nothing, and never
raises.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from airflow.policies import hookimpl

from airflow_atscale_aggs.plugins.planned_builds import plan_of, read_planned

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance

_OPERATOR = "BuildAggregateOperator"
_MOST_CHARACTERS = 250
"""The width of Airflow's column."""

_log = logging.getLogger(__name__)
_planned: WeakKeyDictionary[DagRun, dict[str, Sequence[Any]]] = WeakKeyDictionary()
"""By run and plan task, while the scheduler works on the run: one look for all tasks that are mapped over the plan."""


def register() -> None:
    """Have Airflow ask this module about the task instances that this process makes."""
    from airflow.settings import get_policy_plugin_manager

    policies, module = get_policy_plugin_manager(), sys.modules[__name__]
    if not policies.is_registered(module):
        policies.register(module)


@hookimpl
def task_instance_mutation_hook(task_instance: TaskInstance, dag_run: DagRun | None) -> None:
    """Give a build task that has just been made the name of its aggregate; leave all others as they are."""
    if dag_run is None or task_instance.map_index < 0 or task_instance.operator != _OPERATOR:
        return
    try:
        if task_instance._rendered_map_index is None:  # noqa: SLF001 - the column has no other name
            name = _name_of(task_instance, dag_run)
            if name:
                task_instance._rendered_map_index = name[:_MOST_CHARACTERS]  # noqa: SLF001 - the same
    except Exception:  # noqa: BLE001 - a name is never worth the scheduler's loop
        _log.debug("A mapped task has no name yet.", exc_info=True)


def _name_of(task_instance: TaskInstance, dag_run: DagRun) -> str:
    """The aggregate of a mapped task; empty when the plan does not tell."""
    plan = plan_of(task_instance.task_id)
    by_plan = _planned.setdefault(dag_run, {})
    if plan not in by_plan:
        by_plan[plan] = _read_plan(dag_run, plan)
    planned = by_plan[plan]
    build = planned[task_instance.map_index] if task_instance.map_index < len(planned) else None
    name = build.get("aggregate") if isinstance(build, dict) else None
    return name if isinstance(name, str) else ""


def _read_plan(dag_run: DagRun, plan: str) -> Sequence[Any]:
    from sqlalchemy.orm import object_session

    session = object_session(dag_run)
    return () if session is None else read_planned(session, dag_id=dag_run.dag_id, run_id=dag_run.run_id, plan=plan)
