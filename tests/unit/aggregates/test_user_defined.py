"""User-defined aggregates of a model as definitions, or as issues that say why that is not possible."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionOrigin, PartitionHint, model_id
from airflow_atscale_aggs.engine.model.paths import GrainAttribute, Role
from tests.support.stars.documents import (
    Documents,
    Resolved,
    aggregate,
    dimension,
    embedded,
    level,
    metric,
    relationship,
    resolve_documents,
    star,
)

_Attributes = list[dict[str, Any]]


def _city(**more: Any) -> dict[str, Any]:
    return {"name": "City", "dimension": "Shops", **more}


def _month(*path: str) -> dict[str, Any]:
    return {"name": "Month", "dimension": "Calendar", "relationships_path": list(path)}


def _define(attributes: _Attributes, metrics: list[str], documents: Documents | None = None) -> Resolved:
    """A model with the one aggregate `a`."""
    documents = documents or star()
    documents["model"]["aggregates"] = [aggregate("a", attributes, metrics)]
    return resolve_documents(documents)


def _parts(resolved: Resolved) -> dict[str, tuple[list[str], list[str]]]:
    """By fact of the aggregate `a`: its attributes, and its measures without the row count."""
    return {
        part.fact: (
            [bound.attribute.query_name for bound in part.attributes],
            [str(measure) for measure in part.measures if "count_rows" not in str(measure)],
        )
        for part in resolved.aggregates["a"].parts
    }


def test_a_definition_keeps_what_was_declared() -> None:
    definition = _define([_city(partition="name+key"), _month("sold")], ["Amount"]).aggregates["a"]

    assert (definition.model_id, definition.origin) == (model_id("cat", "m"), DefinitionOrigin.USER_DEFINED)
    assert (definition.name, definition.metrics, definition.composite) == ("a", ("Amount",), False)
    assert definition.partitions == (PartitionHint(attribute=GrainAttribute(Role("Shops"), "City"), by="name+key"),)
    assert definition.where.startswith("model.yml:")


@pytest.mark.parametrize(
    ("attributes", "metrics", "parts"),
    [
        ([_city()], ["Amount"], {"sales": (["City"], ["sum(sales.amount)"])}),
        ([_city(), _city()], ["Amount", "Amount"], {"sales": (["City"], ["sum(sales.amount)"])}),
        ([_city()], ["Average"], {"sales": (["City"], ["count(sales.amount)", "sum(sales.amount)"])}),
        ([], ["Amount"], {"sales": ([], ["sum(sales.amount)"])}),
        (
            [_month("sold"), _city()],
            ["Net"],
            {
                "returns": (["Sold Month", "City"], ["sum(returns.lost)"]),
                "sales": (["Sold Month", "City"], ["sum(sales.amount)"]),
            },
        ),
        ([_month("sold")], ["Lost"], {"returns": (["Sold Month"], ["sum(returns.lost)"])}),
        ([_month("returned")], ["Amount"], {"sales": (["Sold Month"], ["sum(sales.amount)"])}),
        ([_month()], ["Lost"], {"returns": (["Sold Month"], ["sum(returns.lost)"])}),
        ([_city()], [], {"shop": (["City"], [])}),
        ([_city()], ["AMOUNT"], {"sales": (["City"], ["sum(sales.amount)"])}),
    ],
    ids=[
        "one metric",
        "twice the same",
        "an average is a sum and a count",
        "no attribute",
        "a calculation over two facts",
        "a path of another fact names the role",
        "and so the other way round",
        "the only role need not be named",
        "without metrics the dimension's rows are counted",
        "metrics are found without case",
    ],
)
def test_what_an_aggregate_stores(
    attributes: _Attributes, metrics: list[str], parts: dict[str, tuple[list[str], list[str]]]
) -> None:
    resolved = _define(attributes, metrics)

    assert _parts(resolved) == parts
    assert resolved.issues == ()
    for part in resolved.aggregates["a"].parts:
        assert f"count_rows({part.fact})" in {str(measure) for measure in part.measures}


def test_the_plain_role_is_meant_where_none_is_named() -> None:
    documents = star()
    documents["model"]["relationships"].append(relationship("plain", "sales", ["kind"], "Calendar", "Day"))

    assert _parts(_define([_month()], ["Amount"], documents))["sales"][0] == ["Month"]


def test_a_path_leads_through_embedded_dimensions() -> None:
    documents = star()
    documents["Area"] = dimension("Areas", [level("Area", "shop", "area")])
    documents["Shop"]["relationships"] = [embedded("home", "shop", ["area"], "Areas", "Area", role_play="Home")]
    documents["model"]["relationships"].append(
        relationship("other", "sales", ["kind"], "Shops", "Shop", role_play="Other")
    )
    area = {"name": "Area", "dimension": "Areas"}

    for path, name in ((["other", "home"], "Other Home Area"), (["home"], "Home Area")):
        resolved = _define([{**area, "relationships_path": path}], ["Amount"], documents)
        assert _parts(resolved)["sales"][0] == [name]


def test_a_metric_on_a_level_has_the_dimensions_dataset_for_its_fact() -> None:
    documents = star()
    shop = level("Shop", "shop", "shop_id", _={"metrics": [metric("Area", "shop", "area")]})
    documents["Shop"] = dimension("Shops", [level("City", "shop", "city"), shop])

    assert _parts(_define([_city()], ["Area"], documents)) == {"shop": (["City"], ["sum(shop.area)"])}


@pytest.mark.parametrize(
    ("attributes", "metrics", "code", "message"),
    [
        ([{"name": "Mont", "dimension": "Calendar"}], ["Amount"], "unresolved-reference", "Did you mean `Month`"),
        ([{"name": "Month", "dimension": "Calender"}], ["Amount"], "unresolved-reference", "Did you mean `Calendar`"),
        ([_city()], ["Amuont"], "unresolved-reference", "Did you mean `Amount`"),
        ([_city()], ["Broken"], "unresolved-reference", "`a` through `Broken` refers to metric `Nothing`"),
        ([_city()], ["Semi"], "semi-additive", "asks for the semi-additive metric `Semi`"),
        ([_month()], ["Amount"], "ambiguous-role", "wants `Month`: `Ship Month`, `Sold Month`. Name the role's"),
        ([_month("sales_shop")], ["Amount"], "ambiguous-role", "`Ship Month`, `Sold Month`"),
        ([{"name": "Kind", "dimension": "Kind"}], ["Lost"], "unreachable-attribute", "with metrics of `returns`"),
        (
            [_city(), {"name": "Kind", "dimension": "Kind"}],
            [],
            "no-metrics",
            "no metrics and attributes of 2 dimensions",
        ),
        ([], [], "no-metrics", "attributes of 0 dimensions"),
        ([_city(row_security="r")], ["Amount"], "row-security-attribute", "names row security `r`"),
    ],
)
def test_an_aggregate_that_cannot_be_is_one_error(
    attributes: _Attributes, metrics: list[str], code: str, message: str
) -> None:
    documents = star()
    documents["Broken"] = {**documents["Net"], "unique_name": "Broken", "expression": "[Measures].[Nothing]"}
    documents["Semi"] = metric("Semi", "sales", "amount", semi_additive={"position": "last"})
    resolved = _define(attributes, metrics, documents)

    (error,) = [issue for issue in resolved.issues if issue.is_error]
    assert error.code == code
    assert message in error.message
    assert resolved.aggregates == {}


def test_roles_that_facts_do_not_share_are_listed_with_their_facts() -> None:
    documents = star()
    documents["model"]["relationships"][3]["role_play"] = "Back {0}"
    (error,) = _define([_month()], ["Net"], documents).errors

    assert "`Back Month (returns)`, `Ship Month (sales)`, `Sold Month (sales)`" in error


def test_attributes_without_metrics_that_no_dataset_of_their_dimension_reaches_are_an_error() -> None:
    documents = star()
    documents["Shop"]["level_attributes"][0]["dataset"] = "day"
    (error,) = _define([_city()], [], documents).errors

    assert error == "aggregate `a`: no dataset of dimension `Shops` reaches all its attributes"


def test_a_path_of_an_unknown_relationship_is_a_warning_when_there_is_one_role_only() -> None:
    resolved = _define([_month("solt")], ["Lost"])

    assert (resolved.errors, set(resolved.aggregates)) == ([], {"a"})
    assert resolved.warnings == [
        "aggregate `a` refers to relationship `solt`, which does not exist. Did you mean `sold`?"
    ]


def test_a_broken_calculation_stops_only_aggregates_that_need_it() -> None:
    documents = star()
    documents["Net"]["expression"] = "[Measures].[Amount] / [Measures].[Nothing]"
    resolved = _define([_city()], ["Amount"], documents)

    assert (resolved.errors, set(resolved.aggregates)) == ([], {"a"})
    assert resolved.warnings == ["calculation `Net` refers to metric `Nothing`, which does not exist."]


def test_a_calculation_in_a_cycle_is_an_error_in_any_case() -> None:
    """It could never be computed."""
    documents = star()
    documents["Net"]["expression"] = "[Measures].[Net] + 1"

    assert _define([_city()], ["Amount"], documents).errors == ["calculation `Net` refers to itself"]


def test_of_two_aggregates_with_one_meaning_the_first_is_kept() -> None:
    """Names make no difference, metrics do."""
    documents = star()
    documents["model"]["aggregates"] = [
        aggregate("one", [_city(), _month("sold")], ["Amount"]),
        aggregate("two", [_month("sold"), _city()], ["Amount"]),
        aggregate("three", [_city(), _month("sold")], ["Average"]),
    ]
    resolved = resolve_documents(documents)

    assert set(resolved.aggregates) == {"one", "three"}
    assert resolved.warnings == ["aggregate `two` means the same as `one`, which is kept"]


def test_of_two_aggregates_with_one_name_the_second_is_an_error() -> None:
    documents = star()
    documents["model"]["aggregates"] = [aggregate("One", [_city()], ["Amount"]), aggregate("ONE", [], ["Amount"])]
    resolved = resolve_documents(documents)

    assert set(resolved.aggregates) == {"One"}
    assert resolved.errors == ["aggregate `ONE` is defined twice in the model"]


def test_aggregates_of_facts_that_must_not_be_aggregated_are_left_out_with_a_warning() -> None:
    documents = star()
    documents["catalog"]["dataset_properties"] = {"sales": {"allow_aggregates": False}}
    documents["model"]["aggregates"] = [aggregate("a", [_city()], ["Amount"]), aggregate("b", [_city()], ["Lost"])]
    resolved = resolve_documents(documents)

    assert (set(resolved.aggregates), resolved.errors) == ({"b"}, [])
    assert resolved.warnings == ["aggregate `a` is left out: dataset `sales` has `allow_aggregates: false`"]


def test_aggregates_of_a_composite_model_are_composite() -> None:
    documents = star()
    documents["c"] = {
        "unique_name": "c",
        "object_type": "composite_model",
        "label": "c",
        "models": ["m"],
        "aggregates": [aggregate("a", [_city()], ["Net"])],
    }
    resolved = resolve_documents(documents, "c")

    assert resolved.aggregates["a"].composite
    assert set(_parts(resolved)) == {"sales", "returns"}
