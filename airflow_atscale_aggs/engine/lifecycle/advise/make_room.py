"""Superseded by demand: what queries need no more makes room for what they need now, once that serves and not before.

Source: AtScale, "Life Cycle of Aggregate Tables", Superseded: demand-defined tables.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_atscale_aggs.engine.advising.advisor import Advice, FactWorkload
from airflow_atscale_aggs.engine.registry.records import DefinitionRecord, ServiceRecord

MAKES_ROOM = "the budget has no room for both, and the queries of the log are served better without it"

_SHARES = (0.125, 0.25, 0.5, 1.0)
_CLEARLY_LESS = 0.95
"""Every change costs builds, and the log is not the future."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaceable:
    """Aggregates defined by demand that may give way: size by name, the least worth first."""

    sizes: Mapping[str, float]

    @property
    def size(self) -> float:
        """Of all."""
        return sum(self.sizes.values())

    def first(self, size: float) -> tuple[str, ...]:
        """As many as make so much room."""
        found: list[str] = []
        for name, mine in self.sizes.items():
            if size <= 0:
                break
            found.append(name)
            size -= mine
        return tuple(found)


NOTHING = Replaceable(sizes={})


def ways_to_make_room(
    demands: Sequence[FactWorkload], served_long: frozenset[str], *, builds: float, in_bytes: bool
) -> list[Replaceable]:
    """Some and more of those that may give way, the least worth for their size first.

    Args:
        served_long: names of aggregates that had time to be used.
        builds: as of `advise`.
    """
    sizes: dict[str, float] = {}
    worth: dict[str, float] = {}
    for demand in demands:
        for found, told in ((sizes, demand.spent(in_bytes=in_bytes)), (worth, demand.worth(builds))):
            for name, mine in told.items():
                found[name] = found.get(name, 0.0) + mine
    order = sorted(served_long & worth.keys(), key=lambda name: (worth[name] / max(sizes[name], 1.0), name))
    counts = dict.fromkeys(math.ceil(len(order) * share) for share in _SHARES) if order else {}
    return [Replaceable(sizes={name: sizes[name] for name in order[:count]}) for count in counts]


def best_way(
    demands: Sequence[FactWorkload], ways: Sequence[Replaceable], advised: Callable[..., Advice], *, builds: float
) -> Replaceable:
    """The way after which queries and builds read least; none, unless that is clearly less.

    Args:
        advised: advice for demands when a way's room is free.
    """
    kept = sum(sum(demand.upkeep(builds).values()) for demand in demands)

    def cost(way: Replaceable) -> float:
        gone = sum(upkeep for demand in demands for name, upkeep in demand.upkeep(builds).items() if name in way.sizes)
        advice = advised([demand.without(way.sizes.keys()) for demand in demands], way)
        return kept - gone + advice.cost_after + sum(one.upkeep for one in advice.proposals)

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
    since = {key: one.since for key, one in services.items()}
    return frozenset(
        one.definition.name
        for one in records
        if one.definition.id in since and since[one.definition.id] <= now - timedelta(days=days)
    )
