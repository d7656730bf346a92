"""How facts reach attributes: roles, snowflakes, embedded dimensions, bridges, coarse keys, and no join at all."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_atscale_aggs.engine.model.paths import GrainAttribute, JoinKind, JoinStep, Role
from tests.support.stars.documents import (
    Documents,
    dataset,
    dimension,
    embedded,
    level,
    metric,
    relationship,
    resolve_documents,
    star,
)


def _with_areas() -> Documents:
    """The star with cities in a table of their own, and areas in a dimension that shops embed."""
    documents = star()
    documents["area"] = dataset("area", "area_id", "area_name")
    documents["Area"] = dimension("Areas", [level("Area", "area", "area_id", is_unique_key=True)])
    documents["town"] = dataset("town", "city", "mayor")
    documents["Shop"]["level_attributes"][0] = level("City", "town", "city", is_unique_key=True)
    to_area = embedded("in_area", "shop", ["area"], "Areas", "Area", role_play="Home {0}")
    to_area["from"]["level"] = "Shop"
    documents["Shop"]["relationships"] = [
        {"type": "snowflake", "from": {"dataset": "shop", "join_columns": ["city"]}, "to": {"level": "City"}},
        to_area,
    ]
    documents["model"]["relationships"][2]["role_play"] = "Selling {0}"
    return documents


def _with_tags() -> Documents:
    """The star with tags of shops behind a bridge."""
    documents = star()
    documents["bridge"] = dataset("bridge", "shop_id", "tag_id")
    documents["tag"] = dataset("tag", "tag_id", "tag_name")
    documents["Tag"] = dimension("Tags", [level("Tag", "tag", "tag_id", is_unique_key=True)])
    to_tag = embedded("to_tag", "bridge", ["tag_id"], "Tags", "Tag", m2m=True)
    documents["Bridge"] = dimension("Bridge", [level("Bridge Key", "bridge", "shop_id")], relationships=[to_tag])
    documents["model"]["relationships"].append(relationship("tags", "sales", ["shop_id"], "Bridge", "Bridge Key"))
    return documents


def test_a_fact_reaches_attributes_in_the_roles_of_its_relationships() -> None:
    resolved = resolve_documents(star())
    calendar = {"Year", "Month", "Day", "Day Kind", "Date"}
    sold, ship = {f"Sold {name}" for name in calendar}, {f"Ship {name}" for name in calendar}

    assert resolved.reached("sales") == sold | ship | {"City", "Shop", "Kind"}
    assert resolved.reached("returns") == sold | {"City", "Shop"}
    assert resolved.reached("nothing") == set()


@pytest.mark.parametrize(
    ("fact", "template", "column"),
    [("sales", "Sold {0}", "sold_id"), ("sales", "Ship {0}", "ship_id"), ("returns", "Sold {0}", "day_id")],
)
def test_each_role_of_a_fact_has_its_own_join(fact: str, template: str, column: str) -> None:
    month = resolve_documents(star()).bound(fact, "Calendar", "Month", template)

    assert month.steps == (JoinStep(JoinKind.UNIQUE_KEY, fact, (column,), "day", ("day_id",)),)
    assert month.label == template.replace("{0}", "Month")


def test_two_relationships_of_one_role_are_one_join() -> None:
    """Such as a relationship for each hierarchy on one foreign key."""
    documents = star()
    weeks = {"unique_name": "weeks", "label": "w", "levels": [{"unique_name": "Week"}, {"unique_name": "Day"}]}
    documents["Day"]["level_attributes"].append(level("Week", "day", "week"))
    documents["Day"]["hierarchies"].append(weeks)
    again = relationship("sold_again", "sales", ["ship_id"], "Calendar", "Day", role_play="Sold {0}")
    documents["model"]["relationships"].append(again)
    resolved = resolve_documents(documents)

    steps = {resolved.bound("sales", "Calendar", name, "Sold {0}").steps for name in ("Month", "Week", "Day")}

    assert [step.from_columns for (step,) in steps] == [("sold_id",)]


@pytest.mark.parametrize(
    ("name", "determined"),
    [
        ("Day", {"Year", "Month", "Day Kind", "Date"}),
        ("Month", {"Year"}),
        ("Year", set()),
        ("Day Kind", set()),
        ("Date", set()),
    ],
)
def test_a_level_determines_coarser_ones_and_what_hangs_on_itself(name: str, determined: set[str]) -> None:
    """A secondary attribute determines nothing."""
    assert resolve_documents(star()).bound("sales", "Calendar", name, "Sold {0}").determines == determined


def test_a_fact_above_the_finest_level_joins_a_coarse_key_and_reaches_coarser_attributes_only() -> None:
    documents = star()
    documents["model"]["relationships"][3] = relationship("returned", "returns", ["day_id"], "Calendar", "Month")
    resolved = resolve_documents(documents)

    (step,) = resolved.bound("returns", "Calendar", "Month").steps
    assert step.kind is JoinKind.COARSE_KEY
    assert resolved.reached("returns") == {"Year", "Month", "City", "Shop"}


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({}, JoinKind.COARSE_KEY),
        ({"is_unique_key": True}, JoinKind.UNIQUE_KEY),
        ({"dataset": "month"}, JoinKind.UNIQUE_KEY),
    ],
    ids=["finer levels in the same table", "said to be unique", "a table of its own"],
)
def test_a_key_is_coarse_where_its_table_is_finer(more: dict[str, Any], kind: JoinKind) -> None:
    documents = star() | {"month": dataset("month", "month")}
    documents["Day"]["level_attributes"][1].update(more)
    documents["model"]["relationships"][3] = relationship("returned", "returns", ["day_id"], "Calendar", "Month")

    assert [step.kind for step in resolve_documents(documents).bound("returns", "Calendar", "Month").steps] == [kind]


def test_snowflakes_and_embedded_dimensions_are_joined_one_after_the_other() -> None:
    """The roles of embedded dimensions are nested, the inner one first."""
    resolved = resolve_documents(_with_areas())

    city = resolved.bound("sales", "Shops", "City", "Selling {0}")
    area = resolved.bound("sales", "Areas", "Area", "Selling Home {0}")

    assert [(step.from_columns, step.to_dataset) for step in city.steps] == [
        (("shop_id",), "shop"),
        (("city",), "town"),
    ]
    assert [(step.from_columns, step.to_dataset) for step in area.steps] == [
        (("shop_id",), "shop"),
        (("area",), "area"),
    ]
    assert area.attribute.query_name == "Selling Home Area"


def test_an_edge_starts_from_its_level() -> None:
    """Whoever joins above that level does not reach what is embedded below it."""
    documents = _with_areas()
    documents["model"]["relationships"][4] = relationship("returns_city", "returns", ["shop_id"], "Shops", "City")
    resolved = resolve_documents(documents)

    assert "Home Area" not in resolved.reached("returns")
    assert "Selling Home Area" in resolved.reached("sales")

    del documents["Shop"]["relationships"][1]["from"]["level"]
    documents["Shop"]["relationships"][1]["from"]["dataset"] = "town"
    assert "Home Area" in resolve_documents(documents).reached("returns")


def test_only_what_lies_behind_a_bridge_is_many_to_many() -> None:
    resolved = resolve_documents(_with_tags())

    tag, key = resolved.bound("sales", "Tags", "Tag"), resolved.bound("sales", "Bridge", "Bridge Key")

    assert [step.kind for step in tag.steps] == [JoinKind.BRIDGE, JoinKind.UNIQUE_KEY]
    assert [step.kind for step in key.steps] == [JoinKind.UNIQUE_KEY]


def test_a_degenerate_dimension_is_on_the_fact_itself() -> None:
    resolved = resolve_documents(star())

    kind = resolved.bound("sales", "Kind", "Kind")
    assert (kind.steps, kind.dataset, kind.key_columns) == ((), "sales", ("kind",))
    assert "Kind" not in resolved.reached("returns")


def test_a_shared_degenerate_dimension_has_columns_of_each_fact() -> None:
    documents = star()
    shared = [
        {"dataset": "sales", "name_column": "kind", "key_columns": ["kind"]},
        {"dataset": "returns", "name_column": "lost", "key_columns": ["kind"]},
    ]
    value = {"unique_name": "Kind", "label": "Kind", "shared_degenerate_columns": shared}
    documents["Kind"]["level_attributes"] = [value]
    resolved = resolve_documents(documents)

    kinds = [resolved.bound(fact, "Kind", "Kind") for fact in ("sales", "returns")]

    assert [(kind.steps, kind.dataset, kind.name_column) for kind in kinds] == [
        ((), "sales", "kind"),
        ((), "returns", "lost"),
    ]


def test_a_dataset_that_is_fact_and_dimension_is_not_joined_to_itself() -> None:
    documents = star() | {"Size": metric("Size", "shop", "area")}
    documents["model"]["relationships"].append(relationship("self", "shop", ["shop_id"], "Shops", "Shop"))

    assert resolve_documents(documents).bound("shop", "Shops", "City").steps == ()


def test_a_dimensions_own_dataset_reaches_its_dimension() -> None:
    """Aggregates without metrics need it. Other columns of the same dataset are joined like any fact's."""
    documents = star()
    documents["model"]["relationships"].append(relationship("upper", "shop", ["area"], "Shops", "Shop", role_play="Up"))
    resolved = resolve_documents(documents)

    assert {"Year", "Month", "Day"} <= resolved.reached("day")
    assert resolved.bound("shop", "Shops", "City").steps == ()
    assert len(resolved.bound("shop", "Shops", "City", "Up {0}").steps) == 1


