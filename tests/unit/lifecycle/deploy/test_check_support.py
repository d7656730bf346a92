"""Checks of what will be refused by name later: columns that are not there, names that are cut, what is not done."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_atscale_aggs.engine.lifecycle.deploy.check_support import (
    check_columns,
    check_long_names,
    check_support,
)
from tests.support.deploy_checks import TABLES, check_input, lines_of, star_with_areas
from tests.support.stars.documents import Documents, dataset, metric, star


def _missing(documents: Documents, tables: dict[str, str] = TABLES) -> list[str]:
    """Who uses a column that is not there, without what all such messages have alike."""
    lines = lines_of(check_columns(check_input(documents, tables)))
    assert all(line.endswith("; what needs it is refused") for line in lines)
    return [line.removesuffix("; what needs it is refused").replace("warning in ", "") for line in lines]


def test_a_metric_on_a_column_that_the_table_does_not_have() -> None:
    documents = star()
    documents["Amount"]["column"] = "gone"

    (line,) = _missing(documents)

    assert line == (
        "Amount.yml, missing-column: metric `Amount` uses column `gone` of dataset `sales`, which table `s.sales` does "
        "not have"
    )


@pytest.mark.parametrize("column", ["key_columns", "name_column"])
def test_an_attribute_on_a_column_that_the_table_does_not_have(column: str) -> None:
    """Each column once, whether it is key or name or both."""
    documents = star()
    documents["Shop"]["level_attributes"][0][column] = ["gone"] if column == "key_columns" else "gone"

    (line,) = _missing(documents)

    assert line == (
        "Shop.yml, missing-column: attribute `City` uses column `gone` of dataset `shop`, which table `s.shop` "
        "does not have"
    )


def test_an_attribute_on_columns_of_several_facts() -> None:
    """A shared degenerate dimension."""
    documents = star()
    shared = [
        {"dataset": name, "key_columns": [column], "name_column": column}
        for name, column in (("sales", "kind"), ("returns", "sort"))
    ]
    documents["Kind"]["level_attributes"] = [
        {"unique_name": "Kind", "label": "Kind", "shared_degenerate_columns": shared}
    ]

    (line,) = _missing(documents)

    assert line == (
        "Kind.yml, missing-column: attribute `Kind` uses column `sort` of dataset `returns`, which table `s.returns` "
        "does not have"
    )


def test_a_relationship_of_the_model() -> None:
    documents = star()
    documents["model"]["relationships"][2]["from"]["join_columns"] = ["shop_no"]

    (line,) = _missing(documents)

    assert line == (
        "model.yml, missing-column: relationship `sales_shop` uses column `shop_no` of dataset `sales`, which table "
        "`s.sales` does not have"
    )


@pytest.mark.parametrize(
    ("name", "who"), [("in_area", "relationship `in_area`"), ("", "a relationship of dimension `Shops`")]
)
def test_a_relationship_inside_a_dimension(name: str, who: str) -> None:
    assert _missing(star_with_areas("area_no", name), {**TABLES, "area": "area_id integer"}) == [
        f"Shop.yml, missing-column: {who} uses column `area_no` of dataset `shop`, which table `s.shop` does not have"
    ]


def test_of_a_dataset_that_is_not_there_nothing_is_said() -> None:
    """The model has its own error for that."""
    documents = star()
    documents["Amount"]["dataset"] = "nothing"

    assert _missing(documents) == []


@pytest.mark.parametrize("column", ["AMOUNT", "Amount"])
def test_case_does_not_matter(column: str) -> None:
    documents = star()
    documents["Amount"]["column"] = column

    assert _missing(documents) == []


def test_a_calculated_column_is_in_no_table() -> None:
    documents = star()
    documents["sales"]["columns"].append({"name": "net", "data_type": "int", "sql": "amount - 1"})
    documents["Amount"]["column"] = "net"

    assert _missing(documents) == []


@pytest.mark.parametrize(
    ("columns", "is_told"), [(["sold_id", "ship_id", "shop_id", "kind"], True), ([], False)], ids=["listed", "no list"]
)
def test_without_a_table_the_list_of_the_dataset_counts(columns: list[str], is_told: bool) -> None:
    """Where the dataset lists no columns, nothing is known."""
    documents = star()
    documents["sales"] = dataset("sales", *columns)
    tables = {name: text for name, text in TABLES.items() if name != "sales"}

    expected = "metric `{}` uses column `amount` of dataset `sales`, which its column list does not have"
    lines = [line.partition(", missing-column: ")[2] for line in _missing(documents, tables)]
    assert lines == ([expected.format("Amount"), expected.format("Average")] if is_told else [])


@pytest.mark.parametrize(
    ("method", "kind", "reason"),
    [
        ("sum", "varchar", "it holds texts (varchar), of which there is no `sum`"),
        ("average", "timestamp", "it holds dates or times (timestamp), of which there is no `average`"),
        ("minimum", "varchar", ""),
        ("sum", "decimal(9,2)", ""),
    ],
)
def test_a_metric_is_told_where_its_column_cannot_be_measured(method: str, kind: str, reason: str) -> None:
    documents = star()
    documents["Average"]["calculation_method"] = documents["Amount"]["calculation_method"] = "count distinct"
    documents["Tried"] = metric("Tried", "returns", "lost", method)
    documents["model"]["metrics"].append({"unique_name": "Tried"})
    documents["Lost"]["calculation_method"] = "count distinct"
    tables = {**TABLES, "returns": TABLES["returns"].replace("lost decimal(9,2)", f"lost {kind}")}

    lines = lines_of(check_columns(check_input(documents, tables)))

    message = f"metric `Tried` measures column `lost` of dataset `returns`, but {reason}; it is refused"
    assert lines == ([f"warning in Tried.yml, not-measurable: {message}"] if reason else [])


_START = "A measure whose name goes on for longer than the sixty-three bytes"


@pytest.mark.parametrize(
    ("names", "dialect", "is_told"),
    [
        ((f"{_START} 1", f"{_START} 2"), "postgres", True),
        ((f"{_START} 1", f"{_START} 2"), "duckdb", False),
        ((f"{_START} 1", f"Another {_START}"), "postgres", False),
        ((_START[:62] + "a", _START[:62] + "b"), "postgres", False),
        (("ä" * 31 + "a", "ä" * 31 + "a" + "b"), "postgres", False),
        (("ä" * 32, "ä" * 31 + "a" + "b"), "postgres", False),
        (("ä" * 32, "ä" * 33), "postgres", True),
    ],
    ids=[
        "cut to the same",
        "room for both",
        "they begin otherwise",
        "63 bytes",
        "63 bytes, and more",
        "a letter of two bytes is cut",
        "bytes are counted",
    ],
)
def test_names_that_a_warehouse_takes_for_the_same_are_told(
    names: tuple[str, str], dialect: str, is_told: bool
) -> None:
    documents = star()
    for number, name in enumerate(names):
        documents[f"Long{number}"] = metric(name, "sales", "amount")
        documents["model"]["metrics"].append({"unique_name": name})

    lines = lines_of(check_long_names(check_input(documents, dialect=dialect)))

    message = f"`{names[1]}` and `{names[0]}` share their first 63 bytes, of which postgres keeps no more: "
    assert len(lines) == is_told
    assert all(line.startswith(f"warning in Long1.yml, long-names: {message}") for line in lines)


def test_a_long_name_with_a_short_one_on_the_surface_is_no_matter() -> None:
    documents = star()
    for number in (1, 2):
        documents[f"Long{number}"] = metric(f"{_START} {number}", "sales", "amount")
        documents["model"]["metrics"].append({"unique_name": f"{_START} {number}"})
    documents["model"]["overrides"] = {f"{_START} 1": {"query_name": "short"}}

    assert check_long_names(check_input(documents, dialect="postgres")) == ()


@pytest.mark.parametrize(
    ("semi_additive", "is_told"),
    [
        ({"position": "last", "relationships": ["sold"]}, False),
        ({"position": "first", "relationships": ["sold"]}, False),
        ({"position": "last", "relationships": ["sold", "shipped"]}, True),
        ({"position": "last_child", "relationships": ["sold"]}, True),
    ],
)
def test_semi_additive_metrics_that_are_not_answered(semi_additive: dict[str, Any], is_told: bool) -> None:
    documents = star()
    documents["Amount"]["semi_additive"] = semi_additive

    lines = lines_of(check_support(check_input(documents)))

    assert len(lines) == is_told
    for line in lines:
        position, count = semi_additive["position"], len(semi_additive["relationships"])
        assert line.startswith(
            f"warning in Amount.yml, not-honoured: metric `Amount` is semi-additive by `{position}` of {count} "
        )
        assert line.endswith("queries that name it are refused")


def test_calculation_groups_are_not_applied() -> None:
    documents = star()
    members = [{"unique_name": "Last Year"}, {"unique_name": "Growth"}]
    documents["Day"]["calculation_groups"] = [{"unique_name": "Time", "label": "t", "calculated_members": members}]

    (line,) = lines_of(check_support(check_input(documents)))

    assert line == (
        "warning in Day.yml, calculation-group: calculation group `Time` of dimension `Calendar` is not applied; "
        "queries that name it or its members (`Last Year`, `Growth`) are refused"
    )


@pytest.mark.parametrize(("value", "is_told"), [("yes", False), ("no", False), ("always", False), ("never", True)])
def test_a_join_rule_that_nobody_knows_is_taken_for_yes(value: str, is_told: bool) -> None:
    documents = star()
    documents["Shop"]["hierarchies"][0]["filter_empty"] = value

    message = (
        "`filter_empty` of hierarchy `Shops levels` is `never`, none of `yes`, `no`, `always`; it is taken for `yes`"
    )
    expected = [f"warning in Shop.yml, unknown-value: {message}"] if is_told else []
    assert lines_of(check_support(check_input(documents))) == expected


@pytest.mark.parametrize(
    ("kind", "is_told"), [("timestamp_ns", True), ("timestamp(12)", True), ("timestamp", False), ("varchar", False)]
)
def test_a_key_with_digits_that_readers_do_not_get_is_told(kind: str, is_told: bool) -> None:
    tables = TABLES | {"shop": TABLES["shop"].replace("city varchar", f"city {kind}")}
    lines = lines_of(check_columns(check_input(star(), tables)))

    assert len(lines) == is_told
    assert all("key-precision: attribute `City` uses column `city`" in line for line in lines)
    assert all("6 digits of a second" in line for line in lines)
