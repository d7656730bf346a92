"""What was asked of a model, as needs: from the log of queries, from queries that stand for it, or from the model alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

from sqlglot import TokenType, tokenize
from sqlglot.errors import SqlglotError

from airflow_atscale_aggs.engine.advising.query_requirements import (
    QueryRequirement,
    combine_requirements,
    requirements_of_structure,
)
from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.measures import SKETCHES, StoredFunction, row_count
from airflow_atscale_aggs.engine.errors import QueryError, UnreadableQueryError
from airflow_atscale_aggs.engine.lifecycle.query.model_snapshot import ModelSnapshot
from airflow_atscale_aggs.engine.model.calculations import BaseMetrics
from airflow_atscale_aggs.engine.model.paths import GrainAttribute
from airflow_atscale_aggs.engine.model.semantic_model import Metric, SemanticModel
from airflow_atscale_aggs.engine.registry.records import QueryRecord
from airflow_atscale_aggs.engine.rewriting.match.serving import not_single_rows
from airflow_atscale_aggs.engine.rewriting.model_query import ROW_COUNT, ModelQuery
from airflow_atscale_aggs.engine.rewriting.parse.deep_nesting import with_room
from airflow_atscale_aggs.engine.rewriting.parse.model_statements import read_statement
from airflow_atscale_aggs.engine.rewriting.parse.select_reader import read_select
from airflow_atscale_aggs.engine.rewriting.split.fact_queries import FactQuery, pieces_of, split_by_fact
from airflow_atscale_aggs.engine.settings import Settings

_LOGGED_DIALECT = "postgres"
_MOST_SHAPES = 5_000
"""Different queries of a log that are looked at, the heaviest ones."""

_ALLOWED_BY = {
    StoredFunction.COUNT_DISTINCT: "aggregates.create.allowExactDistinctCountMeasures.enabled",
    StoredFunction.SUM_DISTINCT: "aggregates.create.allowDistinctSumMeasures.enabled",
}


@dataclass(frozen=True, slots=True)
class Unserved:
    """Queries that no aggregate of the engine's may answer, by the first few words of one; how many, and why."""

    query: str
    weight: float
    reason: str


@dataclass(frozen=True, slots=True)
class Workload:
    """Needs, heaviest first, and what could not be one."""

    needs: tuple[QueryRequirement, ...]
    unserved: tuple[Unserved, ...]


def workload_of_log(
    known: ModelSnapshot, records: Iterable[QueryRecord], settings: Settings, *, now: datetime
) -> Workload:
    """The needs of logged queries; old ones weigh less by the half-life of the settings."""
    weights: dict[str, float] = {}
    shown: dict[str, QueryRecord] = {}
    for record in records:
        age = decay(record.asked_at, settings, now=now)
        weights[record.fingerprint] = weights.get(record.fingerprint, 0.0) + record.weight * age
        shown.setdefault(record.fingerprint, record)
    reader = _DemandReader(known, settings)
    heaviest = sorted(weights, key=lambda fingerprint: -weights[fingerprint])
    for fingerprint in heaviest[:_MOST_SHAPES]:
        reader.add_logged(shown[fingerprint], weights[fingerprint])
    return reader.demand()


def workload_of_queries(
    known: ModelSnapshot, queries: Iterable[str], settings: Settings, *, dialect: str = _LOGGED_DIALECT
) -> Workload:
    """The needs of queries that stand for a history; one that stands there twice weighs twice."""
    reader = _DemandReader(known, settings)
    for sql in queries:
        reader.add(sql, 1.0, dialect)
    return reader.demand()


