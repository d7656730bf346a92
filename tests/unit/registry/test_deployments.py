"""Deployments: versioned by content; definitions appear, change, retire and come back with them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy.exc import IntegrityError

from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, DefinitionOrigin, DefinitionStatus
from airflow_atscale_aggs.engine.registry.records import DeploymentOutcome
from airflow_atscale_aggs.engine.registry.registry import Registry
from tests.support.registry_content import (
    LATER,
    MODEL,
    NOW,
    OTHER_MODEL,
    REVENUE,
    UNITS,
    make_aggregate,
    make_deployment,
    make_system_aggregate,
    propose,
)

TAX = make_aggregate("tax", "tax")


def _deploy(
    registry: Registry, *aggregates: AggregateDefinition, content: str = "2", **others: object
) -> DeploymentOutcome:
    deployment = make_deployment(*aggregates, content=content, **others)
    (outcome,) = registry.models.record_deployments([deployment], now=LATER)
    return outcome


def _definitions(registry: Registry) -> dict[str, str]:
    """Status by name, of all definitions that ever were."""
    records = registry.read.definitions.of_model(MODEL, include_retired=True)
    return {record.definition.name: record.status for record in records}


def test_deployments_are_versioned_by_content(any_registry: Registry) -> None:
    """The same content again is no new version; definitions appear, change, retire and come back."""
    registry = any_registry
    same = _deploy(registry, REVENUE, UNITS, content="1")
    second = _deploy(registry, replace(REVENUE, label="New"), TAX, content="2")
    retired = _definitions(registry)
    third = _deploy(registry, REVENUE, UNITS, TAX, content="3")

    assert (same.version, same.is_new_version, same.unchanged) == (1, False, ("revenue", "units"))
    assert (second.version, second.is_new_version) == (2, True)
    assert (second.appeared, second.changed, second.retired) == (("tax",), ("revenue",), ("units",))
    assert retired == {"revenue": "defined", "units": "retired", "tax": "defined"}
    assert (third.version, third.appeared, third.unchanged) == (3, ("units",), ("tax",))
    assert registry.read.models.version(MODEL) == 2


def test_a_renamed_aggregate_is_the_same_definition(any_registry: Registry) -> None:
    """Identity is the meaning: its instances and statistics stay."""
    registry = any_registry
    before = {record.definition.id for record in registry.read.definitions.of_model(MODEL)}

    _deploy(registry, replace(REVENUE, name="turnover"), UNITS)

    assert {record.definition.id for record in registry.read.definitions.of_model(MODEL)} == before
    assert _definitions(registry) == {"turnover": "defined", "units": "defined"}


def test_another_meaning_under_the_same_name_is_a_change(registry: Registry) -> None:
    """The name did not leave the model; the meaning of before did."""
    outcome = _deploy(registry, replace(TAX, name="units"), REVENUE)

    assert (outcome.changed, outcome.appeared, outcome.retired) == (("units",), (), ())
    records = {
        record.definition.id: record for record in registry.read.definitions.of_model(MODEL, include_retired=True)
    }
    assert [(records[item.id].status, records[item.id].status_reason) for item in (UNITS, TAX)] == [
        ("retired", "it left the model"),
        ("defined", ""),
    ]
    assert (records[UNITS.id].retired_at, records[TAX.id].created_at) == (LATER, LATER)


def test_what_a_user_defines_too_is_the_users(any_registry: Registry) -> None:
    """And deployments leave all others alone."""
    registry = any_registry
    mine, other = make_system_aggregate("a", "tax"), make_system_aggregate("b", "profit")
    propose(registry, mine, other)
    users = replace(mine, name="taxes", origin=DefinitionOrigin.USER_DEFINED)

    outcome = _deploy(registry, REVENUE, users)

    assert (outcome.changed, outcome.retired) == (("taxes",), ("units",))
    records = registry.read.definitions.of_model(MODEL)
    assert {record.definition.name: record.definition.origin for record in records} == {
        "revenue": DefinitionOrigin.USER_DEFINED,
        "taxes": DefinitionOrigin.USER_DEFINED,
        "b": DefinitionOrigin.DEMAND_DEFINED,
    }


def test_what_a_person_has_blocked_stays_blocked(registry: Registry) -> None:
    """It takes its new name all the same."""
    registry.definitions.set_status(
        [UNITS.id], DefinitionStatus.BLOCKED, "wrong", expected=DefinitionStatus.DEFINED, now=NOW
    )

    outcome = _deploy(registry, REVENUE, replace(UNITS, name="pieces"))

    assert (outcome.unchanged, outcome.retired) == (("revenue", "pieces"), ())
    record = registry.read.definitions.get(UNITS.id)
    assert (record.status, record.status_reason, record.definition.name) == ("blocked", "wrong", "pieces")


def test_system_defined_ones_are_bound_anew_or_leave_with_the_reason(registry: Registry) -> None:
    """Users' definitions are none of them, and what is not defined does not leave."""
    stays, leaves, blocked = (make_system_aggregate(name, name) for name in ("stays", "leaves", "blocked"))
    propose(registry, stays, leaves, blocked)
    registry.definitions.set_status(
        [blocked.id], DefinitionStatus.BLOCKED, "wrong", expected=DefinitionStatus.DEFINED, now=NOW
    )
    bound_anew = replace(stays, label="as it is joined today")
    reasons = {leaves.id: "column `x` is gone", blocked.id: "column `y` is gone", UNITS.id: "no reason"}

    outcome = _deploy(registry, REVENUE, UNITS, rebound=(bound_anew,), left=reasons)

    assert (outcome.left, outcome.retired) == (("leaves",), ())
    assert registry.read.definitions.get(stays.id).definition == bound_anew
    record = registry.read.definitions.get(leaves.id)
    assert (record.status, record.status_reason, record.retired_at) == ("retired", "column `x` is gone", LATER)
    assert registry.read.definitions.get(blocked.id).status_reason == "wrong"
    assert registry.read.definitions.get(UNITS.id).status == "defined"


