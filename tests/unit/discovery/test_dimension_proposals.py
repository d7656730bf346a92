"""Dimensions of tables and of a fact's own columns."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from airflow_atscale_aggs.engine.discovery.dimension_proposals import DimensionMaker
from airflow_atscale_aggs.engine.discovery.references import Names
from tests.support.stars.table_rows import Columns, profiles_of, violations_in


def _maker(tables: dict[str, Columns]) -> DimensionMaker:
    return DimensionMaker(Names(profiles_of(tables)), violations_in(tables))


def test_a_member_is_shown_by_a_name_that_no_other_has() -> None:
    shops: Columns = {"shop_id": [1, 2, 3], "shop_name": ["a", "b", "c"], "city": ["x", "x", "y"], "note": [None] * 3}
    maker = _maker({"shops": shops})
    dimension = maker.of_table(maker.names.tables["shops"], [("shop_id",)], [], "why", None)

    assert [hierarchy.levels for hierarchy in dimension.hierarchies] == [("Shops City", "Shops")]
    assert dimension.leaves == {("shop_id",): "Shops"}
    assert dimension.levels[-1].name_column == "shop_name"
    assert [entry.what for entry in dimension.left_out] == ["note"]


def test_a_name_that_two_members_share_is_an_attribute_beside_the_key() -> None:
    people: Columns = {"id": [1, 2, 3], "name": ["Ann", "Ann", "Bob"]}
    maker = _maker({"people": people})
    dimension = maker.of_table(maker.names.tables["people"], [("id",)], [], "why", None)

    assert dimension.levels[-1].name_column == "id"
    assert [attribute.name for attribute in dimension.secondary] == ["People Name"]


def test_two_keys_that_are_referred_to_are_two_ways_to_the_members() -> None:
    shops: Columns = {"shop_id": [1, 2, 3], "shop_code": ["a", "b", "c"], "city": ["x", "x", "y"]}
    maker = _maker({"shops": shops})
    dimension = maker.of_table(maker.names.tables["shops"], [("shop_id",), ("shop_code",)], [], "why", None)

    assert dimension.leaves == {("shop_id",): "Shops", ("shop_code",): "Shops Shop Code"}
    assert [hierarchy.levels[-1] for hierarchy in dimension.hierarchies] == ["Shops", "Shops Shop Code"]


def test_a_member_of_a_compound_key_is_shown_by_all_its_columns() -> None:
    stores: Columns = {"company": [1, 1, 2], "store/no": ["1", "2", "1"], "city": ["x", "x", "y"]}
    maker = _maker({"stores": stores})
    dimension = maker.of_table(maker.names.tables["stores"], [("company", "store/no")], [], "why", None)

    leaf = dimension.levels[-1]
    assert (leaf.keys, leaf.name_column) == (("company", "store/no"), "company_and_store/no")
    assert dimension.leaves == {leaf.keys: "Stores"}
    (shown,) = maker.calculated["stores"]
    assert shown.sql == """CAST("company" AS VARCHAR) || ' / ' || REPLACE("store/no", '/', '//')"""


def test_a_facts_codes_and_dates_are_dimensions_of_their_own() -> None:
    rows: Columns = {
        "kind": ["a", "b"] * 5,
        "number": [f"n{n}" for n in range(10)],
        "sold_on": [date(2020, 1, 1)] * 10,
        "sent_at": [datetime(2020, 1, 1, 5) + timedelta(hours=n) for n in range(10)],
    }
    maker = _maker({"sales": rows})
    table = maker.names.tables["sales"]

    assert [dimension.name for dimension in maker.of_columns(table, [], [], "")] == ["Kind"]
    sold, sent = maker.of_dates(table, [], "")
    assert [level.time_unit for level in sold.levels] == ["year", "quarter", "month", "day"]
    assert sold.levels[-1].keys == ("sold_on",)
    assert sent.levels[-1].keys == ("sent_at_day",)
    assert [column.name for column in maker.calculated["sales"]][:3] == [
        "sold_on_year",
        "sold_on_quarter",
        "sold_on_month",
    ]
