"""Subqueries and CTEs that only show a model's columns give way to the model, where the rows stay the same."""

from __future__ import annotations

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from airflow_atscale_aggs.engine.rewriting.parse.flattening import MODEL, flatten, rename_ctes, shows_all


@pytest.fixture(scope="module")
def tables(sales: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """The flat table, and another one."""
    return sales.execute("CREATE TABLE other AS SELECT 'North' AS town, 1 AS n UNION ALL SELECT NULL, 2")


def _parse(sql: str) -> exp.Query:
    """In which each table `shop_star` is the model."""
    root = sqlglot.parse_one(sql, read="postgres")
    assert isinstance(root, exp.Query)
    for table in root.find_all(exp.Table):
        if table.name == "shop_star":
            table.meta[MODEL] = 0
    return root


def _is_kept(_number: int, name: str, around: exp.Expr) -> bool | None:
    """Amounts and quantities are metrics, which SUM leaves as they are."""
    return isinstance(around, exp.Sum) if name in {"Amount", "Quantity"} else None


def _flat(sql: str) -> str:
    root = _parse(sql)
    flatten(root, _is_kept)
    return root.sql("postgres")


@pytest.mark.parametrize(
    ("sql", "flat"),
    [
        (
            'SELECT t."City", SUM(t."Amount") FROM (SELECT * FROM shop_star) AS t GROUP BY 1',
            'SELECT "t"."City", SUM("t"."Amount") FROM shop_star AS t GROUP BY 1',
        ),
        (
            'SELECT c, SUM(a) FROM (SELECT "City" AS c, "Amount" AS a FROM shop_star WHERE "Year" = 1) AS t GROUP BY c',
            'SELECT "t"."City" AS c, SUM("t"."Amount") FROM shop_star AS t WHERE "t"."Year" = 1 GROUP BY "t"."City"',
        ),
        (
            'SELECT SUM("Amount") FROM (SELECT * FROM (SELECT * FROM shop_star) AS a WHERE "Year" = 1) AS b WHERE TRUE',
            'SELECT SUM("Amount") FROM shop_star AS b WHERE TRUE AND "b"."Year" = 1',
        ),
        (
            'WITH a AS (SELECT * FROM shop_star WHERE "Year" = 1) SELECT "City", SUM("Amount") FROM a GROUP BY 1',
            'SELECT "City", SUM("Amount") FROM shop_star AS "a" WHERE "a"."Year" = 1 GROUP BY 1',
        ),
        (
            'WITH a AS (SELECT * FROM shop_star), b AS (SELECT "City" FROM a) SELECT COUNT(DISTINCT "City") FROM b',
            'SELECT COUNT(DISTINCT "b"."City") FROM shop_star AS "b"',
        ),
        (
            'SELECT u, MAX("Shop") FROM (SELECT UPPER("City") AS u, "Shop" FROM shop_star) AS t GROUP BY u',
            'SELECT UPPER("t"."City") AS u, MAX("t"."Shop") FROM shop_star AS t GROUP BY UPPER("t"."City")',
        ),
        (
            'SELECT "City", SUM(a) FROM (SELECT "Shop" AS "City", "Amount" AS a FROM shop_star) AS t GROUP BY "City"',
            'SELECT "t"."Shop" AS "City", SUM("t"."Amount") FROM shop_star AS t GROUP BY "t"."Shop"',
        ),
        (
            'SELECT MAX("Shop") AS "City" FROM (SELECT "City", "Shop" FROM shop_star) GROUP BY "City" ORDER BY "City"',
            'SELECT MAX("shop_star"."Shop") AS "City" FROM shop_star GROUP BY "shop_star"."City" ORDER BY "City"',
        ),
        (
            'SELECT SUM(t."Amount") FROM (SELECT * FROM shop_star) AS t JOIN other ON t."City" = town',
            'SELECT SUM("t"."Amount") FROM shop_star AS t JOIN other ON "t"."City" = town',
        ),
        (
            'SELECT y * 2, SUM("Amount") FROM (SELECT "Year" + 1 AS y, "Amount" FROM shop_star) AS t GROUP BY y',
            'SELECT ("t"."Year" + 1) * 2, SUM("t"."Amount") FROM shop_star AS t GROUP BY ("t"."Year" + 1)',
        ),
        (
            'SELECT SUM("Amount") FROM (SELECT "City", "Amount" FROM shop_star ORDER BY "City")',
            'SELECT SUM("shop_star"."Amount") FROM shop_star',
        ),
        (
            'SELECT * FROM (SELECT * FROM shop_star WHERE "Year" = 1) AS t LIMIT 50',
            'SELECT * FROM shop_star AS t WHERE "t"."Year" = 1 LIMIT 50',
        ),
    ],
)
def test_a_view_on_a_model_gives_way_to_the_model(tables: duckdb.DuckDBPyConnection, sql: str, flat: str) -> None:
    """On a flat table both have the same rows."""
    assert _flat(sql) == flat
    before, after = (
        tables.execute(sqlglot.transpile(text, read="postgres", write="duckdb")[0]).fetchall() for text in (sql, flat)
    )
    assert before
    assert sorted(after, key=repr) == sorted(before, key=repr)


@pytest.mark.parametrize(
    "sql",
    [
        'SELECT "City", "Amount" FROM (SELECT "City", "Amount" FROM shop_star) AS t',
        'SELECT COUNT(*) FROM (SELECT "City" FROM shop_star) AS t',
        'SELECT COUNT(*), MAX("City") FROM (SELECT "City" FROM shop_star) AS t',
        'SELECT AVG(a) FROM (SELECT "Amount" AS a FROM shop_star) AS t',
        'SELECT SUM(a) FROM (SELECT "Amount" * 2 AS a FROM shop_star) AS t',
        'SELECT a, COUNT(DISTINCT "City") FROM (SELECT "City", "Amount" AS a FROM shop_star) AS t GROUP BY a',
        'SELECT SUM(a) FROM (SELECT SUM("Amount") AS a FROM shop_star GROUP BY "City") AS t',
        'SELECT SUM("Amount") FROM (SELECT DISTINCT "Amount" FROM shop_star) AS t',
        'SELECT SUM("Amount") FROM (SELECT "Amount" FROM shop_star LIMIT 5) AS t',
        'SELECT SUM("Amount") FROM (SELECT "Amount", RANK() OVER () AS r FROM shop_star) AS t',
        'SELECT SUM("Amount") FROM (SELECT "Amount", (SELECT 1) AS r FROM shop_star) AS t',
        'SELECT SUM("Amount") FROM (SELECT "Amount", "Year" + 1 FROM shop_star) AS t',
        'SELECT SUM("Amount") FROM (SELECT "Amount", "Amount" FROM shop_star) AS t',
        'SELECT SUM(a) FROM (SELECT "Amount" FROM shop_star) AS t (a)',
        'SELECT SUM("Amount") FROM (SELECT * FROM other) AS t',
        'SELECT SUM("Amount") FROM (SELECT "Amount", "City" FROM shop_star) AS t JOIN other ON "City" = town',
        'SELECT SUM("Amount") FROM (SELECT * FROM shop_star WHERE "Year" = 1) AS t RIGHT JOIN other ON TRUE',
        'SELECT c, (SELECT n FROM other WHERE town = t.c) FROM (SELECT "City" AS c FROM shop_star) AS t GROUP BY c',
        'SELECT c, (SELECT n FROM (SELECT 1 AS n) WHERE c) FROM (SELECT "Year" AS c FROM shop_star) AS t GROUP BY 1',
        'WITH base ("City") AS (SELECT "Shop" FROM shop_star) SELECT COUNT(DISTINCT "City") FROM base',
        'WITH base AS (SELECT "City", SUM("Amount") AS a FROM shop_star GROUP BY 1) SELECT SUM(a) FROM base',
        "WITH base AS (SELECT 1 AS a) SELECT SUM(a) FROM base",
    ],
)
def test_a_subquery_that_does_more_or_whose_rows_are_shown_stays(sql: str) -> None:
    """What passes columns through has as many rows as the columns make that it shows."""
    assert _flat(sql) == _parse(sql).sql("postgres")


@pytest.mark.parametrize(
    ("sql", "shows"),
    [
        ("SELECT * FROM shop_star", True),
        ('SELECT * FROM shop_star WHERE "Year" = 1', True),
        ('SELECT *, "Year" + 1 AS y FROM shop_star', True),
        ('SELECT "City" FROM shop_star', False),
        ("SELECT * FROM shop_star LIMIT 5", False),
        ("SELECT * FROM other", False),
        ("SELECT * FROM shop_star JOIN other ON TRUE", False),
        ("SELECT * FROM shop_star UNION SELECT * FROM shop_star", False),
    ],
)
def test_a_query_of_all_columns_is_told_from_others(sql: str, shows: bool) -> None:
    assert shows_all(_parse(sql)) is shows


@pytest.mark.parametrize(
    ("sql", "taken", "renamed"),
    [
        (
            "WITH day AS (SELECT 1) SELECT * FROM day, day AS d, s.day",
            {"day"},
            'WITH "day 2" AS (SELECT 1) SELECT * FROM "day 2" AS "day", "day 2" AS d, s.day',
        ),
        (
            'WITH "D" AS (SELECT 1), "d 2" AS (SELECT * FROM "D") SELECT * FROM "d 2"',
            {"d", "d 2"},
            'WITH "D 3" AS (SELECT 1), "d 2 2" AS (SELECT * FROM "D 3" AS "D") SELECT * FROM "d 2 2" AS "d 2"',
        ),
        ("WITH other AS (SELECT 1) SELECT * FROM other", {"day"}, "WITH other AS (SELECT 1) SELECT * FROM other"),
    ],
)
def test_a_cte_gives_its_name_up_for_a_table_that_the_answer_reads(sql: str, taken: set[str], renamed: str) -> None:
    root = _parse(sql)

    rename_ctes(root, taken)

    assert root.sql("postgres") == renamed
