"""Superseded by demand: what queries need no more makes room for what they need now, once that serves and not before.

Source: AtScale, "Life Cycle of Aggregate Tables", Superseded: demand-defined tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_atscale_aggs.engine.advising.recommending import FactDemand
from airflow_atscale_aggs.engine.registry.records import DefinitionRecord, ServiceRecord

MAKES_ROOM = "the queries of the log save less by it than its upkeep costs, and the budget has no other room"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaceable:
    """Aggregates defined by demand that are worth less than nothing now: size by name, the least worth first."""

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


def replaceable(
    demands: Sequence[FactDemand], served_long: frozenset[str], *, builds: float, in_bytes: bool
) -> Replaceable:
    """What may give way, one after the other: of two that can do the same, one stays.

    Args:
        served_long: names of aggregates that had time to be used.
        builds: as of `advise`.
    """
    sizes: dict[str, float] = {}
    for demand in demands:
        for name, size in demand.spent(in_bytes=in_bytes).items():
            sizes[name] = sizes.get(name, 0.0) + size
    gone: dict[str, float] = {}
    while True:
        worth: dict[str, float] = {}
        for demand in demands:
            for name, mine in demand.worth(builds, without=gone.keys()).items():
                worth[name] = worth.get(name, 0.0) + mine
        poor = sorted((worth[name], name) for name in served_long & worth.keys() if worth[name] <= 0)
        if not poor:
            return Replaceable(sizes=gone)
        gone[poor[0][1]] = sizes[poor[0][1]]


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
