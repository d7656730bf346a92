"""The catalog of Spark, which has no `information_schema`: SHOW and DESCRIBE, one statement for each table."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError
from airflow_atscale_aggs.engine.model.datasets import ExistingTables, TableColumns, TableKey
from airflow_atscale_aggs.engine.warehouse.base import SeenRelation
from airflow_atscale_aggs.engine.warehouse.drivers import Failure

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession

_WORDS = {"managed": "table", "external": "table"}

_BYTES = re.compile(r"(\d+) bytes")
"""In the statistics of a table, such as ``673 bytes, 1 rows``."""

_IS_WORD = re.compile(r"\w+", re.ASCII)
"""Names that mean themselves in a pattern of names."""

_KINDS = {"VIEW": "view", "MANAGED": "table", "EXTERNAL": "table", "": "table"}
"""Ours, by Spark's type of a table."""


class SparkCatalog:
    """Asks with SHOW and DESCRIBE. See `drivers.TableCatalog`."""

    def __init__(self) -> None:
        self._providers: dict[tuple[str, ...], str] = {}

    def provider(self, session: DbApiSession, place: Sequence[str]) -> str:
        """The format of a table, such as ``delta``, as it was when the catalog was last asked for columns.

        Each plan asks for them. Raises as `base.WarehouseSession.execute`.

        Args:
            place: the parts of its name as far as statements name them.
        """
        key = _place_of(place)
        if key not in self._providers:
            _, facts = describe_extended(session, place)
            self._providers[key] = facts.get("Provider", "").casefold()
        return self._providers[key]

    def columns(self, session: DbApiSession, tables: Sequence[TableKey]) -> ExistingTables:
        """One statement for each table. See `base.WarehouseSession.columns`."""
        own = self.own_place(session)
        self._providers.clear()
        existing: dict[TableKey, TableColumns] = {}
        reasons: dict[TableKey, str] = {}
        for key in dict.fromkeys(tables):
            try:
                existing[key] = _describe(session, key, own)
                self._providers[_place_of(key)] = existing[key].format
            except PermanentWarehouseError as error:
                failure = session.failure_of(error, "")
                if failure is Failure.NO_RIGHT:
                    existing[key] = _closed(key, own)
                elif failure is Failure.NO_DATABASE:
                    reasons[key] = _elsewhere(key, own)
                elif failure is Failure.ABSENT:
                    reasons[key] = self._why_absent(session, key, own)
                else:
                    raise
        return ExistingTables(existing, reasons, frozenset(columns.spelled for columns in existing.values()))

    def tables(self, session: DbApiSession, schema: str) -> frozenset[str]:
        """Names of the tables and views in a schema (empty: the default schema)."""
        where = f" IN {quote(schema)}" if schema else ""
        names: set[str] = set()
        for what in ("TABLES", "VIEWS"):
            try:
                columns, rows = session.fetch_with_names(f"SHOW {what}{where}")
            except PermanentWarehouseError as error:
                if session.failure_of(error) is not Failure.ABSENT:
                    raise
                continue
            by_column = (dict(zip(columns, row, strict=True)) for row in rows)
            names |= {str(_name_of(row)) for row in by_column if not row.get("isTemporary")}
        return frozenset(names)

    def own_place(self, session: DbApiSession) -> tuple[str, str]:
        """The session's own catalog and schema."""
        (row,) = session.fetch_all("SELECT CURRENT_CATALOG(), CURRENT_SCHEMA()")
        return str(row[0] or ""), str(row[1] or "")

    def has_schema(self, session: DbApiSession, schema: str) -> bool:
        """Whether a schema is there."""
        wanted = schema.casefold()
        return any(str(row[0]).strip("`").casefold() == wanted for row in session.fetch_all("SHOW SCHEMAS"))

    def make_schema(self, session: DbApiSession, schema: str) -> None:
        """Make a schema, unless it is there."""
        session.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(schema)}")

    def _why_absent(self, session: DbApiSession, key: TableKey, own: tuple[str, str]) -> str:
        # Sail takes a catalog that it does not know for a schema, and says that the table is not there.
        if key[0] is not None and not self._has_catalog(session, key[0]):
            return _elsewhere(key, own)
        if key[1] is None or key[0] is not None or self.has_schema(session, key[1]):
            return ""
        return f"is in schema `{key[1]}`, which is not there"

    @staticmethod
    def _has_catalog(session: DbApiSession, catalog: str) -> bool:
        wanted = catalog.casefold()
        return any(str(row[0]).casefold() == wanted for row in session.fetch_all("SHOW CATALOGS"))


def look_at(session: DbApiSession, schema: str, names: Collection[str]) -> Mapping[str, SeenRelation]:
    """What bears the names in a schema: one statement for all, and one for each of which that tells too little.

    See `base.WarehouseSession.look_at`.
    """
    wanted = {name.casefold(): name for name in names}
    seen = _look_together(session, schema, wanted) if len(wanted) > 1 else {}
    for name in wanted.keys() - seen.keys():
        try:
            _, facts = describe_extended(session, (schema, wanted[name]))
        except PermanentWarehouseError as error:
            if session.failure_of(error) is not Failure.ABSENT:
                raise
            continue
        seen[name] = _relation_of(facts)
    return seen


