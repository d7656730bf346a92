"""Choose aggregates that make room: what queries no longer need gives way to what they need now, once that serves.

Source: AtScale, "Life Cycle of Aggregate Tables", Superseded: demand-defined tables.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from airflow_atscale_aggs.engine.advising.advisor import Advice, FactWorkload
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.registry.records import DefinitionRecord, ServiceRecord

MAKES_ROOM = "the budget has no room for both, and the queries of the log are served better without it"

_SHARES = (0.125, 0.25, 0.5, 1.0)
_CLEARLY_LESS = 0.95
"""A change must save at least this much: every change costs builds, and future queries may differ from the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaceable:
    """Aggregates defined by demand that may give way: size by name, the least worth first."""

    sizes: Mapping[str, float]

    @property
    def size(self) -> float:
        """Size of all of them together."""
        return sum(self.sizes.values())

    def first(self, size: float) -> tuple[str, ...]:
        """The first names whose sizes together make so much room."""
        names: list[str] = []
        for name, size_of_name in self.sizes.items():
            if size <= 0:
                break
            names.append(name)
            size -= size_of_name
        return tuple(names)


NOTHING = Replaceable(sizes={})


def ways_to_make_room(
    workloads: Sequence[FactWorkload], served_long: frozenset[str], *, builds: float, in_bytes: bool
) -> list[Replaceable]:
    """Groups of aggregates that may give way, each larger than the one before.

    The least worth for their size come first.

    Args:
        served_long: names of aggregates that had time to be used.
        builds: as of `advise`.
    """
    sizes: dict[str, float] = {}
    worth: dict[str, float] = {}
    for fact_workload in workloads:
        for totals, figures in ((sizes, fact_workload.spent(in_bytes=in_bytes)), (worth, fact_workload.worth(builds))):
            for name, figure in figures.items():
                totals[name] = totals.get(name, 0.0) + figure
    order = sorted(served_long & worth.keys(), key=lambda name: (worth[name] / max(sizes[name], 1.0), name))
    counts = dict.fromkeys(math.ceil(len(order) * share) for share in _SHARES) if order else {}
    return [Replaceable(sizes={name: sizes[name] for name in order[:count]}) for count in counts]


def best_way(
    workloads: Sequence[FactWorkload], ways: Sequence[Replaceable], advise: Callable[..., Advice], *, builds: float
) -> Replaceable:
    """The group whose room lets queries and builds read least; `NOTHING` unless that is clearly less than now.

    Args:
        advise: gives advice for workloads when a way's room is free.
    """
    upkeep_now = sum(sum(fact_workload.upkeep(builds).values()) for fact_workload in workloads)

    def cost(way: Replaceable) -> float:
        gone = sum(
            upkeep
            for fact_workload in workloads
            for name, upkeep in fact_workload.upkeep(builds).items()
            if name in way.sizes
        )
        advice = advise([fact_workload.without(way.sizes.keys()) for fact_workload in workloads], way)
        return upkeep_now - gone + advice.cost_after + sum(proposal.upkeep for proposal in advice.proposals)

    if not ways:
        return NOTHING
    now = cost(NOTHING)
    costs = [cost(way) for way in ways]
    best = min(costs)
    return ways[costs.index(best)] if best < now * _CLEARLY_LESS else NOTHING


def served_long(
    records: Sequence[DefinitionRecord], services: Mapping[str, ServiceRecord], *, days: int, now: datetime
) -> frozenset[str]:
    """Names of definitions that serve for so many days at least."""
    since = {identity: service.since for identity, service in services.items()}
    return frozenset(
        record.definition.name
        for record in records
        if record.definition.id in since and since[record.definition.id] <= now - timedelta(days=days)
    )
