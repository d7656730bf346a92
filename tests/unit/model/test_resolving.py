"""From documents to a model: references are resolved, and each one that leads nowhere is an issue at its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_atscale_aggs.engine.model.resolving import ModelResolver, model_names, resolve_stored_model
from airflow_atscale_aggs.engine.model.semantic_model import DeclaredAggregate, DeclaredAttribute
from tests.support.stars.documents import (
    calculation,
    dataset,
    dimension,
    embedded,
    level,
    metric,
    read_documents,
    relationship,
    resolve_documents,
    star,
)

_COMPOSITE = {"unique_name": "c", "object_type": "composite_model", "label": "Both", "models": ["m", "m2"]}
_PARTITION = {"unique_name": "p", "dimension": "Calendar", "attribute": "Day", "type": "key"}
_SECOND = {
    "unique_name": "m2",
    "object_type": "model",
    "label": "m2",
    "relationships": [relationship("bought", "returns", ["day_id"], "Calendar", "Day", role_play="Bought")],
    "metrics": [{"unique_name": "Lost"}, {"unique_name": "Amount"}],
}


def test_models_are_sorted_and_hidden_ones_are_not_deployed() -> None:
    documents = star() | {"c": _COMPOSITE, "m2": _SECOND}
    assert model_names(read_documents(documents)) == ("c", "m", "m2")

    documents["catalog"]["hidden_models"] = ["m2", "c"]
    assert model_names(read_documents(documents)) == ("m",)


def test_a_model_has_what_its_documents_say() -> None:
    documents = star()
    documents["model"] |= {"label": "My model", "overrides": {"Amount": {"query_name": "amount"}, "Lost": None}}
    documents["catalog"]["build_speculative_aggs"] = True
    model = resolve_documents(documents).model

    assert (model.catalog, model.name, model.label, model.connection) == ("cat", "m", "My model", "house")
    assert [item.name for item in model.relationships] == ["sold", "shipped", "sales_shop", "returned", "returns_shop"]
    assert set(model.dimensions) == {"Calendar", "Shops", "Kind"}
    assert (model.degenerate_dimensions, model.listed) == (("Kind",), ("Amount", "Average", "Lost", "Net"))
    assert (model.query_names, model.build_speculative_aggs, model.is_composite) == ({"Amount": "amount"}, True, False)
    assert {name: item.expression for name, item in model.calculations.items()} == {
        "Net": "[Measures].[Amount] - [measures].[lost]"
    }


def test_a_model_is_resolved_from_what_a_registry_keeps() -> None:
    folder = read_documents(star())

    assert resolve_stored_model(folder.to_bytes(), "m") == resolve_documents(star()).model


def test_metrics_of_the_folder_are_part_of_the_model_and_only_its_own_are_listed() -> None:
    """Calculations may stand on metrics that the model does not list."""
    documents = star() | {"Odd": metric("Odd", "sales", "kind"), "Twice": calculation("Twice", "2 * Odd")}
    model = resolve_documents(documents).model

    assert ("Odd" in model.metrics, "Twice" in model.calculations) == (True, True)
    assert model.listed == ("Amount", "Average", "Lost", "Net")


def test_metrics_on_levels_are_part_of_models_that_reach_their_dimension() -> None:
    documents = star()
    shop = level("Shop", "shop", "shop_id", _={"metrics": [metric("Area", "shop", "area")]})
    documents["Shop"] = dimension("Shops", [level("City", "shop", "city"), shop])
    documents["m2"] = _SECOND

    assert "Area" in resolve_documents(documents).model.metrics
    assert "Area" not in resolve_documents(documents, "m2").model.metrics


def test_embedded_dimensions_are_reached_however_deep() -> None:
    documents = star()
    documents["area"] = dataset("area", "id", "land")
    documents["Area"] = dimension("Areas", [level("Area", "area", "id")])
    documents["Land"] = dimension("Lands", [level("Land", "area", "land")])
    documents["Lone"] = dimension("Lone", [level("Lone", "area", "land")])
    documents["Shop"]["relationships"] = [embedded("a", "shop", ["area"], "Areas", "Area")]
    documents["Area"]["relationships"] = [embedded("l", "area", ["land"], "Lands", "Land")]

    assert set(resolve_documents(documents).model.dimensions) == {"Calendar", "Shops", "Kind", "Areas", "Lands"}


def test_what_queries_must_know_of_dimensions_is_noted() -> None:
    """Default members, attributes that are never added up, calculation groups: of dimensions within reach only."""
    documents = star()
    documents["Day"]["hierarchies"][0]["default_member"] = {"expression": "[Calendar].[Year].&[1]"}
    documents["Day"]["level_attributes"][0]["is_aggregatable"] = False
    group = {"unique_name": "G", "calculated_members": [{"unique_name": "A"}]}
    documents["Day"]["calculation_groups"] = [group]
    documents["Lone"] = dimension("Lone", [level("Lone", "shop", "city")], calculation_groups=[group])
    model = resolve_documents(documents).model

    assert (set(model.defaulted), set(model.not_added_up)) == ({"Calendar"}, {("Calendar", "Year")})
    assert [item.dimension for item in model.calculation_groups] == ["Calendar"]


@pytest.mark.parametrize(
    ("written", "function"),
    [
        ({}, ""),
        ({"mdx_aggregate_function": " SUM"}, "sum"),
        ({"mdx_aggregation_function": "Max"}, "max"),
        ({"mdx_aggregate_function": "sum", "mdx_aggregation_function": "max"}, "sum"),
    ],
)
def test_the_aggregate_function_of_a_calculation_has_two_names(written: dict[str, str], function: str) -> None:
    documents = star()
    documents["Net"] |= written

    assert resolve_documents(documents).model.calculations["Net"].aggregate_function == function


@pytest.mark.parametrize(
    ("written", "is_hidden"), [({}, False), ({"is_hidden": True}, True), ({"visible": False}, True)]
)
def test_a_calculation_is_hidden_or_not_visible(written: dict[str, bool], *, is_hidden: bool) -> None:
    documents = star()
    documents["Net"] |= written

    assert resolve_documents(documents).model.calculations["Net"].is_hidden is is_hidden


def test_an_aggregate_is_kept_as_it_is_declared() -> None:
    attribute = {"name": "Day", "dimension": "Calendar", "relationships_path": ["sold"], "partition": "key"}
    documents = star()
    documents["model"]["aggregates"] = [
        {"unique_name": "a", "attributes": [attribute, {"name": "x"}], "metrics": ["Net"]}
    ]
    (declared,) = resolve_documents(documents).model.aggregates

    assert declared == DeclaredAggregate(
        name="a",
        label="a",
        metrics=("Net",),
        attributes=(
            DeclaredAttribute(name="Day", dimension="Calendar", path=("sold",), partition="key"),
            DeclaredAttribute(name="x", dimension="", path=(), partition=""),
        ),
        where=declared.where,
    )


def test_row_security_is_kept_and_a_relationship_to_it_is_none_of_the_models() -> None:
    documents = star()
    security = {"unique_name": "r", "object_type": "row_security", "label": "r", "dataset": "shop", "ids_column": "u"}
    documents["r"] = security | {"filter_key_column": "shop_id", "id_type": "user", "scope": "all"}
    secured = {"unique_name": "s", "from": {"dataset": "sales", "join_columns": ["x"]}, "to": {"row_security": "r"}}
    documents["model"]["relationships"].append(secured)
    resolved = resolve_documents(documents)

    (found,) = resolved.model.row_securities.values()
    (link,) = resolved.model.security_links
    assert (found.name, found.dataset, found.filter_key_column, found.ids_column) == ("r", "shop", "shop_id", "u")
    assert (found.id_type, found.scope, found.secure_totals) == ("user", "all", True)
    assert (link.dataset, link.column, link.row_security, link.dimension) == ("sales", "x", "r", "")
    assert "s" not in {item.name for item in resolved.model.relationships}


def test_a_composite_model_has_the_relationships_and_metrics_of_its_members_and_its_own_aggregates() -> None:
    documents = star() | {"m2": _SECOND}
    own = {"unique_name": "own", "label": "own", "metrics": ["Amount"]}
    documents["model"]["aggregates"] = [{**own, "unique_name": "of the member"}]
    documents["c"] = {**_COMPOSITE, "aggregates": [own], "metrics": [{"unique_name": "Net"}]}
    model = resolve_documents(documents, "c").model

    assert (model.is_composite, model.label) == (True, "Both")
    assert {item.name for item in model.relationships} >= {"sold", "bought"}
    assert [item.name for item in model.aggregates] == ["own"]
    assert model.listed == ("Amount", "Average", "Lost", "Net")


@pytest.mark.parametrize(
    ("catalog", "model", "allowed"),
    [
        ({"sales": {"allow_aggregates": False}}, {}, {"returns"}),
        ({"sales": {"allow_local_aggs": False}}, {}, {"returns"}),
        ({"sales": {"allow_peer_aggs": False}, "returns": None}, {}, {"sales", "returns"}),
        ({"sales": {"allow_aggregates": False}}, {"sales": {"allow_aggregates": True}}, {"sales", "returns"}),
    ],
    ids=["not allowed", "no local ones", "others than local ones", "the model's word wins"],
)
def test_properties_of_datasets_say_which_facts_are_aggregated(
    catalog: dict[str, Any], model: dict[str, Any], allowed: set[str]
) -> None:
    documents = star()
    documents["catalog"]["dataset_properties"] = catalog
    documents["model"]["dataset_properties"] = model
    datasets = resolve_documents(documents).model.datasets

    assert {name for name in ("sales", "returns") if datasets[name].allow_aggregates} == allowed


def test_the_connection_of_a_model_is_that_of_most_of_its_metrics() -> None:
    documents = star() | {"v": {**star()["w"], "unique_name": "v", "as_connection": "annex"}}
    documents["returns"]["connection_id"] = "v"
    assert resolve_documents(documents).model.connection == "house"

    documents["sales"]["connection_id"] = "v"
    assert resolve_documents(documents).model.connection == "annex"


def test_without_a_catalog_or_with_two_there_is_a_warning() -> None:
    documents = star()
    second = documents | {"k2": {**documents["catalog"], "unique_name": "other"}}
    resolved = resolve_documents(second)
    assert resolved.warnings == ["a second catalog `other`; `cat` at catalog.yml:1 is used"]
    assert resolved.model.catalog == "cat"

    del documents["catalog"]
    resolved = resolve_documents(documents)
    assert resolved.warnings == ["there is no catalog; the model's name stands for it"]
    assert resolved.model.catalog == "m"


_Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("model", lambda m: m["relationships"][0]["to"].update(level="Dya"), "Did you mean `Day`"),
        ("model", lambda m: m["relationships"][0]["to"].update(level="Date"), "level of dimension `Calendar` `Date`"),
        ("model", lambda m: m["relationships"][0]["to"].update(dimension="Calender"), "Did you mean `Calendar`"),
        ("model", lambda m: m["relationships"][0]["from"].update(dataset="sale"), "Did you mean `sales`"),
        (
            "model",
            lambda m: m["relationships"][0]["from"].update(join_columns=["a", "b"]),
            "joins 2 column(s) to level",
        ),
        ("model", lambda m: m["dimensions"].append("Knid"), "model `m` refers to dimension `Knid`"),
        ("model", lambda m: m["metrics"].append({"unique_name": "Amonut"}), "Did you mean `Amount`"),
        ("Amount", lambda m: m.update(dataset="salse"), "metric `Amount` refers to dataset `salse`"),
        (
            "Amount",
            lambda m: m.update(calculation_method="total"),
            "unknown calculation method `total`; the methods are",
        ),
        ("Amount", lambda m: m.update(calculation_method="summ"), "Did you mean `sum`"),
        ("Amount", lambda m: m.update(calculation_method="count_distinct"), "Did you mean `count distinct`"),
        ("sales", lambda m: m.update(connection_id="x"), "connection `x`"),
        ("sales", lambda m: m.pop("table"), "neither `table` nor `sql`"),
        ("Day", lambda m: m["hierarchies"][0]["levels"].append({"unique_name": "Hour"}), "level attribute `Hour`"),
        ("Day", lambda m: m["hierarchies"][0]["levels"].append({"unique_name": "Date"}), "level attribute `Date`"),
        ("Day", lambda m: m["level_attributes"][0].update(dataset="dya"), "attribute `Year` refers to dataset `dya`"),
    ],
)
def test_what_a_build_would_stumble_over_is_an_error(file: str, change: _Change, message: str) -> None:
    """In the file where it stands, with near names."""
    documents = star()
    change(documents[file])
    issues = resolve_documents(documents).issues

    (error,) = [issue for issue in issues if issue.is_error]
    assert message in error.message
    assert error.file == f"{file}.yml"
    assert error.line >= 1


@pytest.mark.parametrize(
    "text",
    [{"calculation_method": "summ"}, {"calculation_method": ["sum"]}, {"object_type": ["metric"]}, {"object_type": 12}],
)
def test_that_the_model_lacks_a_broken_metric_is_not_told_besides(text: dict[str, Any]) -> None:
    documents = star()
    documents["Amount"] |= text

    assert len(resolve_documents(documents).errors) == 1


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        (
            "model",
            lambda m: m.update(partitions=[{**_PARTITION, "relationships_path": ["sold", "solt"]}]),
            "partition `p` refers to relationship `solt`, which does not exist. Did you mean `sold`?",
        ),
        (
            "model",
            lambda m: m.update(dataset_properties={"salse": {}}),
            "`dataset_properties` refers to dataset `salse`, which does not exist. Did you mean `sales`?",
        ),
        (
            "Shop",
            lambda m: m.update(relationships=[embedded("e", "shop", ["x"], "Kind", "Kind", type="linked")]),
            (
                "relationship `e` has the unknown type `linked`, which is neither `embedded` nor `snowflake`; it is "
                "ignored"
            ),
        ),
    ],
)
def test_what_no_build_needs_is_a_warning(file: str, change: _Change, message: str) -> None:
    documents = star()
    change(documents[file])
    resolved = resolve_documents(documents)

    assert resolved.errors == []
    assert message in resolved.warnings


@pytest.mark.parametrize(
    ("edge", "message"),
    [
        (embedded("e", "shop", ["x"], "Kidn", "Kind"), "relationship `e` refers to dimension `Kidn`"),
        (embedded("e", "shop", ["x"], "Kind", "Kidn"), "relationship `e` refers to level of dimension `Kind` `Kidn`"),
        (embedded("e", "shop", ["x", "y"], "Kind", "Kind"), "relationship `e` joins 2 column(s) to level `Kind`"),
        (embedded("", "shop", ["x"], "Kidn", "Kind"), "a relationship of dimension `Shops` refers to dimension `Kidn`"),
    ],
)
def test_edges_of_dimensions_lead_to_levels(edge: dict[str, Any], message: str) -> None:
    documents = star()
    documents["Shop"]["relationships"] = [edge]

    (error,) = resolve_documents(documents).errors
    assert error.startswith(message)


def test_dimensions_that_embed_each_other_are_an_error_that_spells_the_cycle_out() -> None:
    documents = star()
    for name, other, target in (("Day", "Shops", "Shop"), ("Shop", "Calendar", "Day")):
        documents[name]["relationships"] = [embedded(f"{name}_edge", name.lower(), ["x"], other, target)]

    assert resolve_documents(documents).errors == [
        "dimensions embed each other in a cycle: Calendar → Shops → Calendar"
    ]


def test_a_composite_model_of_a_model_that_is_not_there_is_an_error() -> None:
    documents = star() | {"c": {**_COMPOSITE, "models": ["m", "m3"]}, "m2": _SECOND}

    errors = resolve_documents(documents, "c").errors

    assert "composite model `c` refers to model `m3`, which does not exist." in errors[0]


def test_a_resolver_notes_what_is_wrong_with_shared_objects_once_for_all_models() -> None:
    documents = star() | {"m2": _SECOND}
    documents["Amount"]["dataset"] = "salse"
    folder = read_documents(documents)
    resolver = ModelResolver(folder)
    for name in model_names(folder):
        resolver.resolve(name)

    assert [str(issue) for issue in folder.issues.all()] == [
        "Amount.yml:1: metric `Amount` refers to dataset `salse`, which does not exist. Did you mean `sales`?"
    ]
