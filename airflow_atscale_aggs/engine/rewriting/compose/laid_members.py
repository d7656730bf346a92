"""Adds members without facts in SQL: every member with every combination of the other keys that the facts have.

"products members"   SELECT "Item" … FROM products GROUP BY …
"shown members"      SELECT "Item", "Month" FROM "products members" CROSS JOIN (SELECT DISTINCT "Month" FROM "orders")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from sqlglot import exp

from airflow_atscale_aggs.engine.rewriting.split.fact_queries import FactQuery
from airflow_atscale_aggs.engine.sql.quoting import alias_as, column_of, identifier

_BESIDE = "beside"


class PartNames(Protocol):
    """Names inside a query of several fact queries.

    Attributes:
        parts: tables of the fact queries.
        keys, metrics: columns, by place in the query.
        is_there: column that tells rows of a fact from what is measured elsewhere.
        shown: table of the members that are shown.
    """

    parts: list[str]
    keys: list[str]
    metrics: list[str]
    is_there: str
    shown: str


def all_members(tables: Mapping[str, Sequence[int]], whole: Sequence[FactQuery], names: PartNames) -> exp.Select:
    """Every member of every dimension that shows all of them, beside the other keys.

    Args:
        tables: of each dimension's members, with the places of the keys that they have.
        whole: fact queries with all keys.
    """
    owner = {place: name for name, places in tables.items() for place in places}
    others = [place for place in range(len(names.keys)) if place not in owner]
    select = exp.Select()
    for place, name in enumerate(names.keys):
        select.select(alias_as(column_of(name, owner.get(place, _BESIDE)), name), copy=False)
    relations: list[exp.Expr] = [exp.Table(this=identifier(name)) for name in tables]
    if others:
        relations.append(
            exp.Subquery(this=_beside(whole, names, others), alias=exp.TableAlias(this=identifier(_BESIDE)))
        )
    select.from_(relations[0], copy=False)
    for relation in relations[1:]:
        select.append("joins", exp.Join(this=relation, kind="CROSS"))
    return select


def _beside(whole: Sequence[FactQuery], names: PartNames, places: Sequence[int]) -> exp.Expr:
    """Combinations of the other keys that the facts have."""
    union: exp.Expr | None = None
    for fact_query, name in zip(whole, names.parts, strict=False):
        if fact_query.shift is not None:
            continue
        select = exp.Select().from_(exp.Table(this=identifier(name)), copy=False)
        for key_place in places:
            select.select(column_of(names.keys[key_place], name), copy=False)
        union = (
            select.distinct(copy=False) if union is None else exp.Union(this=union, expression=select, distinct=True)
        )
    assert union is not None  # noqa: S101 - a fact's own rows are always among the parts
    return union


def rows_of_members(whole: Sequence[FactQuery], names: PartNames) -> exp.Select:
    """The shown members as rows like those of the fact queries: every metric is empty."""
    select = exp.Select().from_(exp.Table(this=identifier(names.shown)), copy=False)
    for name in names.keys:
        select.select(column_of(name, names.shown), copy=False)
    for number, fact_query in enumerate(whole):
        for metric_place in fact_query.metrics:
            empty = typed_null(names.metrics[metric_place], names.parts[number])
            select.select(alias_as(empty, names.metrics[metric_place]), copy=False)
    if any(fact_query.shift is not None for fact_query in whole):
        select.select(alias_as(exp.Literal.number(1), names.is_there), copy=False)
    return select


def typed_null(column: str, table: str) -> exp.Expr:
    """NULL of a column's type."""
    typed = exp.Select(expressions=[column_of(column, table)]).from_(exp.Table(this=identifier(table)), copy=False)
    return exp.Subquery(this=typed.where(exp.false(), copy=False))
