"""Definitions that no person made: recorded once by meaning, retired, blocked, and brought back."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from sqlalchemy import select

from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, DefinitionOrigin, DefinitionStatus
from airflow_atscale_aggs.engine.registry.definitions import DefinitionOutcome
from airflow_atscale_aggs.engine.registry.records import DefinitionRecord, ProposedDefinition
from airflow_atscale_aggs.engine.registry.registry import Registry
from airflow_atscale_aggs.engine.registry.tables import attributes
from tests.support.registry_content import (
    LATER,
    MODEL,
    NOW,
    REVENUE,
    UNITS,
    make_aggregate,
    make_deployment,
    make_system_aggregate,
    open_batch,
    propose,
)
from tests.support.stars.small_star import CITY, attribute
from tests.support.statement_plans import plans_of, scanned

TAX = make_system_aggregate("tax", "tax")


def _proposal(aggregate: AggregateDefinition, reason: str = "asked", **evidence: float) -> ProposedDefinition:
    return ProposedDefinition(definition=aggregate, reason=reason, evidence=evidence)


def _system_defined(registry: Registry, *, include_retired: bool = False) -> list[DefinitionRecord]:
    records = registry.read.definitions.of_model(MODEL, include_retired=include_retired)
    return [record for record in records if record.definition.origin.is_system_defined]


def test_a_meaning_is_recorded_once(any_registry: Registry) -> None:
    """Equal ones are told one by one; a name that is taken gets some digits of the fingerprint."""
    registry = any_registry
    first, again = make_system_aggregate("a", "tax"), make_system_aggregate("other name", "tax")
    namesake = make_system_aggregate("a!", "profit")
    proposed = [_proposal(aggregate, rows=5.0) for aggregate in (first, again, namesake)]

    assert registry.definitions.add(proposed, now=NOW) == ("added", "duplicate", "added")
    assert registry.definitions.add(proposed, now=NOW) == ("duplicate", "duplicate", "duplicate")
    recorded, other = _system_defined(registry)
    assert (recorded.definition, recorded.reason, recorded.evidence) == (first, "asked", {"rows": 5.0})
    assert (recorded.created_at, recorded.defined_at) == (NOW, NOW)
    assert other.definition.name == f"a!_{namesake.fingerprint[:6]}"


def test_each_is_told_by_the_name_that_it_has_here(any_registry: Registry) -> None:
    """Also the second of two equal ones, what was there before, and what comes back."""
    definitions = any_registry.definitions
    namesake = make_system_aggregate("TAX", "profit")
    here = f"TAX_{namesake.fingerprint[:6]}"
    propose(any_registry, TAX)

    told = definitions.add_named([_proposal(each) for each in (namesake, namesake, replace(TAX, name="b"))], now=NOW)

    assert told == (("added", here), ("duplicate", here), ("duplicate", "tax"))
    definitions.set_status([namesake.id], DefinitionStatus.RETIRED, "why", expected=DefinitionStatus.DEFINED, now=NOW)
    assert definitions.add_named([_proposal(namesake)], now=NOW) == (("returned", here),)


def test_who_defined_a_model_is_told_without_its_documents(any_registry: Registry) -> None:
    """What is retired does not count, nor does what belongs to another model."""
    origins = any_registry.read.definitions.origins_of
    assert origins(MODEL) == {record.definition.origin for record in any_registry.read.definitions.of_model(MODEL)}

    any_registry.definitions.add([_proposal(TAX)], now=NOW)
    assert TAX.origin in origins(MODEL)
    assert origins("another model") == set()


def test_what_a_user_has_defined_is_a_duplicate(registry: Registry) -> None:
    """And its name is taken."""
    same_meaning = make_system_aggregate("other name", "amount")

    assert registry.definitions.add([_proposal(same_meaning)], now=NOW) == ("duplicate",)
    propose(registry, replace(TAX, name="Revenue"))
    (record,) = _system_defined(registry)
    assert record.definition.name == f"Revenue_{TAX.fingerprint[:6]}"


def test_blocked_stays_blocked_and_retired_comes_back(any_registry: Registry) -> None:
    """Statuses move by compare-and-set."""
    registry = any_registry
    propose(registry, TAX)
    definitions = registry.definitions

    assert (
        definitions.set_status([TAX.id], DefinitionStatus.RETIRED, "unused", expected=DefinitionStatus.BLOCKED, now=NOW)
        == 0
    )
    assert (
        definitions.set_status([TAX.id], DefinitionStatus.RETIRED, "unused", expected=DefinitionStatus.DEFINED, now=NOW)
        == 1
    )
    assert _system_defined(registry) == []
    (retired,) = _system_defined(registry, include_retired=True)
    assert (retired.status, retired.status_reason, retired.retired_at) == ("retired", "unused", NOW)
    assert definitions.add([_proposal(TAX)], now=NOW) == (DefinitionOutcome.RETURNED,)
    assert registry.read.definitions.get(TAX.id).status_reason == ""
    definitions.set_status([TAX.id], DefinitionStatus.BLOCKED, "wrong", expected=DefinitionStatus.DEFINED, now=NOW)
    assert definitions.add([_proposal(TAX)], now=NOW) == (DefinitionOutcome.BLOCKED,)
    assert _system_defined(registry) == []


def test_what_comes_back_has_the_reason_and_the_figures_of_now(registry: Registry) -> None:
    propose(registry, TAX)
    registry.definitions.set_status(
        [TAX.id], DefinitionStatus.RETIRED, "unused", expected=DefinitionStatus.DEFINED, now=NOW
    )
    predicted = replace(TAX, origin=DefinitionOrigin.PREDICTION_DEFINED)

    registry.definitions.add([_proposal(predicted, "predicted", rows=7.0)], now=LATER)

    record = registry.read.definitions.get(TAX.id)
    assert (record.status, record.reason, record.evidence) == ("defined", "predicted", {"rows": 7.0})
    assert (record.created_at, record.defined_at, record.retired_at) == (NOW, LATER, None)


@pytest.mark.parametrize(
    ("status", "expected", "moved", "retired_at", "defined_at"),
    [
        (DefinitionStatus.BLOCKED, DefinitionStatus.DEFINED, 2, LATER, NOW),
        (DefinitionStatus.RETIRED, DefinitionStatus.DEFINED, 2, LATER, NOW),
        (DefinitionStatus.DEFINED, DefinitionStatus.DEFINED, 2, None, LATER),
        (DefinitionStatus.DEFINED, DefinitionStatus.BLOCKED, 0, None, NOW),
    ],
)
def test_several_statuses_are_moved_at_once(
    registry: Registry,
    status: DefinitionStatus,
    expected: DefinitionStatus,
    moved: int,
    retired_at: object,
    defined_at: object,
) -> None:
    other = make_system_aggregate("profit", "profit")
    propose(registry, TAX, other)

    assert registry.definitions.set_status([TAX.id, other.id], status, "why", expected=expected, now=LATER) == moved
    for aggregate in (TAX, other):
        record = registry.read.definitions.get(aggregate.id)
        assert (record.retired_at, record.defined_at) == (retired_at, defined_at)
        assert record.status_reason == ("why" if moved else "")


def test_a_moved_status_is_a_new_version_of_the_model(registry: Registry) -> None:
    before = registry.read.models.version(MODEL)
    registry.definitions.set_status(
        [UNITS.id], DefinitionStatus.BLOCKED, "wrong", expected=DefinitionStatus.DEFINED, now=NOW
    )

    assert registry.read.models.version(MODEL) == before + 1


def test_two_may_define_the_same_at_once(any_registry: Registry) -> None:
    """One adds, the other hears of duplicates."""
    registry = any_registry
    proposals = [_proposal(make_system_aggregate(f"a{number}", f"c{number}")) for number in range(300)]
    outcomes: list[tuple[DefinitionOutcome, ...]] = []
    threads = [
        threading.Thread(target=lambda: outcomes.append(registry.definitions.add(proposals, now=NOW))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted("+".join(set(answers)) for answers in outcomes) == ["added", *["duplicate"] * 3]
    assert len(_system_defined(registry)) == 300


def test_nothing_proposed_is_nothing_recorded(registry: Registry) -> None:
    assert registry.definitions.add([], now=NOW) == ()


def test_deployments_alone_record_what_users_define(registry: Registry) -> None:
    users = replace(TAX, origin=DefinitionOrigin.USER_DEFINED)

    with pytest.raises(AssertionError, match="recorded by deployments"):
        registry.definitions.add([_proposal(users)], now=NOW)
    assert registry.read.definitions.names_and_statuses(MODEL).keys() == {REVENUE.id, UNITS.id}


def test_an_identity_that_the_caller_knows_is_not_computed_again(registry: Registry) -> None:
    proposal = replace(_proposal(TAX), identity=("d1", "f1"))

    assert registry.definitions.add([proposal, proposal], now=NOW) == ("added", "duplicate")
    assert registry.read.definitions.get("d1").definition == TAX


def test_attributes_are_kept_once_for_all_definitions(registry: Registry) -> None:
    """Whoever reads a definition gets them in full."""
    area = attribute("area", "shop", "area", "area", *CITY.steps)
    by_city = replace(TAX, parts=(replace(TAX.parts[0], attributes=(CITY,)),))
    by_both = replace(TAX, name="both", parts=(replace(TAX.parts[0], attributes=(area, CITY)),))
    propose(registry, by_city)
    propose(registry, by_both)

    assert [record.definition for record in _system_defined(registry)] == [by_both, by_city]
    assert registry.read.definitions.get(by_both.id).definition == by_both
    with registry.database.reading() as connection:
        assert len(connection.execute(select(attributes.c.id)).all()) == 2


def test_names_and_statuses_are_told_without_documents(registry: Registry) -> None:
    propose(registry, TAX)
    registry.definitions.set_status(
        [UNITS.id], DefinitionStatus.BLOCKED, "wrong", expected=DefinitionStatus.DEFINED, now=NOW
    )

    assert registry.read.definitions.names_and_statuses(MODEL) == {
        REVENUE.id: ("revenue", "defined"),
        UNITS.id: ("units", "blocked"),
        TAX.id: ("tax", "defined"),
    }
    assert registry.read.definitions.names_and_statuses("another model") == {}


def test_meanings_are_decoded_again_only_where_they_have_changed(any_registry: Registry) -> None:
    registry = any_registry
    propose(registry, TAX)
    before = registry.read.definitions.meanings(MODEL)
    renamed = replace(REVENUE, label="Takings")
    registry.models.record_deployments([make_deployment(renamed, UNITS, content="2")], now=LATER)
    registry.definitions.set_status(
        [TAX.id], DefinitionStatus.BLOCKED, "", expected=DefinitionStatus.DEFINED, now=LATER
    )

    after = registry.read.definitions.meanings(MODEL, before)

    assert after == registry.read.definitions.meanings(MODEL)
    records = registry.read.definitions.of_model(MODEL, include_retired=True)
    assert [(m.definition, m.status) for m in after.values()] == [(r.definition, r.status) for r in records]
    assert after[REVENUE.id].definition == renamed
    assert after[UNITS.id] is before[UNITS.id]
    assert after[TAX.id].definition is before[TAX.id].definition
    assert (before[TAX.id].status, after[TAX.id].status) == (DefinitionStatus.DEFINED, DefinitionStatus.BLOCKED)


def test_definitions_for_which_a_batch_was_begun(registry: Registry) -> None:
    assert registry.read.definitions.ids_with_instances(MODEL) == set()
    open_batch(registry)
    propose(registry, TAX)

    assert registry.read.definitions.ids_with_instances(MODEL) == {REVENUE.id, UNITS.id}


def test_definitions_are_listed_oldest_first_then_by_name(registry: Registry) -> None:
    propose(registry, TAX, now=LATER)
    propose(registry, make_system_aggregate("a", "profit"), now=LATER)

    names = [record.definition.name for record in registry.read.definitions.of_model(MODEL)]
    assert names == ["revenue", "units", "a", "tax"]


def test_some_definitions_are_read_by_id(any_registry: Registry) -> None:
    """Those that are not there are left out."""
    propose(any_registry, TAX)

    found = any_registry.read.definitions.some([TAX.id, REVENUE.id, "nobody"])

    assert {record.definition for record in found} == {TAX, REVENUE}
    assert any_registry.read.definitions.some([]) == ()


def test_definitions_are_found_by_name(any_registry: Registry) -> None:
    """Where a name has come back with another meaning, the one that is defined is meant."""
    same_name = make_aggregate("revenue", "profit")
    any_registry.models.record_deployments([make_deployment(same_name, UNITS, content="2")], now=LATER)

    found = any_registry.read.definitions.ids_of_names(MODEL, ["revenue", "units", "nobody"])

    assert found == {"revenue": same_name.id, "units": UNITS.id}
    assert any_registry.read.definitions.ids_of_names("another", ["units"]) == {}


def test_attributes_of_other_models_are_not_read(registry: Registry) -> None:
    """Those that definitions refer to are looked up, one by one and for a model."""
    with_city = replace(TAX, parts=(replace(TAX.parts[0], attributes=(CITY,)),))
    propose(registry, with_city)

    with plans_of(registry) as plans:
        (record,) = _system_defined(registry)
        assert registry.read.definitions.get(record.definition.id) == record
        assert registry.read.definitions.some([record.definition.id]) == (record,)

    assert record.definition.grain == with_city.grain
    assert scanned(plans, "attributes", "definitions") == []
