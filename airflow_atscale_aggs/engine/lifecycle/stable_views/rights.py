"""Carry grants and comments from the table of an aggregate over to its successor.

The successor has them before anybody reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus
from airflow_atscale_aggs.engine.errors import WarehouseError
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.registry.records import BatchRecord, InstanceRecord
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession
from airflow_atscale_aggs.engine.warehouse.schema_catalog import Belonging, catalog_of

_CARRIED = frozenset({"grant", "comment"})
"""Not the owner: who builds tables must be able to drop them."""


def carry_rights(workspace: Workspace, batch: BatchRecord, instances: Iterable[InstanceRecord]) -> tuple[str, ...]:
    """Give the new tables of a batch the grants and comments of the tables that serve now.

    Returns notes about failures.

    A role that reads the tables directly, such as that of a query router, can go on reading them.

    Args:
        instances: those of the batch.
    """
    built = [instance for instance in instances if instance.status is InstanceStatus.DONE]
    if not built or workspace.warehouse.dialect.catalog is None:
        return ()
    read = workspace.read
    serving = {instance.step.view: instance for instance in read.instances.serving(batch.model_id)}
    pairs = [(serving[new.step.view], new) for new in built if new.step.view in serving]
    notes: list[str] = []
    schemas = {batch_id: read.batches.get(batch_id).schema for batch_id in {old.batch_id for old, _ in pairs}}
    with workspace.warehouse.session() as session:
        belongings_by_table = _read_belongings(
            session, [(schemas[old.batch_id], old.table) for old, _ in pairs if old.table]
        )
        for old, new in pairs:
            belongings = belongings_by_table.get((schemas[old.batch_id], (old.table or "").casefold()), [])
            if not belongings:
                continue
            try:
                _carry(session, belongings, new, batch.schema)
            except WarehouseError as error:
                notes.append(
                    f"Grants on {old.table} were not carried over to {new.table} of `{new.step.aggregate}`: "
                    f"{error.reason}."
                )
    return tuple(notes)


def _read_belongings(
    session: WarehouseSession, tables: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], list[Belonging]]:
    """The grants and comments of tables, by schema and table in lower case.

    Args:
        tables: schema and table.
    """
    belongings_by_table: dict[tuple[str, str], list[Belonging]] = {}
    for schema in {schema for schema, _ in tables}:
        catalog = catalog_of(session, schema)
        if catalog is None:
            continue
        for table, belongings in catalog.belongings([table for other, table in tables if other == schema]).items():
            belongings_by_table[schema, table] = [belonging for belonging in belongings if belonging.kind in _CARRIED]
    return belongings_by_table


def _carry(session: WarehouseSession, belongings: Sequence[Belonging], new: InstanceRecord, schema: str) -> None:
    catalog = catalog_of(session, schema)
    if catalog is None or new.table is None:
        return
    target = new.step.of_attempt(new.attempt).target_sql
    kind = "TABLE" if new.step.increment is None else "VIEW"
    columns = {name for name, _ in catalog.columns([new.table]).get(new.table.casefold(), ())}
    with session.transaction():
        for belonging in belongings:
            if not belonging.column or belonging.column in columns:
                session.execute(belonging.statement(target, kind))
