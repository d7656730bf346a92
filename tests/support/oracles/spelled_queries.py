"""Reads a SELECT on the shop star, and says what was read: for people, and as plain SQL on a flat table of the sales.

The flat table has each attribute and metric of a sale as a column of its name. A SELECT that puts a function around
every metric means the same there, so its rows are the right answer.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import duckdb
import sqlglot
from sqlglot import exp

from airflow_atscale_aggs.engine.rewriting.mdx.calculation_reader import CalculatedMetrics
from airflow_atscale_aggs.engine.rewriting.model_query import ROW_COUNT, ModelQuery, Ref, ref, substitute
from airflow_atscale_aggs.engine.rewriting.parse.model_statements import read_statement
from airflow_atscale_aggs.engine.rewriting.parse.select_reader import read_select
from tests.support.stars.shop_star import METRICS, shop_model, shop_names

FLAT_SALES = """
CREATE TABLE shop_star AS SELECT * FROM (VALUES
    ('North', 'N1', 'big', 'Jan', 1, 10.5, 2, 7),
    ('North', 'N1', 'big', 'Jan', 1, 10.5, 2, 7),
    ('North', 'N2', NULL, 'Feb', 1, -4.0, 0, 8),
    ('South', 'S1', 'small', 'Feb', 1, NULL, 3, NULL),
    ('South', 'S1', 'small', 'Mar', 2, 0.0, NULL, 7),
    (NULL, NULL, NULL, 'Mar', 2, 6.5, 5, 9),
    (NULL, NULL, NULL, NULL, NULL, 1.25, 1, 8),
    ('East', 'E1', 'big', NULL, NULL, NULL, NULL, NULL)
) AS sale ("City", "Shop", "Size", "Month", "Year", "Amount", "Quantity", "Customers")
"""
"""Two sales are equal, one has no place, one no day and no place, and one no value at all."""

_AGGREGATES = {
    "sum": "SUM({0})",
    "average": "AVG({0})",
    "minimum": "MIN({0})",
    "maximum": "MAX({0})",
    "count non-null": "COUNT({0})",
    "count distinct": "COUNT(DISTINCT {0})",
    "sum distinct": "SUM(DISTINCT {0})",
    "stddev_samp": "STDDEV_SAMP({0})",
    "stddev_pop": "STDDEV_POP({0})",
    "var_samp": "VAR_SAMP({0})",
    "var_pop": "VAR_POP({0})",
}


def read_query(sql: str, *, dialect: str = "postgres", nests: bool = True) -> ModelQuery:
    """The first SELECT on the shop star in a text, as it is read."""
    select = read_statement(sql, dialect=dialect, model="shop_star").selects[0]
    return read_select(select, shop_names(), CalculatedMetrics(shop_model()), dialect=dialect, nests=nests)


def spell(query: ModelQuery, expression: exp.Expr | None, dialect: str = "postgres") -> str:
    """An expression over references as text: attributes by their names, metrics in braces."""

    def in_braces(place: int) -> exp.Expr:
        return exp.Var(this=f"{{{_describe(query, place, dialect)}}}")

    return "" if expression is None else _resolved(query, expression, in_braces).sql(dialect=dialect)


def spell_clauses(query: ModelQuery, dialect: str = "postgres") -> list[str]:
    """The expressions of a query in the order of its text: SELECT, ON, WHERE, HAVING, ORDER BY."""
    clauses = [
        *(output.expression for output in query.outputs),
        *(join.on for join in query.joins),
        query.where,
        query.having,
        *(term.expression for term in query.order_by),
    ]
    return [spell(query, clause, dialect) for clause in clauses if clause is not None]


def spell_column(expression: str, dialect: str = "postgres") -> str:
    """An expression that is selected from the shop star, as it is read."""
    query = read_query(f"SELECT {expression} AS x FROM shop_star", dialect=dialect)
    return spell(query, query.outputs[0].expression)


def flat_sql(query: ModelQuery) -> str:
    """The query as a SELECT of DuckDB on the flat table of the sales."""

    sql = partial(_in_duckdb, query)

    shown = ", ".join(f'{sql(output.expression)} AS "{output.name}"' for output in query.outputs)
    text = f"SELECT {'DISTINCT ' if query.is_distinct else ''}{shown} FROM shop_star"
    if query.where is not None:
        text += f" WHERE {sql(query.where)}"
    sets = query.sets or ((tuple(range(len(query.keys))),) if query.keys else ())
    if sets:
        keys = [sql(key) for key in query.keys]
        levels = (", ".join(keys[at] for at in level) for level in sets)
        text += f" GROUP BY GROUPING SETS ({', '.join(f'({level})' for level in levels)})"
    if query.having is not None:
        text += f" HAVING {sql(query.having)}"
    if query.order_by:
        terms = (
            f"{sql(term.expression)} {'DESC' if term.is_descending else 'ASC'} NULLS "
            f"{'FIRST' if term.nulls_first else 'LAST'}"
            for term in query.order_by
        )
        text += f" ORDER BY {', '.join(terms)}"
    text += f" LIMIT {query.limit}" if query.limit is not None else ""
    return text + (f" OFFSET {query.offset}" if query.offset is not None else "")


def flat_rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[object, ...]]:
    """The rows of a SELECT in PostgreSQL's SQL; in one order where the SELECT has none."""
    tree = sqlglot.parse_one(sql, read="postgres")
    rows = connection.execute(tree.sql(dialect="duckdb")).fetchall()
    return rows if tree.args.get("order") is not None else sorted(rows, key=repr)


