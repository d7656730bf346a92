"""Chooses the instances to be pruned when there are too many of them.

Source: AtScale, "Life Cycle of Aggregate Tables", Deleted: a desired number, a number of excess instances that is
waited for,
and two criteria: least recently used, least frequently used.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RetainedInstance:
    """An instance of a system-defined aggregate that is still retained.

    Attributes:
        uses: of its definition, with those of the definitions that it replaced.
        last_used_at: of its definition; when it could first be used while it never was.
    """

    id: str
    definition_id: str
    aggregate: str
    is_active: bool
    uses: int
    last_used_at: datetime


def rank_instances(instances: Sequence[RetainedInstance]) -> list[RetainedInstance]:
    """Rank the instances; the ones most worth keeping come first.

    An instance stands at (number of instances used more recently) + (number used more often): both criteria count the
    same.
    Ties: more uses, later use, active before inactive, then by name and id, so that the order is always the same.
    """
    recent = _places([instance.last_used_at.timestamp() for instance in instances])
    often = _places([instance.uses for instance in instances])
    keys = {
        instance.id: (
            recent[n] + often[n],
            -instance.uses,
            -instance.last_used_at.timestamp(),
            not instance.is_active,
            instance.aggregate,
            instance.id,
        )
        for n, instance in enumerate(instances)
    }
    return sorted(instances, key=lambda instance: keys[instance.id])


def choose_instances_to_prune(
    instances: Sequence[RetainedInstance], *, desired: int, excess: int
) -> list[tuple[int, RetainedInstance]]:
    """(rank from 1, instance) of those to be pruned; none while there are fewer than ``desired`` + ``excess``.

    If an active instance of a definition is pruned, its other active instances are pruned too. The definition is not
    built any more, so they would become outdated.
    """
    if len(instances) < desired + excess:
        return []
    order = list(enumerate(rank_instances(instances), start=1))
    gone = {instance.definition_id for rank, instance in order if rank > desired and instance.is_active}
    return [
        (rank, instance)
        for rank, instance in order
        if rank > desired or (instance.is_active and instance.definition_id in gone)
    ]


def is_unused(last_used_at: datetime | None, serving_since: datetime, *, days: int, now: datetime) -> bool:
    """Whether a definition was neither used nor new within so many days.

    Args:
        last_used_at: None: never.
        serving_since: when its first instance went live after it was defined last.

    >>> from datetime import UTC
    >>> is_unused(None, datetime(2026, 1, 1, tzinfo=UTC), days=45, now=datetime(2026, 2, 15, tzinfo=UTC))
    True
    """
    idle_since = serving_since if last_used_at is None else max(last_used_at, serving_since)
    return now - idle_since >= timedelta(days=days)


def _places(values: Sequence[float]) -> list[int]:
    """How many values are greater, for each.

    >>> _places([5, 9, 5])
    [1, 0, 1]
    """
    first: dict[float, int] = {}
    for place, value in enumerate(sorted(values, reverse=True)):
        first.setdefault(value, place)
    return [first[value] for value in values]
