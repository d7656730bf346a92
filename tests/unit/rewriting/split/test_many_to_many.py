"""Which queries may meet a row by several members of a many-to-many attribute."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_atscale_aggs.engine.model.paths import EmptyMember, JoinKind, JoinStep
from airflow_atscale_aggs.engine.rewriting.split.many_to_many import (
    fixed_places,
    has_several_members,
    is_told_apart,
    several_members,
)
from tests.support.stars.asked_star import AskedStar, market_model


@pytest.mark.parametrize(
    ("sql", "several"),
    [
        ('SELECT "Amount" FROM market', []),
        ('SELECT "City", "Amount" FROM market', []),
        ('SELECT "Kind", "Amount" FROM market', []),
        ("""SELECT "Amount" FROM market WHERE "Kind" = 'Media'""", []),
        ("""SELECT "Kind", "Amount" FROM market WHERE "Reason" = 'TV'""", []),
        ("""SELECT "Amount" FROM market WHERE "Kind" IN ('Media', 'Other')""", ["Kind"]),
        ("""SELECT "Kind", "Amount" FROM market WHERE "Reason" <> 'TV'""", ["Reason"]),
        ("""SELECT SUM("Amount") FILTER (WHERE "Kind" = 'Media') AS a FROM market""", ["Kind"]),
        ('SELECT LEFT("Kind", 1) AS k, "Amount" FROM market', ["Kind"]),
    ],
)
def test_a_row_counts_once_where_its_member_is_a_key_or_one_value(
    market: AskedStar, sql: str, several: list[str]
) -> None:
    query, fact_query = market.only_part(sql)

    assert [bound.attribute.name for bound in several_members(query, fact_query)] == several
    assert has_several_members(query, fact_query) is bool(several)


def test_rows_that_stay_without_a_member_may_be_met_twice(market: AskedStar) -> None:
    """NULL is then a member without a name, or none."""
    star = market.changed(market_model(("reasons", "filter_empty: 'yes'", "filter_empty: 'no'")))

    assert has_several_members(*star.only_part('SELECT "Kind", "Amount" FROM market'))


def test_members_alone_are_met_once(market: AskedStar) -> None:
    assert not has_several_members(*market.only_part("""SELECT "Kind" FROM market WHERE "Reason" <> 'TV'"""))


_TO_SHOP = JoinStep(JoinKind.UNIQUE_KEY, "sales", ("shop_id",), "shop", ("shop_id",))
_TO_CITY = JoinStep(JoinKind.UNIQUE_KEY, "shop", ("city",), "town", ("city",))


@pytest.mark.parametrize(
    ("changes", "is_one"),
    [
        ({}, True),
        ({"key_columns": ("city_id",)}, False),
        ({"key_columns": ("state", "city")}, False),
        ({"empty": EmptyMember("none", ("-1",))}, False),
        ({"filter_empty": "no"}, False),
        ({"filter_empty": "no", "steps": ()}, True),
        ({"filter_empty": "no", "key_columns": ("shop_id",), "name_column": "shop_id"}, True),
        ({"filter_empty": "no", "steps": (_TO_SHOP, _TO_CITY)}, True),
        ({"filter_empty": "no", "steps": (_TO_SHOP, _TO_CITY), "key_columns": ("shop_id",)}, False),
    ],
    ids=[
        *("the name is the key", "another key", "a longer key", "a named member for none"),
        *("NULL is a city without a name, or no shop", "a column of the fact", "NULL is no shop"),
        *("NULL is no city", "another key than that of the last join"),
    ],
)
def test_one_value_stands_for_one_member(market: AskedStar, changes: dict[str, Any], is_one: bool) -> None:
    assert is_told_apart(replace(market.bound("City"), **changes)) is is_one


@pytest.mark.parametrize(
    ("sql", "fixed"),
    [
        ("""SELECT "City", "Amount" FROM market WHERE "Channel" = 'web' AND "Month" > '2024'""", ["City", "Channel"]),
        ("""SELECT UPPER("City") AS c, "Amount" FROM market WHERE "Month" = '2024' OR "Year" = 1""", []),
    ],
)
def test_keys_and_pinned_attributes_are_fixed(market: AskedStar, sql: str, fixed: list[str]) -> None:
    query, fact_query = market.only_part(sql)

    places = fixed_places(query, fact_query)
    assert {fact_query.attributes[place].attribute.name for place in places} == set(fixed)


def test_a_default_member_by_a_key_column_fixes_no_name(market: AskedStar) -> None:
    query, fact_query = market.only_part("""SELECT "Amount" FROM market WHERE "Channel" = 'web'""")
    (place,) = fact_query.attributes

    assert set(fixed_places(query, fact_query)) == {place}
    assert set(fixed_places(query, replace(fact_query, columns={place: "channel_id"}))) == set()
