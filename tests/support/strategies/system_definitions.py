"""System-defined definitions as an advisor would propose them, for tests that need some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, DefinitionOrigin
from airflow_atscale_aggs.engine.aggregates.system_defined import NamedMeaning, ResolvedMeaning, SystemDefiner
from airflow_atscale_aggs.engine.lifecycle.deployed_model import read_deployed_model
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.registry.records import ProposedDefinition

NOW = datetime(2026, 1, 2, tzinfo=UTC)

_DIMENSIONS = {"City": "Shops", "Shop": "Shops", "Day": "Calendar", "Month": "Calendar"}


def make_definition(
    workspace: Workspace,
    name: str,
    attributes: Sequence[str],
    metrics: Sequence[str],
    *,
    origin: DefinitionOrigin = DefinitionOrigin.DEMAND_DEFINED,
    fact: str = "sales",
) -> AggregateDefinition:
    """A definition of the tiny star's model."""
    record = workspace.read.models.get("tiny_sales")
    model = read_deployed_model(workspace.read, record)
    definer = SystemDefiner(record.id, model, JoinPaths(model))
    grain = tuple((_DIMENSIONS[attribute], "{0}", attribute) for attribute in attributes)
    resolved = definer.resolve(NamedMeaning((fact,), grain, tuple(metrics)))
    assert isinstance(resolved, ResolvedMeaning), resolved
    return definer.define(resolved, name=name, label=name, origin=origin)


def define(
    workspace: Workspace,
    wanted: Mapping[str, tuple[Sequence[str], Sequence[str]]],
    *,
    now: datetime = NOW,
    origin: DefinitionOrigin = DefinitionOrigin.DEMAND_DEFINED,
    reason: str = "asked 12 times a day",
    evidence: Mapping[str, float] | None = None,
) -> dict[str, str]:
    """Record definitions of (attributes, metrics) by name; returns their ids by name."""
    definitions = {name: make_definition(workspace, name, *names, origin=origin) for name, names in wanted.items()}
    proposed = [
        ProposedDefinition(definition=definition, reason=reason, evidence=evidence or {"predicted_rows": 4.0})
        for definition in definitions.values()
    ]
    assert set(workspace.registry.definitions.add(proposed, now=now)) <= {"added", "returned"}
    return {name: definition.id for name, definition in definitions.items()}
