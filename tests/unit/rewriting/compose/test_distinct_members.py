"""Distinct members of the rows of several facts: found first, counted then."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_atscale_aggs.engine.rewriting.compose.distinct_members import compose_groups, members_of_groups
from tests.support.stars.asked_star import AskedStar


@pytest.mark.parametrize(
    ("sql", "keys"),
    [
        ('SELECT COUNT(DISTINCT "City"), MAX("Month") FROM market', ["City", "Month"]),
        ('SELECT "City", COUNT(DISTINCT "Month") FROM market', ["City", "Month"]),
        ('SELECT "City", COUNT(DISTINCT "City"), COUNT(DISTINCT "Month") FROM market ORDER BY 2', ["City", "Month"]),
    ],
)
def test_the_members_of_each_group_are_asked_for_first(market: AskedStar, sql: str, keys: list[str]) -> None:
    inner = members_of_groups(market.read(sql))

    assert inner is not None
    assert [inner.name_of_key(place) for place in range(len(inner.keys))] == keys
    assert (inner.members, inner.order_by) == ((), ())
    assert [output.name for output in inner.outputs] == ["key 0", "key 1"]


@pytest.mark.parametrize(
    "sql",
    [
        'SELECT "City", COUNT(DISTINCT "Month"), "Amount" FROM market',
        'SELECT "City", COUNT(DISTINCT "Month") FROM market HAVING "Amount" > 1',
        'SELECT "City", COUNT(DISTINCT "Channel") FROM market',
        'SELECT "City", COUNT(DISTINCT "Shop") FROM market',
        'SELECT "City", MAX("Month") FROM market',
        'SELECT "City", "Month" FROM market',
    ],
    ids=[
        *("a metric is shown", "a metric filters", "one fact reaches them", "members of one dimension"),
        *("the greatest member", "no members"),
    ],
)
def test_other_queries_ask_the_facts_for_more_or_for_less(market: AskedStar, sql: str) -> None:
    assert members_of_groups(market.read(sql)) is None


def test_the_members_are_counted_in_a_query_around_them(market: AskedStar) -> None:
    query = market.read('SELECT "City", COUNT(DISTINCT "Month") AS n FROM market ORDER BY 2 LIMIT 1')
    inner = members_of_groups(query)
    assert inner is not None

    select = compose_groups(query, inner, market.select_of(inner))

    text = select.sql(dialect="duckdb")
    assert text.startswith(
        'SELECT "members of groups"."key 0" AS "City", COUNT(DISTINCT "members of groups"."key 1") AS "n" FROM ('
    )
    assert text.endswith(') AS "members of groups" GROUP BY "members of groups"."key 0" ORDER BY "n" ASC LIMIT 1')


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ('SELECT COUNT(DISTINCT "City") AS n, MAX("Month") AS m FROM market', [(2, "2025-02")]),
        ('SELECT "City", COUNT(DISTINCT "Month") AS n FROM market', [("North", 4), ("South", 2), (None, 2)]),
        ('SELECT "Year", COUNT(DISTINCT "City") AS n FROM market HAVING COUNT(DISTINCT "City") < 2', [(2025, 1)]),
    ],
)
def test_a_member_of_several_facts_counts_once(market: AskedStar, sql: str, rows: list[tuple[Any, ...]]) -> None:
    """North was visited in one of its months without a sale there: 2025-02. South was, too: 2024-01."""
    assert market.answer(sql) == rows
