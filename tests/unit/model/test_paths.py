"""Roles and their names, and what the joins of an attribute say of it."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.model.paths import (
    BoundAttribute,
    EmptyMember,
    GrainAttribute,
    JoinKind,
    JoinStep,
    Role,
)

_KEY = JoinStep(JoinKind.UNIQUE_KEY, "sales", ("shop_id",), "shop", ("shop_id",))
_BRIDGE = JoinStep(JoinKind.BRIDGE, "sales", ("sale_id",), "reasons", ("sale_id",))


def _bound(
    *,
    keys: tuple[str, ...] = ("shop_id",),
    name_column: str = "shop_name",
    steps: tuple[JoinStep, ...] = (_KEY,),
    filter_empty: str = "yes",
    empty: EmptyMember | None = None,
) -> BoundAttribute:
    return BoundAttribute(
        attribute=GrainAttribute(Role("Shops"), "Shop"),
        label="Shop",
        dataset="shop",
        key_columns=keys,
        name_column=name_column,
        steps=steps,
        filter_empty=filter_empty,
        empty=empty,
    )


@pytest.mark.parametrize(
    ("template", "name", "query_name"),
    [
        ("{0}", "Year", "Year"),
        ("Sold {0}", "Calendar Year", "Sold Calendar Year"),
        ("{0} of {0}", "Year", "Year of Year"),
        ("Sold {0}", "odd {0}", "Sold odd {0}"),
    ],
)
def test_a_role_gives_names(template: str, name: str, query_name: str) -> None:
    assert GrainAttribute(Role("Date", template), name).query_name == query_name


@pytest.mark.parametrize(
    ("outer", "inner", "nested"),
    [
        ("{0}", "{0}", "{0}"),
        ("Web {0}", "{0}", "Web {0}"),
        ("{0}", "Order {0}", "Order {0}"),
        ("Web {0}", "Order {0}", "Web Order {0}"),
        ("{0} (web)", "Order {0}", "Order {0} (web)"),
    ],
)
def test_the_template_of_an_embedded_dimension_stands_inside(outer: str, inner: str, nested: str) -> None:
    assert Role("Orders", outer).embed("Date", inner) == Role("Date", nested)


@pytest.mark.parametrize(
    ("filter_empty", "empty", "keeps_rows"),
    [
        ("yes", None, False),
        ("always", None, False),
        ("no", None, True),
        ("yes", EmptyMember("none", ("0",)), True),
    ],
)
def test_rows_without_a_member_are_kept_by_rule_or_by_an_empty_member(
    filter_empty: str, empty: EmptyMember | None, *, keeps_rows: bool
) -> None:
    assert _bound(filter_empty=filter_empty, empty=empty).keeps_rows is keeps_rows


@pytest.mark.parametrize(
    ("steps", "is_many_to_many"),
    [((), False), ((_KEY,), False), ((_BRIDGE, _KEY), True)],
)
def test_a_bridge_on_the_way_makes_many_to_many(steps: tuple[JoinStep, ...], *, is_many_to_many: bool) -> None:
    assert _bound(steps=steps).is_many_to_many is is_many_to_many


@pytest.mark.parametrize(
    ("keys", "name_column", "columns"),
    [
        (("a",), "a", ("a",)),
        (("a",), "n", ("a", "n")),
        (("a", "b"), "b", ("a", "b")),
        (("a", "b"), "n", ("a", "b", "n")),
    ],
)
def test_columns_are_the_key_and_the_name_unless_it_is_part_of_the_key(
    keys: tuple[str, ...], name_column: str, columns: tuple[str, ...]
) -> None:
    assert _bound(keys=keys, name_column=name_column).columns == columns
