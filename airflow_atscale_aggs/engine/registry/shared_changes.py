"""Changes that several subjects make within one transaction, each said once: definitions retire, instances end.

`which` is a condition on the table that is changed. Each function adds where a row must stand to be changed. Whoever
calls them writes the standings of the definitions (`standings`) at the end of the transaction.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, update

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionStatus
from airflow_atscale_aggs.engine.aggregates.instance import UNACTIVATED, InstanceStatus
from airflow_atscale_aggs.engine.registry.tables import definitions, instances, models

RETAINED = or_(
    instances.c.status == InstanceStatus.ACTIVE,
    and_(instances.c.status == InstanceStatus.SUPERSEDED, instances.c.drop_after.is_(None)),
)
"""The condition that an instance is active, or inactive and nobody has told it to go."""


def lock_model(connection: Connection, model_id: str) -> None:
    """Wait for whoever else changes a model's definitions and what serves, and let others wait.

    It is the first thing that such a transaction does, so that no two wait for each other.
    """
    connection.execute(select(models.c.id).where(models.c.id == model_id).with_for_update())


def count_change(connection: Connection, which: ColumnElement[bool]) -> None:
    """Count a change of models, so that caches read them again."""
    connection.execute(update(models).where(which).values(change_counter=models.c.change_counter + 1))


def retire_definitions(connection: Connection, which: ColumnElement[bool], *, why: str, now: datetime) -> None:
    """Retire definitions. Those that are not defined any more stay as they are."""
    connection.execute(
        update(definitions)
        .where(which, definitions.c.status == DefinitionStatus.DEFINED)
        .values(status=DefinitionStatus.RETIRED, status_reason=why, retired_at=now)
    )


def cancel_unactivated(connection: Connection, which: ColumnElement[bool]) -> None:
    """Cancel instances that have not served yet. Others stay as they are."""
    connection.execute(
        update(instances).where(which, instances.c.status.in_(UNACTIVATED)).values(status=InstanceStatus.CANCELLED)
    )


def let_instances_go(
    connection: Connection, which: ColumnElement[bool], *, now: datetime, drop_after: datetime
) -> None:
    """Let retained instances go: active ones serve no more, and their tables may be dropped from a time on."""
    connection.execute(
        update(instances)
        .where(which, RETAINED)
        .values(
            status=InstanceStatus.SUPERSEDED,
            drop_after=drop_after,
            superseded_at=func.coalesce(instances.c.superseded_at, now),
        )
    )
