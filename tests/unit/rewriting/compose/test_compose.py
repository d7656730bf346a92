"""SQL on tables that answers a query: its text for the basic forms, and its rows for the others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlglot import exp

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.rewriting.match.serving import ServingInstance
from tests.support.stars.asked_star import AskedStar, market_model

_SHOPS = '"sales" AS "sales" JOIN "shop" AS "shop" ON "sales"."shop_id" = "shop"."shop_id"'


@pytest.fixture(scope="module")
def instances(market: AskedStar) -> list[ServingInstance]:
    """Aggregates of both facts, with their tables."""
    return [
        market.build(["Month", "City"], ["Amount", "Mean"]),
        market.build(["City"], ["Visitors"], "visits"),
        market.build(["Kind"], ["Amount"]),
    ]


@pytest.mark.parametrize(
    ("sql", "composed"),
    [
        (
            """SELECT "City", "Amount" FROM market WHERE "City" = 'North' OR "City" = 'South'""",
            (
                f'SELECT "shop"."city" AS "City", SUM("sales"."amount") AS "Amount" FROM {_SHOPS} '
                """WHERE "shop"."city" = 'North' OR "shop"."city" = 'South' GROUP BY "shop"."city\""""
            ),
        ),
        (
            'SELECT "Amount", "Visitors" FROM market',
            (
                'WITH "sales" AS (SELECT SUM("sales"."amount") AS "Amount" FROM "sales" AS "sales"), '
                '"visits" AS (SELECT SUM("visits"."visitors") AS "Visitors" FROM "visits" AS "visits") '
                'SELECT "sales"."Amount" AS "Amount", "visits"."Visitors" AS "Visitors" '
                'FROM "sales" CROSS JOIN "visits"'
            ),
        ),
        (
            'SELECT "Channel", "Amount", "Guests", "Passers" FROM market',
            (
                'WITH "sales" AS (SELECT "sales"."channel" AS "Channel", SUM("sales"."amount") AS "Amount" '
                'FROM "sales" AS "sales" GROUP BY "sales"."channel"), '
                '"visits" AS (SELECT SUM("visits"."visitors") AS "Guests" FROM "visits" AS "visits") '
                'SELECT "sales"."Channel" AS "Channel", "sales"."Amount" AS "Amount", "visits"."Guests" AS "Guests", '
                'CAST(NULL AS BIGINT) AS "Passers" FROM "sales" CROSS JOIN "visits"'
            ),
        ),
    ],
    ids=["one fact", "two facts without keys", "a repeated fact, and one that gives nothing"],
)
def test_the_text_of_the_basic_forms(market: AskedStar, sql: str, composed: str) -> None:
    assert market.sql_of(sql) == composed


def test_the_rows_of_two_facts_are_combined_key_by_key(market: AskedStar) -> None:
    text = market.sql_of('SELECT "City", "Amount", "Visitors" FROM market')

    assert text.endswith(
        'SELECT "all_parts"."City" AS "City", MAX("all_parts"."Amount") AS "Amount", '
        'MAX("all_parts"."Visitors") AS "Visitors" FROM ('
        'SELECT "sales"."City", "sales"."Amount" AS "Amount", '
        '(SELECT "visits"."Visitors" FROM "visits" WHERE FALSE) AS "Visitors" FROM "sales" UNION ALL '
        'SELECT "visits"."City", (SELECT "sales"."Amount" FROM "sales" WHERE FALSE) AS "Amount", '
        '"visits"."Visitors" AS "Visitors" FROM "visits") AS "all_parts" GROUP BY "all_parts"."City"'
    )


