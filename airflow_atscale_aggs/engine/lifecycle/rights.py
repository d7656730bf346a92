"""What people gave to the table of an aggregate, its successor gets: grants, and comments, before anybody reads it."""

from __future__ import annotations

from airflow_atscale_aggs.engine.aggregates.build_step import TARGET_ATTEMPT
from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus
from airflow_atscale_aggs.engine.errors import WarehouseError
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.registry.records import BatchRecord, InstanceRecord
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession
from airflow_atscale_aggs.engine.warehouse.catalog import catalog_of

_CARRIED = frozenset({"grant", "comment"})
"""Not the owner: who builds tables must be able to drop them."""


def carry_rights(workspace: Workspace, batch: BatchRecord) -> tuple[str, ...]:
    """Give the new tables of a batch what the ones that serve now were given; sentences about what could not be given.

    Who reads the tables of aggregates by themselves, such as a role of the query router, goes on reading them.
    """
    registry = workspace.registry
    serving = {instance.step.view: instance for instance in registry.active_instances(batch.model_id)}
    built = registry.instances(batch_id=batch.id, status=InstanceStatus.DONE)
    pairs = [(serving[new.step.view], new) for new in built if new.step.view in serving]
    if not pairs or workspace.warehouse.dialect.catalog is None:
        return ()
    notes: list[str] = []
    with workspace.warehouse.session() as session:
        for old, new in pairs:
            try:
                _carry(session, old, new, registry.batch(old.batch_id).schema, batch.schema)
            except WarehouseError as error:
                notes.append(
                    f"Grants on {old.table} were not carried over to {new.table} of `{new.step.aggregate}`: {error.reason}."
                )
    return tuple(notes)


def _carry(session: WarehouseSession, old: InstanceRecord, new: InstanceRecord, old_schema: str, schema: str) -> None:
    catalog, own = catalog_of(session, old_schema), catalog_of(session, schema)
    if catalog is None or own is None or old.table is None or new.table is None:
        return
    target = new.step.target_sql.replace(TARGET_ATTEMPT, str(new.attempt))
    kind = "TABLE" if new.step.increment is None else "VIEW"
    carried = [one for one in catalog.belongings(old.table, target=target, kind=kind) if one.kind in _CARRIED]
    if not carried:
        return
    columns = {name for name, _ in own.columns([new.table]).get(new.table.casefold(), ())}
    with session.transaction():
        for one in carried:
            if not one.column or one.column in columns:
                session.execute(one.statement)
