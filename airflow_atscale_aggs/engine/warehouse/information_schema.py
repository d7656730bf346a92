"""The catalog of warehouses that have the standard's `information_schema`, or queries of their own like it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_atscale_aggs.engine.errors import WarehouseError
from airflow_atscale_aggs.engine.model.datasets import ExistingTables, TableKey
from airflow_atscale_aggs.engine.sql.text_literals import text_literal
from airflow_atscale_aggs.engine.warehouse.base import Row
from airflow_atscale_aggs.engine.warehouse.table_lookup import best_table, group_by_name, why_absent

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession


class InformationSchema:
    """Asks with the queries of the dialect's row. See `drivers.TableCatalog`."""

    def columns(self, session: DbApiSession, tables: Sequence[TableKey]) -> ExistingTables:
        """In one round trip. See `base.WarehouseSession.columns`."""
        names = ", ".join(sorted({text_literal(name.lower()) for _, _, name in tables}))
        rows = session.fetch_all(session.dialect.columns.replace("{names}", names))
        by_name = group_by_name(rows)
        is_any_absent = any(best_table(key, by_name.get(key[2].casefold(), ())) is None for key in tables)
        return find_columns(tables, rows, self._database(session) if is_any_absent else "")

    def tables(self, session: DbApiSession, schema: str) -> frozenset[str]:
        """Names of the tables and views in a schema (empty: the default schema)."""
        where = text_literal(schema) if schema else "current_schema()"
        return frozenset(row[0] for row in session.fetch_all(session.dialect.tables.replace("{schema}", where)))

    def own_place(self, session: DbApiSession) -> tuple[str, str]:
        """The session's own database and schema."""
        (row,) = session.fetch_all(session.dialect.own_place)
        return str(row[0] or ""), str(row[1] or "")

    def has_schema(self, session: DbApiSession, schema: str) -> bool:
        """Whether a schema is there, and this user may see it."""
        query = f"SELECT 1 FROM information_schema.schemata WHERE schema_name = {text_literal(schema)}"
        return bool(session.fetch_all(query))

    def make_schema(self, session: DbApiSession, schema: str) -> None:
        """Make a schema, unless it is there."""
        session.execute(f"CREATE SCHEMA IF NOT EXISTS {_quote_name(session, schema)}")

    def _database(self, session: DbApiSession) -> str:
        """Empty where the warehouse does not tell. It only makes a message clearer."""
        try:
            return self.own_place(session)[0]
        except WarehouseError:
            return ""


def find_columns(tables: Sequence[TableKey], rows: Sequence[Row], own_database: str) -> ExistingTables:
    """The tables that are meant by the keys, among rows of the dialect's ``columns`` query.

    Args:
        own_database: of the session; empty where it is not known. It only makes a message clearer.
    """
    by_name = group_by_name(rows)
    columns_by_key = {key: best_table(key, by_name.get(key[2].casefold(), ())) for key in tables}
    existing = {key: columns for key, columns in columns_by_key.items() if columns is not None}
    reasons = {key: why_absent(key, rows, own_database) for key in tables if key not in existing}
    return ExistingTables(existing, reasons, frozenset((row[0], row[1], row[2]) for row in rows))


def _quote_name(session: DbApiSession, name: str) -> str:
    # An SQL library that a build does without.
    from airflow_atscale_aggs.engine.sql.quoting import identifier  # noqa: PLC0415
    from airflow_atscale_aggs.engine.sql.statements import render  # noqa: PLC0415

    return render(identifier(name), session.dialect)
