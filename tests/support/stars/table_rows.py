"""Tables as columns of values: what discovery sees of them, and how many keys violate a dependency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

from airflow_atscale_aggs.engine.discovery.column_names import shared_prefix
from airflow_atscale_aggs.engine.discovery.hierarchies import Violations
from airflow_atscale_aggs.engine.discovery.references import Candidate, Inclusion
from airflow_atscale_aggs.engine.discovery.table_profiles import ColumnProfile, TableProfile, family_of

Columns = Mapping[str, Sequence[object]]
_TYPES = {
    bool: "boolean",
    int: "bigint",
    float: "double",
    Decimal: "decimal(9,2)",
    str: "varchar",
    datetime: "timestamp",
    date: "date",
}


def profile_of(name: str, columns: Columns) -> TableProfile:
    """The profile of a table, all of whose rows are looked at."""
    rows = len(next(iter(columns.values())))
    return TableProfile(
        schema="main",
        name=name,
        rows=rows,
        looked_at=rows,
        columns={column: _column(column, place, values) for place, (column, values) in enumerate(columns.items())},
        shared_prefix=shared_prefix(list(columns)),
    )


def profiles_of(tables: Mapping[str, Columns]) -> dict[str, TableProfile]:
    """The profiles of several tables."""
    return {name: profile_of(name, columns) for name, columns in tables.items()}


def inclusion_of(candidate: Candidate, tables: Mapping[str, Columns]) -> Inclusion:
    """How much of a candidate's column is found."""
    keys = set(tables[candidate.to_table][candidate.to_column])
    values = [value for value in tables[candidate.table][candidate.column] if value is not None]
    found = [value for value in values if value in keys]
    return Inclusion(len(set(values)), len(set(found)), len(values), len(found), len(keys))


def violations_in(tables: Mapping[str, Columns]) -> Violations:
    """Counts keys with several values, or with a value and a NULL."""

    def count(table: str, keys: Sequence[str], column: str) -> int:
        seen: dict[tuple[object, ...], set[object]] = {}
        for row in zip(*(tables[table][name] for name in (*keys, column)), strict=True):
            seen.setdefault(row[:-1], set()).add(row[-1])
        return sum(len(values) > 1 for values in seen.values())

    return count


def _column(name: str, place: int, values: Sequence[object]) -> ColumnProfile:
    there = [value for value in values if value is not None]
    kind = _TYPES[type(there[0])] if there else "varchar"
    ordered = sorted(there) if there and not isinstance(there[0], (str, bool)) else []  # type: ignore[type-var]
    return ColumnProfile(
        name=name,
        data_type=kind,
        family=family_of(kind),
        place=place,
        values=len(there),
        distinct=len(set(there)),
        least=ordered[0] if ordered else None,
        greatest=ordered[-1] if ordered else None,
    )