def test_an_aggregate_takes_the_place_of_its_fact(market: AskedStar, instances: list[ServingInstance]) -> None:
    sql = """SELECT "City", "Amount" FROM market WHERE "Month" = '2024-01'"""

    assert market.sql_of(sql, instances) == (
        'SELECT "agg"."city" AS "City", SUM("agg"."sum_amount") AS "Amount" FROM "by Month, City" AS "agg" '
        """WHERE "agg"."day_matched" = 1 AND "agg"."shop_matched" = 1 AND "agg"."month" = '2024-01' """
        'GROUP BY "agg"."city"'
    )


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ('SELECT "City", "Amount" FROM market', [("North", 115), ("South", 40), (None, 160)]),
        ("""SELECT "Amount" FROM market WHERE "City" = 'Nowhere'""", [(None,)]),
        ("""SELECT "City", "Amount" FROM market WHERE "City" = 'Nowhere'""", []),
        ('SELECT 1 AS one, "Amount" FROM market GROUP BY 1', [(1, 635)]),
        ("""SELECT 1 AS one, "Amount" FROM market WHERE "City" = 'Nowhere' GROUP BY 1""", []),
        ("""SELECT 'x' AS x, "City" FROM market GROUP BY 1, 2""", [("x", "North"), ("x", "South"), ("x", None)]),
        ("""SELECT 1 AS one FROM market WHERE "City" = 'Nowhere' GROUP BY "City" """, []),
        ('SELECT "City", MAX("Shop") FROM market', [("North", "North 2"), ("South", "South"), (None, "Closed")]),
        ('SELECT MIN("City"), MAX("Month"), "Amount" FROM market', [("North", "2025-02", 315)]),
        (
            """SELECT SUM("Amount") FILTER (WHERE "City" = 'North' OR "Channel" = 'till'), "Lines" FROM market""",
            [(115, 7)],
        ),
        ('SELECT "Channel", "Amount in North" FROM market', [("till", 20), ("web", 95), (None, None)]),
        ('SELECT "Middle", "Quarters_instance_0.25" FROM market', [(40, 15)]),
        (
            'SELECT "City", "Last Quantity", "Quantity", MAX("Month") FROM market',
            [("North", 2, 8, "2025-01"), ("South", 1, 1, "2024-02"), (None, 1, 1, "2025-02")],
        ),
        (
            'SELECT "City" AS "Amount", "Amount" AS "City" FROM market ORDER BY 2 LIMIT 2',
            [("South", 40), ("North", 115)],
        ),
    ],
)
def test_one_fact_gives_one_flat_select(market: AskedStar, sql: str, rows: list[tuple[Any, ...]]) -> None:
    """A row whose shop is not there is left out where a shop or its city is used."""
    assert market.answer(sql) == rows


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ('SELECT "Kind", "Amount", COUNT(*) FROM market', [("Media", 155, 6), ("Other", 15, 2)]),
        (
            """SELECT "Amount", COUNT(*), "Customers" FROM market WHERE "Kind" IN ('Media', 'Other')""",
            [(155, 6, 3)],
        ),
        ('SELECT "City", MAX("Reason"), "Amount" FROM market', [("North", "TV", 115), ("South", "TV", 40)]),
        (
            (
                """SELECT SUM("Amount") FILTER (WHERE "Reason" <> 'x'), """
                """SUM("Amount") FILTER (WHERE "Reason" = 'TV'), "Amount" """
                "FROM market"
            ),
            [(155, 140, 635)],
        ),
        (
            (
                """SELECT "City", SUM("Amount") FILTER (WHERE "Kind" = 'Media' OR "Channel" = 'till'), "Lines" """
                "FROM market"
            ),
            [("North", 115, 4), ("South", 40, 1), (None, None, 1)],
        ),
    ],
)
def test_a_row_that_several_members_lead_to_counts_once_in_each_group(
    market: AskedStar, sql: str, rows: list[tuple[Any, ...]]
) -> None:
    """Order 1 has a price and an advert, order 2 an advert and TV, order 3 TV; the other orders have no reason."""
    assert market.answer(sql) == rows


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        (
            'SELECT "City", "Amount", "Visitors" FROM market',
            [("North", 115, 3), ("South", 40, 5), (None, 160, 11)],
        ),
        (
            """SELECT "City", "Month", "Amount" AS a, "Visitors" AS v FROM market WHERE "Month" < '2025'""",
            [
                *(("North", "2024-01", 35, 3), ("North", "2024-02", None, None)),
                *(("South", "2024-01", None, 5), ("South", "2024-02", 40, None)),
            ],
        ),
        ('SELECT "City", "Amount" FROM market HAVING "Visitors" > 4', [("South", 40), (None, 160)]),
        ('SELECT "City", "Amount" FROM market ORDER BY "Visitors" DESC NULLS LAST LIMIT 1', [(None, 160)]),
        (
            'SELECT "City", MIN("Month"), "Amount", "Visitors" FROM market WHERE "Shop" <> \'South\'',
            [("North", "2024-01", 115, 3), (None, "2025-01", 160, 11)],
        ),
        ('SELECT MAX("Month"), "Amount", "Visitors" FROM market', [("2025-02", 315, 26)]),
        (
            'SELECT "City", "Channel", "Amount", "Guests" FROM market',
            [("North", "till", 20, 3), ("North", "web", 95, 3), ("South", "web", 40, 5), (None, None, 160, 11)],
        ),
        ("""SELECT "Amount", "Guests" FROM market WHERE "Channel" = 'web'""", [(455, 26)]),
        ("SELECT COUNT(*) FROM market", [(13,)]),
        ('SELECT "City", COUNT(*) FROM market', [("North", 7), ("South", 2), (None, 2)]),
    ],
)
def test_several_facts_are_each_grouped_by_themselves(market: AskedStar, sql: str, rows: list[tuple[Any, ...]]) -> None:
    assert market.answer(sql) == rows


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        (
            'SELECT "Month", "Amount", "Amount Before" FROM market',
            [("2024-01", 35, None), ("2024-02", 40, 35), ("2025-01", 80, None), ("2025-02", 160, 80)],
        ),
        (
            'SELECT "Month", "Amount to Date", "Amount Year Ago" FROM market',
            [("2024-01", 35, None), ("2024-02", 75, None), ("2025-01", 80, 35), ("2025-02", 240, 40)],
        ),
        (
            'SELECT "Month", "Moving Amount", "Mean to Date" FROM market',
            [("2024-01", 35, 35 / 3), ("2024-02", 37.5, 75 / 4), ("2025-01", 80, 80), ("2025-02", 120, 120)],
        ),
        (
            'SELECT "Month", "City", "Amount to Date" FROM market',
            [
                *(("2024-01", "North", 35), ("2024-02", "North", 35), ("2024-02", "South", 40)),
                *(("2025-01", "North", 80), ("2025-02", None, 160)),
            ],
        ),
        ('SELECT "City", "Amount per City" FROM market', [("North", 77.5), ("South", 77.5), (None, 77.5)]),
        (
            'SELECT "City", "Month", "Amount", "Amount of All Shops" FROM market WHERE "Year" = 2024',
            [("North", "2024-01", 35, 35), ("North", "2024-02", None, 40), ("South", "2024-02", 40, 40)],
        ),
        ('SELECT "City", "Amount of Spring" FROM market', [("North", None), ("South", 40), (None, None)]),
        ('SELECT "City", "Amount Before" FROM market', [("North", None), ("South", None), (None, None)]),
        ('SELECT "Amount of Spring", "Amount per City", "Amount of All Shops" FROM market', [(40, 77.5, 635)]),
        (
            'SELECT "Month", "Amount Before", "Visitors" FROM market',
            [("2024-01", None, 8), ("2024-02", 35, 7), ("2025-01", None, 11), ("2025-02", 80, None)],
        ),
    ],
)
def test_metrics_at_other_members_are_shown_where_the_fact_has_rows(
    market: AskedStar, sql: str, rows: list[tuple[Any, ...]]
) -> None:
    """Nothing was sold in 2024-03, so 2025-01 has no value before it."""
    assert market.answer(sql) == rows


