"""Facts, dimensions, bridges, and tables that are neither."""

from __future__ import annotations

from airflow_atscale_aggs.engine.discovery.references import Names, Reference
from airflow_atscale_aggs.engine.discovery.table_roles import decide_roles, measured_columns
from tests.support.stars.table_rows import Columns, profiles_of

_TABLES: dict[str, Columns] = {
    "sales": {"shop_id": [1, 2, 2], "tag_id": [1, 1, 2], "amount": [1, 2, 4]},
    "shops": {"shop_id": [1, 2], "town_id": [1, 1]},
    "towns": {"town_id": [1]},
    "tags": {"tag_id": [1, 2]},
    "shop_tags": {"shop_id": [1, 1, 2], "tag_id": [1, 2, 2]},
    "settings": {"name": ["a", "b"]},
    "future": {"shop_id": []},
}
_REFERENCES = [
    Reference(table, (column,), to_table, (column,), (), "")
    for table, column, to_table in (
        ("sales", "shop_id", "shops"),
        ("sales", "tag_id", "tags"),
        ("shops", "town_id", "towns"),
        ("shop_tags", "shop_id", "shops"),
        ("shop_tags", "tag_id", "tags"),
    )
]


def _names() -> Names:
    return Names(profiles_of(_TABLES))


def test_what_refers_and_is_not_referred_to_is_a_fact_and_what_it_reaches_are_dimensions() -> None:
    names = _names()
    roles = decide_roles(names.tables, names, _REFERENCES, [])

    assert list(roles.facts) == ["sales"]
    assert sorted(roles.dimensions) == ["shops", "tags", "towns"]
    assert {entry.what: entry.reason for entry in roles.left_out} == {
        "shop_tags": "it only links `shops`, `tags`: a bridge",
        "settings": "it refers to no table, and none refers to it",
        "future": "it has no rows, so nothing can be proven of it",
    }


def test_somebody_may_say_which_tables_are_facts() -> None:
    names = _names()
    roles = decide_roles(names.tables, names, _REFERENCES, [], ["shop_tags"])

    assert list(roles.facts) == ["shop_tags"]
    assert "sales" in {entry.what for entry in roles.left_out}


def test_a_table_that_stands_alone_is_a_fact() -> None:
    names = Names(profiles_of({"events": {"kind": ["a", "b"], "amount": [1, 5]}}))

    assert list(decide_roles(names.tables, names, [], []).facts) == ["events"]
    assert measured_columns(names.tables["events"], names, []) == ["amount"]


def test_a_large_table_that_measures_is_a_fact_and_a_dimension() -> None:
    orders: Columns = {"order_id": [1, 2, 3], "shop_id": [1, 2, 2], "total_amount": [4, 5, 9]}
    lines: Columns = {"order_id": [1, 1, 2, 3], "amount": [1, 2, 5, 9]}
    names = Names(profiles_of({"orders": orders, "order_lines": lines, "shops": _TABLES["shops"]}))
    references = [
        Reference("orders", ("shop_id",), "shops", ("shop_id",), (), ""),
        Reference("order_lines", ("order_id",), "orders", ("order_id",), (), ""),
    ]
    roles = decide_roles(names.tables, names, references, [("orders", "order_id")])

    assert sorted(roles.facts) == ["order_lines", "orders"]
    assert sorted(roles.dimensions) == ["orders", "shops"]


def test_a_table_of_combinations_that_others_refer_to_is_a_fact_only_where_it_measures() -> None:
    tables: dict[str, Columns] = {
        "lines": {"part_id": [1, 2, 2], "shop_id": [1, 1, 2], "amount": [1, 2, 3]},
        "offers": {"part_id": [1, 2, 2], "shop_id": [1, 1, 2], "quantity": [5, 6, 7]},
        "parts": {"part_id": [1, 2]},
        "shops": _TABLES["shops"],
    }
    edges = [
        Reference(table, (f"{name}_id",), f"{name}s", (f"{name}_id",), (), "")
        for table in ("lines", "offers")
        for name in ("part", "shop")
    ]
    edges.append(Reference("lines", ("part_id", "shop_id"), "offers", ("part_id", "shop_id"), (), ""))
    names = Names(profiles_of(tables))
    roles = decide_roles(names.tables, names, edges, [])
    tables["offers"] = {"part_id": [1, 2, 2], "shop_id": [1, 1, 2], "grade": ["a", "b", "b"]}
    others = Names(profiles_of(tables))

    assert roles.facts["offers"] == "it measures `quantity` for combinations of `parts`, `shops`"
    assert sorted(roles.dimensions) == ["offers", "parts", "shops"]
    assert list(decide_roles(others.tables, others, edges, []).facts) == ["lines"]
