"""The active instances of aggregates, and the metrics of a fact query that are exact only at their own grain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from functools import cached_property

from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.paths import GrainAttribute
from airflow_atscale_aggs.engine.model.semantic_model import Metric
from airflow_atscale_aggs.engine.rewriting.model_query import ModelQuery
from airflow_atscale_aggs.engine.rewriting.pinned_attributes import pinned_by
from airflow_atscale_aggs.engine.rewriting.split.fact_queries import FactQuery, pieces_of
from airflow_atscale_aggs.engine.rewriting.split.many_to_many import fixed_places, is_told_apart
from airflow_atscale_aggs.engine.sql.physical_names import StoredColumns, stored_columns


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


def not_single_rows(query: ModelQuery, fact_query: FactQuery) -> tuple[GrainAttribute, ...]:
    """Attributes by which several rows of an aggregate of the fact query's own grain could fall into one group.

    A group is a single row where two things are true of each attribute. Its values tell its members apart. And it is a
    grouping key by itself, or WHERE holds it to one value, or the condition of each metric that is exact only at its
    own grain does.
    """
    fixed = frozenset(fact_query.attributes[at].attribute for at in fixed_places(query, fact_query))
    fragile = [
        place for place, metric in fact_query.metrics.items() if metric is not None and _is_fragile(fact_query, metric)
    ]
    by_metric = [_pinned_attributes(fact_query, fact_query.slices.get(metric_place)) for metric_place in fragile] or [
        frozenset()
    ]
    return tuple(
        bound.attribute
        for bound in fact_query.attributes.values()
        if not is_told_apart(bound) or any(bound.attribute not in fixed | held for held in by_metric)
    )


def _pinned_attributes(fact_query: FactQuery, condition: exp.Expr | None) -> frozenset[GrainAttribute]:
    """Attributes that a condition holds to one value of their name."""
    return frozenset(fact_query.attributes[at].attribute for at in pinned_by(condition) if at not in fact_query.columns)


def fragile_metrics(fact_query: FactQuery) -> tuple[str, ...]:
    """Metrics that are exact only at the grain at which they are stored."""
    return tuple(
        metric.name for metric in fact_query.metrics.values() if metric is not None and _is_fragile(fact_query, metric)
    )


def _is_fragile(fact_query: FactQuery, metric: Metric) -> bool:
    return not all(piece.rolls_up for piece in pieces_of(metric, fact_query.fact))