@pytest.mark.parametrize(
    ("join", "rows"),
    [
        ("""JOIN (VALUES ('North', 1), ('East', 2)) AS v (n, w) ON v.n = m."City" """, [("North", 115, 1)]),
        (
            """LEFT JOIN (VALUES ('North', 1), ('East', 2)) AS v (n, w) ON v.n = m."City" """,
            [("North", 115, 1), ("South", 40, None), (None, 160, None)],
        ),
        ("CROSS JOIN (VALUES (1), (2)) AS v (w)", [("North", 230, 2), ("South", 80, 2), (None, 320, 2)]),
        ("LEFT JOIN (VALUES (1), (2)) AS v (w) ON TRUE", [("North", 230, 2), ("South", 80, 2), (None, 320, 2)]),
    ],
)
def test_relations_are_joined_before_rows_are_grouped(
    market: AskedStar, join: str, rows: list[tuple[Any, ...]]
) -> None:
    assert market.answer(f'SELECT m."City", SUM(m."Amount"), MAX(v.w) FROM market AS m {join} GROUP BY 1') == rows


def test_a_left_join_without_a_condition_meets_every_row(market: AskedStar) -> None:
    query = market.read(
        'SELECT v.w, SUM(m."Amount") FROM market AS m LEFT JOIN (VALUES (1), (2)) AS v (w) ON TRUE GROUP BY 1'
    )
    bare = replace(query, joins=tuple(replace(join, on=None) for join in query.joins))

    assert 'LEFT JOIN "subquery 1" ON TRUE' in market.select_of(bare).sql(dialect="duckdb")


def test_the_default_member_s_key_column_is_compared(market: AskedStar) -> None:
    rule = "    filter_empty: 'yes'\n"
    default = f"{rule}    default_member: {{expression: '[Shops].[Shop].&[3]'}}\n"
    star = market.changed(market_model(("shops", rule, default)))

    assert star.answer('SELECT "Amount" FROM market') == [(40,)]


