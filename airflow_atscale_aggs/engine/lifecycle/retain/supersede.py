"""Supersede definitions: one gives way to a better one as soon as the better one serves, not before.

Source: AtScale, "Life Cycle of Aggregate Tables", Superseded.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from airflow_atscale_aggs.engine.advising.retention import is_unused
from airflow_atscale_aggs.engine.advising.superseding_pairs import Succession, successions
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.build.activate import drop_gone_views
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.registry.definitions import DefinitionOutcome
from airflow_atscale_aggs.engine.registry.records import (
    DefinitionRecord,
    ProposedDefinition,
    ServiceRecord,
    SuccessionRecord,
    UsageRecord,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SupersedeReport:
    """Which definition gives way to which.

    Attributes:
        proposed: old name, new name, why; new ones and those that wait already.
        defined: names of unions that were defined and wait for their first instance.
        done: (old, new) names of those that gave way now, since their successor serves.
        dry_run: nothing was recorded.
    """

    model: str
    model_id: str
    proposed: tuple[tuple[str, str, str], ...]
    defined: tuple[str, ...]
    done: tuple[tuple[str, str], ...]
    dry_run: bool


def supersede(workspace: Workspace, model: str, *, dry_run: bool, now: datetime) -> SupersedeReport:
    """Let aggregates with the same dimension columns give way: subsets to supersets, several to their union.

    A successor takes over once its first instance is Active, here or at the activation of its batch, not before: until
    then the old one is built and used. User-defined aggregates never give way, blocked ones are never defined again.

    Args:
        dry_run: only report what would be proposed.

    Raises:
        NotRegisteredError: no such model.
    """
    registry = workspace.registry
    model_record = workspace.read.models.get(model)
    definitions = workspace.read.definitions.of_model(model_record.id)
    unused = _find_unused_definitions(
        definitions,
        workspace.read.instances.services(model_record.id),
        workspace.read.queries.usages(model_record.id),
        workspace,
        now,
    )
    proposals = successions([record.definition for record in definitions], unused)
    defined: tuple[str, ...] = ()
    done: tuple[SuccessionRecord, ...] = ()
    if not dry_run:
        defined, blocked = _define_unions(workspace, proposals, now)
        proposals = [succession for succession in proposals if succession.new.id not in blocked]
        registry.successions.propose([_make_record(succession, model_record.id, now) for succession in proposals])
        done = registry.successions.complete(model_record.id, now=now)
        if done:
            drop_gone_views(workspace, model_record.id)
    return SupersedeReport(
        model=model_record.name,
        model_id=model_record.id,
        proposed=tuple((succession.old.name, succession.new.name, succession.reason) for succession in proposals),
        defined=defined,
        done=tuple((succession.old_name, succession.new_name) for succession in done),
        dry_run=dry_run,
    )


def _find_unused_definitions(
    definitions: Sequence[DefinitionRecord],
    services: Mapping[str, ServiceRecord],
    usages: Sequence[UsageRecord],
    workspace: Workspace,
    now: datetime,
) -> set[str]:
    """Ids of definitions that have served for as long as unused ones may, without a use."""
    if not definitions:
        return set()
    days = workspace.settings_of(definitions[0].definition.model_id).retention_unused_days
    last_used_at: dict[str, datetime] = {}
    for usage in usages:
        last_used_at[usage.definition_id] = max(
            usage.last_used_at, last_used_at.get(usage.definition_id, usage.last_used_at)
        )
    return {
        identity
        for identity in (record.definition.id for record in definitions)
        if identity in services and is_unused(last_used_at.get(identity), services[identity].since, days=days, now=now)
    }


def _make_record(succession: Succession, model_id: str, now: datetime) -> SuccessionRecord:
    return SuccessionRecord(
        old_id=succession.old.id,
        new_id=succession.new.id,
        model_id=model_id,
        reason=succession.reason,
        facts=tuple(part.fact for part in succession.new.parts),
        proposed_at=now,
    )


def _define_unions(
    workspace: Workspace, proposals: Sequence[Succession], now: datetime
) -> tuple[tuple[str, ...], Collection[str]]:
    """(names of unions that are new, ids of those that are blocked)."""
    unions = {succession.new.id: succession for succession in proposals if succession.is_union}
    last_rows = workspace.read.instances.last_rows(proposals[0].new.model_id) if unions else {}
    proposed = []
    for succession in unions.values():
        rows_of_parts = [last_rows.get((succession.old.id, part.fact)) for part in succession.old.parts]
        rows = [count for count in rows_of_parts if count is not None]
        evidence = {"predicted_rows": float(sum(rows))} if len(rows) == len(rows_of_parts) else {}
        proposed.append(ProposedDefinition(definition=succession.new, reason=succession.reason, evidence=evidence))
    outcomes = workspace.registry.definitions.add(proposed, now=now)
    new = {identity for identity, outcome in zip(unions, outcomes, strict=True) if outcome in _IS_NEW}
    blocked = {
        identity for identity, outcome in zip(unions, outcomes, strict=True) if outcome is DefinitionOutcome.BLOCKED
    }
    names = [workspace.read.definitions.get(identity).definition.name for identity in new]
    return tuple(sorted(names)), blocked


_IS_NEW = frozenset({DefinitionOutcome.ADDED, DefinitionOutcome.RETURNED})
