"""Read the workload of a model.

From the log of queries, from queries that stand for it, or from the model's structure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlglot import TokenType, tokenize
from sqlglot.errors import SqlglotError

from airflow_atscale_aggs.engine.advising.query_requirements import (
    QueryRequirement,
    combine_requirements,
    requirements_of_structure,
)
from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.measures import SKETCHES, StoredFunction, row_count
from airflow_atscale_aggs.engine.errors import QueryError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.query.model_snapshot import ModelSnapshot
from airflow_atscale_aggs.engine.model.calculations import BaseMetrics
from airflow_atscale_aggs.engine.model.paths import GrainAttribute
from airflow_atscale_aggs.engine.model.row_security import RowRule
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
    """Query requirements, the heaviest first, and queries that no aggregate may serve."""

    requirements: tuple[QueryRequirement, ...]
    unserved: tuple[Unserved, ...]


def workload_of_log(
    snapshot: ModelSnapshot, records: Iterable[QueryRecord], settings: Settings, *, now: datetime
) -> Workload:
    """The requirements of logged queries; old ones weigh less by the half-life of the settings."""
    weights: dict[str, float] = {}
    newest: dict[str, QueryRecord] = {}
    for record in records:
        share = decay(record.asked_at, settings, now=now)
        weights[record.fingerprint] = weights.get(record.fingerprint, 0.0) + record.weight * share
        newest.setdefault(record.fingerprint, record)
    reader = _WorkloadReader(snapshot, settings)
    heaviest = sorted(weights, key=lambda fingerprint: -weights[fingerprint])
    for fingerprint in heaviest[:_MOST_SHAPES]:
        reader.add_logged_query(newest[fingerprint], weights[fingerprint])
    return reader.workload()


def workload_of_queries(
    snapshot: ModelSnapshot, queries: Iterable[str], settings: Settings, *, dialect: str = _LOGGED_DIALECT
) -> Workload:
    """The requirements of queries that stand for a history; one that stands there twice weighs twice."""
    reader = _WorkloadReader(snapshot, settings)
    for sql in queries:
        reader.add(sql, 1.0, dialect)
    return reader.workload()


def workload_of_structure(snapshot: ModelSnapshot, settings: Settings, facts: Sequence[str] | None = None) -> Workload:
    """The requirements that the model's structure makes likely, all metrics of a fact together.

    Args:
        facts: only these; None: all that may be aggregated.
    """
    stored = [
        QueryRequirement(part=_part(fact, metrics), weight=1.0, metrics=tuple(sorted(metrics)))
        for fact, metrics in storable_metrics(snapshot.model, settings).items()
        if facts is None or fact in facts
    ]
    reader = _WorkloadReader(snapshot, settings)
    for requirement in requirements_of_structure(snapshot.model, snapshot.paths, stored):
        reader.take(requirement, ", ".join(sorted(attribute.query_name for attribute in requirement.grain)))
    return reader.workload()


def storable_metrics(model: SemanticModel, settings: Settings) -> Mapping[str, Mapping[str, Metric]]:
    """Metrics by name that roll up, or are allowed though they do not, by fact that may be aggregated.

    Those that the model lists, and those that its listed calculations stand on.
    """
    metrics_by_fact: dict[str, dict[str, Metric]] = {fact: {} for fact in model.fact_datasets}
    base = BaseMetrics(model)
    for name in dict.fromkeys(metric_name for listed in model.listed for metric_name in base.of(listed)[0]):
        metric = model.metrics[name]
        is_own = metric.dataset in metrics_by_fact and not metric.dimension and not metric.is_semi_additive
        if is_own and all(
            not _reason_against_storing(piece.function, settings) for piece in pieces_of(metric, metric.dataset)
        ):
            metrics_by_fact[metric.dataset][name] = metric
    datasets = model.datasets
    return {fact: metrics for fact, metrics in metrics_by_fact.items() if metrics and datasets[fact].allow_aggregates}


def decay(moment: datetime, settings: Settings, *, now: datetime) -> float:
    """How much a moment of the past counts: 1 now, a half one half-life ago."""
    days = max((now - moment).total_seconds(), 0.0) / 86_400
    return float(0.5 ** (days / settings.demand_half_life))


class _WorkloadReader:
    """Collects the query requirements of one model."""

    def __init__(self, snapshot: ModelSnapshot, settings: Settings) -> None:
        self._snapshot, self._settings = snapshot, settings
        self._requirements: list[QueryRequirement] = []
        self._unserved: list[Unserved] = []

    def workload(self) -> Workload:
        """The workload of all queries that were added."""
        return Workload(
            combine_requirements(self._requirements), tuple(sorted(self._unserved, key=lambda refusal: -refusal.weight))
        )

    def add_logged_query(self, record: QueryRecord, weight: float) -> None:
        """A query of the log: its text without values, or, where that cannot be read, what was noted of it."""
        try:
            self._read(_with_values(record.shape), weight, _LOGGED_DIALECT)
        except (QueryError, SqlglotError):
            self._add_from_notes(record, weight)

    def add(self, sql: str, weight: float, dialect: str) -> None:
        """A query as somebody wrote it."""
        try:
            self._read(sql, weight, dialect)
        except QueryError as error:
            self._unserved.append(Unserved(sql, weight, str(error)))

    def _read(self, sql: str, weight: float, dialect: str) -> None:
        for query, part in with_room(lambda: self._parts(sql, dialect), sql):
            metrics = tuple(sorted({metric.name for metric in part.metrics.values() if metric is not None}))
            requirement = QueryRequirement(part=part.needed, weight=weight, metrics=metrics)
            if not requirement.part.has_only_rollups() and not_single_rows(query, part):
                self._unserved.append(Unserved(sql, weight, "an exact distinct metric is needed at a coarser grain"))
            else:
                self.take(requirement, sql)

    def _parts(self, sql: str, dialect: str) -> list[tuple[ModelQuery, FactQuery]]:
        snapshot = self._snapshot
        statement = read_statement(sql, dialect=dialect, model=snapshot.record.name)
        parts: list[tuple[ModelQuery, FactQuery]] = []
        for select in statement.selects:
            query = read_select(select, snapshot.names, snapshot.calculations, dialect=dialect)
            parts += [(query, part) for part in split_by_fact(query, snapshot.model, snapshot.paths)]
        return parts

    def _add_from_notes(self, record: QueryRecord, weight: float) -> None:
        model, names = self._snapshot.model, self._snapshot.names
        try:
            meanings = [names.find(name) for name in dict.fromkeys((*record.keys, *record.predicates))]
        except QueryError as error:
            self._unserved.append(Unserved(record.shape, weight, str(error)))
            return
        grain = [attribute for attribute in meanings if isinstance(attribute, GrainAttribute)]
        by_fact: dict[str, dict[str, Metric]] = {}
        for name in record.metrics:
            metric = model.metric(name) if name != ROW_COUNT else None
            if metric is not None:
                by_fact.setdefault(metric.dataset, {})[name] = metric
        for fact, metrics in by_fact.items():
            reached = self._snapshot.paths.attributes_of(fact)
            attributes = tuple(reached[attribute] for attribute in grain if attribute in reached)
            part = replace(_part(fact, metrics), attributes=attributes)
            self.take(QueryRequirement(part=part, weight=weight, metrics=tuple(sorted(metrics))), record.shape)

    def take(self, requirement: QueryRequirement, shown: str) -> None:
        """Add a requirement, unless the model or the settings keep the engine from serving it."""
        rule = self._snapshot.row_rules.of(requirement.part.fact)
        reason = self._reason_against_serving(requirement) or _reason_of_security(rule, requirement.part)
        requirement = replace(requirement, part=_with_carriers(rule, requirement.part))
        if reason:
            self._unserved.append(Unserved(shown, requirement.weight, reason))
        else:
            self._requirements.append(requirement)

    def _reason_against_serving(self, requirement: QueryRequirement) -> str:
        for measure in requirement.part.measures:
            reason = _reason_against_storing(measure.function, self._settings)
            if reason:
                return f"{measure} {reason}"
        datasets = self._snapshot.model.datasets
        used = {requirement.part.fact} | {
            step.to_dataset for bound in requirement.part.attributes for step in bound.steps
        }
        for dataset in sorted(used):
            if dataset in datasets and not datasets[dataset].allow_aggregates:
                return f"dataset `{dataset}` has `allow_aggregates: false`"
        is_dimension = not requirement.metrics and requirement.part.fact not in self._snapshot.model.fact_datasets
        for bound in requirement.part.attributes:
            attribute = self._snapshot.model.dimensions[bound.attribute.role.dimension].attributes[bound.attribute.name]
            if attribute.exclude_from_dim_agg if is_dimension else attribute.exclude_from_fact_agg:
                word = "exclude_from_dim_agg" if is_dimension else "exclude_from_fact_agg"
                return f"`{bound.attribute.query_name}` has `{word}`"
        return ""


def _with_carriers(rule: RowRule, part: FactPart) -> FactPart:
    """The part with attributes that tell whose rows an aggregate's are, where rows are secured."""
    own = set(part.attributes)
    missing = dict.fromkeys(
        guard.carriers[0] for guard in rule.guards if guard.carriers and own.isdisjoint(guard.carriers)
    )
    return replace(part, attributes=(*part.attributes, *missing)) if missing else part


def _reason_of_security(rule: RowRule, part: FactPart) -> str:
    """Why no aggregate serves those who may not see all rows; empty when one may."""
    if rule.refusal or rule.met_by or not all(guard.carriers for guard in rule.guards):
        return "only the facts tell whose rows they are, by which row security restricts it"
    if not part.has_only_rollups() and _with_carriers(rule, part) != part:
        return "an exact distinct metric is needed without the attribute that tells whose rows they are"
    return ""


def _reason_against_storing(function: StoredFunction, settings: Settings) -> str:
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
    """A logged query with a value in each place where one was left out.

    Its requirement does not depend on the values.
    """
    text, end = [], 0
    for token in tokenize(shape, read=_LOGGED_DIALECT):
        if token.token_type is TokenType.PLACEHOLDER:
            text += [shape[end : token.start], "'0'"]
            end = token.end + 1
    return "".join((*text, shape[end:]))
