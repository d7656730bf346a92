"""Find instances whose tables are no longer in the warehouse, because somebody dropped them without the registry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.registry.records import InstanceRecord
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
    schemas: dict[str, str] = {}
    existing: dict[str, frozenset[str]] = {}
    missing: dict[str, tuple[str, ...]] = {}
    for instance in instances:
        if instance.batch_id not in schemas:
            schemas[instance.batch_id] = read.batches.get(instance.batch_id).schema
        schema = schemas[instance.batch_id]
        if schema not in existing:
            existing[schema] = session.tables(schema)
        absent = tuple(table for table in _tables_of(read, instance) if table not in existing[schema])
        if absent:
            missing[instance.id] = absent
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
