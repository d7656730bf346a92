"""Compared before they go live: do the aggregates of a batch show the same facts?

Each one is built in a snapshot of its own. When rows are loaded while a batch is built, or before one of its aggregates is
repaired, each is right as of its own moment, and two of them may answer differently. That is told with the batch.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence

from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus
from airflow_atscale_aggs.engine.aggregates.verification import Totals, Verification, first_disagreement, shown
from airflow_atscale_aggs.engine.errors import WarehouseError
from airflow_atscale_aggs.engine.lifecycle.build.compare import UndecidedError, facts_key, take_totals
from airflow_atscale_aggs.engine.lifecycle.build.source_marks import changed_datasets
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.registry.records import BatchRecord, InstanceRecord
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession

_Seen = tuple[InstanceRecord, Verification, Totals]


def disagreements(workspace: Workspace, batch: BatchRecord, instances: Iterable[InstanceRecord]) -> tuple[str, ...]:
    """What the built instances of a batch have seen differently, in sentences; nothing where they agree or nobody can tell.

    Totals are compared as the builds have noted them. Changes that leave totals as they are show in the marks of the datasets.
    """
    built = [instance for instance in instances if instance.status is InstanceStatus.DONE]
    # What derives from another one of the batch shows what that one has seen.
    readers = [instance for instance in built if instance.source == instance.step.sources[-1].name]
    if len(readers) < 2:  # noqa: PLR2004 - one agrees with itself
        return ()
    with contextlib.suppress(WarehouseError), workspace.warehouse.session() as session:
        facts = _differing_facts(workspace, session, built)
        changed = [name for name in changed_datasets(session, batch.sources) if name not in facts]
        notes = list(facts.values())
        if changed:
            names = ", ".join(f"`{name}`" for name in changed)
            notes.append(
                f"{names} changed after this batch was begun: its aggregates may show different states of it. "
                "Build again for one state."
            )
        return tuple(notes)
    return ()


def _differing_facts(
    workspace: Workspace, session: WarehouseSession, built: Sequence[InstanceRecord]
) -> dict[str, str]:
    """By fact: a sentence about what was seen of it differently."""
    by_key: dict[str, list[_Seen]] = {}
    for instance in built:
        verification = instance.step.of_attempt(instance.attempt).verification
        totals = verification and _totals(workspace, session, instance, verification)
        if verification and totals:
            by_key.setdefault(facts_key(verification), []).append((instance, verification, totals))
    notes: dict[str, str] = {}
    for group in by_key.values():
        told = _told(group)
        if told:
            notes.setdefault(group[0][0].step.fact, told)
    return notes


def _totals(
    workspace: Workspace, session: WarehouseSession, instance: InstanceRecord, verification: Verification
) -> Totals | None:
    """The facts' totals that an instance was compared with, else those of its table."""
    verified = workspace.registry.verification_of(instance.id, instance.attempt)
    if verified is not None and verified.totals is not None:
        return verified.totals
    try:
        return take_totals(session, verification.table)
    except UndecidedError:
        return None


def _told(group: Sequence[_Seen]) -> str:
    """A sentence about the first measure of which instances saw different totals; empty when there is none."""
    _, verification, first = group[0]
    names = [name for _, _, other in group[1:] if (name := first_disagreement(verification, first, other))]
    if not names:
        return ""
    name = verification.rows if verification.rows in names else names[0]
    seen: dict[str, list[str]] = {}
    for instance, _, totals in group:
        if name in totals:
            seen.setdefault(shown(totals[name]), []).append(f"`{instance.step.aggregate}`")
    told = "; ".join(f"{value} by {', '.join(sorted(who))}" for value, who in seen.items())
    return (
        f"The aggregates of this batch saw different states of `{verification.fact}`: the total of `{name}` was {told}. "
        "Build again for one state."
    )
