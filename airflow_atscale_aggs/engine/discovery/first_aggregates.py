"""First aggregates of a model: left to prediction where the model is small, else a few for each fact.

Prediction (`lifecycle/advise/predict.py`) weighs combinations of levels that a fact reaches. All of TPC-DS, whose facts
reach 61 to 342 attributes, takes it some 15 seconds of one core. Beyond what was measured, each fact gets an aggregate
by month and one by the coarsest levels of its dimensions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from airflow_atscale_aggs.engine.discovery.proposal import Proposal, ProposedDimension, ProposedRelationship
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

MOST_PREDICTED = 400
"""Attributes that a fact may reach for prediction to take seconds."""

_MOST_DIMENSIONS = 3
_STORABLE = frozenset({"sum", "average", "minimum", "maximum", "count non-null"})


@dataclass(frozen=True, slots=True)
class ProposedAggregate:
    """A user-defined aggregate.

    Attributes:
        attributes: (attribute, dimension, the relationship that plays its role).
    """

    name: str
    attributes: tuple[tuple[str, str, str], ...]
    metrics: tuple[str, ...]


def is_predicted(proposal: Proposal) -> bool:
    """Whether first aggregates are left to prediction."""
    return all(_count_attributes(proposal, fact) <= MOST_PREDICTED for fact in proposal.facts)


def first_aggregates(proposal: Proposal) -> tuple[ProposedAggregate, ...]:
    """Some for each fact; none where prediction defines them."""
    return () if is_predicted(proposal) else tuple(_of_all_facts(proposal))


def _of_all_facts(proposal: Proposal) -> Iterator[ProposedAggregate]:
    dimensions = {dimension.name: dimension for dimension in proposal.dimensions}
    for fact in proposal.facts:
        metrics = tuple(entry.name for entry in proposal.metrics if entry.table == fact and entry.method in _STORABLE)
        edges = [edge for edge in proposal.relationships if edge.reference.table == fact]
        times = [edge for edge in edges if dimensions[edge.dimension].is_time and _levels(dimensions, edge)]
        others = [edge for edge in edges if not dimensions[edge.dimension].is_time and _levels(dimensions, edge)]
        for edge in times[:1]:
            months = tuple(_attribute(edge, level) for level in _levels(dimensions, edge))
            yield ProposedAggregate(f"{fact}_by_month", months, metrics)
        coarse = [_attribute(edge, _levels(dimensions, edge)[0]) for edge in (*times[:1], *others[:_MOST_DIMENSIONS])]
        if others:
            yield ProposedAggregate(f"{fact}_overview", tuple(coarse), metrics)
        elif not times:
            yield ProposedAggregate(f"{fact}_total", (), metrics)


def _levels(dimensions: Mapping[str, ProposedDimension], edge: ProposedRelationship) -> tuple[str, ...]:
    """The levels above the members, of the first hierarchy that the relationship leads to."""
    for hierarchy in dimensions[edge.dimension].hierarchies:
        if hierarchy.levels[-1] == edge.level:
            return hierarchy.levels[:-1]
    return ()


def _attribute(edge: ProposedRelationship, level: str) -> tuple[str, str, str]:
    return level, edge.dimension, edge.name


def _count_attributes(proposal: Proposal, fact: str) -> int:
    """How many attributes the columns of a fact lead to, each once for each way."""
    by_name = {dimension.name: dimension for dimension in proposal.dimensions}
    total = sum(
        len(dimension.levels)
        for dimension in proposal.dimensions
        if dimension.is_degenerate and dimension.table == fact
    )
    waiting = [edge for edge in proposal.relationships if edge.reference.table == fact]
    while waiting and total <= MOST_PREDICTED:
        dimension = by_name[waiting.pop().dimension]
        total += len(dimension.levels) + len(dimension.secondary)
        waiting += proposal.embedded.get(dimension.table, ())
    return total
