"""Members without facts: which ones a query shows, and which queries cannot say it."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.rewriting.split.empty_member_parts import empty_member_queries
from tests.support.part_text import part_text
from tests.support.stars.asked_star import SHOPS_ON_TWO_TABLES, AskedStar, market_model

_ALL_SHOPS = ("shops", "filter_empty: 'yes'", "filter_empty: 'no'")
_ALL_DAYS = ("calendar", "filter_empty: 'yes'", "filter_empty: 'no'")


def _members(market: AskedStar, sql: str, *changes: tuple[str, str, str]) -> list[str]:
    star = market.changed(market_model(*changes))
    query = star.read(sql)
    return [part_text(query, part) for part in empty_member_queries(query, star.split(sql), star.model, star.paths)]


@pytest.mark.parametrize(
    ("sql", "members"),
    [
        ('SELECT "City", "Amount" FROM market', ["shop by City"]),
        ('SELECT "City", "Shop", "Month", "Amount" FROM market', ["shop by City, Shop"]),
        ('SELECT UPPER("City") AS c, "Amount" FROM market', ["shop by c"]),
        (
            """SELECT "City", "Amount" FROM market WHERE "City" <> 'South'""",
            ["""shop by City where "City" <> 'South'"""],
        ),
        (
            """SELECT "City", "Amount" FROM market WHERE "Shop" <> 'South' AND "Month" = '2024-01'""",
            ["""shop by City where "Shop" <> 'South'"""],
        ),
        ('SELECT "City", "Amount", "Visitors" FROM market', ["shop by City"]),
        ('SELECT "Month", "Amount" FROM market', []),
        ("""SELECT "Month", "Amount" FROM market WHERE "City" = 'North'""", []),
        ('SELECT "Amount" FROM market', []),
        ('SELECT "City" FROM market', []),
    ],
)
def test_all_members_are_shown_where_the_model_says_so(market: AskedStar, sql: str, members: list[str]) -> None:
    """Conditions on the dimension itself choose among its members, conditions on others choose facts."""
    assert _members(market, sql, _ALL_SHOPS) == members


def test_each_dimension_shows_its_own_members(market: AskedStar) -> None:
    sql = 'SELECT "City", "Month", "Channel", "Amount" FROM market'

    assert _members(market, sql, _ALL_SHOPS, _ALL_DAYS) == ["day by Month", "shop by City"]
    assert _members(market, sql) == []


@pytest.mark.parametrize(
    "sql",
    [
        """SELECT "City", "Amount" FROM market WHERE "City" = 'North' OR "Month" = '2024-01'""",
        'SELECT "City" || "Month" AS x, "Amount" FROM market',
    ],
)
def test_what_binds_its_members_to_others_is_refused(market: AskedStar, sql: str) -> None:
    """Nobody can say of a member without facts whether it meets the condition."""
    with pytest.raises(UnsupportedQueryError, match="`Shops` is not answered: all members of `Shops` are shown"):
        _members(market, sql, _ALL_SHOPS)


def test_members_that_are_aggregated_are_refused(market: AskedStar) -> None:
    with pytest.raises(UnsupportedQueryError, match=r"`MAX` is not answered: .* also those without facts"):
        _members(market, 'SELECT "City", MAX("Shop"), "Amount" FROM market', _ALL_SHOPS)


def test_members_that_no_dataset_has_together_are_refused(market: AskedStar) -> None:
    sql = 'SELECT "City", "Opening", "Amount" FROM market'

    with pytest.raises(UnsupportedQueryError, match="no dataset of it has them all"):
        _members(market, sql, _ALL_SHOPS, *SHOPS_ON_TWO_TABLES)


def test_members_without_facts_stand_beside_the_others(market: AskedStar) -> None:
    """South and the shop without a city sold nothing in 2024-01, and nobody sold anything in 2024-03."""
    star = market.changed(market_model(_ALL_SHOPS, _ALL_DAYS))

    assert star.answer("""SELECT "City", "Amount" FROM market WHERE "Month" = '2024-01'""") == [
        ("North", 35),
        ("South", None),
        (None, None),
    ]
    assert star.answer('SELECT "Month", "Amount" FROM market') == [
        *(("2024-01", 35), ("2024-02", 40), ("2024-03", None), ("2025-01", 80), ("2025-02", 160)),
        (None, 320),
    ]
