"""How many fact rows a query reads: those that an index leads to, or all."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.rewriting.match.fact_cost import FactCost, cost_on_facts, statistics_of
from airflow_atscale_aggs.engine.sql.table_statistics import ColumnStatistics, TableStatistics
from tests.support.stars.asked_star import AskedStar

_ROWS = 12_000

_STATISTICS = {
    ("main", "sales"): TableStatistics(
        rows=_ROWS,
        columns={
            "day_id": ColumnStatistics(is_indexed=True, correlation=-0.95),
            "shop_id": ColumnStatistics(is_indexed=True, correlation=0.1),
            "order_id": ColumnStatistics(is_indexed=True),
            "channel": ColumnStatistics(distinct=3, correlation=1.0),
        },
    ),
    ("main", "day"): TableStatistics(
        rows=100,
        columns={"day_name": ColumnStatistics(distinct=100), "month": ColumnStatistics(distinct=12)},
    ),
    ("main", "shop"): TableStatistics(
        rows=50, columns={"shop_name": ColumnStatistics(distinct=50), "city": ColumnStatistics(distinct=2)}
    ),
}
"""Sales are indexed by day, in the order of days, and by shop, scattered; 100 days, 12 months, 50 shops, 2 cities."""

_ALL = FactCost(_ROWS, _ROWS)


@pytest.mark.parametrize(
    ("condition", "cost"),
    [
        (""""Day" = '2024-01-30'""", FactCost(_ROWS, _ROWS // 100, "day_id")),
        (""""Month" = '2024-01'""", FactCost(_ROWS, _ROWS // 12, "day_id")),
        (""""Month" IN ('2024-01', '2024-02')""", FactCost(_ROWS, _ROWS // 6, "day_id")),
        (""""Day" >= '2024-01-30'""", FactCost(_ROWS, _ROWS // 3, "day_id")),
        (""""Day" BETWEEN '2024-01-30' AND '2024-02-06'""", FactCost(_ROWS, _ROWS // 3, "day_id")),
        (""""Shop" = 'South'""", FactCost(_ROWS, 4 * _ROWS // 50, "shop_id")),
        (""""Month" = '2024-01' AND "Shop" = 'South'""", FactCost(_ROWS, 4 * _ROWS // 50, "shop_id")),
        (""""Month" = '2024-01' AND "Day" >= '2024-01-30'""", FactCost(_ROWS, _ROWS // 36, "day_id")),
    ],
    ids=[
        *("a day", "a month of days", "two months", "a range", "between", "scattered rows count four times"),
        *("the cheaper index", "two conditions on one column"),
    ],
)
def test_an_index_leads_to_the_rows_that_a_condition_keeps(market: AskedStar, condition: str, cost: FactCost) -> None:
    _, fact_query = market.only_part(f'SELECT "Amount" FROM market WHERE {condition}')

    assert cost_on_facts(fact_query, market.sources, _STATISTICS) == cost


@pytest.mark.parametrize(
    "condition",
    [
        "",
        """WHERE "Channel" = 'web'""",
        """WHERE "City" = 'North'""",
        """WHERE "Day" <> '2024-01-30'""",
        """WHERE "Day" LIKE '2024%'""",
        """WHERE UPPER("Day") = '2024-01-30'""",
        """WHERE "Day" = '2024-01-30' OR "Shop" = 'South'""",
        """WHERE "Year" = 2024""",
        """WHERE "Kind" = 'Media'""",
    ],
    ids=[
        *("no condition", "no index", "half of the rows, scattered", "other than", "pattern", "expression"),
        *("two attributes", "nobody knows how many years", "many-to-many"),
    ],
)
def test_all_rows_are_read_where_none_does(market: AskedStar, condition: str) -> None:
    _, fact_query = market.only_part(f'SELECT "Amount" FROM market {condition}')

    assert cost_on_facts(fact_query, market.sources, _STATISTICS) == _ALL


def test_a_row_is_read_at_the_least(market: AskedStar) -> None:
    _, fact_query = market.only_part("""SELECT "Amount" FROM market WHERE "Day" = '2024-01-30'""")
    few = {**_STATISTICS, ("main", "sales"): TableStatistics(rows=7, columns=_STATISTICS["main", "sales"].columns)}

    assert cost_on_facts(fact_query, market.sources, few) == FactCost(7, 1, "day_id")


def test_nothing_is_known_of_a_table_that_the_warehouse_is_silent_about(market: AskedStar) -> None:
    _, fact_query = market.only_part('SELECT "Visitors" FROM market')

    assert cost_on_facts(fact_query, market.sources, _STATISTICS) is None
    assert statistics_of("visits", market.sources, _STATISTICS) is None
    assert statistics_of("shop", market.sources, _STATISTICS) == _STATISTICS["main", "shop"]
