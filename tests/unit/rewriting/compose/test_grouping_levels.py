"""ROLLUP, CUBE and GROUPING SETS: one query for each level, one below the other."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_atscale_aggs.engine.rewriting.compose.grouping_levels import compose_levels, level_queries
from airflow_atscale_aggs.engine.rewriting.model_query import Ref, references
from tests.support.stars.asked_star import AskedStar


@pytest.mark.parametrize(
    ("grouped", "levels"),
    [
        ('ROLLUP ("City", "Month")', [["City", "Month"], ["City"], []]),
        ('CUBE ("City", "Month")', [["City", "Month"], ["City"], ["Month"], []]),
        ('GROUPING SETS (("Month"), ("City"))', [["Month"], ["City"]]),
        ('"City", ROLLUP ("Month")', [["City", "Month"], ["City"]]),
    ],
)
def test_each_level_is_a_query_on_its_own_keys(market: AskedStar, grouped: str, levels: list[list[str]]) -> None:
    query = market.read(
        f'SELECT DISTINCT "City", "Month", "Amount", MAX("Shop") FROM market GROUP BY {grouped} '
        'HAVING "Amount" > 1 ORDER BY 1 LIMIT 2'
    )

    queries = level_queries(query)

    assert [[level.name_of_key(place) for place in range(len(level.keys))] for level in queries] == levels
    for level in queries:
        assert (level.sets, level.having, level.order_by, level.limit, level.is_distinct) == ((), None, (), None, False)
        assert level.metrics == query.metrics
        places = {place for output in level.outputs for place in references(output.expression, Ref.KEY)}
        assert places == set(range(len(level.keys)))


def test_all_levels_are_of_the_rows_that_have_a_member_of_every_dimension(market: AskedStar) -> None:
    query = market.read('SELECT "City", "Month", "Amount" FROM market GROUP BY ROLLUP ("City", "Month")')

    for level in level_queries(query):
        assert {query.attributes[place].name for place in level.required_joins} == {"City", "Month"}


def test_levels_without_metrics_say_that_their_rows_are_there(market: AskedStar) -> None:
    levels = level_queries(market.read('SELECT "City" FROM market GROUP BY ROLLUP ("City")'))

    assert [[output.name for output in level.outputs] for level in levels] == [["key 0", "is there"], ["is there"]]


def test_a_key_that_a_level_has_not_is_a_null_of_its_type(market: AskedStar) -> None:
    query = market.read('SELECT "City", "Amount", GROUPING("City") AS g FROM market GROUP BY ROLLUP ("City")')
    selects = [market.select_of(level) for level in level_queries(query)]

    text = compose_levels(query, selects).sql(dialect="duckdb")

    assert text.startswith('WITH "level 1" AS (SELECT ')
    assert (
        'SELECT "levels"."key 0" AS "City", "levels"."metric 0" AS "Amount", "levels"."grouping 0" AS "g" FROM ('
        'SELECT "level 1"."key 0", "level 1"."metric 0", 0 AS "grouping 0" FROM "level 1" UNION ALL '
        'SELECT (SELECT NULLIF("level 1"."key 0", "level 1"."key 0") FROM "level 1" WHERE FALSE) AS "key 0", '
        '"level 2"."metric 0", '
        '1 AS "grouping 0" FROM "level 2") AS "levels"'
    ) in text


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        (
            'SELECT "City", "Amount", COUNT(*) FROM market GROUP BY ROLLUP ("City")',
            [("North", 115, 5), ("South", 40, 1), (None, 160, 1), (None, 315, 7)],
        ),
        (
            'SELECT "Year", "City", "Amount", GROUPING("Year", "City") AS g FROM market GROUP BY CUBE ("Year", "City")',
            [
                *((2024, "North", 35, 0), (2024, "South", 40, 0), (2024, None, 75, 1)),
                *((2025, "North", 80, 0), (2025, None, 160, 0), (2025, None, 240, 1)),
                *((None, "North", 115, 2), (None, "South", 40, 2), (None, None, 160, 2), (None, None, 315, 3)),
            ],
        ),
        (
            'SELECT "City", "Customers" FROM market GROUP BY ROLLUP ("City") ORDER BY 2 DESC, 1 LIMIT 2',
            [(None, 3), ("North", 2)],
        ),
        (
            (
                'SELECT "City", MAX("Shop"), "Amount" FROM market '
                'GROUP BY GROUPING SETS (("City"), ()) HAVING "Amount" < 200'
            ),
            [("North", "North 2", 115), ("South", "South", 40), (None, "Closed", 160)],
        ),
        ('SELECT "City" FROM market GROUP BY ROLLUP ("City")', [("North",), ("South",), (None,), (None,)]),
        ('SELECT DISTINCT 1 AS one FROM market GROUP BY ROLLUP ("City")', [(1,)]),
        ('SELECT 1 AS one FROM market WHERE "City" IS NOT NULL GROUP BY GROUPING SETS (())', [(1,)]),
        (
            'SELECT "Kind", "Amount" FROM market GROUP BY ROLLUP ("Kind")',
            [("Media", 155), ("Other", 15), (None, 155)],
        ),
    ],
    ids=[
        *("totals", "cube", "distinct counts are counted anew", "clauses on all levels", "no metrics", "distinct"),
        *("no keys", "many-to-many"),
    ],
)
def test_the_levels_stand_below_each_other(market: AskedStar, sql: str, rows: list[tuple[Any, ...]]) -> None:
    """The row whose shop is not there is in no level; neither is the one whose order has no reason."""
    assert market.answer(sql) == rows
