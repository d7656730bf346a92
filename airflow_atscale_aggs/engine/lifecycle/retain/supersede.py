"""Superseded: a definition gives way to a better one, once that serves and not before.

Source: AtScale, "Life Cycle of Aggregate Tables", Superseded.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_atscale_aggs.engine.advising.superseding_pairs import Succession, successions
from airflow_atscale_aggs.engine.lifecycle.build.activate import drop_gone_views
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.registry.records import (
    DefinitionRecord,
    ProposedDefinition,
    ServiceRecord,
    SuccessionRecord,
    UsageRecord,
)
from airflow_atscale_aggs.engine.registry.system_definitions import DefinitionOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class SupersedeReport:
    """Who gives way to whom.

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

    A successor takes over once its first instance is Active, here or at the activation of its batch, not before: until then the
    old one is built and used. User-defined aggregates never give way, blocked ones are never defined again.

    Args:
        dry_run: only tell.

    Raises:
        NotRegisteredError: no such model.
    """
    registry = workspace.registry
    known = registry.model(model)
    standing = registry.definitions(known.id)
    unused = _unused(standing, registry.services(known.id), registry.usages(known.id), workspace, now)
    found = successions([one.definition for one in standing], unused)
    defined: tuple[str, ...] = ()
    done: tuple[SuccessionRecord, ...] = ()
    if not dry_run:
        defined, blocked = _define_unions(workspace, found, now)
        found = [one for one in found if one.new.id not in blocked]
        registry.propose_successions([_record(one, known.id, now) for one in found])
        done = registry.complete_successions(known.id, now=now)
        if done:
            drop_gone_views(workspace, known.id)
    return SupersedeReport(
        model=known.name,
        model_id=known.id,
        proposed=tuple((one.old.name, one.new.name, one.reason) for one in found),
        defined=defined,
        done=tuple((one.old_name, one.new_name) for one in done),
        dry_run=dry_run,
    )


def _unused(
    standing: Sequence[DefinitionRecord],
    services: Mapping[str, ServiceRecord],
    usages: Sequence[UsageRecord],
    workspace: Workspace,
    now: datetime,
) -> set[str]:
    """Ids of definitions that have served for as long as unused ones may, without a use."""
    if not standing:
        return set()
    days = workspace.settings_of(standing[0].definition.model_id).retention_unused_days
    used = {one.definition_id for one in usages if one.last_used_at > now - timedelta(days=days)}
    ids = {one.definition.id for one in standing} - used
    return {key for key in ids if key in services and services[key].since <= now - timedelta(days=days)}


def _record(one: Succession, model_id: str, now: datetime) -> SuccessionRecord:
    return SuccessionRecord(
        old_id=one.old.id,
        new_id=one.new.id,
        model_id=model_id,
        reason=one.reason,
        facts=tuple(part.fact for part in one.new.parts),
        proposed_at=now,
    )


def _define_unions(
    workspace: Workspace, found: Sequence[Succession], now: datetime
) -> tuple[tuple[str, ...], Collection[str]]:
    """(names of unions that are new, ids of those that are blocked)."""
    unions = {one.new.id: one for one in found if one.is_union}
    rows = workspace.registry.last_rows(found[0].new.model_id) if unions else {}
    proposed = []
    for one in unions.values():
        known = [rows.get((one.old.id, part.fact)) for part in one.old.parts]
        evidence = {"predicted_rows": float(sum(known))} if all(n is not None for n in known) else {}  # type: ignore[arg-type]
        proposed.append(ProposedDefinition(definition=one.new, reason=one.reason, evidence=evidence))
    outcomes = workspace.registry.add_definitions(proposed, now=now)
    new = {key for key, outcome in zip(unions, outcomes, strict=True) if outcome in _IS_NEW}
    blocked = {key for key, outcome in zip(unions, outcomes, strict=True) if outcome is DefinitionOutcome.BLOCKED}
    names = [workspace.registry.definition(key).definition.name for key in new]
    return tuple(sorted(names)), blocked


_IS_NEW = frozenset({DefinitionOutcome.ADDED, DefinitionOutcome.RETURNED})
