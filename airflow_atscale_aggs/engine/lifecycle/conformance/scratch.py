"""The schema that a check works in. Whatever it makes there it knows by name, and drops; it drops nothing else."""

from __future__ import annotations

import contextlib
from dataclasses import field

from sqlglot import exp

from airflow_atscale_aggs.engine.errors import WarehouseError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.conformance.check_star import StarRows, column_names
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.sql.mark_reading import MARK_TABLE
from airflow_atscale_aggs.engine.sql.quoting import identifier
from airflow_atscale_aggs.engine.sql.statements import create_table_as, drop_table, drop_view, render, table
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession, DbApiWarehouse

_AT_ONCE = 100
"""Rows in one statement. A table is made by one: some warehouses tell from its rows which columns are never NULL."""


@dataclass
class Scratch:
    """A schema that was empty, or not there, when the check began.

    Attributes:
        is_own: the check has made the schema.
        tables: that the check has made itself; those of aggregates are known to the registry.
    """

    warehouse: DbApiWarehouse
    schema: str
    is_own: bool = False
    tables: list[str] = field(default_factory=list)

    def open(self) -> None:
        """Take the schema, and make it when it is not there.

        Raises:
            WarehouseError: something is in it, or it cannot be made. Nothing was changed.
        """
        with self.warehouse.session() as session:
            if session.has_schema(self.schema):
                self._refuse_used(session)
                return
            session.make_schema(self.schema)
            self.is_own = True

    def _refuse_used(self, session: DbApiSession) -> None:
        found = sorted(session.tables(self.schema))
        if found:
            some = ", ".join(found[:3]) + (", …" if len(found) > 3 else "")  # noqa: PLR2004
            reason = (
                f"schema `{self.schema}` is not empty ({some}), and a check works in one that is its own. Drop what an "
                "earlier check has left there, or name another schema with --schema. Nothing was changed"
            )
            raise WarehouseError(self.warehouse.dialect.name, "", reason)

    def load(self, name: str, rows: StarRows) -> None:
        """Make a table with rows."""
        target, dialect = table(name, self.schema), self.warehouse.dialect
        with self.warehouse.session() as session:
            self.tables.append(name)
            session.execute(render(create_table_as(target, rows.select(0, _AT_ONCE), dialect), dialect))
            self._append(session, name, rows, _AT_ONCE)

    def append(self, name: str, rows: StarRows) -> None:
        """Add rows to a table."""
        with self.warehouse.session() as session:
            self._append(session, name, rows, 0)

    def _append(self, session: DbApiSession, name: str, rows: StarRows, start: int) -> None:
        for at in range(start, len(rows.rows), _AT_ONCE):
            into = exp.Schema(this=table(name, self.schema), expressions=column_names(rows))
            insert = exp.Insert(this=into, expression=rows.select(at, at + _AT_ONCE))
            session.execute(render(insert, self.warehouse.dialect))

    def drop_all(self, workspace: Workspace) -> list[str]:
        """Drop what the check has made. Returns sentences about what could not be dropped, or is not the check's."""
        read = workspace.read
        views = read.tables.views()
        made = {*self.tables, *read.tables.names(), *views, MARK_TABLE}
        left: dict[str, str] = {}
        with self.warehouse.session() as session:
            pending = session.tables(self.schema) & made
            while pending:
                tried = {name: self._drop(session, name, is_view=name in views) for name in sorted(pending)}
                still = session.tables(self.schema) & pending
                left = {name: tried[name] or "it is there again" for name in still}
                if still == pending:
                    break
                # What a view reads can be dropped after the view.
                pending = still
            others = sorted(session.tables(self.schema) - made)
            sentences = [f"`{name}` could not be dropped: {reason}." for name, reason in left.items()]
            if others:
                sentences.append(f"Schema `{self.schema}` stays: it holds `{others[0]}`, which the check has not made.")
            elif self.is_own and not left:
                place = exp.Table(db=identifier(self.schema))
                drop = exp.Drop(tables=[place], kind="SCHEMA", exists=True)
                reason = _refused(session, render(drop, session.dialect))
                sentences += [f"Schema `{self.schema}` could not be dropped: {reason}."] if reason else []
        return sentences

    def _drop(self, session: DbApiSession, name: str, *, is_view: bool) -> str:
        """Drop a table or a view. Returns why it could not be dropped, where the warehouse says so."""
        target = table(name, self.schema)
        drops = (drop_view(target),) if is_view else (drop_table(target), drop_view(target))
        # An aggregate that is made of segments is a view under the name of a table. Sail says nothing about the wrong
        # kind of drop, and others refuse it.
        reasons = [_refused(session, render(drop, session.dialect)) for drop in drops]
        return "" if "" in reasons else reasons[0]


def _refused(session: DbApiSession, statement: str) -> str:
    """Why a statement was refused; empty when it was run."""
    try:
        session.execute(statement)
    except WarehouseError as error:
        return error.reason
    return ""


def quietly_dropped(scratch: Scratch, workspace: Workspace) -> list[str]:
    """As `Scratch.drop_all`, also after a connection was lost meanwhile: it is tried twice."""
    with contextlib.suppress(WarehouseError):
        return scratch.drop_all(workspace)
    try:
        return scratch.drop_all(workspace)
    except WarehouseError as error:
        return [f"Schema `{scratch.schema}` could not be emptied: {error.reason}."]
