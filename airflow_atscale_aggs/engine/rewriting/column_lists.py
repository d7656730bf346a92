"""What is known of a query's columns: by name, and in their order also where they have no names.

    SELECT MIN(n), AVG(n) FROM t           two columns without names
    (…) AS q (a, b)                        a is the first of them, b the second

A column without a name, and the second one of a name, are stored under names that nobody writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from sqlglot import exp

Kind = TypeVar("Kind")
"""What is known of a column, such as its type."""

_OTHERS = "\x00"
"""Stands where it is not known how many columns there are."""


def add_column(columns: dict[str, Kind], name: str, kind: Kind) -> None:
    """Add a column behind the others; its name may be empty."""
    columns[name if name and name not in columns else f"{_OTHERS}{len(columns)}"] = kind


def column_name(projection: exp.Expr) -> str:
    """The name that a selected expression gives its column; empty where the warehouse makes one."""
    if isinstance(projection, exp.Cast):
        return column_name(projection.this)
    named: str = projection.alias_or_name if isinstance(projection, (exp.Alias, exp.Column)) else ""
    return named


def add_star(
    columns: dict[str, Kind], star: exp.Expr, relations: Mapping[str, Mapping[str, Kind]], unknown: Kind
) -> None:
    """Add the columns that ``*`` or ``t.*`` shows.

    Where a star leaves columns out or merges them, and where a relation's columns are not known, names stay known but
    the places of columns are not.

    Args:
        relations: the columns of each relation of the SELECT, by alias.
        unknown: the kind of a column of which nothing is known.
    """
    node = star if isinstance(star, exp.Star) else star.this
    changed = {part.alias_or_name for value in node.args.values() for part in value or ()}
    of_relation = star.table if isinstance(star, exp.Column) else ""
    if changed or (not of_relation and _merges_columns(star.parent_select)):
        columns.setdefault(_OTHERS, unknown)
    for alias, others in relations.items():
        if of_relation not in {"", alias}:
            continue
        for name, kind in others.items():
            if name == _OTHERS:
                columns.setdefault(_OTHERS, kind)
            elif name not in changed:
                add_column(columns, "" if name.startswith(_OTHERS) else name, kind)
        if not others:
            columns.setdefault(_OTHERS, unknown)


def _merges_columns(select: exp.Expr | None) -> bool:
    """Whether a SELECT joins by columns that both sides have, which a star shows once."""
    joins = select.args.get("joins") if select is not None else None
    return any(join.args.get("using") or join.args.get("method") for join in joins or ())


def is_complete(columns: Mapping[str, Kind]) -> bool:
    """Whether all columns are known, so that each has its place."""
    return _OTHERS not in columns


def combine_columns(
    left: Mapping[str, Kind], right: Mapping[str, Kind], kind_of_both: Callable[[Kind, Kind], Kind], unknown: Kind
) -> dict[str, Kind]:
    """The columns of UNION, INTERSECT and EXCEPT: the names of the first query, and place by place what both are.

    Args:
        unknown: the kind of all columns where it is not known which stand in one place.
    """
    if len(left) != len(right) or not (is_complete(left) and is_complete(right)):
        return dict.fromkeys(left, unknown)
    return {name: kind_of_both(kind, other) for (name, kind), other in zip(left.items(), right.values(), strict=True)}


def rename_columns(columns: Mapping[str, Kind], alias: exp.Expr | None) -> Mapping[str, Kind]:
    """With the names that an alias gives to the first columns: ``t (a, b)``."""
    names = alias.args.get("columns") if alias is not None else None
    if not names:
        return columns
    places = list(columns.items())
    named = places if is_complete(columns) else places[: list(columns).index(_OTHERS)]
    renamed: dict[str, Kind] = {}
    for place, (name, kind) in enumerate(named):
        add_column(renamed, names[place].name if place < len(names) else name, kind)
    if len(names) <= len(named):
        renamed.update(places[len(named) :])
    return renamed
