"""QUALIFY and DISTINCT ON become a condition of a SELECT around, with the same rows in the same order."""

from __future__ import annotations

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.rewriting.parse.qualifying import put_conditions_around


def _put_around(sql: str) -> str:
    root = sqlglot.parse_one(sql, read="duckdb")
    assert isinstance(root, exp.Query)
    (table,) = (table for table in root.find_all(exp.Table) if table.name == "shop_star")
    assert table.parent_select is not None
    return put_conditions_around(root, table.parent_select).sql("duckdb")


@pytest.mark.parametrize(
    ("sql", "around"),
    [
        (
            'SELECT "City", SUM("Amount") FROM shop_star GROUP BY 1 QUALIFY RANK() OVER (ORDER BY SUM("Amount")) <= 3',
            """
            SELECT "rows"."City" AS "City", "rows"."Amount" AS "Amount"
            FROM (SELECT "City" AS "City", SUM("Amount") AS "Amount",
                  RANK() OVER (ORDER BY SUM("Amount")) <= 3 AS "is kept" FROM shop_star GROUP BY 1) AS "rows"
            WHERE "rows"."is kept"
            """,
        ),
        (
            'SELECT DISTINCT ON ("City") "City", "Size" AS s FROM shop_star ORDER BY 1, "Size" DESC LIMIT 5',
            """
            SELECT "rows"."City" AS "City", "rows"."s" AS "s"
            FROM (SELECT "City" AS "City", "Size" AS s,
                  ROW_NUMBER() OVER (PARTITION BY "City" ORDER BY "City", "Size" DESC) = 1 AS "is kept"
                  FROM shop_star) AS "rows"
            WHERE "rows"."is kept" ORDER BY "rows"."City", "rows"."s" DESC LIMIT 5
            """,
        ),
    ],
)
def test_the_condition_is_a_column_of_the_select_and_order_and_limit_are_of_the_rows_that_remain(
    sql: str, around: str
) -> None:
    assert _put_around(sql) == " ".join(around.split())


@pytest.mark.parametrize(
    ("selected", "clauses"),
    [
        (
            '"City", SUM("Amount")',
            'GROUP BY 1 QUALIFY RANK() OVER (ORDER BY SUM("Amount") DESC NULLS LAST) <= 2 ORDER BY 2 DESC, 1',
        ),
        (
            '"City" AS c, SUM("Amount") AS a',
            "GROUP BY 1 QUALIFY a > AVG(a) OVER () OR c IS NULL ORDER BY c NULLS FIRST LIMIT 2 OFFSET 1",
        ),
        (
            'DISTINCT "Size" AS s',
            'GROUP BY "City", "Size" QUALIFY COUNT(*) OVER (PARTITION BY "City") > 1 ORDER BY 1 NULLS LAST',
        ),
        (
            '"City", COUNT(*)',
            'GROUP BY 1 QUALIFY ROW_NUMBER() OVER (ORDER BY COUNT(*), "City") < 4 ORDER BY MAX("Shop"), 1',
        ),
        ('"City", COUNT(*)', "GROUP BY 1 QUALIFY MAX(COUNT(*)) OVER () = COUNT(*) ORDER BY 1"),
        ('UPPER("City") AS c, COUNT(*) AS n', 'GROUP BY UPPER("City") QUALIFY n >= MIN(n) OVER () ORDER BY c'),
        (
            'DISTINCT ON ("City") "City", "Shop", SUM("Amount") AS a',
            'GROUP BY "City", "Shop" ORDER BY "City" NULLS LAST, SUM("Amount") DESC',
        ),
        ('DISTINCT ON (1) "City", "Shop"', "GROUP BY 1, 2 ORDER BY 1 NULLS LAST, 2 DESC LIMIT 3"),
        ('DISTINCT ON (c) UPPER("City") AS c, COUNT(*) AS n', 'GROUP BY "City" ORDER BY c NULLS FIRST'),
    ],
)
def test_the_rows_are_those_of_a_warehouse_that_knows_these_clauses(
    sales: duckdb.DuckDBPyConnection, selected: str, clauses: str
) -> None:
    """DuckDB knows both."""
    sql = f"SELECT {selected} FROM shop_star {clauses}"
    around = _put_around(sql)
    expected = sales.execute(sql).fetchall()

    assert "QUALIFY" not in around
    assert "DISTINCT ON" not in around
    assert expected
    assert sales.execute(around).fetchall() == expected


@pytest.mark.parametrize(
    "sql",
    [
        (
            "WITH t AS (SELECT 1 AS n) SELECT {0} QUALIFY "
            'ROW_NUMBER() OVER (ORDER BY COUNT(*), "Month") <= (SELECT n FROM t)'
        ),
        "SELECT * FROM (SELECT {0} QUALIFY RANK() OVER (ORDER BY COUNT(*)) = 1) AS t ORDER BY 1",
        "SELECT COUNT(*) FROM (SELECT DISTINCT ON (n) {0} ORDER BY n, 1)",
    ],
)
def test_it_stands_in_the_place_of_the_select_within_a_statement(sales: duckdb.DuckDBPyConnection, sql: str) -> None:
    sql = sql.format('"Month", COUNT(*) AS n FROM shop_star GROUP BY 1')

    assert sales.execute(_put_around(sql)).fetchall() == sales.execute(sql).fetchall()


@pytest.mark.parametrize(
    "sql",
    [
        'SELECT DISTINCT "City" FROM shop_star ORDER BY "City" LIMIT 5',
        "SELECT * FROM shop_star QUALIFY RANK() OVER (ORDER BY a) = 1",
        "SELECT DISTINCT ON (a) * FROM shop_star",
    ],
)
def test_a_select_without_them_or_with_a_star_stays_as_it_is(sql: str) -> None:
    assert _put_around(sql) == sqlglot.parse_one(sql, read="duckdb").sql("duckdb")


def test_a_column_without_a_name_gets_one() -> None:
    around = _put_around(
        'SELECT UPPER("City"), COUNT(*), MAX("Shop"), 1, "Size", CAST("Size" AS VARCHAR), COUNT(*) AS n, COUNT("City") '
        "FROM shop_star GROUP BY ALL QUALIFY TRUE"
    )

    names = [projection.alias for projection in sqlglot.parse_one(around, read="duckdb").expressions]
    assert names == ["column_1", "count", "Shop", "column_4", "Size", "column_6", "n", "City"]


def test_an_order_that_would_make_more_groups_is_refused() -> None:
    with pytest.raises(UnsupportedQueryError, match="the answer is ordered by what it does not show") as error:
        _put_around('SELECT "City" FROM shop_star QUALIFY RANK() OVER (ORDER BY "City") = 1 ORDER BY UPPER("Shop")')

    assert (error.value.clause, error.value.remedy) == ('UPPER("Shop")', "Add it to SELECT.")
