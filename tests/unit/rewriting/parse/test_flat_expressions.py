"""Attributes and metrics take the place of columns and aggregates in an expression, or its clause is refused."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.errors import UnknownColumnError, UnsupportedQueryError
from airflow_atscale_aggs.engine.rewriting.model_query import MeasuredMetric
from airflow_atscale_aggs.engine.rewriting.parse.flat_expressions import FlatExpressions, is_key
from airflow_atscale_aggs.engine.sql.statements import parse_text
from tests.support.oracles.spelled_queries import read_query, spell, spell_column
from tests.support.stars.shop_star import shop_names


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ('"Amount"', "{Amount}"),
        ('shop_star."Amount"', "{Amount}"),
        ('SUM("Amount")', "{Amount}"),
        ('sum(("amount"))', "{Amount}"),
        ('AVG("Amount")', "{average of Amount}"),
        ('AVG("Mean")', "{Mean}"),
        ('COUNT(DISTINCT "Amount")', "{count distinct of Amount}"),
        ('SUM("Amount") / COUNT(*)', "{Amount} / {rows}"),
        ("COUNT(1)", "{rows}"),
        ("SUM(1)", "NULLIF({rows}, 0)"),
        ('SUM(CAST("Amount" AS double precision))', "CAST({Amount} AS DOUBLE PRECISION)"),
        ('SUM((CAST("Amount" AS double precision)))', "CAST({Amount} AS DOUBLE PRECISION)"),
        ('SUM(("Amount" * 2))', "{Amount} * 2"),
        ('SUM("Amount") FILTER (WHERE "City" = \'North\')', "{Amount where \"City\" = 'North'}"),
        ("COUNT(*) FILTER (WHERE \"City\" = 'North')", "{rows where \"City\" = 'North'}"),
        ('MAX("City")', 'MAX("City")'),
        ('MAX(UPPER("City"))', 'MAX(UPPER("City"))'),
        ('ANY_VALUE("City")', 'MIN("City")'),
        ('COUNT(DISTINCT "City")', 'COUNT(DISTINCT "City")'),
        ('COUNT("City")', '{rows where NOT ("City") IS NULL}'),
        (
            'COUNT("City") FILTER (WHERE "Year" = 1)',
            '{rows where "Year" = 1 AND NOT ("City") IS NULL}',
        ),
        ('MAX("City") FILTER (WHERE "Year" = 1)', 'MAX(CASE WHEN "Year" = 1 THEN "City" END)'),
        ('"Doubled"', "({Amount} * 2)"),
        ('AVG("Doubled")', "({Amount} * 2)"),
        ('SUM("Doubled") FILTER (WHERE "Year" = 1)', '({Amount where "Year" = 1} * 2)'),
        ('"North Amount"', "({Amount at \"City\" = 'North'})"),
        ('"Amount Before" - "Amount"', "({Amount elsewhere}) - {Amount}"),
        ('"Mean of Months"', "({Amount elsewhere})"),
        ("\"City\" = ANY (ARRAY['North', 'South'])", "\"City\" IN ('North', 'South')"),
        ("\"City\" <> ALL (ARRAY['North']::text[])", "NOT \"City\" IN (CAST('North' AS TEXT))"),
        ('"Year" = ANY (SELECT 1)', '"Year" IN (SELECT * FROM "subquery 1")'),
        ("EXISTS (SELECT 1)", 'EXISTS((SELECT * FROM "subquery 1"))'),
        ('"Year" > ALL (ARRAY[1])', '"Year" > ALL(ARRAY[1])'),
        ("LOWER(\"City\") LIKE ANY (ARRAY['n%', 's%'])", "LOWER(\"City\") LIKE ANY(ARRAY['n%', 's%'])"),
        ("(SELECT MAX(x) FROM t)", '(SELECT * FROM "subquery 1")'),
        ('INITCAP("City")', 'INITCAP("City")'),
    ],
)
def test_columns_and_aggregates_are_read_as_attributes_and_metrics(written: str, read: str) -> None:
    assert spell_column(written) == read


@pytest.mark.parametrize(
    ("window", "read"),
    [
        (
            'RANK() OVER (PARTITION BY "Year" ORDER BY SUM("Amount") DESC)',
            'RANK() OVER (PARTITION BY "Year" ORDER BY {Amount} DESC)',
        ),
        ('SUM(SUM("Amount")) OVER (ORDER BY "City")', 'SUM({Amount}) OVER (ORDER BY "City")'),
        ("COUNT(*) OVER ()", "COUNT(*) OVER ()"),
        (
            'SUM("Amount") OVER (ORDER BY "City" ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)',
            'SUM({Amount}) OVER (ORDER BY "City" ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)',
        ),
        (
            'SUM("Amount") FILTER (WHERE "City" = \'North\') OVER ()',
            "SUM({Amount}) FILTER(WHERE \"City\" = 'North') OVER ()",
        ),
        ('LAG(SUM("Amount"), 1, 0) OVER w', 'LAG({Amount}, 1, 0) OVER (PARTITION BY "Year" ORDER BY "City")'),
        ('100 * SUM("Amount") / SUM(SUM("Amount")) OVER ()', "100 * {Amount} / SUM({Amount}) OVER ()"),
    ],
)
def test_a_window_works_on_the_rows_of_the_answer(window: str, read: str) -> None:
    query = read_query(
        f'SELECT "Year", "City", {window} AS x FROM shop_star GROUP BY "Year", "City" '
        'WINDOW w AS (PARTITION BY "Year" ORDER BY "City")'
    )

    assert spell(query, query.outputs[-1].expression).replace(" NULLS FIRST", "") == read


def test_grouping_tells_by_which_keys_a_row_is_not_grouped() -> None:
    query = read_query(
        'SELECT GROUPING("City", "Year") AS g, GROUPING("Year") AS y FROM shop_star GROUP BY ROLLUP ("City", "Year")'
    )

    assert query.groupings == ((0, 1), (1,))
    assert [spell(query, output.expression) for output in query.outputs] == [
        'GROUPING("City", "Year")',
        'GROUPING("Year")',
    ]


def test_what_is_used_twice_has_one_place() -> None:
    query = read_query(
        'SELECT "City", SUM("Amount") AS a, SUM("Amount") * 2 AS b, AVG("Amount") AS c, MAX("Shop") AS d, '
        'MAX("Shop") AS e, "Price" AS f FROM shop_star WHERE "City" <> \'x\''
    )

    assert [attribute.query_name for attribute in query.attributes] == ["City", "Shop"]
    assert (query.metrics, query.methods) == (("Amount", "Amount", "Quantity"), {1: "average"})
    assert len(query.members) == 1


@pytest.mark.parametrize(
    ("joined", "on"),
    [
        ("JOIN (SELECT 'North' AS c) AS t ON \"City\" = c", '"City" = "subquery 1"."c"'),
        ('JOIN (SELECT \'North\' AS "City") AS t USING ("City")', '"City" = "subquery 1"."City"'),
        ("CROSS JOIN (SELECT 1 AS c) AS t", ""),
        (
            'JOIN (SELECT 1 AS "Year", 2 AS c) AS t USING ("Year") JOIN (SELECT 3 AS d) AS u ON t.c = u.d',
            '"Year" = "subquery 1"."Year"',
        ),
    ],
)
def test_a_joined_relation_is_a_subquery_with_a_condition(joined: str, on: str) -> None:
    query = read_query(f"SELECT COUNT(*) FROM shop_star {joined}")

    assert query.joins[0].subquery == "subquery 1"
    assert spell(query, query.joins[0].on) == on


def test_the_greatest_value_of_a_joined_column_is_asked_for_and_its_sum_is_refused() -> None:
    sql = 'SELECT {0}(n) AS x FROM shop_star JOIN (SELECT 1 AS n) AS t ON "Year" = n'
    query = read_query(sql.format("MAX"))

    assert spell(query, query.outputs[0].expression) == 'MAX("subquery 1"."n")'
    with pytest.raises(UnsupportedQueryError, match="it is no aggregate of the model"):
        read_query(sql.format("SUM"))


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ('"Doubled" + COUNT("Doubled")', "`Doubled` is a calculated metric, which has no value for single rows"),
        ('STDDEV("Customers")', "metric `Customers` is `count distinct` by definition and is not aggregated again"),
        ('STDDEV("City")', "it is no aggregate of the model"),
        ('SUM("Year")', "it is no aggregate of the model"),
        ('COUNT(DISTINCT "City", "Shop")', "this is not part of the SQL surface of a model"),
        ('MAX("Amount" + 1)', "it is no aggregate of the model"),
        ("MAX('x')", "it is no aggregate of the model"),
        ('SUM("Amount") FILTER (WHERE SUM("Amount") > 1)', "an aggregate's condition is on an aggregated value"),
        ('SUM("Amount") FILTER (WHERE MAX("City") > \'x\')', "an aggregate's condition is on an aggregated value"),
        ("RANDOM()", "it differs from row to row"),
        ("GEN_RANDOM_UUID()", "it differs from row to row"),
        ('INITCOP("City")', "this function is not known, so it cannot be said in another dialect"),
        ("NO_SUCH_WINDOW() OVER ()", "this function is not known"),
        ('"Year" = ANY (ARRAY[]::int[])', "the list is empty"),
        ("\"Year\" = ANY ('{1,2}')", "ANY and ALL are answered for a subquery or ARRAY[…]"),
        ('other."City"', "`other` is not the model of this SELECT"),
        ('(SELECT MAX(x) FROM t WHERE t.c = shop_star."City")', "depends on the row around it"),
        ("RANK() OVER (w ORDER BY 1)", "it extends a named window, or one that is not there"),
        ("RANK() OVER nowhere", "it extends a named window, or one that is not there"),
    ],
)
def test_a_clause_that_is_not_answered_is_refused_with_its_reason(expression: str, reason: str) -> None:
    with pytest.raises(UnsupportedQueryError) as error:
        spell_column(expression)

    assert reason in error.value.reason


def test_a_function_that_is_not_known_has_near_names() -> None:
    with pytest.raises(UnsupportedQueryError, match=r"Did you mean `INITCAP`"):
        spell_column('INITCOP("City")')


def test_an_unknown_column_is_told_with_the_clause_around_it() -> None:
    with pytest.raises(UnknownColumnError) as error:
        spell_column('SUM("Amuont")')

    assert (error.value.clause, error.value.near[0]) == ('SUM("Amuont") AS x', "Amount")


@pytest.mark.parametrize(
    ("clause", "reason"),
    [
        ("WHERE RANK() OVER () = 1", "a window function stands in SELECT and ORDER BY only"),
        ('WHERE "City" IN (SELECT 1)', "this is not part of the SQL surface of a model"),
        ("JOIN (SELECT 1 AS n) AS t ON TRUE", "this clause is not part of the SQL surface of a model"),
    ],
)
def test_where_queries_may_not_nest_only_plain_expressions_are_read(clause: str, reason: str) -> None:
    with pytest.raises(UnsupportedQueryError) as error:
        read_query(f"SELECT COUNT(*) FROM shop_star {clause}", nests=False)

    assert reason in error.value.reason


def test_filter_behind_what_is_no_aggregate_is_refused() -> None:
    with pytest.raises(UnsupportedQueryError, match="FILTER belongs to an aggregate function"):
        spell_column('UPPER("City") FILTER (WHERE "Year" = 1)', "duckdb")


@pytest.mark.parametrize(
    ("condition", "key"),
    [("\"City\" = 'x'", True), ("'x'", False), ('"Amount" > 1', False), ('MAX("City")', False), ("1 + 1", False)],
)
def test_attributes_without_an_aggregate_are_a_key(condition: str, key: bool) -> None:
    (statement,) = parse_text(f"SELECT {condition}", "postgres")
    assert statement is not None
    expressions = FlatExpressions(shop_names(), None, "postgres")

    assert is_key(expressions.convert(statement.expressions[0], statement)) is key


def test_what_was_met_is_remembered_by_its_place() -> None:
    expressions = FlatExpressions(shop_names(), None, "postgres")

    places = [
        expressions.metric("Amount"),
        expressions.metric("Amount", method="average"),
        expressions.metric("Amount"),
        expressions.metric("", fact="visits"),
    ]

    assert [place.this for place in places] == ["M0", "M1", "M0", "M2"]
    assert list(expressions.used.metrics) == [
        MeasuredMetric("Amount"),
        MeasuredMetric("Amount", "average"),
        MeasuredMetric("", fact="visits"),
    ]
