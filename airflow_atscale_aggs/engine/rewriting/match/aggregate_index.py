"""Which active aggregate answers a part of a query, and why the others do not.

An aggregate serves when every attribute that the part uses is stored in it, or determined by a stored one through a hierarchy
that the data proved functional; when its measures roll up to the part's metrics; and when no fact row stands in it more
often than in the part's own groups. The index keeps one bitset of aggregates per attribute and measure, aggregates in order
of their rows: a match is an AND of a few of them, the cheapest is the lowest bit that is left.

Source: Goldstein, Larson, "Optimizing Queries Using Materialized Views" (2001), filter trees; DESIGN "Keys and names".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import TypeVar

from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.lattice import Dependency, Derivation, dependency_of, derivation
from airflow_atscale_aggs.engine.aggregates.measures import SKETCHES, StoredMeasure, row_count
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute
from airflow_atscale_aggs.engine.model.semantic_model import Metric
from airflow_atscale_aggs.engine.rewriting.model_query import ModelQuery, attribute_at
from airflow_atscale_aggs.engine.rewriting.pinned_attributes import pinned_by
from airflow_atscale_aggs.engine.rewriting.split.fact_queries import FactQuery, pieces_of
from airflow_atscale_aggs.engine.rewriting.split.many_to_many import fixed_places, is_told_apart, several_members
from airflow_atscale_aggs.engine.sql.physical_names import StoredColumns, stored_columns

_Key = TypeVar("_Key")
_Claims = tuple[BoundAttribute, tuple[tuple[BoundAttribute, Dependency], ...]]
"""An attribute, and the stored ones that are claimed to determine it."""


@dataclass(frozen=True, kw_only=True)
class ServingInstance:
    """An active instance.

    Attributes:
        aggregate: name for people.
        part: what it stores, as it was when it was built.
        table: physical name, unquoted, in ``schema``.
        as_of: when its build began: it knows the facts as they were then.
        relies_on: settings of a session that decide what it stores, with the values that they had.
    """

    id: str
    definition_id: str
    aggregate: str
    part: FactPart
    rows: int
    table: str
    schema: str = ""
    as_of: datetime | None = None
    relies_on: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def layout(self) -> StoredColumns:
        """The columns of its table."""
        return stored_columns(self.part)

    def is_fresh(self, since: datetime | None) -> bool:
        """Whether it knows the facts of a moment."""
        return since is None or (self.as_of is not None and self.as_of >= since)


class Miss(StrEnum):
    """Why an aggregate does not answer a part of a query."""

    OTHER_FACT = "other fact"
    NOT_BUILT = "defined but not built"
    BLOCKED = "its definition is blocked"
    OTHER_VERSION = "built for another version of the model"
    OTHER_SETTINGS = "built under other settings, or from other tables"
    GONE = "its table is not in the warehouse any more"
    STALE = "older than the query allows"
    ATTRIBUTE_NOT_STORED = "attribute not stored"
    FILTER_NOT_STORED = "filter on an attribute that is not stored"
    HIERARCHY_NOT_FUNCTIONAL = "coarser level that the stored level does not determine in the data"
    METRIC_NOT_STORED = "metric not stored"
    NOT_ADDITIVE = "metric exact only at its own grain"
    MANY_TO_MANY = "many-to-many attributes differ"
    SEVERAL_MEMBERS = "a row may have several of the members that are asked for, which only the facts tell apart"
    SEMI_ADDITIVE = "semi-additive metric, which only the facts answer"
    SKETCH = "percentile or estimate, which only the facts answer"
    DEARER = "a cheaper aggregate answers"
    JOINS_DEARER = "joining back what it does not store is dearer"
    FACTS_CHEAPER = "the facts are cheaper"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An aggregate that was looked at and not taken.

    Attributes:
        missing: names of the attributes and metrics that stand against it.
        change: the smallest change that would make it match; empty when no change of it would.
        lacking: the attributes that this change adds.
        extra_rows: estimated rows that the change adds; None when nobody has estimated them.
    """

    aggregate: str
    fact: str
    miss: Miss
    missing: tuple[str, ...] = ()
    change: str = ""
    rows: int | None = None
    lacking: tuple[BoundAttribute, ...] = ()
    extra_rows: int | None = None


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
            among: what `improvable` found for the part, where nothing has been proven since; None: looked for anew.
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

    def improvable(
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

    def claimed(self, part: FactQuery) -> tuple[BoundAttribute, ...]:
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
                why = why_not(query, part, instance, proven)
                if why.miss is Miss.DEARER:
                    is_smaller = taken is not None and instance.rows < taken.instance.rows
                    own = Miss.JOINS_DEARER if is_smaller else Miss.DEARER
                    why = replace(why, miss=own if instance.is_fresh(since) else Miss.STALE)
                found.append(why)
        return sorted(found, key=nearness)

    def _storing(self, query: ModelQuery, part: FactQuery) -> int:
        """Instances of the fact that store the metrics' pieces and can give them at the part's grain."""
        bits = 0 if _facts_only(query, part) is not None else self._facts.get(part.fact, 0)
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


def why_not(
    query: ModelQuery, part: FactQuery, instance: ServingInstance, proven: AbstractSet[Dependency]
) -> Candidate:
    """The most specific reason against an aggregate; `Miss.DEARER` when there is none."""
    stored = instance.part
    answers = Candidate(aggregate=instance.aggregate, fact=stored.fact, miss=Miss.DEARER, rows=instance.rows)
    if stored.fact != part.fact:
        return replace(answers, miss=Miss.OTHER_FACT)
    facts_only = _facts_only(query, part)
    if facts_only is not None:
        return replace(answers, miss=facts_only[0], missing=facts_only[1])
    many, own_many = (
        frozenset(one.attribute for one in each.attributes if one.is_many_to_many) for each in (part.needed, stored)
    )
    if many != own_many:
        return replace(
            answers, miss=Miss.MANY_TO_MANY, missing=tuple(sorted(one.query_name for one in many ^ own_many))
        )
    lacking = _lacking(part, stored, proven)
    metrics = tuple(
        metric.name
        for metric in part.metrics.values()
        if metric is not None and not set(pieces_of(metric, part.fact)) <= set(stored.measures)
    )
    if not lacking and not metrics:
        return _why_not_measures(query, part, instance, answers)
    names = tuple(bound.attribute.query_name for bound, _ in lacking)
    miss = lacking[0][1] if lacking else Miss.METRIC_NOT_STORED
    kept = _grouped(query, part)
    if miss is Miss.ATTRIBUTE_NOT_STORED and all(bound.attribute not in kept for bound, _ in lacking):
        miss = Miss.FILTER_NOT_STORED
    found = replace(answers, miss=miss, missing=(*names, *metrics))
    together = {bound.attribute for bound in stored.attributes} | {bound.attribute for bound, _ in lacking}
    is_grain = together == {bound.attribute for bound in part.attributes.values()}
    if _fragile(part) and (not is_grain or not_single_rows(query, part)):
        return replace(found, change=_exactly(query, part))
    additions = [f"attribute `{name}`" for name in names] + [f"metric `{name}`" for name in metrics]
    return replace(
        found,
        change=f"add {', '.join(additions)} to `{instance.aggregate}`",
        lacking=tuple(bound for bound, _ in lacking),
        extra_rows=None if lacking else 0,
    )


def _why_not_measures(query: ModelQuery, part: FactQuery, instance: ServingInstance, answers: Candidate) -> Candidate:
    fragile = _fragile(part)
    is_same = {one.attribute for one in part.attributes.values()} == {one.attribute for one in instance.part.attributes}
    if fragile and (not is_same or not_single_rows(query, part)):
        return replace(answers, miss=Miss.NOT_ADDITIVE, missing=fragile, change=_exactly(query, part))
    return answers


def _facts_only(query: ModelQuery, part: FactQuery) -> tuple[Miss, tuple[str, ...]] | None:
    """Why no aggregate at all can answer the part, and the metrics that stand against it."""
    reasons = (
        (Miss.SEMI_ADDITIVE, tuple(query.metrics[place] for place in part.edges)),
        (Miss.NOT_ADDITIVE, tuple(query.metrics[place] for place in part.metrics) if _is_over_rows(part) else ()),
        (Miss.NOT_ADDITIVE, _deviating(part)),
        (Miss.SEVERAL_MEMBERS, tuple(one.attribute.query_name for one in several_members(query, part))),
        (Miss.SKETCH, _sketched(part)),
    )
    return next((reason for reason in reasons if reason[1]), None)


def _sketched(part: FactQuery) -> tuple[str, ...]:
    """Metrics that roll up by sketches alone."""
    return tuple(
        metric.name
        for metric in part.metrics.values()
        if metric is not None and any(piece.function in SKETCHES for piece in pieces_of(metric, part.fact))
    )


def _deviating(part: FactQuery) -> tuple[str, ...]:
    """Deviations under a condition, whose means the stored pieces of all rows do not give."""
    metrics = (part.metrics[place] for place in part.slices)
    return tuple(one.name for one in metrics if one and one.calculation_method.startswith(("stddev", "var")))


def _is_over_rows(part: FactQuery) -> bool:
    """Whether it counts each row at several members, which no rolled up value can tell."""
    return part.scope is not None and part.scope.is_over_rows


def _fragile(part: FactQuery) -> tuple[str, ...]:
    """Metrics that are exact only at the grain at which they are stored."""
    return tuple(metric.name for metric in part.metrics.values() if metric is not None and _is_fragile(part, metric))


def _is_fragile(part: FactQuery, metric: Metric) -> bool:
    return not all(piece.rolls_up for piece in pieces_of(metric, part.fact))


def _exactly(query: ModelQuery, part: FactQuery) -> str:
    """The definition that a query with such metrics needs; none when no aggregate's rows are its groups."""
    if not_single_rows(query, part):
        return ""
    names = ", ".join(f"`{one.attribute.query_name}`" for one in part.attributes.values()) or "no attributes"
    return f"define an aggregate with exactly {names} and its metrics"


def nearness(candidate: Candidate) -> tuple[int, int, int]:
    """Sorts candidates by how little keeps them from answering."""
    return (_FAR.get(candidate.miss, 1), len(candidate.missing), candidate.rows or 0)


_FAR: Mapping[Miss, int] = {
    Miss.DEARER: 0,
    Miss.JOINS_DEARER: 0,
    Miss.FACTS_CHEAPER: -1,
    Miss.MANY_TO_MANY: 2,
    Miss.OTHER_VERSION: 2,
    Miss.GONE: 2,
    Miss.OTHER_SETTINGS: 2,
    Miss.BLOCKED: 2,
    Miss.SEVERAL_MEMBERS: 2,
    Miss.SEMI_ADDITIVE: 2,
    Miss.SKETCH: 2,
    Miss.OTHER_FACT: 3,
}


def not_single_rows(query: ModelQuery, part: FactQuery) -> tuple[GrainAttribute, ...]:
    """Attributes by which several rows of an aggregate of the part's own grain could fall into one group.

    Groups are single rows where each attribute is a grouping key by itself, or held to one value by WHERE or by the
    condition of each metric that is exact at its own grain only, and its values tell its members apart.
    """
    fixed = frozenset(part.attributes[place].attribute for place in fixed_places(query, part))
    fragile = [place for place, metric in part.metrics.items() if metric is not None and _is_fragile(part, metric)]
    by_metric = [_held(part, part.slices.get(place)) for place in fragile] or [frozenset()]
    return tuple(
        bound.attribute
        for bound in part.attributes.values()
        if not is_told_apart(bound) or any(bound.attribute not in fixed | held for held in by_metric)
    )


def _grouped(query: ModelQuery, part: FactQuery) -> frozenset[GrainAttribute]:
    """Attributes that are grouped by, as they are."""
    found = (attribute_at(query.keys[place]) for place in part.keys)
    return frozenset(part.attributes[place].attribute for place in found if place is not None)


def _held(part: FactQuery, condition: exp.Expression | None) -> frozenset[GrainAttribute]:
    """Attributes that a condition holds to one value of their name."""
    return frozenset(part.attributes[place].attribute for place in pinned_by(condition) if place not in part.columns)


def _lacking(part: FactQuery, stored: FactPart, proven: AbstractSet[Dependency]) -> list[tuple[BoundAttribute, Miss]]:
    """Needed attributes that an aggregate neither stores nor determines."""
    own = {bound.attribute for bound in stored.attributes}
    lacking: list[tuple[BoundAttribute, Miss]] = []
    for bound in dict.fromkeys(part.attributes.values()):
        if bound.attribute in own:
            continue
        claims = [] if bound.is_many_to_many else [dependency_of(bound, source) for source in stored.attributes]
        made = [claim for claim in claims if claim is not None]
        if not any(claim in proven for claim in made):
            lacking.append((bound, Miss.HIERARCHY_NOT_FUNCTIONAL if made else Miss.ATTRIBUTE_NOT_STORED))
    return lacking


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
