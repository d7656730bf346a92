"""Definitions that no person made: recorded once by meaning, retired, blocked, brought back, taken over by a user."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, DefinitionOrigin, FactPart, model_id
from airflow_atscale_aggs.engine.aggregates.measures import StoredFunction, StoredMeasure, row_count
from airflow_atscale_aggs.engine.registry.definitions import DefinitionOutcome
from airflow_atscale_aggs.engine.registry.records import Deployment, ProposedDefinition
from airflow_atscale_aggs.engine.registry.registry import Registry, open_registry

_NOW = datetime(2026, 1, 2, tzinfo=UTC)
_MODEL = model_id("shop", "sales")


def _definition(
    name: str, column: str, origin: DefinitionOrigin = DefinitionOrigin.DEMAND_DEFINED
) -> AggregateDefinition:
    measures = tuple(sorted((row_count("sales"), StoredMeasure(StoredFunction.SUM, "sales", column))))
    part = FactPart(fact="sales", attributes=(), measures=measures)
    return AggregateDefinition(model_id=_MODEL, name=name, label=name, origin=origin, metrics=(column,), parts=(part,))


def _deployment(*definitions: AggregateDefinition, content: str = "1") -> Deployment:
    return Deployment(
        model_id=_MODEL,
        catalog="shop",
        name="sales",
        label="Sales",
        connection=None,
        content=content.encode(),
        content_hash=content,
        datasets={},
        definitions=definitions,
    )


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Registry]:
    is_sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path / 'registry.sqlite'}" if is_sqlite else request.getfixturevalue("postgres_url")
    made = open_registry(url)
    made.models.record_deployments([_deployment()], now=_NOW)
    yield made
    made.close()


def test_a_meaning_is_recorded_once(registry: Registry) -> None:
    """Equal ones are told one by one; a name that is taken gets some digits of the fingerprint."""
    first, again = _definition("a", "amount"), _definition("other name", "amount")
    namesake = _definition("a!", "quantity")
    proposed = [
        ProposedDefinition(definition=d, reason="asked", evidence={"rows": 5.0}) for d in (first, again, namesake)
    ]

    assert registry.definitions.add(proposed, now=_NOW) == ("added", "duplicate", "added")
    assert registry.definitions.add(proposed, now=_NOW) == ("duplicate", "duplicate", "duplicate")
    one, other = registry.read.definitions.of_model(_MODEL)
    assert (one.definition, one.reason, one.evidence) == (first, "asked", {"rows": 5.0})
    assert other.definition.name == f"a!_{namesake.fingerprint[:6]}"


def test_blocked_stays_blocked_and_retired_comes_back(registry: Registry) -> None:
    """Statuses move by compare-and-set."""
    definition = _definition("a", "amount")
    proposal = [ProposedDefinition(definition=definition, reason="asked")]
    registry.definitions.add(proposal, now=_NOW)

    assert registry.definitions.set_status([definition.id], "retired", "unused", expected="blocked", now=_NOW) == 0
    assert registry.definitions.set_status([definition.id], "retired", "unused", expected="defined", now=_NOW) == 1
    assert registry.read.definitions.of_model(_MODEL) == ()
    [retired] = registry.read.definitions.of_model(_MODEL, include_retired=True)
    assert (retired.status, retired.status_reason, retired.retired_at) == ("retired", "unused", _NOW)
    assert registry.definitions.add(proposal, now=_NOW) == (DefinitionOutcome.RETURNED,)
    assert registry.read.definitions.get(definition.id).status_reason == ""
    registry.definitions.set_status([definition.id], "blocked", "wrong", expected="defined", now=_NOW)
    assert registry.definitions.add(proposal, now=_NOW) == (DefinitionOutcome.BLOCKED,)
    assert registry.read.definitions.of_model(_MODEL) == ()


def test_what_a_user_defines_too_is_the_users(registry: Registry) -> None:
    """And deployments leave all others alone."""
    mine, other = _definition("a", "amount"), _definition("b", "quantity")
    registry.definitions.add([ProposedDefinition(definition=d, reason="asked") for d in (mine, other)], now=_NOW)
    users = replace(mine, name="revenue", origin=DefinitionOrigin.USER_DEFINED)
    registry.models.record_deployments([_deployment(users, content="2")], now=_NOW)

    found = {one.definition.name: one.definition.origin for one in registry.read.definitions.of_model(_MODEL)}
    assert found == {"revenue": DefinitionOrigin.USER_DEFINED, "b": DefinitionOrigin.DEMAND_DEFINED}


def test_two_may_define_the_same_at_once(registry: Registry) -> None:
    """One adds, the other hears of duplicates."""
    proposals = [ProposedDefinition(definition=_definition(f"a{n}", f"c{n}"), reason="") for n in range(300)]
    outcomes: list[tuple[DefinitionOutcome, ...]] = []
    threads = [
        threading.Thread(target=lambda: outcomes.append(registry.definitions.add(proposals, now=_NOW)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(set(found).pop() for found in outcomes) == ["added", "duplicate", "duplicate", "duplicate"]
    assert len(registry.read.definitions.of_model(_MODEL)) == 300
