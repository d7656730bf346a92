"""Find strays: tables and views with names of ours that this registry never recorded.

They come from a registry that is gone, or from the time before a restore. They are looked for only in a schema that is
this registry's own. Only a person decides what is done with them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from airflow_atscale_aggs.engine.errors import WarehouseError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.schema_ownership import check_schema, schema_mark
from airflow_atscale_aggs.engine.lifecycle.stable_views.stable_view import describe_readers
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.sql.physical_names import is_instance_table, is_view_name
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession
from airflow_atscale_aggs.engine.warehouse.schema_catalog import Catalog, Relation, catalog_of

_DROPPABLE = frozenset({"table", "view"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Stray:
    """A table or view of ours that no registry knows.

    Attributes:
        kind: ``table`` or ``view``.
        kept_for: what reads it that is no stray, so that it stays; empty where nothing does.
        dropped, adopted: what was done.
        error: why it could not be dropped.
    """

    table: str
    schema: str
    kind: str
    kept_for: str = ""
    dropped: bool = False
    adopted: bool = False
    error: str = ""


def find_strays(workspace: Workspace) -> tuple[Stray, ...]:
    """The strays: views first, then the tables that they read. A schema without a mark has none.

    Raises:
        SchemaOwnedError: the schema is another registry's, which may know them.
    """
    if schema_mark(workspace) is None:
        return ()
    check_schema(workspace)
    schema = workspace.warehouse.aggregate_schema
    with workspace.warehouse.session() as session:
        catalog = catalog_of(session, schema)
        if catalog is None:
            return ()
        relations = _find_stray_relations(workspace, session, catalog)
        readers = catalog.dependents(relations)
    # Stable views read instances, instances may be views of segments: what is read stays with what reads it.
    order = sorted(relations.items(), key=lambda item: (is_instance_table(item[0]), item[1].kind != "view", item[0]))
    free, strays = {name.casefold() for name in relations}, []
    for name, relation in order:
        others = [reader for reader in readers.get(name.casefold(), ()) if reader.last_name.casefold() not in free]
        if others:
            free.discard(name.casefold())
        strays.append(Stray(table=name, schema=schema, kind=relation.kind, kept_for=describe_readers(others)))
    return tuple(strays)


def drop_strays(workspace: Workspace, strays: Collection[Stray]) -> tuple[Stray, ...]:
    """Drop the strays that nobody else reads, in their order. Returns what became of each.

    Raises:
        SchemaOwnedError: the schema is another registry's by now.
    """
    # An SQL library, which others need not wait for.
    from airflow_atscale_aggs.engine.sql.statements import drop_table, drop_view, render, table  # noqa: PLC0415

    check_schema(workspace)
    done = []
    with workspace.warehouse.session() as session:
        for stray in strays:
            target = table(stray.table, stray.schema)
            statement = render(drop_view(target) if stray.kind == "view" else drop_table(target), session.dialect)
            error = "" if stray.kept_for else _drop(session, statement)
            done.append(replace(stray, dropped=not (stray.kept_for or error), error=error))
    return tuple(done)


def adopt_strays(workspace: Workspace, strays: Collection[Stray], *, now: datetime) -> tuple[Stray, ...]:
    """Record strays as this registry's own: they stay as they are, and no sweep offers them again. They serve no query.

    Raises:
        SchemaOwnedError: the schema is another registry's by now.
    """
    check_schema(workspace)
    workspace.registry.tables.adopt(workspace.warehouse.aggregate_schema, [stray.table for stray in strays], now=now)
    return tuple(replace(stray, adopted=True) for stray in strays)


def _find_stray_relations(workspace: Workspace, session: WarehouseSession, catalog: Catalog) -> dict[str, Relation]:
    registered_tables = {table.casefold() for table in workspace.read.tables.names()}
    registered_views = {view.casefold() for view in workspace.read.tables.views()}
    names = [name for name in session.tables(catalog.schema) if name.casefold() not in registered_tables]
    tables = {table for table in names if is_instance_table(table)}
    perhaps = [view for view in names if is_view_name(view) and view.casefold() not in registered_views]
    reads = catalog.reads(perhaps)
    folded = {table.casefold() for table in tables}
    # A stable view of ours reads only tables that are strays themselves.
    stable = {
        view
        for view in perhaps
        if reads.get(view.casefold()) and {table.casefold() for table in reads[view.casefold()]} <= folded
    }
    relations = catalog.relations(tables | stable)
    candidates = {name: relations[name.casefold()] for name in sorted(tables | stable) if name.casefold() in relations}
    return {name: relation for name, relation in candidates.items() if relation.kind in _DROPPABLE}


def _drop(session: WarehouseSession, statement: str) -> str:
    """Drop a stray. Returns why that failed; empty when it is dropped."""
    try:
        with session.transaction():
            for sql in (*session.dialect.before_switch, statement):
                session.execute(sql)
    except WarehouseError as error:
        return str(error)
    return ""
