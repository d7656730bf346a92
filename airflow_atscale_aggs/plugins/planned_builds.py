"""Reads from Airflow's database what a plan task has returned: the builds that are mapped over it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def plan_of(build_task_id: str) -> str:
    """The id of the plan task that stands beside a build task.

    >>> plan_of("sales.batch_build.build"), plan_of("build")
    ('sales.batch_build.plan', 'plan')
    """
    group = build_task_id.rpartition(".")[0]
    return f"{group}.plan" if group else "plan"


def read_planned(session: Session, *, dag_id: str, run_id: str, plan: str) -> Sequence[Any]:
    """What a plan task has returned.

    Returns:
        One value for each map index; nothing where the task has not returned a list, or where values are kept outside
        of the database. Nobody has checked the values.
    """
    from airflow.models.xcom import XCOM_RETURN_KEY, XComModel
    from sqlalchemy import select

    query = select(XComModel.value).where(
        XComModel.dag_id == dag_id,
        XComModel.run_id == run_id,
        XComModel.task_id == plan,
        XComModel.key == XCOM_RETURN_KEY,
        XComModel.map_index == -1,
    )
    with session.no_autoflush:
        row = session.execute(query).first()
    value = XComModel.deserialize_value(row) if row is not None else None
    return value if isinstance(value, list) else ()
