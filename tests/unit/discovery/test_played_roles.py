"""Roles tell ways and names apart."""

from __future__ import annotations

from airflow_atscale_aggs.engine.discovery.played_roles import find_templates
from airflow_atscale_aggs.engine.discovery.proposal import ProposedAttribute, ProposedDimension
from airflow_atscale_aggs.engine.discovery.references import Reference


def _dimension(name: str, table: str, *attributes: str) -> ProposedDimension:
    levels = tuple(ProposedAttribute(name=each, keys=("k",), name_column="k") for each in attributes)
    return ProposedDimension(name=name, table=table, reason="", hierarchies=(), levels=levels, leaves={})


_DIMENSIONS = {
    "orders": _dimension("Order", "orders", "Order", "Order Date"),
    "days": _dimension("Date", "days", "Date", "Year"),
    "shops": _dimension("Shop", "shops", "Shop"),
    "towns": _dimension("Town", "towns", "Town"),
    "people": _dimension("Person", "people", "Person"),
}


def _reference(table: str, column: str, to_table: str, *role: str) -> Reference:
    return Reference(table, (column,), to_table, ("k",), role, "")


def test_a_role_stays_where_nothing_clashes() -> None:
    day = _reference("sales", "sold_date", "days", "sold")

    assert find_templates([day], ["sales"], _DIMENSIONS, ["Amount"]) == {day: "Sold {0}"}


def test_two_ways_to_a_dimension_are_two_roles() -> None:
    shop, person = _reference("sales", "shop", "shops"), _reference("sales", "person", "people")
    towns = [_reference("shops", "town", "towns"), _reference("people", "town", "towns")]
    templates = find_templates([shop, person, *towns], ["sales"], _DIMENSIONS, [])

    assert sorted(templates.values()) == ["", "", "", "Person {0}"]


def test_a_role_does_not_give_an_attribute_the_name_of_another() -> None:
    """`Order {0}` of a date would be named as the date of an order that is a dimension."""
    order, day = _reference("sales", "order_id", "orders"), _reference("sales", "order_date_key", "days", "order")
    templates = find_templates([order, day], ["sales"], _DIMENSIONS, [])

    assert templates == {order: "", day: "Order Date Key Order {0}"}


def test_a_role_does_not_give_an_attribute_the_name_of_a_metric() -> None:
    day = _reference("sales", "sold_day", "days", "sold")

    assert find_templates([day], ["sales"], _DIMENSIONS, ["sold year"])[day] == "Sold Day Sold {0}"
