"""Decides for many aggregates at once which can be derived from which others: `lattice.derivation` with sets of bits.

A thousand aggregates have a million pairs. The measures and attributes of each are bits of one number, and what the
data has proven is looked up once for each attribute, so that a pair costs a few operations on numbers.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import field

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.lattice import Dependency, dependency_of, measures_for
from airflow_atscale_aggs.engine.aggregates.set_bits import places_of_bits
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.paths import BoundAttribute


@dataclass(slots=True)
class _Bits:
    """One bit for each thing that was met."""

    numbers: dict[Hashable, int] = field(default_factory=dict)

    def of(self, things: Iterable[Hashable]) -> int:
        """The bits of some things."""
        bits = 0
        for thing in things:
            bits |= 1 << self.numbers.setdefault(thing, len(self.numbers))
        return bits


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a definition as bits.

    Attributes:
        bounds: its attributes, as the fact reaches them.
        grain: its attributes by meaning; ``many``: those that are many-to-many.
        suppliers: for each attribute: the bounds from which it can be taken.
        stored, needed: measures; ``needed``: for another grain.
    """

    bounds: int
    grain: int
    many: int
    suppliers: tuple[int, ...]
    stored: int
    needed: int
    has_only_rollups: bool


def find_sources(parts: Sequence[FactPart], proven: AbstractSet[Dependency]) -> list[frozenset[int]]:
    """For each part the numbers of the parts that it can be derived from, without those that lie behind others.

    A source is left out when another source can be derived from it: it follows from the two. Of parts that derive from
    each other, the earlier one is the source.

    Args:
        parts: of any facts; parts of different facts have nothing to do with each other.
        proven: dependencies that hold in the data.
    """
    numbers_by_fact: dict[str, list[int]] = {}
    for number, part in enumerate(parts):
        numbers_by_fact.setdefault(part.fact, []).append(number)
    found: list[frozenset[int]] = [frozenset()] * len(parts)
    for numbers in numbers_by_fact.values():
        nearest = _nearest(_without_cycles(_derivable([parts[number] for number in numbers], proven)))
        for number, sources in zip(numbers, nearest, strict=True):
            found[number] = frozenset(numbers[place] for place in places_of_bits(sources))
    return found


def _derivable(parts: Sequence[FactPart], proven: AbstractSet[Dependency]) -> list[int]:
    """For each part of one fact the bits of the parts that it can be derived from."""
    encoded = _encode(parts, proven)
    return [
        sum(1 << place for place, parent in enumerate(encoded) if parent is not child and _derives(child, parent))
        for child in encoded
    ]


def _derives(child: _Part, parent: _Part) -> bool:
    if child.grain == parent.grain:
        return not child.stored & ~parent.stored
    if child.needed & ~parent.stored or not child.has_only_rollups or child.many != parent.many:
        return False
    return all(suppliers & parent.bounds for suppliers in child.suppliers)


def _encode(parts: Sequence[FactPart], proven: AbstractSet[Dependency]) -> list[_Part]:
    bounds, grain, measures = _Bits(), _Bits(), _Bits()
    every = list(dict.fromkeys(bound for part in parts for bound in part.attributes))
    bounds.of(every)
    suppliers = {bound: bounds.of(source for source in every if _supplies(source, bound, proven)) for bound in every}
    return [
        _Part(
            bounds=bounds.of(part.attributes),
            grain=grain.of(bound.attribute for bound in part.attributes),
            many=grain.of(bound.attribute for bound in part.attributes if bound.is_many_to_many),
            suppliers=tuple(suppliers[bound] for bound in part.attributes),
            stored=measures.of(part.measures),
            needed=measures.of(measures_for(part.measures)),
            has_only_rollups=part.has_only_rollups(),
        )
        for part in parts
    ]


def _supplies(source: BoundAttribute, bound: BoundAttribute, proven: AbstractSet[Dependency]) -> bool:
    """Whether an attribute can be taken from a stored one: from itself, or by its key."""
    if source.attribute == bound.attribute:
        return True
    claim = None if bound.is_many_to_many else dependency_of(bound, source)
    return claim is not None and claim in proven


def _without_cycles(parents: Sequence[int]) -> list[int]:
    """The parents; of two parts that derive from each other, the earlier one stays the source."""
    children = [0] * len(parents)
    for place, sources in enumerate(parents):
        for source in places_of_bits(sources):
            children[source] |= 1 << place
    return [sources & ~(sources & children[place] & ~((1 << place) - 1)) for place, sources in enumerate(parents)]


def _nearest(parents: Sequence[int]) -> list[int]:
    """The parents without those that other parents derive from."""
    nearest = []
    for sources in parents:
        behind = 0
        for source in places_of_bits(sources):
            behind |= parents[source]
        nearest.append(sources & ~behind)
    return nearest
