"""How far a batch is, and when it will end: from how long each of its steps usually takes."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus

_WAITING = frozenset({InstanceStatus.NEW, InstanceStatus.IN_PROGRESS})
_NEARLY = 0.95
"""The share of a step that is not over counts for no more than this."""

_ENOUGH = 0.1
"""From this share on, the pace of the batch itself counts; before it, that of the usual one."""

_LEAST_PACE, _MOST_PACE = 0.2, 10.0
"""A batch that was interrupted for a night is not that slow."""


@dataclass(frozen=True, slots=True)
class StepProgress:
    """One step of a batch.

    Attributes:
        usual: seconds that it usually takes; None when it was never built.
    """

    status: InstanceStatus
    usual: float | None = None
    started_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """How far a batch is.

    Attributes:
        share: of the work, from 0 to 1.
        ends_at: when it will end, about; None when nothing is known of how long anything takes.
    """

    share: float
    ends_at: datetime | None


def progress_of(
    steps: Iterable[StepProgress], *, began_at: datetime, now: datetime, usual_seconds: float | None
) -> BatchProgress:
    """The progress of a batch that is in progress.

    Args:
        usual_seconds: of a whole usual batch of the model; None before the first.
    """
    all_steps = list(steps)
    known = [step.usual for step in all_steps if step.usual is not None]
    # What was never built weighs as much as the others usually do.
    weight = statistics.median(known) if known else 1.0
    weights = [max(weight if step.usual is None else step.usual, 1e-3) for step in all_steps]
    total = sum(weights)
    done = sum(_done(step, own, now) for step, own in zip(all_steps, weights, strict=True))
    share = done / total if total else 0.0
    elapsed = max((now - began_at).total_seconds(), 0.0)
    pace = 1.0 if usual_seconds is None or not total else usual_seconds / total
    if share >= _ENOUGH:
        pace = min(max(elapsed / done, pace * _LEAST_PACE), pace * _MOST_PACE)
    elif usual_seconds is None and not known:
        return BatchProgress(share, None)
    return BatchProgress(share, now + timedelta(seconds=(total - done) * pace))


def built_share(statuses: Iterable[InstanceStatus]) -> float:
    """The share of the steps that are built, of a batch that is over."""
    all_statuses = list(statuses)
    not_built = _WAITING | {InstanceStatus.FAILED, InstanceStatus.CANCELLED}
    return sum(status not in not_built for status in all_statuses) / len(all_statuses) if all_statuses else 0.0


def _done(step: StepProgress, weight: float, now: datetime) -> float:
    """The part of a step's weight that is done."""
    if step.status not in _WAITING:
        return weight
    if step.status is InstanceStatus.NEW or step.started_at is None:
        return 0.0
    return min(max((now - step.started_at).total_seconds(), 0.0), weight * _NEARLY)
