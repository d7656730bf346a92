"""Snowflake's catalog: each database has an information schema of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_atscale_aggs.engine.model.datasets import ExistingTables, TableKey
from airflow_atscale_aggs.engine.sql.text_literals import text_literal
from airflow_atscale_aggs.engine.warehouse.base import Row
from airflow_atscale_aggs.engine.warehouse.information_schema import InformationSchema, find_columns

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession

_DATABASES = "SELECT database_name FROM information_schema.databases"


class SnowflakeCatalog(InformationSchema):
    """As `InformationSchema`, in as many databases as models name."""

    def columns(self, session: DbApiSession, tables: Sequence[TableKey]) -> ExistingTables:
        """A round trip for each database. See `base.WarehouseSession.columns`."""
        named = {database.casefold() for database, _, _ in tables if database is not None}
        own = self.own_place(session)[0]
        others = named - {own.casefold()}
        found = {own, *self._spellings(session, others)} if others else {own}
        rows: list[Row] = []
        for database in sorted(found):
            asked = [key for key in tables if (key[0] or own).casefold() == database.casefold()]
            if asked:
                rows += session.fetch_all(_columns_query(session, database, asked))
        return find_columns(tables, rows, own)

    def make_schema(self, session: DbApiSession, schema: str) -> None:
        """Make a schema, unless it is there.

        CREATE SCHEMA makes it the session's own as well, in which names without a schema are looked up from then on. So
        the session goes, and its next statement opens another.
        """
        super().make_schema(session, schema)
        session.close()

    def _spellings(self, session: DbApiSession, names: set[str]) -> set[str]:
        """The databases that this role sees, of those names without regard to case."""
        return {str(row[0]) for row in session.fetch_all(_DATABASES) if str(row[0]).casefold() in names}


def _columns_query(session: DbApiSession, database: str, tables: Sequence[TableKey]) -> str:
    names = ", ".join(sorted({text_literal(name.lower()) for _, _, name in tables}))
    prefix = '"' + database.replace('"', '""') + '".' if database else ""
    return session.dialect.columns.replace("{database}", prefix).replace("{names}", names)
