"""Tables and views that are named as ours and that no registry knows: those of one that is gone, or of before a restore.

They are looked for only in a schema that is this registry's own, and nothing is done with them but what a person asks for.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from airflow_atscale_aggs.engine.errors import WarehouseError
from airflow_atscale_aggs.engine.lifecycle.schema_ownership import check_schema, schema_mark
from airflow_atscale_aggs.engine.lifecycle.stable_views.stable_view import named_readers
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
    """What no registry knows: views first, then what they read. Nothing in a schema that bears no mark.

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
        found = _strays(workspace, session, catalog)
        readers = catalog.dependents(found)
    # Stable views read instances, instances may be views of segments: what is read stays with what reads it.
    order = sorted(found.items(), key=lambda one: (is_instance_table(one[0]), one[1].kind != "view", one[0]))
    free, strays = {name.casefold() for name in found}, []
    for name, relation in order:
        others = [one for one in readers.get(name.casefold(), ()) if one.last_name.casefold() not in free]
        if others:
            free.discard(name.casefold())
        strays.append(Stray(table=name, schema=schema, kind=relation.kind, kept_for=named_readers(others)))
    return tuple(strays)


def drop_strays(workspace: Workspace, strays: Collection[Stray]) -> tuple[Stray, ...]:
    """Drop those that nobody else reads, in their order; what became of each.

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
    """Write them down as this registry's: they stay as they are, and no sweep offers them again. They serve no query.

    Raises:
        SchemaOwnedError: the schema is another registry's by now.
    """
    check_schema(workspace)
    workspace.registry.adopt(workspace.warehouse.aggregate_schema, [one.table for one in strays], now=now)
    return tuple(replace(one, adopted=True) for one in strays)


def _strays(workspace: Workspace, session: WarehouseSession, catalog: Catalog) -> dict[str, Relation]:
    known = {name.casefold() for name in workspace.registry.known_tables()}
    views = {name.casefold() for name in workspace.registry.known_views()}
    names = [one for one in session.tables(catalog.schema) if one.casefold() not in known]
    tables = {one for one in names if is_instance_table(one)}
    perhaps = [one for one in names if is_view_name(one) and one.casefold() not in views]
    reads = catalog.reads(perhaps)
    folded = {one.casefold() for one in tables}
    # A stable view of ours shows one table, and none that anybody knows.
    stable = {
        one for one in perhaps if reads.get(one.casefold()) and {r.casefold() for r in reads[one.casefold()]} <= folded
    }
    relations = catalog.relations(tables | stable)
    found = {name: relations[name.casefold()] for name in sorted(tables | stable) if name.casefold() in relations}
    return {name: one for name, one in found.items() if one.kind in _DROPPABLE}


def _drop(session: WarehouseSession, statement: str) -> str:
    """Why it could not be dropped; empty where it was."""
    try:
        with session.transaction():
            for sql in (*session.dialect.before_switch, statement):
                session.execute(sql)
    except WarehouseError as refused:
        return str(refused)
    return ""
