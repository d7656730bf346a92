"""What follows the groups of a query: its columns, HAVING, DISTINCT, ORDER BY, LIMIT and OFFSET."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlglot import exp

from airflow_atscale_aggs.engine.rewriting.compose.finish import Values, finish, show
from airflow_atscale_aggs.engine.rewriting.model_query import Ref
from tests.support.stars.asked_star import AskedStar


def _finished(market: AskedStar, sql: str, *, is_grouped: bool = True) -> str:
    """The clauses of a query: ``k0`` is its first key, ``m0`` its first metric, ``g0`` its first aggregated member."""
    query, select = market.read(sql), exp.Select()

    def named(letter: str) -> Callable[[int], exp.Expr]:
        return lambda place: exp.column(f"{letter}{place}")

    values: Values = {Ref.KEY: named("k"), Ref.METRIC: named("m"), Ref.MEMBERS: named("g")}
    show(query, select, values)
    finish(query, select, values, is_grouped=is_grouped)
    return select.sql(dialect="duckdb")


@pytest.mark.parametrize(
    ("sql", "clauses"),
    [
        (
            'SELECT "City" AS c, "Amount" + 1 AS a, MAX("Month") AS m FROM market',
            'SELECT k0 AS "c", m0 + 1 AS "a", g0 AS "m"',
        ),
        (
            """SELECT "City", "Amount" FROM market HAVING "Amount" > 5 AND "City" <> 'x'""",
            """SELECT k0 AS "City", m0 AS "Amount" HAVING m0 > 5 AND k0 <> 'x'""",
        ),
        (
            'SELECT "City", "Amount" FROM market LIMIT 3 OFFSET 2',
            'SELECT k0 AS "City", m0 AS "Amount" LIMIT 3 OFFSET 2',
        ),
    ],
)
def test_references_are_replaced_by_what_they_stand_for(market: AskedStar, sql: str, clauses: str) -> None:
    assert _finished(market, sql) == clauses


def test_rows_that_are_groups_already_are_filtered_by_where(market: AskedStar) -> None:
    sql = 'SELECT "City", "Amount" FROM market HAVING "Amount" > 5'

    assert _finished(market, sql, is_grouped=False) == 'SELECT k0 AS "City", m0 AS "Amount" WHERE m0 > 5'


@pytest.mark.parametrize(
    ("sql", "is_distinct"),
    [
        ('SELECT DISTINCT "City", "Amount" FROM market', False),
        ('SELECT DISTINCT "Amount" FROM market GROUP BY "City"', True),
        ('SELECT DISTINCT UPPER("City") AS c, "Amount" FROM market GROUP BY "City"', True),
        ('SELECT DISTINCT "City", "Month", "Amount" FROM market GROUP BY ROLLUP ("City", "Month")', True),
        ('SELECT "Amount" FROM market GROUP BY "City"', False),
    ],
    ids=[
        "every key is shown",
        "no key is shown",
        "an expression of a key",
        "levels may have equal rows",
        "not asked for",
    ],
)
def test_equal_rows_are_left_out_where_there_may_be_some(market: AskedStar, sql: str, is_distinct: bool) -> None:
    assert _finished(market, sql).startswith("SELECT DISTINCT") is is_distinct


@pytest.mark.parametrize(
    ("sql", "order"),
    [
        ('SELECT "City", "Amount" FROM market ORDER BY 2 DESC', '"Amount" DESC NULLS FIRST'),
        ('SELECT "City", "Month", "Amount" FROM market ORDER BY 3', '"Amount" ASC'),
        (
            'SELECT "City", "Amount" FROM market ORDER BY "Amount" DESC NULLS LAST, "City" NULLS FIRST',
            '"Amount" DESC, "City" ASC NULLS FIRST',
        ),
        ('SELECT "City", "Amount" FROM market ORDER BY "Lines"', "m1 ASC"),
        ('SELECT "City", "Amount" AS a FROM market ORDER BY MAX("Month")', "g0 ASC"),
        ('SELECT "City" AS c, "City" AS d FROM market ORDER BY d', '"c" ASC'),
        ('SELECT "City", "Amount" AS city FROM market ORDER BY 1', "k0 ASC"),
    ],
    ids=[
        "by number",
        "by the third",
        "nulls as asked for",
        "a metric that is not shown",
        "members",
        "shown twice",
        "two of one name",
    ],
)
def test_rows_are_ordered_by_the_column_that_shows_the_value_if_its_name_is_its_own(
    market: AskedStar, sql: str, order: str
) -> None:
    """NULL is the greatest value, as in PostgreSQL, in which the query is written."""
    assert _finished(market, sql).partition(" ORDER BY ")[2] == order
