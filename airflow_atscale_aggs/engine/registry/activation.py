"""What an activation changes: which instances begin to serve, which give way, and what becomes of the others."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Select, and_, or_, select, update

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionStatus
from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus
from airflow_atscale_aggs.engine.registry.shared_changes import count_change
from airflow_atscale_aggs.engine.registry.standings import refresh_standings
from airflow_atscale_aggs.engine.registry.successions import complete_successions
from airflow_atscale_aggs.engine.registry.tables import definitions, instances, models


def activate_instances(
    connection: Connection, model_id: str, batch_id: str, *, now: datetime, drop_after: datetime
) -> None:
    """Activate the DONE instances of a batch in the transaction that is open; see `BatchWriter.activate`."""
    is_gone = instances.c.definition_id.in_(_select_retired(model_id))
    gone = select(instances.c.definition_id).where(
        instances.c.model_id == model_id, instances.c.status == InstanceStatus.ACTIVE, is_gone
    )
    others = set(connection.scalars(gone))
    _cancel_instances_of_retired_definitions(connection, model_id, batch_id)
    _supersede_replaced_instances(connection, model_id, batch_id, now=now, drop_after=drop_after)
    own = instances.c.batch_id == batch_id
    connection.execute(
        update(instances)
        .where(own, instances.c.status == InstanceStatus.DONE)
        .values(status=InstanceStatus.ACTIVE, activated_at=now)
    )
    connection.execute(
        update(instances)
        .where(own, instances.c.status.in_((InstanceStatus.NEW, InstanceStatus.IN_PROGRESS)))
        .values(status=InstanceStatus.CANCELLED)
    )
    count_change(connection, models.c.id == model_id)
    for done in complete_successions(connection, model_id, now):
        others |= {done.old_id, done.new_id}
    built = select(instances.c.definition_id).where(own)
    refresh_standings(connection, others.union(connection.scalars(built)))


def _cancel_instances_of_retired_definitions(connection: Connection, model_id: str, batch_id: str) -> None:
    """An instance of a definition that is not defined would never be rebuilt, and would serve old rows."""
    connection.execute(
        update(instances)
        .where(
            instances.c.batch_id == batch_id,
            instances.c.status == InstanceStatus.DONE,
            instances.c.definition_id.in_(_select_retired(model_id)),
        )
        .values(status=InstanceStatus.CANCELLED)
    )


def _supersede_replaced_instances(
    connection: Connection, model_id: str, batch_id: str, *, now: datetime, drop_after: datetime
) -> None:
    is_replaced = _is_replaced_by(batch_id)
    heirs = definitions.alias("heirs")
    has_heir = (
        select(heirs.c.id)
        .where(
            heirs.c.model_id == model_id, heirs.c.status == DefinitionStatus.DEFINED, heirs.c.name == definitions.c.name
        )
        .exists()
    )
    retired = _select_retired(model_id)
    is_changed = instances.c.definition_id.in_(retired.where(has_heir))
    is_gone = instances.c.definition_id.in_(retired.where(~has_heir))
    # With the model, or every instance of every model would be looked at.
    is_active = and_(instances.c.model_id == model_id, instances.c.status == InstanceStatus.ACTIVE)
    for condition, drop_at in ((or_(is_replaced, is_changed), drop_after), (is_gone, None)):
        connection.execute(
            update(instances)
            .where(is_active, condition)
            .values(status=InstanceStatus.SUPERSEDED, drop_after=drop_at, superseded_at=now)
        )
    # Older instances of a definition that was retired or blocked, and is now built again.
    is_retained = and_(
        instances.c.model_id == model_id,
        instances.c.status == InstanceStatus.SUPERSEDED,
        instances.c.drop_after.is_(None),
    )
    connection.execute(update(instances).where(is_retained, is_replaced).values(drop_after=drop_after))


def _is_replaced_by(batch_id: str) -> ColumnElement[bool]:
    """The condition that the batch has built the same definition over the same fact."""
    built = instances.alias("built")
    return (
        select(built.c.id)
        .where(
            built.c.batch_id == batch_id,
            built.c.status == InstanceStatus.DONE,
            built.c.definition_id == instances.c.definition_id,
            built.c.fact == instances.c.fact,
        )
        .exists()
    )


def _select_retired(model_id: str) -> Select[tuple[str]]:
    return select(definitions.c.id).where(
        definitions.c.model_id == model_id, definitions.c.status != DefinitionStatus.DEFINED
    )
