"""How many bytes built aggregates take, where the warehouse tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.registry.records import InstanceRecord
from airflow_atscale_aggs.engine.sql.table_statistics import bytes_query
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession

_AT_ONCE = 1000


def bytes_of_instances(
    session: WarehouseSession, workspace: Workspace, instances: Sequence[InstanceRecord]
) -> Mapping[str, int]:
    """Bytes by instance id, its segments together.

    Those that the warehouse does not tell, or has no more, are left out.

    Raises:
        WarehouseError: the warehouse cannot be asked.
    """
    read = workspace.read
    if not instances:
        return {}
    schemas: dict[str, str] = {}
    places: dict[str, list[tuple[str, str]]] = {}
    for instance in instances:
        if instance.batch_id not in schemas:
            schemas[instance.batch_id] = read.batches.get(instance.batch_id).schema
        is_segmented = instance.step.increment is not None
        names = (
            [segment.table for segment in read.instances.segments(instance.id)]
            if is_segmented
            else [instance.table or ""]
        )
        places[instance.id] = [(schemas[instance.batch_id], table) for table in names]
    sizes = _read_sizes(
        session, sorted({place for places_of_instance in places.values() for place in places_of_instance})
    )
    return {
        key: sum(sizes[place] for place in places_of_instance)
        for key, places_of_instance in places.items()
        if places_of_instance and all(place in sizes for place in places_of_instance)
    }


def _read_sizes(session: WarehouseSession, places: Sequence[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Bytes by (schema, table). An empty schema means the session's own."""
    own = ""
    if any(not schema for schema, _ in places):
        _, own = session.own_place()
    spelled = {(schema or own, name): (schema, name) for schema, name in places}
    sizes: dict[tuple[str, str], int] = {}
    names = list(spelled)
    if session.dialect.table_bytes is None:
        return _look_at_sizes(session, spelled)
    for begin in range(0, len(names), _AT_ONCE):
        query = bytes_query(names[begin : begin + _AT_ONCE], session.dialect)
        for schema, name, size in session.fetch_all(query) if query is not None else ():
            sizes[spelled[str(schema), str(name)]] = int(size)
    return sizes


def _look_at_sizes(
    session: WarehouseSession, spelled: Mapping[tuple[str, str], tuple[str, str]]
) -> dict[tuple[str, str], int]:
    """The same where the driver tells it of one table after the other; nothing where it cannot."""
    sizes: dict[tuple[str, str], int] = {}
    for schema in sorted({schema for schema, _ in spelled}):
        names = {name.casefold(): name for other, name in spelled if other == schema}
        for folded, found in (session.look_at(schema, list(names.values())) or {}).items():
            if found.size_bytes is not None:
                sizes[spelled[schema, names[folded]]] = found.size_bytes
    return sizes
