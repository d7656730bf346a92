"""Which tables are facts, which are dimensions, and which are neither."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from airflow_atscale_aggs.engine.discovery.additive_columns import Kind, is_named_total, judge
from airflow_atscale_aggs.engine.discovery.references import ColumnKey, LeftOut, Names, Reference
from airflow_atscale_aggs.engine.discovery.table_profiles import TIMES, TableProfile
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

_BRIDGED = 2


@dataclass(frozen=True, slots=True)
class Roles:
    """What tables are.

    Attributes:
        facts, dimensions: names with the reason; a table may be both.
    """

    facts: Mapping[str, str]
    dimensions: Mapping[str, str]
    left_out: tuple[LeftOut, ...]


def decide_roles(
    tables: Mapping[str, TableProfile],
    names: Names,
    references: Sequence[Reference],
    keys: Collection[ColumnKey],
    wanted: Collection[str] = (),
    calendars: Collection[str] = (),
) -> Roles:
    """Facts, the dimensions that they reach, and why the other tables are left out.

    Args:
        keys: columns that are unique in their tables.
        wanted: tables that somebody says are facts; empty: whatever looks like one.
        calendars: tables of days, which may have more rows than any fact.
    """
    facts: dict[str, str] = dict.fromkeys(wanted, "named as a fact")
    left_out: list[LeftOut] = []
    for table in tables.values():
        if table.name in wanted:
            continue
        larger = [reference for reference in references if reference.to_table not in calendars]
        reason, is_fact = _judge_table(table, names, (references, larger), keys)
        if is_fact and not wanted:
            facts[table.name] = reason
        elif not is_fact and reason:
            left_out.append(LeftOut(table.name, reason))
    if not facts:
        facts |= _lonely_facts(tables, left_out)
    dimensions = _reached_dimensions(facts, references)
    known = {*facts, *dimensions, *(entry.what for entry in left_out)}
    left_out = [entry for entry in left_out if entry.what not in facts and entry.what not in dimensions]
    left_out += [LeftOut(name, "no fact refers to it") for name in tables if name not in known]
    return Roles(facts, dimensions, tuple(left_out))


def measured_columns(table: TableProfile, names: Names, references: Sequence[Reference]) -> list[str]:
    """Numbers of a table that are neither keys nor codes."""
    keys = {column for reference in references if reference.table == table.name for column in reference.columns}
    return [
        column.name
        for column in table.in_order
        if judge(column, names.stem(table.name, column.name), keys).kind is not Kind.NONE
    ]


def _judge_table(
    table: TableProfile,
    names: Names,
    every: tuple[Sequence[Reference], Sequence[Reference]],
    keys: Collection[ColumnKey],
) -> tuple[str, bool]:
    """(reason, whether it is a fact); a reason without being one says why the table is left out."""
    references, without_days = every
    ours = [reference for reference in references if reference.table == table.name]
    referring = [reference for reference in references if reference.to_table == table.name]
    if not table.rows:
        return "it has no rows, so nothing can be proven of it", False
    measured = measured_columns(table, names, references)
    others = sorted({reference.to_table for reference in ours})
    if referring and all(_is_of_foreign_keys(reference, ours) for reference in referring):
        return (
            (f"it measures {_listed(measured[:3])} for combinations of {_listed(others)}", True)
            if measured
            else ("", False)
        )
    if referring:
        totals = [name for name in measured if is_named_total(table.columns[name])]
        is_largest = all(
            table.rows > names.tables[found.to_table].rows for found in without_days if found.table == table.name
        )
        is_fact = bool(ours and totals and is_largest)
        return f"it measures {_listed(totals[:3])} and refers to other tables" if is_fact else "", is_fact
    bridged = _bridged(table, ours, measured, names)
    has_own_key = any(name == table.name and names.is_at_home(name, column) for name, column in keys)
    reason = (
        "it refers to no table, and none refers to it"
        if not ours
        else f"it only links {_listed(bridged)}: a bridge"
        if bridged
        else "it has a key of its own and measures nothing: a dimension that no fact refers to"
        if has_own_key and not measured
        else ""
    )
    return reason or f"it refers to {_listed(others)}, and no table refers to it", not reason


def _is_of_foreign_keys(reference: Reference, ours: Sequence[Reference]) -> bool:
    """Whether all columns of a compound key refer to other tables, so that its table has combinations of them."""
    foreign = {column for each in ours for column in each.columns}
    return len(reference.to_columns) > 1 and foreign >= {*reference.to_columns}


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _bridged(table: TableProfile, ours: Sequence[Reference], measured: Sequence[str], names: Names) -> list[str]:
    """What a table links that has keys of two things, and of nothing else that happened: no number, no day.

    A key may be one that the table shares with a fact, such as an order's number and line.
    """
    has_day = any(column.family in TIMES for column in table.columns.values())
    keys = {column for reference in ours for column in reference.columns}
    others = {column.casefold() for column in table.columns if column not in keys}
    linked = sorted({reference.to_table for reference in ours})
    if others:
        linked += [
            other.name
            for other in names.tables.values()
            if other.name != table.name and others <= {column.casefold() for column in other.columns}
        ]
    is_all_keys = not others or len(linked) > len({reference.to_table for reference in ours})
    return linked if len(linked) >= _BRIDGED and is_all_keys and not measured and not has_day else []


def _lonely_facts(tables: Mapping[str, TableProfile], left_out: list[LeftOut]) -> dict[str, str]:
    """Where nothing refers to anything: the table with most rows is a fact whose dimensions are its own columns."""
    if any(table.rows for table in tables.values()):
        largest = max(tables.values(), key=lambda table: (table.rows, table.name))
        left_out[:] = [entry for entry in left_out if entry.what != largest.name]
        return {largest.name: "no table refers to another, and it has most rows: its dimensions are its own columns"}
    return {}


def _reached_dimensions(facts: Collection[str], references: Sequence[Reference]) -> dict[str, str]:
    dimensions: dict[str, str] = {}
    waiting = list(facts)
    while waiting:
        table = waiting.pop()
        for reference in references:
            if reference.table == table and reference.to_table not in dimensions:
                dimensions[reference.to_table] = f"`{reference.origin}` refers to it"
                waiting.append(reference.to_table)
    return dimensions
