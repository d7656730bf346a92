"""Orders the steps of a batch: aggregates that others can be derived from come first.

Settings decide among steps whose sources are all done: new definitions or rebuilds first, user-defined ones before
system-defined ones, then age and name. Source: AtScale, "How Aggregate Tables Are Populated With Data" (aggregates that
others can be rebuilt from are given higher priority) and the queue priority settings.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from datetime import datetime

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.settings import Settings

_NEW_FIRST, _BY_AGE = 0, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What the queue knows about a step. ``is_new``: its definition has no instance yet."""

    name: str
    is_new: bool
    is_user_defined: bool
    defined_at: datetime


def priority(step: Waiting, settings: Settings) -> tuple[bool, bool, datetime, str]:
    """Sort key of a step; smaller goes first.

    aggregate.queue.priority.mode: 0 new ones first, 1 rebuilds first, 2 by age of the definition alone.
    """
    mode = settings.queue_priority_mode
    later_class = False if mode == _BY_AGE else (step.is_new is not (mode == _NEW_FIRST))
    return (settings.user_defined_first and not step.is_user_defined, later_class, step.defined_at, step.name)


def nearest_sources(parents: Sequence[frozenset[int]]) -> list[tuple[int, ...]]:
    """For each step the sources worth keeping: those that no other source of it lies between.

    A source P is passed over when the step also derives from P2 and P2 derives from P: P2 has at most P's rows.

    Args:
        parents: for each step the steps it can be derived from; free of cycles.

    >>> nearest_sources([frozenset(), frozenset({0}), frozenset({0, 1})])
    [(), (0,), (1,)]
    """
    return [
        tuple(sorted(p for p in sources if not any(p in parents[between] for between in sources)))
        for sources in parents
    ]


def without_cycles(parents: Sequence[frozenset[int]]) -> list[frozenset[int]]:
    """The parents without cycles. Of two steps that derive from each other, the earlier one stays the source.

    >>> without_cycles([frozenset({1}), frozenset({0})])
    [frozenset(), frozenset({0})]
    """
    return [
        frozenset(source for source in sources if step not in parents[source] or source < step)
        for step, sources in enumerate(parents)
    ]


def derivability_order(
    parents: Sequence[frozenset[int]], keys: Mapping[int, tuple[bool, bool, datetime, str]]
) -> list[int]:
    """Steps in an order in which every source stands before what derives from it; ties by key.

    Raises:
        AssertionError: the parents hold a cycle, which `without_cycles` rules out for a transitive relation.
    """
    waiting_for = {step: set(sources) for step, sources in enumerate(parents)}
    children: dict[int, list[int]] = {step: [] for step in waiting_for}
    for step, sources in enumerate(parents):
        for source in sources:
            children[source].append(step)
    free = [(keys[step], step) for step, sources in waiting_for.items() if not sources]
    heapq.heapify(free)
    order: list[int] = []
    while free:
        _, step = heapq.heappop(free)
        order.append(step)
        for child in children[step]:
            waiting_for[child].discard(step)
            if not waiting_for[child]:
                heapq.heappush(free, (keys[child], child))
    if len(order) != len(parents):
        message = "Derivability holds a cycle; the lattice is not a partial order."
        raise AssertionError(message)
    return order