def workload_of_structure(known: ModelSnapshot, settings: Settings, facts: Sequence[str] | None = None) -> Workload:
    """The needs that the model's structure makes likely, all metrics of a fact together.

    Args:
        facts: only these; None: all that may be aggregated.
    """
    stored = [
        QueryRequirement(part=_part(fact, metrics), weight=1.0, metrics=tuple(sorted(metrics)))
        for fact, metrics in storable_metrics(known.model, settings).items()
        if facts is None or fact in facts
    ]
    reader = _DemandReader(known, settings)
    for need in requirements_of_structure(known.model, known.paths, stored):
        reader.take(need, ", ".join(sorted(one.query_name for one in need.grain)))
    return reader.demand()


def split_queries(text: str, *, dialect: str = _LOGGED_DIALECT) -> tuple[str, ...]:
    """Queries that semicolons separate, without empty ones.

    >>> split_queries("SELECT ';'; SELECT 2;")
    ("SELECT ';'", 'SELECT 2')

    Raises:
        UnreadableQueryError: the text cannot be taken apart, or the dialect is not known.
    """
    try:
        ends = [token.start for token in tokenize(text, read=dialect) if token.token_type is TokenType.SEMICOLON]
    except (SqlglotError, ValueError) as error:
        raise UnreadableQueryError(text, f"it cannot be taken apart into queries: {error}") from error
    found = [text[begin:end].strip().removeprefix(";").strip() for begin, end in pairwise((0, *ends, len(text)))]
    return tuple(one for one in found if one)


def storable_metrics(model: SemanticModel, settings: Settings) -> Mapping[str, Mapping[str, Metric]]:
    """Metrics by name that roll up, or are allowed though they do not, by fact that may be aggregated.

    Those that the model lists, and those that its listed calculations stand on.
    """
    found: dict[str, dict[str, Metric]] = {fact: {} for fact in model.fact_datasets}
    base = BaseMetrics(model)
    for name in dict.fromkeys(one for listed in model.listed for one in base.of(listed)[0]):
        metric = model.metrics[name]
        is_own = metric.dataset in found and not metric.dimension and not metric.is_semi_additive
        if is_own and all(not _why_not_stored(piece.function, settings) for piece in pieces_of(metric, metric.dataset)):
            found[metric.dataset][name] = metric
    datasets = model.datasets
    return {fact: metrics for fact, metrics in found.items() if metrics and datasets[fact].allow_aggregates}


def decay(moment: datetime, settings: Settings, *, now: datetime) -> float:
    """How much a moment of the past counts: 1 now, a half one half-life ago."""
    days = max((now - moment).total_seconds(), 0.0) / 86_400
    return float(0.5 ** (days / settings.demand_half_life))


