"""Why an aggregate does not answer a fact query, and the smallest change after which it would."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from enum import StrEnum

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.lattice import Dependency, dependency_of
from airflow_atscale_aggs.engine.aggregates.measures import SKETCHES
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute
from airflow_atscale_aggs.engine.rewriting.match.serving import ServingInstance, fragile_metrics, not_single_rows
from airflow_atscale_aggs.engine.rewriting.model_query import ModelQuery, attribute_at
from airflow_atscale_aggs.engine.rewriting.split.fact_queries import FactQuery, pieces_of
from airflow_atscale_aggs.engine.rewriting.split.many_to_many import several_members


class Miss(StrEnum):
    """Why an aggregate does not answer a fact query."""

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
    NOT_SECURED = "it does not store by what row security tells whose rows they are"
    MANY_TO_MANY = "many-to-many attributes differ"
    SEVERAL_MEMBERS = "a row may have several of the members that are asked for, which only the facts tell apart"
    SEMI_ADDITIVE = "semi-additive metric, which only the facts answer"
    SKETCH = "percentile or estimate, which only the facts answer"
    DEARER = "a cheaper aggregate answers"
    JOINS_DEARER = "joining back what it does not store is dearer"
    FACTS_CHEAPER = "the facts are cheaper"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An aggregate that does not answer a fact query, and why.

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


def explain_miss(
    query: ModelQuery, fact_query: FactQuery, instance: ServingInstance, proven: AbstractSet[Dependency]
) -> Candidate:
    """The most specific reason against an aggregate; `Miss.DEARER` when there is none."""
    stored = instance.part
    answers = Candidate(aggregate=instance.aggregate, fact=stored.fact, miss=Miss.DEARER, rows=instance.rows)
    if stored.fact != fact_query.fact:
        return replace(answers, miss=Miss.OTHER_FACT)
    facts_only = why_only_facts(query, fact_query)
    if facts_only is not None:
        return replace(answers, miss=facts_only[0], missing=facts_only[1])
    carriers = _missing_carriers(fact_query, stored)
    if carriers is not None:
        return _explain_unguarded(carriers, answers)
    return _explain_what_is_stored(query, fact_query, instance, proven)


def _explain_unguarded(carriers: tuple[BoundAttribute, ...], answers: Candidate) -> Candidate:
    """That an aggregate does not store by what it is told whose rows they are."""
    names = tuple(bound.attribute.query_name for bound in carriers[:1])
    change = f"add attribute `{names[0]}` to `{answers.aggregate}`" if names else ""
    return replace(answers, miss=Miss.NOT_SECURED, missing=names, change=change)


def _explain_what_is_stored(
    query: ModelQuery, fact_query: FactQuery, instance: ServingInstance, proven: AbstractSet[Dependency]
) -> Candidate:
    """The reason against an aggregate of the fact that lies in what it stores."""
    stored = instance.part
    answers = Candidate(aggregate=instance.aggregate, fact=stored.fact, miss=Miss.DEARER, rows=instance.rows)
    differing = _many_to_many_attributes(fact_query.needed) ^ _many_to_many_attributes(stored)
    if differing:
        names = tuple(sorted(attribute.query_name for attribute in differing))
        return replace(answers, miss=Miss.MANY_TO_MANY, missing=names)
    lacking = _lacking_attributes(fact_query, stored, proven)
    metrics = _lacking_metrics(fact_query, stored)
    if not lacking and not metrics:
        return _explain_measures(query, fact_query, instance, answers)
    names = tuple(bound.attribute.query_name for bound, _ in lacking)
    miss = lacking[0][1] if lacking else Miss.METRIC_NOT_STORED
    grouped = _grouping_attributes(query, fact_query)
    if miss is Miss.ATTRIBUTE_NOT_STORED and all(bound.attribute not in grouped for bound, _ in lacking):
        miss = Miss.FILTER_NOT_STORED
    candidate = replace(answers, miss=miss, missing=(*names, *metrics))
    together = {bound.attribute for bound in stored.attributes} | {bound.attribute for bound, _ in lacking}
    is_grain = together == {bound.attribute for bound in fact_query.attributes.values()}
    if fragile_metrics(fact_query) and (not is_grain or not_single_rows(query, fact_query)):
        return replace(candidate, change=_exact_definition(query, fact_query))
    additions = [f"attribute `{name}`" for name in names] + [f"metric `{name}`" for name in metrics]
    return replace(
        candidate,
        change=f"add {', '.join(additions)} to `{instance.aggregate}`",
        lacking=tuple(bound for bound, _ in lacking),
        extra_rows=None if lacking else 0,
    )


def _missing_carriers(fact_query: FactQuery, stored: FactPart) -> tuple[BoundAttribute, ...] | None:
    """Attributes of which one would tell whose rows an aggregate's are, and it has none; None: it has all it needs."""
    own = {bound.attribute for bound in stored.attributes}
    return next(
        (carriers for carriers in fact_query.guards if all(bound.attribute not in own for bound in carriers)), None
    )


