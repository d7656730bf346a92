"""What a warehouse tells about its tables without reading them: rows, distinct values, indexes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from airflow_atscale_aggs.engine.sql.dialects import Dialect
from airflow_atscale_aggs.engine.sql.sources import TableKey


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnStatistics:
    """A column.

    Attributes:
        distinct: values, about; None when unknown.
        correlation: between the order of the rows and of the values, -1 to 1; 0 when unknown.
        is_indexed: an index on all rows begins with it.
    """

    distinct: float | None = None
    correlation: float = 0.0
    is_indexed: bool = False


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
    if dialect.statistics is None:
        return None
    pairs = ", ".join(f"({_text(schema or '')}, {_text(name)})" for _, schema, name in sorted(tables, key=str))
    return dialect.statistics.format(tables=pairs) if pairs else None


def read_statistics(rows: Iterable[Sequence[object]]) -> dict[tuple[str, str], TableStatistics]:
    """By (schema, table): the answer to `statistics_query`. Tables that were never analyzed are left out."""
    found: dict[tuple[str, str], tuple[int, dict[str, ColumnStatistics]]] = {}
    for schema, table, count, column, distinct, correlation, is_indexed in rows:
        total = int(str(count))
        if total < 0:
            continue
        _, columns = found.setdefault((str(schema), str(table)), (total, {}))
        if column is not None:
            columns[str(column)] = ColumnStatistics(
                distinct=_distinct(distinct, total),
                correlation=float(str(correlation)) if correlation is not None else 0.0,
                is_indexed=bool(is_indexed),
            )
    return {place: TableStatistics(rows=total, columns=columns) for place, (total, columns) in found.items()}


def _distinct(told: object, rows: int) -> float | None:
    """A negative number is the share of the rows."""
    if told is None:
        return None
    number = float(str(told))
    return max(number if number > 0 else -number * rows, 1.0)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
