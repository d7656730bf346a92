"""The identity of a definition: what counts in its fingerprint, and what does not."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import replace

import pytest

from airflow_atscale_aggs.engine.aggregates.definition import (
    AggregateDefinition,
    DefinitionOrigin,
    FactPart,
    catalog_id,
    definition_id,
    fingerprint_of,
    grain_key,
    model_id,
    name_word,
)
from airflow_atscale_aggs.engine.aggregates.measures import StoredMeasure
from airflow_atscale_aggs.engine.model.paths import GrainAttribute, Role
from tests.support.oracles.composed_statements import CITY_LEVEL, DAY_LEVEL, EXACT, MONTH, ROLLING, part


def _definition(*parts: FactPart) -> AggregateDefinition:
    return AggregateDefinition(
        model_id=model_id("retail", "sales"),
        name="Q1",
        label="First",
        origin=DefinitionOrigin.USER_DEFINED,
        metrics=("Amount",),
        parts=parts,
    )


_DEFINITION = _definition(part(DAY_LEVEL, CITY_LEVEL))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Sold Calendar Year - (Größe)", "sold_calendar_year_größe"),
        ("plain_name2", "plain_name2"),
        ("Agg", "agg"),
        ("_agg_", "agg"),
        ("2 days", "2_days"),
        ("日本", "日本"),
        ("--", "x"),
        ("___", "x"),
        ("", "x"),
    ],
)
def test_a_name_as_a_word(text: str, word: str) -> None:
    assert name_word(text) == word


def test_the_id_of_a_model_is_the_same_wherever_it_is_deployed() -> None:
    assert model_id("retail", "sales") == model_id("retail", "sales")
    assert model_id("retail", "sales") != model_id("retail", "returns")
    assert model_id("a", "bc") != model_id("ab", "c")


def test_a_catalog_has_an_id_that_no_model_has() -> None:
    """The same wherever the same SML is deployed."""
    assert catalog_id("retail") == catalog_id("retail")
    assert len({catalog_id("retail"), catalog_id("returns"), model_id("retail", ""), model_id("", "retail")}) == 4


def test_the_id_of_a_definition_is_a_uuid_of_version_five() -> None:
    """As the standard library makes it of the project's namespace; computed here from its parts."""
    namespace = uuid.uuid5(uuid.NAMESPACE_URL, "airflow_atscale_aggs")
    fingerprint = hashlib.sha256(b"anything").hexdigest()[:32]

    assert definition_id(fingerprint) == str(uuid.uuid5(namespace, f"definition\x00{fingerprint}"))


@pytest.mark.parametrize(
    "same",
    [
        replace(_DEFINITION, name="Q2", label="Second", metrics=("Total",), where="m.yml:3"),
        replace(_DEFINITION, origin=DefinitionOrigin.DEMAND_DEFINED),
        _definition(part(CITY_LEVEL, DAY_LEVEL)),
        _definition(part(replace(DAY_LEVEL, key_columns=("other",), steps=()), CITY_LEVEL)),
    ],
    ids=["names", "who asked", "order of the grain", "columns and joins"],
)
def test_definitions_of_one_meaning_have_one_fingerprint(same: AggregateDefinition) -> None:
    assert same.fingerprint == _DEFINITION.fingerprint
    assert same.id == _DEFINITION.id


@pytest.mark.parametrize(
    "other",
    [
        replace(_DEFINITION, model_id=model_id("retail", "returns")),
        _definition(part(DAY_LEVEL)),
        _definition(part(DAY_LEVEL, MONTH)),
        _definition(part(DAY_LEVEL, CITY_LEVEL, measures=ROLLING[:1])),
        _definition(part(replace(DAY_LEVEL, attribute=GrainAttribute(Role("day", "Sold {0}"), "Day")), CITY_LEVEL)),
    ],
    ids=["model", "fewer attributes", "other attributes", "measures", "role"],
)
def test_definitions_of_other_meanings_have_other_fingerprints(other: AggregateDefinition) -> None:
    assert other.fingerprint != _DEFINITION.fingerprint


def test_a_fingerprint_does_not_depend_on_the_order_of_its_parts() -> None:
    assert fingerprint_of("m", ["a", "b"], ["x", "y"]) == fingerprint_of("m", ["b", "a"], ["y", "x"])
    assert fingerprint_of("m", ["a"], ["b"]) != fingerprint_of("m", ["a", "b"], [])


def test_an_attribute_of_a_grain_is_dimension_role_and_name() -> None:
    keys = {
        grain_key(GrainAttribute(Role(dimension, template), name))
        for dimension, template, name in [
            ("D", "{0}", "A"),
            ("D", "Sold {0}", "A"),
            ("D", "{0}", "B"),
            ("E", "{0}", "A"),
        ]
    }

    assert len(keys) == 4


def test_the_grain_is_that_of_all_parts() -> None:
    returns = replace(part(DAY_LEVEL), fact="returns")

    assert _definition(part(DAY_LEVEL, CITY_LEVEL), returns).grain == {DAY_LEVEL.attribute, CITY_LEVEL.attribute}


def test_a_part_is_named_by_its_fact_where_there_are_several() -> None:
    sales, returns = part(DAY_LEVEL), replace(part(DAY_LEVEL), fact="returns")

    assert _definition(sales).part_name(sales) == "Q1"
    assert _definition(sales, returns).part_name(returns) == "Q1 (returns)"


@pytest.mark.parametrize(
    ("measures", "has_only_rollups"),
    [(ROLLING, True), (EXACT, False), ((*ROLLING, *EXACT), False)],
    ids=["sums and extremes", "distinct counts", "both"],
)
def test_a_part_rolls_up_when_each_of_its_measures_does(
    measures: tuple[StoredMeasure, ...], *, has_only_rollups: bool
) -> None:
    assert part(DAY_LEVEL, measures=measures).has_only_rollups() is has_only_rollups


@pytest.mark.parametrize(
    ("origin", "is_system_defined"),
    [
        (DefinitionOrigin.USER_DEFINED, False),
        (DefinitionOrigin.DEMAND_DEFINED, True),
        (DefinitionOrigin.PREDICTION_DEFINED, True),
    ],
)
def test_the_engine_may_let_go_what_no_user_has_defined(origin: DefinitionOrigin, *, is_system_defined: bool) -> None:
    assert origin.is_system_defined is is_system_defined
