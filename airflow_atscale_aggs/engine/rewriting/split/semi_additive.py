"""Finds the first or last member from which a semi-additive metric is taken.

Source: SML reference, ``metric.semi_additive``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute, Role
from airflow_atscale_aggs.engine.model.semantic_model import Metric, Relationship


@dataclass(frozen=True, slots=True)
class Edge:
    """The first or last member of a level, by its key."""

    level: BoundAttribute
    is_last: bool


def edges_of(
    metrics: Mapping[int, Metric | None],
    reached: Mapping[GrainAttribute, BoundAttribute],
    relationships: Iterable[Relationship],
) -> dict[int, Edge]:
    """By place of each semi-additive metric: the level whose first or last member it is taken from.

    Raises:
        UnsupportedQueryError: a metric is semi-additive in a way that is not answered.
    """
    return {
        place: _edge_of(metric, reached, relationships)
        for place, metric in metrics.items()
        if metric and metric.semi_additive
    }


def _edge_of(
    metric: Metric, reached: Mapping[GrainAttribute, BoundAttribute], relationships: Iterable[Relationship]
) -> Edge:
    rule = metric.semi_additive
    names = {path[0] for path in rule.relationships if len(path) == 1} if rule is not None else set()
    ways = [
        relationship
        for relationship in relationships
        if relationship.name in names and relationship.from_dataset == metric.dataset
    ]
    if rule is None or rule.position not in {"first", "last"} or len(rule.relationships) != 1 or len(ways) != 1:
        reason = "it is semi-additive by more than the first or last member of one relationship's level"
        raise UnsupportedQueryError(metric.name, reason, "Leave it out, or ask the fact table.")
    level = reached.get(GrainAttribute(Role(ways[0].dimension, ways[0].template), ways[0].level))
    if level is None or level.is_many_to_many or len(level.key_columns) != 1:
        reason = f"it is semi-additive by `{ways[0].level}`, whose members have no order by one key column"
        raise UnsupportedQueryError(metric.name, reason, "Leave it out, or ask the fact table.")
    return Edge(level, is_last=rule.position == "last")