def test_settings_are_those_of_the_last_deployment(registry: Registry) -> None:
    """Settings that a person has put stay."""
    registry.settings.put(MODEL, "c", "3")
    _deploy(registry, settings={"a": "1", "b": "2"})
    assert registry.read.settings.deployed(MODEL) == {"a": "1", "b": "2"}

    _deploy(registry, settings={"b": "4"})

    assert registry.read.settings.deployed(MODEL) == {"b": "4"}
    assert registry.read.settings.values(MODEL) == {"c": "3"}


def test_what_is_known_of_a_model_is_that_of_its_newest_version(registry: Registry) -> None:
    first = registry.read.models.get(MODEL)
    _deploy(registry, label="New label", connection=None, perspectives=("north", "south"))

    second = registry.read.models.get(MODEL)

    assert (second.version, second.label, second.connection, second.deployed_at) == (2, "New label", None, LATER)
    assert second.perspectives == ("north", "south")
    assert second.deployment_id != first.deployment_id
    assert [registry.read.models.content(record.deployment_id) for record in (first, second)] == [b"1", b"2"]


def test_a_model_may_move_to_another_folder_without_a_new_version(registry: Registry) -> None:
    _deploy(registry, content="1", folder="sales")
    outcome = _deploy(registry, content="1", folder="finance")

    assert (registry.read.models.get(MODEL).folder, outcome.is_new_version) == ("finance", False)


def test_a_retired_model_is_back_when_it_is_deployed_again(registry: Registry) -> None:
    """Also with the content of before; those who have cached what it was look again."""
    registry.models.retire(MODEL, why="not needed", now=NOW, drop_after=LATER)

    outcome = _deploy(registry, REVENUE, UNITS, content="1")

    assert (outcome.version, outcome.is_new_version, outcome.appeared) == (1, False, ("revenue", "units"))
    assert registry.read.models.get(MODEL).retired_at is None
    assert _definitions(registry) == {"revenue": "defined", "units": "defined"}
    assert registry.read.models.version(MODEL) == 2


def test_the_models_of_a_folder_are_recorded_together_or_not_at_all(registry: Registry) -> None:
    deployments = [make_deployment(content="2"), make_deployment(model_id=OTHER_MODEL, name="visits", label=None)]

    with pytest.raises(IntegrityError):
        registry.models.record_deployments(deployments, now=LATER)

    assert [(record.name, record.version) for record in registry.read.models.all()] == [("sales", 1)]
    assert _definitions(registry) == {"revenue": "defined", "units": "defined"}
