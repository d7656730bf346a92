"""What a warehouse tells about its tables without reading them: rows, distinct values, indexes, bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field

from airflow_atscale_aggs.engine.aggregates.whole_numbers import nearest_whole
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.datasets import TableKey
from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.sql.text_literals import text_literal


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnStatistics:
    """A column.

    Attributes:
        distinct: values, about; None when unknown.
        correlation: between the order of the rows and of the values, -1 to 1; 0 when unknown.
        is_indexed: an index on all rows begins with it.
        width: bytes of a value on average; None when unknown.
    """

    distinct: float | None = None
    correlation: float = 0.0
    is_indexed: bool = False
    width: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableStatistics:
    """A table. ``rows`` is an estimate."""

    rows: int
    columns: Mapping[str, ColumnStatistics] = field(default_factory=dict)


def statistics_query(tables: Iterable[TableKey], dialect: Dialect) -> str | None:
    """A query for `read_statistics`; None where there is nothing to ask, or the warehouse tells nothing.

    Args:
        tables: as the warehouse spells them.
    """
    return _about(dialect.statistics, ((schema or "", name) for _, schema, name in tables))


def bytes_query(tables: Iterable[tuple[str, str]], dialect: Dialect) -> str | None:
    """A query for schema, table and bytes of tables.

    None where there is nothing to ask, or the warehouse does not tell.

    Args:
        tables: (schema, table) as the warehouse spells them.
    """
    return _about(dialect.table_bytes, tables)


def type_bytes(data_type: str) -> int:
    """Roughly what a value of a type takes, where nothing better is known; text is taken for short names.

    >>> type_bytes("integer"), type_bytes("DECIMAL(9,2)"), type_bytes("varchar(20)")
    (4, 8, 16)
    """
    kind = data_type.casefold()
    return next((size for start, size in _TYPE_BYTES if kind.startswith(start)), _TEXT_BYTES)


_TEXT_BYTES = 16
_TYPE_BYTES = (
    *(("bool", 1), ("tinyint", 1), ("smallint", 2), ("interval", 16), ("integer", 4), ("int4", 4), ("int2", 2)),
    *(("int8", 8), ("int64", 8), ("int", 4), ("bigint", 8), ("long", 8), ("hugeint", 16), ("dec", 8), ("num", 8)),
    *(("double", 8), ("float4", 4), ("float", 8), ("real", 4), ("datetime", 8), ("date", 4), ("time", 8)),
)
"""Beginning of a type's name to bytes, the first that fits."""


def read_statistics(rows: Iterable[Sequence[object]]) -> dict[tuple[str, str], TableStatistics]:
    """By (schema, table): the answer to `statistics_query`. Tables that were never analyzed are left out."""
    columns_by_table: dict[tuple[str, str], tuple[int, dict[str, ColumnStatistics]]] = {}
    for schema, table, count, column, distinct, correlation, is_indexed, width in rows:
        total = nearest_whole(count)
        if total < 0:
            continue
        _, columns = columns_by_table.setdefault((str(schema), str(table)), (total, {}))
        if column is not None:
            columns[str(column)] = ColumnStatistics(
                distinct=_distinct(distinct, total),
                correlation=float(str(correlation)) if correlation is not None else 0.0,
                is_indexed=bool(is_indexed),
                width=None if width is None else float(str(width)),
            )
    return {place: TableStatistics(rows=total, columns=columns) for place, (total, columns) in columns_by_table.items()}


def _distinct(figure: object, rows: int) -> float | None:
    """A negative number is the share of the rows."""
    if figure is None:
        return None
    number = float(str(figure))
    return max(number if number > 0 else -number * rows, 1.0)


def _about(query: str | None, tables: Iterable[tuple[str, str]]) -> str | None:
    pairs = ", ".join(f"({text_literal(schema)}, {text_literal(name)})" for schema, name in sorted(tables))
    return query.format(tables=pairs) if query is not None and pairs else None