def _look_together(session: DbApiSession, schema: str, wanted: Collection[str]) -> dict[str, SeenRelation]:
    """What one statement tells of some names in lower case; where it cannot, nothing.

    It does not tell what is absent: there are catalogs whose views it passes over.
    """
    if not all(_IS_WORD.fullmatch(name) for name in wanted):
        return {}
    where = f" IN {quote(schema)}" if schema else ""
    try:
        columns, rows = session.fetch_with_names(f"SHOW TABLE EXTENDED{where} LIKE '{'|'.join(sorted(wanted))}'")
    except PermanentWarehouseError:
        return {}
    seen: dict[str, SeenRelation] = {}
    for row in (dict(zip(columns, row, strict=True)) for row in rows):
        name, facts = str(_name_of(row)).casefold(), _facts_in(str(row.get("information", "")))
        if name in wanted and not row.get("isTemporary") and facts is not None:
            seen[name] = _relation_of(facts)
    return seen


def _facts_in(information: str) -> dict[str, str] | None:
    r"""What SHOW TABLE EXTENDED tells of a table or view, by its name; None where that is too little.

    >>> _facts_in("Database: a\nType: VIEW\nView Text: SELECT 1\nView Original Text: SELECT 1\nSchema: root")
    {'Database': 'a', 'Type': 'VIEW', 'View Text': 'SELECT 1'}
    >>> _facts_in("Type: VIEW\nView Text: SELECT 1 -- one\nFROM t -- Type: TABLE")
    """
    head, _, rest = information.partition("\nView Text: ")
    facts: dict[str, str] = {}
    for line in head.partition("\nSchema: ")[0].split("\n"):
        name, _, value = line.partition(": ")
        # A comment may have several lines, of which one may look like a fact that was told before.
        facts.setdefault(name, value)
    if facts.get("Type") != "VIEW":
        return facts if facts.get("Type") else None
    text = rest.partition("\nView Original Text: ")[0].partition("\nSchema: ")[0]
    return {**facts, "View Text": text} if text and "\n" not in text else None


def _relation_of(facts: Mapping[str, str]) -> SeenRelation:
    kind = facts.get("Type", "").casefold().replace("_", " ")
    size = _BYTES.match(facts.get("Statistics", ""))
    return SeenRelation(
        _WORDS.get(kind, kind or "table"),
        facts.get("Owner", ""),
        facts.get("View Text", ""),
        None if size is None else int(size[1]),
    )


def quote(name: str) -> str:
    """A name in backticks.

    >>> quote("a`b")
    '`a``b`'
    """
    return "`" + name.replace("`", "``") + "`"


def _describe(session: DbApiSession, key: TableKey, own: tuple[str, str]) -> TableColumns:
    """A table with its columns and its format. Raises where it is not there."""
    columns, facts = describe_extended(session, key)
    spelled = (
        facts.get("Catalog") or key[0] or own[0],
        facts.get("Database") or facts.get("Namespace") or key[1] or own[1],
        facts.get("Table") or key[2],
    )
    kind = _KINDS.get(facts.get("Type", ""), "foreign")
    table = TableColumns(columns, spelled, kind)
    table.format = facts.get("Provider", "").casefold()
    return table


def _place_of(parts: Sequence[str | None]) -> tuple[str, ...]:
    """A table's name as a key: its parts in lower case, as far as there are any."""
    return tuple(part.casefold() for part in parts if part)


def describe_extended(session: DbApiSession, key: Sequence[str | None]) -> tuple[dict[str, str], dict[str, str]]:
    """Types of columns, and behind a line that begins with ``#`` what else is known of a table, by its name."""
    rows = session.fetch_all(f"DESCRIBE TABLE EXTENDED {'.'.join(quote(part) for part in key if part)}")
    ends = next((number for number, row in enumerate(rows) if not row[0] or str(row[0]).startswith("#")), len(rows))
    columns = {str(row[0]): str(row[1]) for row in rows[:ends]}
    return columns, {str(row[0]): str(row[1]) for row in rows[ends:] if row[0]}


def _elsewhere(key: TableKey, own: tuple[str, str]) -> str:
    """Why a table of a catalog that is not there is not found."""
    return f"is in another database: the connection is to `{own[0]}`, the model names `{key[0]}`"


def _closed(key: TableKey, own: tuple[str, str]) -> TableColumns:
    """A table that is there and may not be read."""
    columns = TableColumns({}, (key[0] or own[0], key[1] or own[1], key[2]))
    columns.closed = "table"
    return columns


def _name_of(row: Mapping[str, object]) -> object:
    """The name in a row of SHOW TABLES or SHOW VIEWS, whose columns are not the same on every server."""
    return next(row[column] for column in ("tableName", "viewName", "name") if column in row)
