"""A definition as SML to paste: read back by our own reader, it has the same meaning."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, FactPart
from airflow_atscale_aggs.engine.aggregates.sml_entry import sml_entry
from airflow_atscale_aggs.engine.model.paths import Role
from tests.support.stars.documents import Documents, aggregate, dimension, embedded, level, resolve_documents, star

_CITY = {"name": "City", "dimension": "Shops"}


def _month(*path: str) -> dict[str, Any]:
    return {"name": "Month", "dimension": "Calendar", "relationships_path": list(path)}


def _documents() -> Documents:
    """The star, with an area in the role ``Home`` behind each shop."""
    documents = star()
    documents["area"] = {**documents["shop"], "unique_name": "area", "label": "area", "table": "area"}
    documents["Area"] = dimension("Areas", [level("Area", "area", "area", is_unique_key=True)])
    documents["Shop"]["relationships"] = [embedded("home", "shop", ["area"], "Areas", "Area", role_play="Home")]
    return documents


def _define(attributes: list[dict[str, Any]], metrics: list[str]) -> AggregateDefinition:
    documents = _documents()
    documents["model"]["aggregates"] = [aggregate("a", attributes, metrics)]
    return resolve_documents(documents).aggregates["a"]


@pytest.mark.parametrize(
    ("attributes", "metrics"),
    [
        ([_CITY], ["Amount"]),
        ([_CITY, _month("sold"), _month("shipped")], ["Amount", "Average"]),
        ([_month("shipped")], ["Average"]),
        ([_CITY, _month("returned")], ["Net", "Lost"]),
        ([{"name": "Area", "dimension": "Areas", "relationships_path": ["sales_shop", "home"]}], ["Amount"]),
        ([{"name": "Kind", "dimension": "Kind"}], ["Amount"]),
        ([], ["Amount"]),
    ],
)
def test_what_is_written_is_read_with_the_same_meaning(attributes: list[dict[str, Any]], metrics: list[str]) -> None:
    documents = _documents()
    documents["model"]["aggregates"] = [aggregate("a", attributes, metrics)]
    resolved = resolve_documents(documents)
    definition = resolved.aggregates["a"]

    text = sml_entry(definition, resolved.model)

    assert text.startswith("- unique_name: a\n  label: a\n")
    documents["model"]["aggregates"] = yaml.safe_load(text)
    again = resolve_documents(documents)
    assert again.errors == []
    assert again.aggregates["a"].fingerprint == definition.fingerprint
    assert again.aggregates["a"].metrics == definition.metrics


def test_names_are_written_as_they_are() -> None:
    definition = replace(_define([_CITY], ["Amount"]), name="by: 'city' #1", label='Größe {0} - "x"\n- y')
    model = resolve_documents(_documents()).model

    (entry,) = yaml.safe_load(sml_entry(definition, model))

    assert (entry["unique_name"], entry["label"]) == (definition.name, definition.label)


def test_what_sml_cannot_say_is_not_said() -> None:
    model = resolve_documents(_documents()).model
    definition = _define([_CITY], ["Amount"])
    (part,) = definition.parts
    strange = tuple(
        replace(bound, attribute=replace(bound.attribute, role=Role("Shops", "Never {0}"))) for bound in part.attributes
    )

    assert sml_entry(replace(definition, metrics=()), model) == ""
    odd = FactPart(fact=part.fact, attributes=strange, measures=part.measures)
    assert sml_entry(replace(definition, parts=(odd,)), model) == ""


def test_dimensions_that_embed_each_other_end() -> None:
    documents = _documents()
    documents["Area"]["relationships"] = [embedded("back", "area", ["shop_id"], "Shops", "Shop")]
    model = resolve_documents(documents).model
    definition = _define([_CITY], ["Amount"])
    (part,) = definition.parts
    strange = tuple(
        replace(bound, attribute=replace(bound.attribute, role=Role("Shops", "Never {0}"))) for bound in part.attributes
    )

    assert (
        sml_entry(replace(definition, parts=(FactPart(fact=part.fact, attributes=strange, measures=()),)), model) == ""
    )
