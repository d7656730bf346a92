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
    """Bytes by instance id, its segments together; those that the warehouse does not tell, or has no more, are left out.

    Raises:
        WarehouseError: the warehouse cannot be asked.
    """
    registry = workspace.registry
    if session.dialect.table_bytes is None or not instances:
        return {}
    schemas: dict[str, str] = {}
    places: dict[str, list[tuple[str, str]]] = {}
    for one in instances:
        if one.batch_id not in schemas:
            schemas[one.batch_id] = registry.batch(one.batch_id).schema
        is_segmented = one.step.increment is not None
        names = [each.table for each in registry.segments_of(one.id)] if is_segmented else [one.table or ""]
        places[one.id] = [(schemas[one.batch_id], name) for name in names]
    told = _told(session, sorted({place for mine in places.values() for place in mine}))
    return {
        key: sum(told[place] for place in mine)
        for key, mine in places.items()
        if mine and all(place in told for place in mine)
    }


def _told(session: WarehouseSession, places: Sequence[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Bytes by (schema, table); an empty schema is the session's own."""
    own = ""
    if any(not schema for schema, _ in places):
        own = str(session.fetch_all("SELECT current_schema()")[0][0])
    spelled = {(schema or own, name): (schema, name) for schema, name in places}
    found: dict[tuple[str, str], int] = {}
    asked = list(spelled)
    for begin in range(0, len(asked), _AT_ONCE):
        query = bytes_query(asked[begin : begin + _AT_ONCE], session.dialect)
        for schema, name, size in session.fetch_all(query) if query is not None else ():
            found[spelled[str(schema), str(name)]] = int(size)
    return found