class _DemandReader:
    """Collects the needs of one model's queries."""

    def __init__(self, known: ModelSnapshot, settings: Settings) -> None:
        self._known, self._settings = known, settings
        self._needs: list[QueryRequirement] = []
        self._unserved: list[Unserved] = []

    def demand(self) -> Workload:
        """All that was collected."""
        return Workload(combine_requirements(self._needs), tuple(sorted(self._unserved, key=lambda one: -one.weight)))

    def add_logged(self, record: QueryRecord, weight: float) -> None:
        """A query of the log: its text without values, or, where that cannot be read, what was noted of it."""
        try:
            self._read(_with_values(record.shape), weight, _LOGGED_DIALECT)
        except (QueryError, SqlglotError):
            self._add_noted(record, weight)

    def add(self, sql: str, weight: float, dialect: str) -> None:
        """A query as somebody wrote it."""
        try:
            self._read(sql, weight, dialect)
        except QueryError as error:
            self._unserved.append(Unserved(sql, weight, str(error)))

    def _read(self, sql: str, weight: float, dialect: str) -> None:
        for query, part in with_room(lambda: self._parts(sql, dialect), sql):
            metrics = tuple(sorted({metric.name for metric in part.metrics.values() if metric is not None}))
            need = QueryRequirement(part=part.needed, weight=weight, metrics=metrics)
            if not need.part.has_only_rollups() and not_single_rows(query, part):
                self._unserved.append(Unserved(sql, weight, "an exact distinct metric is needed at a coarser grain"))
            else:
                self.take(need, sql)

    def _parts(self, sql: str, dialect: str) -> list[tuple[ModelQuery, FactQuery]]:
        known = self._known
        statement = read_statement(sql, dialect=dialect, model=known.record.name)
        found: list[tuple[ModelQuery, FactQuery]] = []
        for select in statement.selects:
            query = read_select(select, known.names, known.calculations, dialect=dialect)
            found += [(query, part) for part in split_by_fact(query, known.model, known.paths)]
        return found

    def _add_noted(self, record: QueryRecord, weight: float) -> None:
        model, names = self._known.model, self._known.names
        try:
            meanings = [names.find(name) for name in dict.fromkeys((*record.keys, *record.predicates))]
        except QueryError as error:
            self._unserved.append(Unserved(record.shape, weight, str(error)))
            return
        grain = [one for one in meanings if isinstance(one, GrainAttribute)]
        by_fact: dict[str, dict[str, Metric]] = {}
        for name in record.metrics:
            metric = model.metric(name) if name != ROW_COUNT else None
            if metric is not None:
                by_fact.setdefault(metric.dataset, {})[name] = metric
        for fact, metrics in by_fact.items():
            reached = self._known.paths.attributes_of(fact)
            attributes = tuple(reached[one] for one in grain if one in reached)
            part = replace(_part(fact, metrics), attributes=attributes)
            self.take(QueryRequirement(part=part, weight=weight, metrics=tuple(sorted(metrics))), record.shape)

    def take(self, need: QueryRequirement, shown: str) -> None:
        """A need, unless the model or the settings keep the engine from answering it."""
        reason = self._why_not(need)
        if reason:
            self._unserved.append(Unserved(shown, need.weight, reason))
        else:
            self._needs.append(need)

    def _why_not(self, need: QueryRequirement) -> str:
        for measure in need.part.measures:
            reason = _why_not_stored(measure.function, self._settings)
            if reason:
                return f"{measure} {reason}"
        datasets = self._known.model.datasets
        used = {need.part.fact} | {step.to_dataset for bound in need.part.attributes for step in bound.steps}
        for name in sorted(used):
            if name in datasets and not datasets[name].allow_aggregates:
                return f"dataset `{name}` has `allow_aggregates: false`"
        is_dimension = not need.metrics and need.part.fact not in self._known.model.fact_datasets
        for bound in need.part.attributes:
            attribute = self._known.model.dimensions[bound.attribute.role.dimension].attributes[bound.attribute.name]
            if attribute.exclude_from_dim_agg if is_dimension else attribute.exclude_from_fact_agg:
                word = "exclude_from_dim_agg" if is_dimension else "exclude_from_fact_agg"
                return f"`{bound.attribute.query_name}` has `{word}`"
        return ""


def _why_not_stored(function: StoredFunction, settings: Settings) -> str:
    if function in SKETCHES:
        return "is a sketch, which queries of this version do not read"
    key = _ALLOWED_BY.get(function)
    is_allowed = {
        StoredFunction.COUNT_DISTINCT: settings.allow_distinct_counts,
        StoredFunction.SUM_DISTINCT: settings.allow_distinct_sums,
    }
    return "" if key is None or is_allowed[function] else f"does not roll up; `{key}` is false"


def _part(fact: str, metrics: Mapping[str, Metric]) -> FactPart:
    pieces = {piece for metric in metrics.values() for piece in pieces_of(metric, fact)}
    return FactPart(fact=fact, attributes=(), measures=tuple(sorted({*pieces, row_count(fact)})))


def _with_values(shape: str) -> str:
    """A logged query with some value for each that was left out: what it needs does not depend on them."""
    text, end = [], 0
    for token in tokenize(shape, read=_LOGGED_DIALECT):
        if token.token_type is TokenType.PLACEHOLDER:
            text += [shape[end : token.start], "'0'"]
            end = token.end + 1
    return "".join((*text, shape[end:]))