def test_the_shortest_of_several_paths_to_one_role_wins() -> None:
    """Here areas are reached through shops first, and then from the fact."""
    documents = _with_areas()
    documents["model"]["relationships"][2].pop("role_play")
    direct = relationship("direct", "sales", ["kind"], "Areas", "Area", role_play="Home {0}")
    documents["model"]["relationships"].append(direct)

    steps = resolve_documents(documents).bound("sales", "Areas", "Area", "Home {0}").steps

    assert [(step.from_dataset, step.from_columns) for step in steps] == [("sales", ("kind",))]


@pytest.mark.parametrize(
    ("rules", "rule"),
    [(["yes"], "yes"), (["always"], "always"), (["yes", "no"], "no"), (["always", "yes"], "always"), (["no"], "no")],
)
def test_an_attribute_has_one_join_rule_for_all_hierarchies_of_its_level(rules: list[str], rule: str) -> None:
    """Where one of them keeps rows, no row is left out."""
    documents = star()
    (first,) = documents["Shop"]["hierarchies"]
    documents["Shop"]["hierarchies"] = [
        {**first, "unique_name": f"h{number}", "filter_empty": written} for number, written in enumerate(rules)
    ]

    assert resolve_documents(documents).bound("sales", "Shops", "City").filter_empty == rule


def test_roles_of_an_attribute_are_sorted() -> None:
    paths = resolve_documents(star()).paths

    assert paths.roles_of("sales", "Calendar", "Month") == (Role("Calendar", "Ship {0}"), Role("Calendar", "Sold {0}"))
    assert paths.roles_of("returns", "Kind", "Kind") == ()


def test_an_attribute_is_found_as_the_first_fact_reaches_it() -> None:
    paths = resolve_documents(star()).paths
    first = paths.attributes_of("returns")

    assert all(paths.of_some_fact(attribute) == bound for attribute, bound in first.items())
    assert all(paths.of_some_fact(attribute) is not None for attribute in paths.attributes_of("sales"))
    assert paths.of_some_fact(GrainAttribute(Role("Shops"), "Nothing")) is None


def test_dimensions_that_embed_each_other_do_not_hang() -> None:
    documents = star()
    for name, other, target in (("Day", "Shops", "Shop"), ("Shop", "Calendar", "Day")):
        documents[name]["relationships"] = [embedded(f"{name}_edge", name.lower(), ["x"], other, target)]

    reached = resolve_documents(documents).reached("returns")

    assert {"City", "Shop", "Sold Month", "Month", "Sold City"} <= reached