def _many_to_many_attributes(fact_part: FactPart) -> frozenset[GrainAttribute]:
    return frozenset(bound.attribute for bound in fact_part.attributes if bound.is_many_to_many)


def _explain_measures(
    query: ModelQuery, fact_query: FactQuery, instance: ServingInstance, answers: Candidate
) -> Candidate:
    fragile = fragile_metrics(fact_query)
    is_same = {bound.attribute for bound in fact_query.attributes.values()} == {
        bound.attribute for bound in instance.part.attributes
    }
    if fragile and (not is_same or not_single_rows(query, fact_query)):
        return replace(answers, miss=Miss.NOT_ADDITIVE, missing=fragile, change=_exact_definition(query, fact_query))
    return answers


def why_only_facts(query: ModelQuery, fact_query: FactQuery) -> tuple[Miss, tuple[str, ...]] | None:
    """Why no aggregate can answer the fact query, and the metrics or attributes that prevent it."""
    reasons = (
        (Miss.SEMI_ADDITIVE, tuple(query.metrics[metric_place] for metric_place in fact_query.edges)),
        (
            Miss.NOT_ADDITIVE,
            tuple(query.metrics[metric_place] for metric_place in fact_query.metrics)
            if _is_over_rows(fact_query)
            else (),
        ),
        (Miss.NOT_ADDITIVE, _deviation_metrics(fact_query)),
        (Miss.SEVERAL_MEMBERS, tuple(bound.attribute.query_name for bound in several_members(query, fact_query))),
        (Miss.SKETCH, _sketch_metrics(fact_query)),
    )
    return next((reason for reason in reasons if reason[1]), None)


def _sketch_metrics(fact_query: FactQuery) -> tuple[str, ...]:
    """Metrics that roll up by sketches alone."""
    return tuple(
        metric.name
        for metric in fact_query.metrics.values()
        if metric is not None and any(piece.function in SKETCHES for piece in pieces_of(metric, fact_query.fact))
    )


def _deviation_metrics(fact_query: FactQuery) -> tuple[str, ...]:
    """Deviations under a condition, whose means the stored pieces of all rows do not give."""
    metrics = (fact_query.metrics[metric_place] for metric_place in fact_query.slices)
    return tuple(
        metric.name for metric in metrics if metric and metric.calculation_method.startswith(("stddev", "var"))
    )


def _is_over_rows(fact_query: FactQuery) -> bool:
    """Whether it counts each row at several members, which no rolled up value can tell."""
    return fact_query.shift is not None and fact_query.shift.is_over_rows


def _exact_definition(query: ModelQuery, fact_query: FactQuery) -> str:
    """The definition that a query with such metrics needs; none when no aggregate's rows are its groups."""
    if not_single_rows(query, fact_query):
        return ""
    names = ", ".join(f"`{bound.attribute.query_name}`" for bound in fact_query.attributes.values()) or "no attributes"
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


def _grouping_attributes(query: ModelQuery, fact_query: FactQuery) -> frozenset[GrainAttribute]:
    """Attributes that are grouped by, as they are."""
    places = (attribute_at(query.keys[key_place]) for key_place in fact_query.keys)
    return frozenset(fact_query.attributes[at].attribute for at in places if at is not None)


def _lacking_attributes(
    fact_query: FactQuery, stored: FactPart, proven: AbstractSet[Dependency]
) -> list[tuple[BoundAttribute, Miss]]:
    """Needed attributes that an aggregate neither stores nor determines."""
    own = {bound.attribute for bound in stored.attributes}
    lacking: list[tuple[BoundAttribute, Miss]] = []
    for bound in dict.fromkeys(fact_query.attributes.values()):
        if bound.attribute in own:
            continue
        claims = [] if bound.is_many_to_many else [dependency_of(bound, source) for source in stored.attributes]
        existing = [claim for claim in claims if claim is not None]
        if not any(claim in proven for claim in existing):
            lacking.append((bound, Miss.HIERARCHY_NOT_FUNCTIONAL if existing else Miss.ATTRIBUTE_NOT_STORED))
    return lacking


def _lacking_metrics(fact_query: FactQuery, stored: FactPart) -> tuple[str, ...]:
    """Names of the metrics of which an aggregate does not store all pieces."""
    return tuple(
        metric.name
        for metric in fact_query.metrics.values()
        if metric is not None and not set(pieces_of(metric, fact_query.fact)) <= set(stored.measures)
    )
