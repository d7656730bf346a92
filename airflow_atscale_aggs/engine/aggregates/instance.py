"""Instances, attempts and batch builds: their statuses and the moves that are legal.

An instance is one physical table: a part of a definition, built in one batch. Its table's name carries the attempt, so
that a late zombie can never touch a newer attempt's table.

    NEW ──▶ IN_PROGRESS ──▶ DONE ──▶ ACTIVE ──▶ SUPERSEDED ──▶ DELETED
     │        │   ▲           │
     │        ▼   │           │        IN_PROGRESS ▶ IN_PROGRESS: an interrupted attempt is taken over
     │       FAILED           │        DONE ▶ IN_PROGRESS: a person clears a built one while its batch is open
     └──▶ CANCELLED ◀─────────┘        FAILED ▶ CANCELLED as well

Source: AtScale, "How Aggregate Tables Are Populated With Data": automatic restarts of interrupted processes.
"""

from __future__ import annotations

from enum import StrEnum

from airflow_atscale_aggs.engine.errors import IllegalTransitionError


class InstanceStatus(StrEnum):
    """Where an instance stands."""

    NEW = "new"
    IN_PROGRESS = "in_progress"
    DONE = "done"
    FAILED = "failed"
    ACTIVE = "active"
    SUPERSEDED = "superseded"
    DELETED = "deleted"
    CANCELLED = "cancelled"


BUILT = (InstanceStatus.DONE, InstanceStatus.ACTIVE)
"""The statuses of instances whose tables are complete and not given up."""

UNACTIVATED = (InstanceStatus.NEW, InstanceStatus.IN_PROGRESS, InstanceStatus.FAILED, InstanceStatus.DONE)
"""The statuses of instances that have not served yet; a batch that is given up cancels them."""


class AttemptStatus(StrEnum):
    """How one attempt to build an instance went. INTERRUPTED ones do not count as failed."""

    IN_PROGRESS = "in_progress"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class BatchStatus(StrEnum):
    """Where a batch build stands. FAILED can be resumed until a newer batch of the model begins."""

    IN_PROGRESS = "in_progress"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class BuildType(StrEnum):
    """Whether instances are made anew or by parts."""

    FULL = "full"
    INCREMENTAL = "incremental"


_LEGAL: dict[InstanceStatus, frozenset[InstanceStatus]] = {
    InstanceStatus.NEW: frozenset({InstanceStatus.IN_PROGRESS, InstanceStatus.CANCELLED}),
    InstanceStatus.IN_PROGRESS: frozenset(
        {InstanceStatus.IN_PROGRESS, InstanceStatus.DONE, InstanceStatus.FAILED, InstanceStatus.CANCELLED}
    ),
    InstanceStatus.FAILED: frozenset({InstanceStatus.IN_PROGRESS, InstanceStatus.CANCELLED}),
    InstanceStatus.DONE: frozenset({InstanceStatus.ACTIVE, InstanceStatus.IN_PROGRESS, InstanceStatus.CANCELLED}),
    InstanceStatus.ACTIVE: frozenset({InstanceStatus.SUPERSEDED, InstanceStatus.DELETED}),
    InstanceStatus.SUPERSEDED: frozenset({InstanceStatus.DELETED}),
    InstanceStatus.CANCELLED: frozenset({InstanceStatus.DELETED}),
    InstanceStatus.DELETED: frozenset(),
}


def check_transition(instance_id: str, from_: InstanceStatus, to: InstanceStatus) -> None:
    """Raise IllegalTransitionError unless an instance may move that way."""
    if to not in _LEGAL[from_]:
        raise IllegalTransitionError("Instance", instance_id, from_, to)