def _resolved(query: ModelQuery, expression: exp.Expr, metric: Callable[[int], exp.Expr]) -> exp.Expr:
    """The expression with something else in the place of each reference."""

    def resolve(part: exp.Expr) -> exp.Expr:
        return _resolved(query, part, metric)

    return substitute(
        expression,
        {
            Ref.ATTRIBUTE: lambda place: exp.column(query.attributes[place].query_name, quoted=True),
            Ref.KEY: lambda place: resolve(query.keys[place]),
            Ref.METRIC: metric,
            Ref.MEMBERS: lambda place: resolve(query.members[place]),
            Ref.GROUPING: lambda place: exp.Grouping(
                expressions=[resolve(ref(Ref.KEY, at)) for at in query.groupings[place]]
            ),
            Ref.JOINED: lambda place: exp.column(query.joined[place][1], table=query.joined[place][0], quoted=True),
        },
    )


def _describe(query: ModelQuery, place: int, dialect: str) -> str:
    text = query.metrics[place] or "rows"
    if place in query.counted_facts:
        text += f" of {query.counted_facts[place]}"
    if place in query.methods:
        text = f"{query.methods[place]} of {text}"
    if place in query.slices:
        text += f" at {spell(query, query.slices[place], dialect)}"
    if place in query.frames:
        text += " elsewhere"
    if place in query.filters:
        text += f" where {spell(query, query.filters[place], dialect)}"
    return text


def _in_duckdb(query: ModelQuery, expression: exp.Expr) -> str:
    def aggregate(place: int) -> exp.Expr:
        name = query.metrics[place]
        column = exp.column(name, quoted=True).sql()
        method = query.methods.get(place) or METRICS.get(name, ("",))[0]
        text = "COUNT(*)" if name == ROW_COUNT else _AGGREGATES[method].format(column)
        clauses = [where[place] for where in (query.slices, query.filters) if place in where]
        conditions = " AND ".join(f"({_in_duckdb(query, clause)})" for clause in clauses)
        return exp.Var(this=f"{text} FILTER (WHERE {conditions})" if conditions else text)

    text: str = _resolved(query, expression, aggregate).sql(dialect="duckdb")
    return text
