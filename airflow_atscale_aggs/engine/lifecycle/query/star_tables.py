"""The tables that stars are made of, for those who may read them beside the models."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from airflow_atscale_aggs.engine.errors import DefinitionError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.query.model_snapshot import ModelSnapshot
from airflow_atscale_aggs.engine.lifecycle.query.model_tables import type_in_postgresql
from airflow_atscale_aggs.engine.lifecycle.query.snapshot_cache import SnapshotCache
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.datasets import TableKey
from airflow_atscale_aggs.engine.registry.records import ModelRecord
from airflow_atscale_aggs.engine.sql.capabilities import FunctionStyle


@dataclass(frozen=True, slots=True, kw_only=True)
class StarTable:
    """A table that models read.

    Attributes:
        is_default: the warehouse finds it without its schema.
        columns: names with their types in PostgreSQL.
        models: names of those that read it, sorted.
    """

    schema: str
    name: str
    is_default: bool
    columns: tuple[tuple[str, str], ...]
    models: tuple[str, ...]


def read_star_tables(
    workspace: Workspace, catalog: str, *, sees: Callable[[ModelRecord], bool], now: datetime
) -> list[StarTable]:
    """The tables of a catalog's models, by schema and name; none where the warehouse is no PostgreSQL.

    A table that a model with row security reads, of whatever catalog, is left out: who reads the table sees all rows.

    Raises:
        WarehouseError: the warehouse could not be asked.
    """
    dialect = workspace.warehouse.dialect
    if dialect.functions is not FunctionStyle.NATIVE:
        return []
    readers: dict[TableKey, set[str]] = {}
    secured: set[TableKey] = set()
    for snapshot in SnapshotCache(workspace).all(None, now):
        is_shown = snapshot.record.catalog == catalog and sees(snapshot.record)
        for place in places_of(snapshot):
            if is_shown:
                readers.setdefault(place, set()).add(snapshot.record.name)
            if snapshot.model.is_secured:
                secured.add(place)
    with workspace.warehouse.session() as session:
        database, own_schema = session.own_place()
        found = session.columns(sorted(readers, key=str))
    hidden = {(schema or own_schema, name) for _, schema, name in secured}
    tables = {}
    for (where, schema, name), columns in found.items():
        key = (schema or own_schema, name)
        if key in hidden or (where and where.casefold() != database.casefold()):
            continue
        tables[key] = StarTable(
            schema=key[0],
            name=name,
            is_default=key[0] == own_schema,
            columns=tuple((column, type_in_postgresql(kind, dialect)) for column, kind in columns.items()),
            models=tuple(sorted(readers[where, schema, name])),
        )
    return [tables[key] for key in sorted(tables)]


def written_names(tables: Iterable[StarTable]) -> frozenset[tuple[str, str]]:
    """Schema and name as queries may have them; an empty schema: none is written."""
    names = {(table.schema, table.name) for table in tables}
    return frozenset(names | {("", table.name) for table in tables if table.is_default})


def places_of(snapshot: ModelSnapshot) -> Iterator[TableKey]:
    """The tables that a model reads, as the warehouse spells them."""
    for dataset in snapshot.model.datasets:
        with contextlib.suppress(DefinitionError):
            place = snapshot.sources[dataset].place
            if place is not None:
                yield place
