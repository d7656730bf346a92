"""Levels above the members of a dimension, coarse to fine, as far as the data bears them out.

Names say which columns may be levels of one hierarchy and in which order; functional dependencies, counted over the
rows, say whether they are. A level whose values lie below several parents gets its parents into its key: there are many
cities of one name. Approximate dependencies are told by their share of violating keys (Huhtala et al., "TANE", 1999).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from airflow_atscale_aggs.engine.counted_nouns import counted
from airflow_atscale_aggs.engine.discovery.column_names import table_stem
from airflow_atscale_aggs.engine.discovery.references import Names
from airflow_atscale_aggs.engine.discovery.table_profiles import TIMES, ColumnProfile, Family, TableProfile
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

Violations = Callable[[str, Sequence[str], str], int]
"""How many keys (table, columns) have several values of a column."""

_TIME_OF_DAY = "Time of Day"
_FAMILIES: tuple[tuple[str, tuple[frozenset[str], ...]], ...] = (
    (
        "Place",
        (
            frozenset({"continent"}),
            frozenset({"region"}),
            frozenset({"country", "nation"}),
            frozenset({"state", "province", "stateprovince"}),
            frozenset({"county", "district"}),
            frozenset({"city", "town"}),
            frozenset({"zip", "zipcode", "postcode", "postal", "postalcode"}),
        ),
    ),
    (
        "Category",
        (
            frozenset({"department", "sector"}),
            frozenset({"mfgr", "manufacturer"}),
            frozenset({"category", "productcategory"}),
            frozenset({"subcategory", "class", "family", "productsubcategory"}),
            frozenset({"brand", "productline"}),
        ),
    ),
    (_TIME_OF_DAY, (frozenset({"shift"}), frozenset({"hour"}))),
)
_MOST_VIOLATED, _LEAST_FILLED = 0.3, 0.95
_DIGITS = re.compile(r"\d+$")


@dataclass(frozen=True, slots=True)
class FoundLevel:
    """One level.

    Attributes:
        keys: columns; the last is its own, the others are of levels above.
        name_column: what is shown.
        reason: what the data says.
    """

    keys: tuple[str, ...]
    name_column: str
    reason: str


@dataclass(frozen=True, slots=True)
class FoundHierarchy:
    """Levels from coarse to fine, without the members themselves."""

    name: str
    levels: tuple[FoundLevel, ...]


def find_hierarchies(table: TableProfile, names: Names, taken: Sequence[str], ask: Violations) -> list[FoundHierarchy]:
    """The hierarchies of a dimension's columns.

    Args:
        taken: columns that are keys or refer to other tables.
        ask: counts violations in the warehouse.
    """
    found = []
    for name, ranks in _FAMILIES:
        if name == _TIME_OF_DAY and "time" not in table_stem(table.name):
            continue
        columns = _columns_by_rank(table, names, taken, ranks)
        if columns:
            levels = _chain(table, columns, ask)
            found.append(FoundHierarchy(name, tuple(levels)))
    return found


def _columns_by_rank(
    table: TableProfile, names: Names, taken: Sequence[str], ranks: Sequence[frozenset[str]]
) -> list[tuple[ColumnProfile, ColumnProfile | None]]:
    """(column, its name by another column) per rank, coarse to fine; region where its number of values puts it."""
    by_rank: dict[int, list[ColumnProfile]] = {}
    for column in table.in_order:
        if column.name in taken or column.family in TIMES or not _is_level(table, column):
            continue
        words = [_DIGITS.sub("", word) for word in names.stem(table.name, column.name).words]
        for rank, vocabulary in enumerate(ranks):
            if words and (
                words[-1] in vocabulary or (words[-1] in {"name", "code"} and words[-2:-1] and words[-2] in vocabulary)
            ):
                by_rank.setdefault(rank, []).append(column)
                break
    picked = [_pick(columns) for _, columns in sorted(by_rank.items())]
    # A region may be of a country or of the world; fewer values stand above.
    return sorted(picked, key=lambda pair: pair[0].distinct) if ranks is _FAMILIES[0][1] else picked


def _pick(columns: Sequence[ColumnProfile]) -> tuple[ColumnProfile, ColumnProfile | None]:
    """The column of a rank: a number that a text with as many values names, else the first text, else the first."""
    texts = [column for column in columns if column.family is Family.TEXT]
    numbers = [column for column in columns if column.family is Family.WHOLE]
    for number in numbers:
        for text in texts:
            if number.distinct == text.distinct:
                return number, text
    return (texts or list(columns))[0], None


def _is_level(table: TableProfile, column: ColumnProfile) -> bool:
    """At least one member of a level has several members below, and nearly every row is in one."""
    return (
        column.family in {Family.TEXT, Family.WHOLE}
        and column.values >= table.looked_at * _LEAST_FILLED
        and 2 <= column.distinct < table.looked_at  # noqa: PLR2004
    )


def _chain(
    table: TableProfile, columns: Sequence[tuple[ColumnProfile, ColumnProfile | None]], ask: Violations
) -> list[FoundLevel]:
    """The levels that nest, coarse to fine."""
    finest, name = columns[-1]
    levels = [_level(table, finest, name, ask)]
    for column, name in reversed(columns[:-1]):
        below = levels[0].keys[-1]
        lost = ask(table.name, (below,), column.name)
        size = table.columns[below].distinct
        if lost > size * _MOST_VIOLATED:
            continue
        if lost:
            reason = f"{lost:,} of {size:,} values of `{below}` lie in several of `{column.name}`, which is in the key"
            levels = [FoundLevel((column.name, *level.keys), level.name_column, reason) for level in levels]
        else:
            first = levels[0]
            reason = f"each of {counted(size, 'value')} of `{below}` lies in one of `{column.name}`"
            levels[0] = FoundLevel(first.keys, first.name_column, reason)
        levels.insert(0, _level(table, column, name, ask))
    return levels


def _level(table: TableProfile, column: ColumnProfile, name: ColumnProfile | None, ask: Violations) -> FoundLevel:
    reason = counted(column.distinct, "value")
    if name is not None and not ask(table.name, (column.name,), name.name):
        return FoundLevel((column.name,), name.name, reason)
    own = column if name is None else name
    return FoundLevel((own.name,), own.name, reason)


def prove_units(table: str, units: Mapping[str, tuple[str, ...]], ask: Violations) -> dict[str, str]:
    """The column of each unit of a calendar, such that each determines the next larger ones.

    Args:
        units: columns that may be years, quarters, …, the most likely first.
    """
    kept: dict[str, str] = {}
    for unit in ("year", "halfyear", "quarter", "month", "week"):
        above = [column for larger, column in kept.items() if larger != "week" and unit != "week"]
        for column in units.get(unit, ()):
            if not any(ask(table, (column,), larger) for larger in above):
                kept[unit] = column
                break
    return kept
