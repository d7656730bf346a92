"""Definitions in a changed model: the same meaning with the new joins, or the reason why it cannot exist any more."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition
from airflow_atscale_aggs.engine.aggregates.rebinding import rebind, why_undefinable
from tests.support.stars.documents import Documents, aggregate, dataset, resolve_documents, star

_CITY = {"name": "City", "dimension": "Shops"}
_MONTH = {"name": "Month", "dimension": "Calendar", "relationships_path": ["sold"]}


def _definition() -> AggregateDefinition:
    """Net and average by city and month of sale, as the star has them before any change."""
    documents = star()
    documents["model"]["aggregates"] = [aggregate("a", [_CITY, _MONTH], ["Net", "Average"])]
    return resolve_documents(documents).aggregates["a"]


def _move_shops(documents: Documents) -> None:
    """Shops get a table and a key of another name."""
    documents["store"] = dataset("store", "store_id", "town")
    for attribute, column in zip(documents["Shop"]["level_attributes"], ("town", "store_id"), strict=True):
        attribute.update(dataset="store", key_columns=[column], name_column=column)


def _drop_role(documents: Documents) -> None:
    for relationship in documents["model"]["relationships"]:
        if relationship["to"]["dimension"] == "Calendar":
            relationship["role_play"] = "Shipped {0}"


def _drop_city(documents: Documents) -> None:
    documents["Shop"]["hierarchies"][0]["levels"].pop(0)
    documents["Shop"]["level_attributes"].pop(0)


@pytest.mark.parametrize("change", [dict.copy, _move_shops], ids=["no change", "shops in another table"])
def test_a_definition_keeps_its_meaning_with_the_new_joins(change: Callable[[Documents], object]) -> None:
    documents = star()
    change(documents)
    resolved = resolve_documents(documents)
    definition = _definition()

    rebound = rebind(definition, resolved.paths)

    assert rebound is not None
    assert rebound.fingerprint == definition.fingerprint
    for part in rebound.parts:
        assert part.attributes[0] == resolved.bound(part.fact, "Shops", "City")
    assert why_undefinable(definition, resolved.model, resolved.paths) == ""


@pytest.mark.parametrize("change", [_drop_role, _drop_city])
def test_a_definition_with_an_attribute_out_of_reach_is_not_bound(change: Callable[[Documents], None]) -> None:
    documents = star()
    change(documents)

    assert rebind(_definition(), resolve_documents(documents).paths) is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d.pop("Lost"), "metric `lost` left the model"),
        (lambda d: d.pop("Net"), "metric `Net` left the model"),
        (lambda d: d["Net"].update(expression="[Measures].[Net]"), "metric `Net` left the model"),
        (lambda d: d["Lost"].update(calculation_method="average"), "the metrics of `returns` are computed otherwise"),
        (lambda d: d["Lost"].update(column="kind"), "the metrics of `returns` are computed otherwise"),
        (
            lambda d: d["Net"].update(expression="[Measures].[Amount]"),
            "the metrics of `returns` are computed otherwise",
        ),
        (lambda d: d["Lost"].update(dataset="sales"), "the metrics of `returns` are computed otherwise"),
        (lambda d: [d.pop("returns"), d["Lost"].update(dataset="sales")], "dataset `returns` left the model"),
        (
            lambda d: d["catalog"].update(dataset_properties={"sales": {"allow_aggregates": False}}),
            "dataset `sales` has `allow_aggregates: false`",
        ),
        (_drop_role, "attribute `Sold Month` left the model, or `returns` does not reach it"),
        (_drop_city, "attribute `City` left the model, or `returns` does not reach it"),
    ],
)
def test_why_a_definition_cannot_exist_any_more(change: Callable[[Documents], object], reason: str) -> None:
    """Its metrics must be made of the very measures that it stores."""
    documents = star()
    change(documents)
    resolved = resolve_documents(documents)

    assert why_undefinable(_definition(), resolved.model, resolved.paths) == reason


def test_a_label_or_another_metric_does_not_matter() -> None:
    documents = star()
    documents["Average"]["label"] = "Mean"
    del documents["Amount"]["label"]
    documents["Net"]["expression"] = "2 * [Measures].[Lost] + [Measures].[Amount]"
    resolved = resolve_documents(documents)

    assert why_undefinable(_definition(), resolved.model, resolved.paths) == ""
