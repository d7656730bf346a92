"""The catalog of ClickHouse, whose databases are our schemas: tables named `system.columns` and `system.tables`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from airflow_atscale_aggs.engine.model.datasets import ExistingTables, TableKey
from airflow_atscale_aggs.engine.warehouse.base import SeenRelation
from airflow_atscale_aggs.engine.warehouse.table_lookup import best_table, group_by_name, why_absent

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession

_COLUMNS = """\
SELECT '', c.database, c.table, c.name, c.type, CASE WHEN c.database = currentDatabase() THEN 1 END, TRUE,
  CASE WHEN t.engine LIKE '%View' THEN 'view' ELSE 'table' END, '', FALSE
FROM system.columns AS c LEFT JOIN system.tables AS t ON t.database = c.database AND t.name = c.table
WHERE lowerUTF8(c.table) IN ({names}) AND c.database <> 'information_schema'
ORDER BY c.database, c.table, c.position"""

_LOOK = """\
SELECT name, engine, as_select, total_bytes FROM system.tables
WHERE database = {schema} AND lowerUTF8(name) IN ({names})"""

_AROUND = re.compile(r"(?:Nullable|LowCardinality)\((.*)\)")
"""What ClickHouse puts around a type."""

_STANDARD = {
    "int8": "tinyint",
    "int16": "smallint",
    "int32": "integer",
    "int64": "bigint",
    "int128": "hugeint",
    "int256": "hugeint",
    "uint8": "utinyint",
    "uint16": "usmallint",
    "uint32": "uinteger",
    "uint64": "ubigint",
    "uint128": "uhugeint",
    "uint256": "uhugeint",
    "float32": "real",
    "bfloat16": "real",
    "float64": "double",
    "string": "varchar",
    "bool": "boolean",
    "date32": "date",
    "datetime": "timestamp(0)",
}

_DIGITS = re.compile(r"datetime64\((\d+)")


def standard_type(kind: str) -> str:
    """A type of ClickHouse in the words of other warehouses, which the engine knows.

    >>> standard_type("LowCardinality(Nullable(String))"), standard_type("DateTime64(3, 'UTC')")
    ('varchar', 'timestamp(3)')
    >>> standard_type("Nullable(Decimal(9, 2))"), standard_type("UUID")
    ('decimal(9, 2)', 'uuid')
    """
    inner = kind
    while around := _AROUND.fullmatch(inner):
        inner = around[1]
    lower = inner.casefold()
    if lower.startswith("fixedstring"):
        return "varchar"
    if digits := _DIGITS.match(lower):
        return "timestamp" if digits[1] == "6" else f"timestamp({digits[1]})"
    return _STANDARD.get(lower.partition("(")[0], lower)


def literal(text: str) -> str:
    r"""A text in quotes. A backslash would begin an escape.

    >>> print(literal("it's \\"))
    'it''s \\'
    """
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


class ClickHouseCatalog:
    """Asks the tables of `system`. See `drivers.TableCatalog`."""

    def columns(self, session: DbApiSession, tables: Sequence[TableKey]) -> ExistingTables:
        """In one round trip. See `base.WarehouseSession.columns`."""
        found = session.fetch_all(_COLUMNS.replace("{names}", _lower_names(name for _, _, name in tables)))
        rows = [(*row[:4], standard_type(str(row[4])), *row[5:]) for row in found]
        by_name = group_by_name(rows)
        columns_by_key = {key: best_table(key, by_name.get(key[2].casefold(), ())) for key in tables}
        existing = {key: columns for key, columns in columns_by_key.items() if columns is not None}
        reasons = {key: _why_absent(key, rows) for key in tables if key not in existing}
        return ExistingTables(existing, reasons, frozenset((row[0], row[1], row[2]) for row in rows))

    def tables(self, session: DbApiSession, schema: str) -> frozenset[str]:
        """Names of the tables and views in a database (empty: the session's own)."""
        where = literal(schema) if schema else "currentDatabase()"
        rows = session.fetch_all(f"SELECT name FROM system.tables WHERE database = {where} AND NOT is_temporary")
        return frozenset(str(row[0]) for row in rows)

    def own_place(self, session: DbApiSession) -> tuple[str, str]:
        """Nothing is above a database, which is our schema."""
        ((database,),) = session.fetch_all("SELECT currentDatabase()")
        return "", str(database)

    def has_schema(self, session: DbApiSession, schema: str) -> bool:
        """Whether a database is there."""
        return bool(session.fetch_all(f"SELECT 1 FROM system.databases WHERE name = {literal(schema)}"))

    def make_schema(self, session: DbApiSession, schema: str) -> None:
        """Make a database, unless it is there."""
        session.execute(f"CREATE DATABASE IF NOT EXISTS {quote(schema)}")


def look_at(session: DbApiSession, schema: str, names: Collection[str]) -> Mapping[str, SeenRelation]:
    """What bears the names in a database. See `base.WarehouseSession.look_at`."""
    if not names:
        return {}
    where = literal(schema) if schema else "currentDatabase()"
    rows = session.fetch_all(_LOOK.replace("{schema}", where).replace("{names}", _lower_names(names)))
    return {
        str(name).casefold(): SeenRelation(
            _kind(str(engine)), "", str(text) if engine == "View" else "", None if size is None else int(size)
        )
        for name, engine, text, size in rows
    }


def quote(name: str) -> str:
    """A name in quotes.

    >>> quote('a"b')
    '"a""b"'
    """
    return '"' + name.replace("\\", "\\\\").replace('"', '""') + '"'


def _kind(engine: str) -> str:
    if not engine.endswith("View"):
        return "table"
    return "view" if engine == "View" else "materialized view"


def _lower_names(names: Iterable[str]) -> str:
    return ", ".join(sorted({literal(name.lower()) for name in names}))


def _why_absent(key: TableKey, rows: Sequence[tuple[object, ...]]) -> str:
    if key[0] is not None:
        return f"is in a database above a schema, and ClickHouse has none: leave `{key[0]}` out of the connection"
    return why_absent(key, rows, "")
