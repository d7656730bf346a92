"""Which active aggregate answers a fact query with the fewest rows read.

An aggregate serves under three conditions. Every attribute that the fact query uses is stored in it, or is determined
by a stored one through a hierarchy that the data proved functional. Its measures roll up to the query's metrics. No
fact row stands in it more often than in the query's own groups. The index keeps one bitset of aggregates for each
attribute and each measure, and orders the aggregates by their rows. So a match is an AND of a few bitsets, and the
lowest bit of the result is the cheapest aggregate.

Source: Goldstein, Larson, "Optimizing Queries Using Materialized Views" (2001), filter trees; DESIGN "Keys and names".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.lattice import Dependency, Derivation, dependency_of, derivation
from airflow_atscale_aggs.engine.aggregates.measures import StoredMeasure, row_count
from airflow_atscale_aggs.engine.aggregates.set_bits import bits_of_places, places_of_bits
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute
from airflow_atscale_aggs.engine.rewriting.match.miss import Candidate, Miss, explain_miss, nearness, why_only_facts
from airflow_atscale_aggs.engine.rewriting.match.serving import ServingInstance, not_single_rows
from airflow_atscale_aggs.engine.rewriting.model_query import ModelQuery
from airflow_atscale_aggs.engine.rewriting.split.fact_queries import FactQuery, pieces_of

_Shared = TypeVar("_Shared")
_Claims = tuple[BoundAttribute, tuple[tuple[BoundAttribute, Dependency], ...]]
"""An attribute, and the stored ones that are claimed to determine it."""


@dataclass(frozen=True, slots=True)
class Match:
    """The aggregate that answers a fact query, and where its attributes come from.

    Attributes:
        cost: rows that are read: its own, and those of dimensions that are joined back.
    """

    instance: ServingInstance
    way: Derivation
    cost: int


RowsOf = Callable[[str], int]
"""The estimated rows of a dataset; 0 where they are not known."""


def _no_rows(_: str) -> int:
    return 0


class InstanceIndex:
    """The active instances of one model, ready to be asked. Built once per version of the registry."""

    def __init__(self, instances: Iterable[ServingInstance]) -> None:
        self.instances = tuple(
            sorted(instances, key=lambda instance: (instance.rows, len(instance.part.attributes), instance.id))
        )
        self._facts: dict[str, int] = {}
        self._attributes: dict[tuple[str, GrainAttribute], int] = {}
        self._bound: dict[tuple[str, GrainAttribute], BoundAttribute] = {}
        self._measures: dict[StoredMeasure, int] = {}
        self._many: dict[tuple[str, frozenset[GrainAttribute]], int] = {}
        self._claims: dict[tuple[str, GrainAttribute], _Claims] = {}
        self._sizes: dict[tuple[str, int], int] = {}
        numbers: dict[str, list[int]] = {}
        for number, instance in enumerate(self.instances):
            numbers.setdefault(instance.part.fact, []).append(number)
        for fact, of_fact in numbers.items():
            self._facts[fact] = bits_of_places(of_fact)
            self._add_attributes(fact, of_fact)
        measures = ((number, instance.part.measures) for number, instance in enumerate(self.instances))
        for measure, storing in _group_by_identity(measures):
            self._measures[measure] = self._measures.get(measure, 0) | bits_of_places(storing)

    def _add_attributes(self, fact: str, numbers: Sequence[int]) -> None:
        """Index the attributes of a fact's aggregates."""
        bridged: dict[int, set[GrainAttribute]] = {}
        for bound, storing in _group_by_identity((number, self._attributes_of(number)) for number in numbers):
            key = (fact, bound.attribute)
            self._attributes[key] = self._attributes.get(key, 0) | bits_of_places(storing)
            self._bound.setdefault(key, bound)
            for number in storing if bound.is_many_to_many else ():
                bridged.setdefault(number, set()).add(bound.attribute)
        many: dict[frozenset[GrainAttribute], list[int]] = {}
        sizes: dict[int, list[int]] = {}
        for number in numbers:
            many.setdefault(frozenset(bridged.get(number, ())), []).append(number)
            sizes.setdefault(len(self._attributes_of(number)), []).append(number)
        self._many |= {(fact, attributes): bits_of_places(having) for attributes, having in many.items()}
        self._sizes |= {(fact, size): bits_of_places(having) for size, having in sizes.items()}

    def _attributes_of(self, number: int) -> tuple[BoundAttribute, ...]:
        return self.instances[number].part.attributes

    def popularity(self, fact: str, attribute: GrainAttribute) -> int:
        """How many aggregates of a fact store an attribute."""
        return self._attributes.get((fact, attribute), 0).bit_count()

    def find(
        self,
        query: ModelQuery,
        fact_query: FactQuery,
        proven: AbstractSet[Dependency],
        *,
        since: datetime | None = None,
        among: int | None = None,
        rows_of: RowsOf = _no_rows,
    ) -> Match | None:
        """The aggregate that answers the fact query with the fewest rows read; None when none does.

        Args:
            since: only aggregates that know the facts of this moment; None: all.
            among: the bits that `find_improvements` gave for the fact query, where nothing has been proven since;
                None: the index is asked anew.
            rows_of: what joining a dimension back costs.
        """
        needed = fact_query.needed
        bits = self._storing(query, fact_query) & self._with_attributes(needed, proven) if among is None else among
        asked = _without_fragile_measures(needed)
        best: Match | None = None
        for number in places_of_bits(bits):
            instance = self.instances[number]
            if best is not None and best.cost <= instance.rows:
                break
            if not instance.is_fresh(since):
                continue
            way = derivation(asked, instance.part, proven)
            if way is not None:
                cost = instance.rows + sum(rows_of(source.dataset) for source in _sources_joined_back(way))
                if best is None or cost < best.cost:
                    best = Match(instance, way, cost)
        return best

    def find_improvements(
        self, query: ModelQuery, fact_query: FactQuery, proven: AbstractSet[Dependency]
    ) -> tuple[int, tuple[BoundAttribute, ...]]:
        """Which aggregates can answer, as bits, and what may be proven so that a cheaper one can.

        Returns:
            The bits stand first. Second stand the stored attributes whose keys would have to determine what the fact
            query needs; none when no proof can lead to a cheaper aggregate.
        """
        needed = fact_query.needed
        fit = self._storing(query, fact_query)
        answering = fit & self._with_attributes(needed, proven)
        cheaper = (answering & -answering) - 1 if answering else -1
        possible = fit & cheaper
        if not possible:
            return answering, ()
        sources: dict[BoundAttribute, None] = {}
        for bound in needed.attributes:
            storing = self._attributes.get((needed.fact, bound.attribute), 0)
            for source, _ in self._sources(needed.fact, bound):
                storing |= self._attributes[needed.fact, source.attribute]
                sources[source] = None
            possible &= storing
        return answering, tuple(
            source for source in sources if self._attributes[needed.fact, source.attribute] & possible
        )

    def claimed_sources(self, fact_query: FactQuery) -> tuple[BoundAttribute, ...]:
        """Stored attributes that the model claims to determine one that the fact query uses."""
        sources = (
            source for bound in fact_query.needed.attributes for source, _ in self._sources(fact_query.fact, bound)
        )
        return tuple(dict.fromkeys(sources))

    def misses(
        self,
        query: ModelQuery,
        fact_query: FactQuery,
        proven: AbstractSet[Dependency],
        *,
        since: datetime | None = None,
        rows_of: RowsOf = _no_rows,
    ) -> list[Candidate]:
        """Every instance of the fact that does not answer the fact query, or costs more; the nearest comes first."""
        match = self.find(query, fact_query, proven, since=since, rows_of=rows_of)
        candidates = []
        for instance in self.instances:
            if instance.part.fact == fact_query.fact and (match is None or instance is not match.instance):
                candidate = explain_miss(query, fact_query, instance, proven)
                if candidate.miss is Miss.DEARER:
                    is_smaller = match is not None and instance.rows < match.instance.rows
                    miss = Miss.JOINS_DEARER if is_smaller else Miss.DEARER
                    candidate = replace(candidate, miss=miss if instance.is_fresh(since) else Miss.STALE)
                candidates.append(candidate)
        return sorted(candidates, key=nearness)

    def _storing(self, query: ModelQuery, fact_query: FactQuery) -> int:
        """Instances of the fact that store the metrics' pieces and can give them at the fact query's grain."""
        bits = 0 if why_only_facts(query, fact_query) is not None else self._facts.get(fact_query.fact, 0)
        for metric in fact_query.metrics.values():
            for piece in pieces_of(metric, fact_query.fact):
                bits &= self._measures.get(piece, 0)
                if not piece.rolls_up:
                    bits &= self._only_grain(query, fact_query)
        for carriers in fact_query.guards:
            storing = 0
            for bound in carriers:
                storing |= self._attributes.get((fact_query.fact, bound.attribute), 0)
            bits &= storing
        many = frozenset(bound.attribute for bound in fact_query.attributes.values() if bound.is_many_to_many)
        return bits & self._many.get((fact_query.fact, many), 0)

    def _only_grain(self, query: ModelQuery, fact_query: FactQuery) -> int:
        if not_single_rows(query, fact_query):
            return 0
        grain = {bound.attribute for bound in fact_query.attributes.values()}
        bits = self._sizes.get((fact_query.fact, len(grain)), 0)
        for attribute in grain:
            bits &= self._attributes.get((fact_query.fact, attribute), 0)
        return bits

    def _with_attributes(self, needed: FactPart, proven: AbstractSet[Dependency]) -> int:
        bits = -1
        for bound in needed.attributes:
            serving = self._attributes.get((needed.fact, bound.attribute), 0)
            for source, claim in self._sources(needed.fact, bound):
                if claim in proven:
                    serving |= self._attributes[needed.fact, source.attribute]
            bits &= serving
        return bits & self._facts.get(needed.fact, 0)

    def _sources(self, fact: str, bound: BoundAttribute) -> tuple[tuple[BoundAttribute, Dependency], ...]:
        """Stored attributes that the model claims to determine an attribute, each with the claim."""
        key = (fact, bound.attribute)
        entry = self._claims.get(key)
        if entry is None or (entry[0] is not bound and entry[0] != bound):
            stored = (
                [] if bound.is_many_to_many else [source for (owner, _), source in self._bound.items() if owner == fact]
            )
            claims = ((source, dependency_of(bound, source)) for source in stored)
            entry = self._claims[key] = (bound, tuple((source, claim) for source, claim in claims if claim is not None))
        return entry[1]


def _sources_joined_back(way: Derivation) -> set[BoundAttribute]:
    return {origin.source for origin in way.origins if not origin.is_stored}


def _without_fragile_measures(needed: FactPart) -> FactPart:
    """What the lattice is asked for. The index itself decides on measures that are exact only at their own grain."""
    rolling = tuple(measure for measure in needed.measures if measure.rolls_up)
    if len(rolling) == len(needed.measures):
        return needed
    return FactPart(
        fact=needed.fact, attributes=needed.attributes, measures=tuple(sorted({*rolling, row_count(needed.fact)}))
    )


def _group_by_identity(
    shared: Iterable[tuple[int, Sequence[_Shared]]],
) -> Iterable[tuple[_Shared, list[int]]]:
    """What numbers share, and the numbers that have it, ascending.

    Aggregates share most attributes and measures as objects, and to compare objects is quick. Equal ones that are
    several objects come several times.
    """
    groups: dict[int, tuple[_Shared, list[int]]] = {}
    for number, values in shared:
        for value in values:
            group = groups.get(id(value))
            if group is None:
                group = groups[id(value)] = (value, [])
            group[1].append(number)
    return groups.values()
