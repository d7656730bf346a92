"""Queries that stand in the expressions of a SELECT on a model: each is a table of its own before it.

    … WHERE "State" IN (SELECT …)        WITH "subquery 1" AS (SELECT …) … WHERE … IN (SELECT * FROM "subquery 1")

So nothing in them can mean a column of what the SELECT is answered from.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from airflow_atscale_aggs.engine.rewriting.divisions import KIND
from airflow_atscale_aggs.engine.rewriting.model_query import ModelQuery
from airflow_atscale_aggs.engine.sql.quoting import identifier


def outer_column(query: exp.Query) -> exp.Column | None:
    """A column of the SELECT around a query, by the name of its table; None when there is none."""
    own = {source.alias_or_name.casefold() for source in query.find_all(exp.Table, exp.Subquery, exp.CTE)}
    columns = (column for column in query.find_all(exp.Column) if column.table)
    return next((column for column in columns if column.table.casefold() not in own), None)


def free_name(query: exp.Query, taken: Iterable[str]) -> str:
    """A name for a query that means nothing else inside it."""
    others = {source.name.casefold() for source in query.find_all(exp.Table)}
    others |= {source.alias.casefold() for source in query.find_all(exp.CTE)} | set(taken)
    number = 1
    while f"subquery {number}" in others:
        number += 1
    return f"subquery {number}"


def rows_of(name: str, query: exp.Query) -> exp.Subquery:
    """The rows of a query that stands before the SELECT; what is known of its number goes with them."""
    table = exp.Table(this=identifier(name))
    rows = exp.Select(expressions=[exp.Star()]).from_(table, copy=False)
    return exp.Subquery(this=rows, **{KIND: query.meta.get(KIND)})


def with_subqueries(select: exp.Select, query: ModelQuery) -> exp.Select:
    """The SELECT, changed, behind the queries that its expressions read."""
    if query.subqueries:
        made = [exp.CTE(this=one.copy(), alias=exp.TableAlias(this=identifier(name))) for name, one in query.subqueries]
        own = select.args.get("with_")
        select.set("with_", exp.With(expressions=[*made, *(own.expressions if own is not None else ())]))
    return select
