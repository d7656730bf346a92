"""Find instances whose tables are no longer in the warehouse, because somebody dropped them without the registry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.registry.records import InstanceRecord, ServingRecord
from airflow_atscale_aggs.engine.registry.registry import RegistryReader
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession

_MOST_NAMED = 3
"""Number of names in one sentence."""


def missing_tables(
    read: RegistryReader, session: WarehouseSession, instances: Iterable[InstanceRecord]
) -> Mapping[str, tuple[str, ...]]:
    """Names of the tables that are not in the warehouse, by id of the instance that needs them; others are absent.

    One round trip per schema.

    Args:
        instances: with a table each: built ones that nobody has dropped.
    """
    needed = ((instance.id, instance.batch_id, _tables_of(read, instance)) for instance in instances)
    return _find_missing(read, session, needed)


def missing_in_service(
    read: RegistryReader, session: WarehouseSession, serving: Iterable[ServingRecord]
) -> Mapping[str, tuple[str, ...]]:
    """`missing_tables` of instances whose tables are known already."""
    needed = ((record.id, record.batch_id, (record.table, *record.segments)) for record in serving)
    return _find_missing(read, session, needed)


def _find_missing(
    read: RegistryReader, session: WarehouseSession, needed: Iterable[tuple[str, str, Iterable[str]]]
) -> Mapping[str, tuple[str, ...]]:
    """Of instances with the id of their batch and the tables that they need."""
    schemas: dict[str, str] = {}
    existing: dict[str, frozenset[str]] = {}
    missing: dict[str, tuple[str, ...]] = {}
    for instance_id, batch_id, tables in needed:
        if batch_id not in schemas:
            schemas[batch_id] = read.batches.get(batch_id).schema
        schema = schemas[batch_id]
        if schema not in existing:
            existing[schema] = session.tables(schema)
        absent = tuple(table for table in tables if table not in existing[schema])
        if absent:
            missing[instance_id] = absent
    return missing


def missing_of_active(workspace: Workspace, instances: Iterable[InstanceRecord]) -> Mapping[str, tuple[str, ...]]:
    """`missing_tables` of those that serve, over a session of its own; asks nothing when none does.

    Raises:
        WarehouseError: the warehouse cannot be asked.
    """
    active = [instance for instance in instances if instance.status is InstanceStatus.ACTIVE]
    if not active:
        return {}
    with workspace.warehouse.session() as session:
        return missing_tables(workspace.read, session, active)


def describe_missing_tables(tables: Sequence[str]) -> str:
    """A sentence which says that the tables of one instance are gone."""
    names = ", ".join(f"`{table}`" for table in tables[:_MOST_NAMED])
    more = f" and {len(tables) - _MOST_NAMED} more" if len(tables) > _MOST_NAMED else ""
    return f"{names}{more} {'is' if len(tables) == 1 else 'are'} not in the warehouse any more; build again"


def _tables_of(read: RegistryReader, instance: InstanceRecord) -> Iterable[str]:
    """The table, or the view over segments and their tables."""
    segments = read.instances.segments(instance.id) if instance.step.increment is not None else ()
    return [str(instance.table), *(segment.table for segment in segments)]
