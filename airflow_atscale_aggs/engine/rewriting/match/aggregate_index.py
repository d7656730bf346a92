"""Which active aggregate answers a fact query with the fewest rows read.

An aggregate serves when every attribute that the part uses is stored in it, or determined by a stored one through a hierarchy
that the data proved functional; when its measures roll up to the part's metrics; and when no fact row stands in it more
often than in the part's own groups. The index keeps one bitset of aggregates per attribute and measure, aggregates in order
of their rows: a match is an AND of a few of them, the cheapest is the lowest bit that is left.

Source: Goldstein, Larson, "Optimizing Queries Using Materialized Views" (2001), filter trees; DESIGN "Keys and names".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.lattice import Dependency, Derivation, dependency_of, derivation
from airflow_atscale_aggs.engine.aggregates.measures import StoredMeasure, row_count
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute
from airflow_atscale_aggs.engine.rewriting.match.miss import Candidate, Miss, explain_miss, nearness, why_only_facts
from airflow_atscale_aggs.engine.rewriting.match.serving import ServingInstance, not_single_rows
from airflow_atscale_aggs.engine.rewriting.model_query import ModelQuery
from airflow_atscale_aggs.engine.rewriting.split.fact_queries import FactQuery, pieces_of

_Key = TypeVar("_Key")
_Claims = tuple[BoundAttribute, tuple[tuple[BoundAttribute, Dependency], ...]]
"""An attribute, and the stored ones that are claimed to determine it."""


@dataclass(frozen=True, slots=True)
class Match:
    """The aggregate that answers a part, and where its attributes come from.

    Attributes:
        cost: rows that are read: its own, and those of dimensions that are joined back.
    """

    instance: ServingInstance
    way: Derivation
    cost: int


RowsOf = Callable[[str], int]
"""Rows of a dataset, about; 0 where nobody knows."""


def _unknown(_: str) -> int:
    return 0


class InstanceIndex:
    """The active instances of one model, ready to be asked. Built once per version of the registry."""

    def __init__(self, instances: Iterable[ServingInstance]) -> None:
        self.instances = tuple(sorted(instances, key=lambda one: (one.rows, len(one.part.attributes), one.id)))
        self._facts: dict[str, int] = {}
        self._attributes: dict[tuple[str, GrainAttribute], int] = {}
        self._bound: dict[tuple[str, GrainAttribute], BoundAttribute] = {}
        self._measures: dict[StoredMeasure, int] = {}
        self._many: dict[tuple[str, frozenset[GrainAttribute]], int] = {}
        self._claims: dict[tuple[str, GrainAttribute], _Claims] = {}
        self._grains: dict[tuple[str, frozenset[GrainAttribute]], int] = {}
        for number, instance in enumerate(self.instances):
            self._add(1 << number, instance.part)

    def _add(self, bit: int, part: FactPart) -> None:
        _set(self._facts, part.fact, bit)
        many = frozenset(bound.attribute for bound in part.attributes if bound.is_many_to_many)
        _set(self._many, (part.fact, many), bit)
        _set(self._grains, (part.fact, frozenset(bound.attribute for bound in part.attributes)), bit)
        for bound in part.attributes:
            _set(self._attributes, (part.fact, bound.attribute), bit)
            self._bound.setdefault((part.fact, bound.attribute), bound)
        for measure in part.measures:
            _set(self._measures, measure, bit)

    def popularity(self, fact: str, attribute: GrainAttribute) -> int:
        """How many aggregates of a fact store an attribute."""
        return self._attributes.get((fact, attribute), 0).bit_count()

    def find(
        self,
        query: ModelQuery,
        part: FactQuery,
        proven: AbstractSet[Dependency],
        *,
        since: datetime | None = None,
        among: int | None = None,
        rows_of: RowsOf = _unknown,
    ) -> Match | None:
        """The aggregate that answers the part with the fewest rows read; None when none does.

        Args:
            since: only aggregates that know the facts of this moment; None: all.
            among: what `find_improvements` found for the part, where nothing has been proven since; None: looked for anew.
            rows_of: what joining a dimension back costs.
        """
        needed = part.needed
        bits = self._storing(query, part) & self._with_attributes(needed, proven) if among is None else among
        asked = _asked(needed)
        best: Match | None = None
        for number in _numbers(bits):
            instance = self.instances[number]
            if best is not None and best.cost <= instance.rows:
                break
            if not instance.is_fresh(since):
                continue
            way = derivation(asked, instance.part, proven)
            if way is not None:
                cost = instance.rows + sum(rows_of(source.dataset) for source in _joined_back(way))
                if best is None or cost < best.cost:
                    best = Match(instance, way, cost)
        return best

    def find_improvements(
        self, query: ModelQuery, part: FactQuery, proven: AbstractSet[Dependency]
    ) -> tuple[int, tuple[BoundAttribute, ...]]:
        """Which aggregates can answer, as bits, and what may be proven so that a cheaper one can.

        Returns:
            The stored attributes whose keys would have to determine what the part needs stand second; none when no proof
            can improve on what is found already.
        """
        needed = part.needed
        fit = self._storing(query, part)
        found = fit & self._with_attributes(needed, proven)
        cheaper = (found & -found) - 1 if found else -1
        possible = fit & cheaper
        if not possible:
            return found, ()
        sources: dict[BoundAttribute, None] = {}
        for bound in needed.attributes:
            here = self._attributes.get((needed.fact, bound.attribute), 0)
            for source, _ in self._sources(needed.fact, bound):
                here |= self._attributes[needed.fact, source.attribute]
                sources[source] = None
            possible &= here
        return found, tuple(source for source in sources if self._attributes[needed.fact, source.attribute] & possible)

    def claimed_sources(self, part: FactQuery) -> tuple[BoundAttribute, ...]:
        """Stored attributes that the model claims to determine one that the part uses."""
        sources = (source for bound in part.needed.attributes for source, _ in self._sources(part.fact, bound))
        return tuple(dict.fromkeys(sources))

    def misses(
        self,
        query: ModelQuery,
        part: FactQuery,
        proven: AbstractSet[Dependency],
        *,
        since: datetime | None = None,
        rows_of: RowsOf = _unknown,
    ) -> list[Candidate]:
        """Every instance of the fact that does not answer the part, or answers it dearer, nearest first."""
        taken = self.find(query, part, proven, since=since, rows_of=rows_of)
        found = []
        for instance in self.instances:
            if instance.part.fact == part.fact and (taken is None or instance is not taken.instance):
                why = explain_miss(query, part, instance, proven)
                if why.miss is Miss.DEARER:
                    is_smaller = taken is not None and instance.rows < taken.instance.rows
                    own = Miss.JOINS_DEARER if is_smaller else Miss.DEARER
                    why = replace(why, miss=own if instance.is_fresh(since) else Miss.STALE)
                found.append(why)
        return sorted(found, key=nearness)

    def _storing(self, query: ModelQuery, part: FactQuery) -> int:
        """Instances of the fact that store the metrics' pieces and can give them at the part's grain."""
        bits = 0 if why_only_facts(query, part) is not None else self._facts.get(part.fact, 0)
        for metric in part.metrics.values():
            for piece in pieces_of(metric, part.fact):
                bits &= self._measures.get(piece, 0)
                if not piece.rolls_up:
                    bits &= self._only_grain(query, part)
        many = frozenset(bound.attribute for bound in part.attributes.values() if bound.is_many_to_many)
        return bits & self._many.get((part.fact, many), 0)

    def _only_grain(self, query: ModelQuery, part: FactQuery) -> int:
        if not_single_rows(query, part):
            return 0
        return self._grains.get((part.fact, frozenset(one.attribute for one in part.attributes.values())), 0)

    def _with_attributes(self, needed: FactPart, proven: AbstractSet[Dependency]) -> int:
        bits = -1
        for bound in needed.attributes:
            here = self._attributes.get((needed.fact, bound.attribute), 0)
            for source, claim in self._sources(needed.fact, bound):
                if claim in proven:
                    here |= self._attributes[needed.fact, source.attribute]
            bits &= here
        return bits & self._facts.get(needed.fact, 0)

    def _sources(self, fact: str, bound: BoundAttribute) -> tuple[tuple[BoundAttribute, Dependency], ...]:
        """Stored attributes that the model claims to determine an attribute, each with the claim."""
        key = (fact, bound.attribute)
        known = self._claims.get(key)
        if known is None or (known[0] is not bound and known[0] != bound):
            stored = [] if bound.is_many_to_many else [one for (where, _), one in self._bound.items() if where == fact]
            claims = ((source, dependency_of(bound, source)) for source in stored)
            known = self._claims[key] = (bound, tuple((one, claim) for one, claim in claims if claim is not None))
        return known[1]


def _joined_back(way: Derivation) -> set[BoundAttribute]:
    return {origin.source for origin in way.origins if not origin.is_stored}


def _asked(needed: FactPart) -> FactPart:
    """What the lattice is asked for: without what is exact at its own grain only, which the index has decided on."""
    rolling = tuple(measure for measure in needed.measures if measure.rolls_up)
    if len(rolling) == len(needed.measures):
        return needed
    return FactPart(
        fact=needed.fact, attributes=needed.attributes, measures=tuple(sorted({*rolling, row_count(needed.fact)}))
    )


def _set(index: dict[_Key, int], key: _Key, bit: int) -> None:
    index[key] = index.get(key, 0) | bit


def _numbers(bits: int) -> Iterator[int]:
    """Places of the bits that are set, lowest first."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest
