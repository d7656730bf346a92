"""Datasets: the physical tables and queries that a model stands on."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

TableKey = tuple[str | None, str | None, str]
"""(database, schema, table) as SML spells them; None: the warehouse's default."""

PhysicalTables = Mapping[TableKey, Mapping[str, str]]
"""Column name to type, as the warehouse spells them, of each table that exists."""


class TableColumns(dict[str, str]):
    """Column name to type of a table that exists, as the warehouse spells them.

    Attributes:
        spelled: (database, schema, table) as the warehouse spells them, which SML may do in another case.
        kind: ``table``; ``view`` or something else where what stands behind it is not known.
        closed: what this session must be granted before it can read the table: ``schema`` or ``table``; empty: nothing.
        closed_columns: names of the columns that this session may not read, where it may read others.
        has_row_security: which rows there are depends on who asks.
        is_only: no other schema has a table of that name.
        is_away: it is not there now; the columns are those that were last seen.
        format: of its files, in lower case; empty where the catalog does not tell.
    """

    def __init__(self, columns: Mapping[str, str], spelled: tuple[str, str, str], kind: str = "table") -> None:
        super().__init__(columns)
        self.spelled, self.kind = spelled, kind
        self.closed = ""
        self.closed_columns: frozenset[str] = frozenset()
        self.has_row_security = False
        self.is_only = True
        self.is_away = False
        self.format = ""


class ExistingTables(dict[TableKey, TableColumns]):
    """The tables that exist, by what they were asked for.

    Attributes:
        reasons: why others are not there, where it is more than that: half a sentence that follows the table's name.
        places: (database, schema, table) of all tables of these names, also of those that are not meant.
    """

    def __init__(
        self,
        tables: Mapping[TableKey, TableColumns],
        reasons: Mapping[TableKey, str],
        places: frozenset[tuple[str, str, str]] = frozenset(),
    ) -> None:
        super().__init__(tables)
        self.reasons, self.places = reasons, places


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlVariant:
    """SQL text as written in the SML, for one of its dialects.

    Attributes:
        dialect: SML's name (``Snowflake``, ``Postgresql``, ``DatabricksSQL``, ``BigQuery``, ``Iris``); None for the
            default text, whose dialect SML does not declare.
        sql: a SELECT-list expression for a calculated column, a query for a ``sql`` dataset.
    """

    dialect: str | None
    sql: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a dataset: physical when ``variants`` is empty, else calculated.

    ``parent_column`` names the map column that a map value is taken out of; ``name`` is then the map key.
    """

    name: str
    data_type: str | None = None
    variants: tuple[SqlVariant, ...] = ()
    parent_column: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Incremental:
    """SML ``incremental``: indicator column and grace period as written (``15d``)."""

    column: str
    grace_period: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A table, or a query when ``table`` is None and ``variants`` hold its SQL.

    Attributes:
        connection: the SML connection's ``as_connection``: the name of the warehouse connection outside SML.
        database, schema: where a ``table`` lives; None: the warehouse's default.
        columns: by name, as SML spells them. A column used but not listed is taken to be physical.
        allow_aggregates: False keeps the dataset out of every aggregate (catalog or model ``dataset_properties``).
        where: ``file:line`` of the definition, for messages.
    """

    name: str
    connection: str | None = None
    database: str | None = None
    schema: str | None = None
    table: str | None = None
    variants: tuple[SqlVariant, ...] = ()
    columns: Mapping[str, Column]
    incremental: Incremental | None = None
    immutable: bool = False
    allow_aggregates: bool = True
    where: str = ""


def table_key(dataset: Dataset) -> TableKey | None:
    """Where a table dataset lives; None for a query dataset."""
    return None if dataset.table is None else (dataset.database, dataset.schema, dataset.table)


def find_column_type(dataset: Dataset, name: str, columns: Mapping[str, str]) -> str:
    """The type that the warehouse tells of a column; empty for a calculation, and where it does not tell.

    Args:
        columns: the table's, as the warehouse spells them. A name is looked up exactly, then without case.
    """
    declared = dataset.columns.get(name)
    if declared is not None and (declared.variants or declared.parent_column):
        return ""
    if name in columns:
        return columns[name]
    return next((kind for spelled, kind in columns.items() if spelled.casefold() == name.casefold()), "")
