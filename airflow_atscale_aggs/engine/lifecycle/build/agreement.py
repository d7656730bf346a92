"""Find out, before a batch goes live, whether all of its aggregates show the same facts.

Each aggregate is built in a snapshot of its own. When rows are loaded while a batch is built, or before one of its
aggregates is repaired, each aggregate is right as of its own moment, and two of them may answer differently. A note of
the batch says so.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence

from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus
from airflow_atscale_aggs.engine.aggregates.verification import Totals, Verification, first_disagreement, shown
from airflow_atscale_aggs.engine.errors import WarehouseError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.build.compare import UndecidedError, facts_key, take_totals
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.registry.records import BatchRecord, InstanceRecord
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession


@dataclass(frozen=True, slots=True)
class _SeenTotals:
    """The totals of its facts that an instance saw, and what they are totals of."""

    instance: InstanceRecord
    verification: Verification
    totals: Totals


def disagreements(workspace: Workspace, batch: BatchRecord, instances: Iterable[InstanceRecord]) -> tuple[str, ...]:
    """Notes about facts that the built instances of a batch saw differently.

    None where they agree or it cannot be found out.

    The totals that the builds have noted are compared. Changes that leave the totals as they are show in the marks of
    the datasets.
    """
    built = [instance for instance in instances if instance.status is InstanceStatus.DONE]
    # An instance that derives from another one of the batch shows the facts that the other one read.
    readers = [instance for instance in built if instance.source == instance.step.sources[-1].name]
    if len(readers) < 2:  # noqa: PLR2004 - one agrees with itself
        return ()
    # It needs an SQL library, which whoever only switches views does without.
    from airflow_atscale_aggs.engine.lifecycle.build.source_marks import changed_datasets  # noqa: PLC0415

    with contextlib.suppress(WarehouseError), workspace.warehouse.session() as session:
        notes_by_fact = _differing_facts(workspace, session, built)
        now_different = changed_datasets(session, batch.sources, workspace.warehouse)
        changed = [dataset for dataset in now_different if dataset not in notes_by_fact]
        notes = list(notes_by_fact.values())
        if changed:
            names = ", ".join(f"`{dataset}`" for dataset in changed)
            notes.append(
                f"{names} changed after this batch was begun: its aggregates may show different states of it. "
                "Build again for one state."
            )
        return tuple(notes)
    return ()


def _differing_facts(
    workspace: Workspace, session: WarehouseSession, built: Sequence[InstanceRecord]
) -> dict[str, str]:
    """For each fact that instances saw differently, a sentence about it."""
    by_key: dict[str, list[_SeenTotals]] = {}
    noted = workspace.read.attempts.totals_of_batches({instance.batch_id for instance in built})
    for instance in built:
        verification = instance.step.verification
        totals = verification and (noted.get((instance.id, instance.attempt)) or _totals_of_table(session, instance))
        if verification and totals:
            by_key.setdefault(facts_key(verification), []).append(_SeenTotals(instance, verification, totals))
    notes: dict[str, str] = {}
    for group in by_key.values():
        note = _describe_disagreement(group)
        if note:
            notes.setdefault(group[0].instance.step.fact, note)
    return notes


def _totals_of_table(session: WarehouseSession, instance: InstanceRecord) -> Totals | None:
    """The totals of the table of an instance that was not compared with its facts; None where they cannot be told."""
    verification = instance.step.of_attempt(instance.attempt).verification
    if verification is None:
        return None
    try:
        return take_totals(session, verification.table)
    except UndecidedError:
        return None


def _describe_disagreement(group: Sequence[_SeenTotals]) -> str:
    """A sentence about the first measure of which instances saw different totals; empty when there is none."""
    verification, first = group[0].verification, group[0].totals
    names = [name for other in group[1:] if (name := first_disagreement(verification, first, other.totals))]
    if not names:
        return ""
    name = verification.rows if verification.rows in names else names[0]
    seen: dict[str, list[str]] = {}
    for saw in group:
        if name in saw.totals:
            seen.setdefault(shown(saw.totals[name]), []).append(f"`{saw.instance.step.aggregate}`")
    totals_seen = "; ".join(f"{value} by {', '.join(sorted(who))}" for value, who in seen.items())
    return (
        f"The aggregates of this batch saw different states of `{verification.fact}`: the total of `{name}` was "
        f"{totals_seen}. "
        "Build again for one state."
    )
