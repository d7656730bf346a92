"""Which rows of an aggregate could fall into one group of a query, and how fresh an aggregate is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from airflow_atscale_aggs.engine.rewriting.match.serving import fragile_metrics, not_single_rows
from tests.support.stars.asked_star import AskedStar

_NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("as_of", "since", "is_fresh"),
    [
        (None, None, True),
        (_NOON, None, True),
        (_NOON, _NOON, True),
        (_NOON.replace(hour=13), _NOON, True),
        (_NOON.replace(hour=11), _NOON, False),
        (None, _NOON, False),
    ],
)
def test_an_instance_knows_the_facts_of_the_moment_at_which_its_build_began(
    market: AskedStar, as_of: datetime | None, since: datetime | None, is_fresh: bool
) -> None:
    instance = replace(market.instance(["City"], ["Amount"]), as_of=as_of)

    assert instance.is_fresh(since) is is_fresh


def test_the_layout_names_the_columns_of_the_table(market: AskedStar) -> None:
    instance = market.instance(["Shop"], ["Mean"])

    assert set(instance.layout.names) == {
        *("shop_key", "shop", "shop_matched"),
        *("count_amount", "sum_amount", "row_count"),
    }


@pytest.mark.parametrize(
    ("sql", "blurred"),
    [
        ('SELECT "City", "Customers" FROM market', []),
        ("""SELECT "Customers" FROM market WHERE "City" = 'North'""", []),
        ("""SELECT "City", "Month", "Customers" FROM market""", []),
        ("""SELECT "City", "Customers" FROM market WHERE "Month" IN ('2024-01')""", []),
        ("""SELECT SUM("Customers") FILTER (WHERE "City" = 'North') AS c FROM market""", []),
        ("""SELECT "Customers" FROM market WHERE "City" IN ('North', 'South')""", ["City"]),
        ("""SELECT "City", "Customers" FROM market WHERE "Month" > '2024-01'""", ["Month"]),
        ("""SELECT UPPER("City") AS c, "Customers" FROM market""", ["City"]),
        ("""SELECT "Shop", "Customers" FROM market""", ["Shop"]),
        ("""SELECT "Customers", SUM("Customers") FILTER (WHERE "City" = 'North') AS c FROM market""", ["City"]),
        ("""SELECT "Amount", SUM("Customers") FILTER (WHERE "City" = 'North') AS c FROM market""", []),
        ("""SELECT SUM("Amount") FILTER (WHERE "City" = 'North') AS c FROM market""", ["City"]),
    ],
    ids=[
        *("key", "pinned", "two keys", "list of one", "pinned by the metric"),
        *("list", "range", "expression", "name is no key", "another metric is not pinned"),
        *("a metric that rolls up needs no pin", "only fragile metrics pin"),
    ],
)
def test_a_group_is_one_row_where_each_attribute_is_a_key_or_has_one_value(
    market: AskedStar, sql: str, blurred: list[str]
) -> None:
    query, fact_query = market.only_part(sql)

    assert [attribute.query_name for attribute in not_single_rows(query, fact_query)] == blurred


def test_only_exact_distinct_counts_are_bound_to_their_own_grain(market: AskedStar) -> None:
    _, fact_query = market.only_part('SELECT "City", "Amount", "Customers", "Mean", COUNT(*) FROM market')

    assert fragile_metrics(fact_query) == ("Customers",)
