"""Which instances go when there are too many of them.

Source: AtScale, "Life Cycle of Aggregate Tables", Deleted: a desired number, a number of excess instances that is waited for,
and two criteria: least recently used, least frequently used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RetainedInstance:
    """A table of a system-defined aggregate that nobody has told to go.

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
    """The instances, those worth keeping first.

    An instance stands at (number of instances used more recently) + (number used more often): both criteria count the same.
    Ties: more uses, later use, active before inactive, then by name and id, so that the order is always the same.
    """
    recent = _places([one.last_used_at.timestamp() for one in instances])
    often = _places([one.uses for one in instances])
    keys = {
        one.id: (
            recent[n] + often[n],
            -one.uses,
            -one.last_used_at.timestamp(),
            not one.is_active,
            one.aggregate,
            one.id,
        )
        for n, one in enumerate(instances)
    }
    return sorted(instances, key=lambda one: keys[one.id])


def choose_instances_to_prune(
    instances: Sequence[RetainedInstance], *, desired: int, excess: int
) -> list[tuple[int, RetainedInstance]]:
    """(rank from 1, instance) of those that go; none before there are ``desired`` + ``excess`` of them.

    With a definition's active instance its other active ones go as well: it is not built any more, and would grow old by parts.
    """
    if len(instances) < desired + excess:
        return []
    order = list(enumerate(rank_instances(instances), start=1))
    gone = {one.definition_id for rank, one in order if rank > desired and one.is_active}
    return [(rank, one) for rank, one in order if rank > desired or (one.is_active and one.definition_id in gone)]


def _places(values: Sequence[float]) -> list[int]:
    """How many values are greater, for each.

    >>> _places([5, 9, 5])
    [1, 0, 1]
    """
    first: dict[float, int] = {}
    for place, value in enumerate(sorted(values, reverse=True)):
        first.setdefault(value, place)
    return [first[value] for value in values]
