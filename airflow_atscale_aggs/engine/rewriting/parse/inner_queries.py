"""Moves queries that stand in the expressions of a SELECT on a model in front of it, as CTEs.

    … WHERE "State" IN (SELECT …)        WITH "subquery 1" AS (SELECT …) … WHERE … IN (SELECT * FROM "subquery 1")

So no name inside them can mean a column of the table that answers the SELECT.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from sqlglot import exp

from airflow_atscale_aggs.engine.rewriting.divisions import KIND
from airflow_atscale_aggs.engine.rewriting.model_query import ModelQuery
from airflow_atscale_aggs.engine.rewriting.parse.joined_relations import COLUMNS
from airflow_atscale_aggs.engine.sql.quoting import identifier


def outer_column(query: exp.Query, is_around: Callable[[str], bool]) -> exp.Column | None:
    """A column that a query takes from the SELECT around it; None when it takes none.

    Such a column names a table of that SELECT, or no table of the query itself has it.

    Args:
        is_around: whether the SELECT around has a column of a name.
    """
    own = {source.alias_or_name.casefold() for source in query.find_all(exp.Table, exp.Subquery, exp.CTE)}
    for column in query.find_all(exp.Column):
        if column.table:
            if column.table.casefold() not in own:
                return column
        elif is_around(column.name) and not _may_be_own(column, query):
            return column
    return None


def _may_be_own(column: exp.Column, query: exp.Query) -> bool:
    """Whether a relation inside a query may have a column of this name."""
    select = column.parent_select
    while select is not None:
        source = select.args.get("from_")
        relations = [] if source is None else [source.this, *(join.this for join in select.args.get("joins") or ())]
        names = [_names_of(relation) for relation in relations]
        if any(columns is None or column.name in columns for columns in names) or _is_alias(column, select):
            return True
        select = None if select is query else select.parent_select
    return False


def _is_alias(column: exp.Column, select: exp.Expr) -> bool:
    """Whether an expression of a SELECT has this name, and the column is no part of that expression."""
    return any(
        projection.alias == column.name and all(part is not column for part in projection.find_all(exp.Column))
        for projection in select.expressions
    )


def _names_of(relation: exp.Expr) -> Collection[str] | None:
    """Names of a relation's columns; None where they are not known."""
    alias = relation.args.get("alias")
    if alias is not None and alias.args.get("columns"):
        return [column.name for column in alias.args["columns"]]
    if isinstance(relation, exp.Table):
        columns: Collection[str] | None = relation.meta.get(COLUMNS)
        return columns
    if isinstance(relation, exp.Subquery) and isinstance(relation.this, exp.Select):
        return None if relation.this.is_star else relation.this.named_selects
    return None


def free_name(query: exp.Query, taken: Iterable[str]) -> str:
    """A name for a query that means nothing else inside it."""
    others = {source.name.casefold() for source in query.find_all(exp.Table)}
    others |= {source.alias.casefold() for source in query.find_all(exp.CTE)} | set(taken)
    number = 1
    while f"subquery {number}" in others:
        number += 1
    return f"subquery {number}"


def rows_of(name: str, query: exp.Query) -> exp.Subquery:
    """The rows of a query that stands before the SELECT, with the kind of number that it gives."""
    table = exp.Table(this=identifier(name))
    rows = exp.Select(expressions=[exp.Star()]).from_(table, copy=False)
    return exp.Subquery(this=rows, **{KIND: query.meta.get(KIND)})


def with_subqueries(select: exp.Select, query: ModelQuery) -> exp.Select:
    """Put the queries that its expressions read before a SELECT, which is changed."""
    if query.subqueries:
        ctes = [
            exp.CTE(this=subquery.copy(), alias=exp.TableAlias(this=identifier(name)))
            for name, subquery in query.subqueries
        ]
        own = select.args.get("with_")
        select.set("with_", exp.With(expressions=[*ctes, *(own.expressions if own is not None else ())]))
    return select