@pytest.mark.parametrize(
    ("sql", "clause", "reason"),
    [
        (
            """SELECT "Last Quantity" FROM market WHERE "Reason" <> 'x'""",
            *("`Last Quantity`", "Group by the attribute itself, or leave it out"),
        ),
        (
            """SELECT SUM(m."Amount") FROM market AS m JOIN (VALUES ('Media')) AS v (n) ON v.n = m."Kind" """,
            *("`JOIN`", "Put `SELECT … FROM model` into a subquery and join that"),
        ),
    ],
)
def test_what_cannot_be_counted_once_is_refused(market: AskedStar, sql: str, clause: str, reason: str) -> None:
    with pytest.raises(UnsupportedQueryError) as error:
        market.answer(sql)

    assert clause in str(error.value)
    assert reason in str(error.value)


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ('SELECT "City", "Amount", "Mean", "Visitors" FROM market', ["by City", "by Month, City"]),
        ("""SELECT "Amount" FROM market WHERE "City" = 'North' AND "Month" > '2024-01'""", ["by Month, City"]),
        ('SELECT MIN("City"), MAX("Month"), "Amount" FROM market', ["by Month, City"]),
        ('SELECT "Kind", "Amount" FROM market', ["by Kind"]),
        ('SELECT "Month", "Amount to Date", "Amount Year Ago" FROM market', ["by Month, City"]),
        ("""SELECT SUM("Amount") FILTER (WHERE "Month" = '2024-01'), "Highest" FROM market""", []),
        ("""SELECT "City", SUM("Amount") FILTER (WHERE "Month" = '2024-01') AS a FROM market""", ["by Month, City"]),
        ('SELECT "City", "Amount per City", "Amount of Spring" FROM market', ["by Month, City"]),
        ('SELECT "City", "Amount", COUNT(*) FROM market HAVING "Visitors" > 4', ["by City", "by Month, City"]),
    ],
)
def test_answers_from_aggregates_are_those_from_the_facts(
    market: AskedStar, instances: list[ServingInstance], sql: str, tables: list[str]
) -> None:
    select = market.select_of(market.read(sql), instances)
    read = {table.name for table in select.find_all(exp.Table)} & {instance.table for instance in instances}

    assert sorted(read) == tables
    assert market.answer(sql, instances) == market.answer(sql)


def test_names_that_are_taken_get_a_number_whatever_their_case(market: AskedStar) -> None:
    amount = market.model.metrics["Amount"]
    more = {name: replace(amount, name=name, column="quantity") for name in ("amount", "city")}
    star = market.changed(replace(market.model, metrics={**market.model.metrics, **more}))

    text = star.sql_of('SELECT "City", "Amount", "amount", "city", "Visitors" FROM market')

    assert 'AS "City", SUM("sales"."amount") AS "Amount", ' in text
    assert 'SUM("sales"."quantity") AS "amount 2", SUM("sales"."quantity") AS "city 2"' in text


def test_long_names_are_cut_before_a_warehouse_cuts_them(market: AskedStar) -> None:
    """Two bytes a letter: 27 letters and a half are 55 bytes."""
    names = [f"{'ä' * 40} {number}" for number in (1, 2)]
    amount = market.model.metrics["Amount"]
    more = {name: replace(amount, name=name, column="quantity") for name in names}
    star = market.changed(replace(market.model, metrics={**market.model.metrics, **more}))

    text = star.sql_of(f'SELECT "City", "{names[0]}" AS a, "{names[1]}" AS b, "Visitors" FROM market')

    assert f'AS "{"ä" * 27}", ' in text
    assert f'AS "{"ä" * 27} 2" ' in text
    assert "ä" * 28 not in text


@pytest.mark.parametrize(
    ("calculation", "table"),
    [
        ("Amount Before", "sales 1 before"),
        ("Amount Year Ago", "sales 1 Year before"),
        ("Amount to Date", "sales up to date in Year"),
        ("Moving Amount", "sales around"),
        ("Amount of Spring", "sales over members"),
        ("Amount of All Shops", "sales of all"),
        ("Two After", "sales 2 after"),
    ],
)
def test_the_table_of_a_shifted_metric_is_named_after_its_shift(
    market: AskedStar, calculation: str, table: str
) -> None:
    two_after = "([Calendar].[Calendar levels].CurrentMember.Lead(2), [Measures].[Amount])"
    star = market.with_calculations({"Two After": two_after})

    assert f'"{table}" AS (' in star.sql_of(f'SELECT "Month", "{calculation}" FROM market')


def test_members_without_facts_are_added_to_the_rows_of_the_facts(market: AskedStar) -> None:
    """Two months of 2024 have facts, and three cities are there, one of them without a name."""
    star = market.changed(market_model(("shops", "filter_empty: 'yes'", "filter_empty: 'no'")))
    sql = 'SELECT "Month", "City", "Amount", "Amount Before", "Visitors" FROM market WHERE "Day" < \'2024-02-07\''

    assert star.answer(sql) == [
        ("2024-01", "North", 35, None, 3),
        ("2024-01", "South", None, None, 5),
        ("2024-01", None, None, None, None),
        ("2024-02", "North", None, 35, None),
        ("2024-02", "South", 40, None, None),
        ("2024-02", None, None, None, 7),
    ]
