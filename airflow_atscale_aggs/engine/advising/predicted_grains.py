"""Predicts aggregates from a model's structure: all-member aggregates, and dimension-only aggregates.

    all members       one per fact: all its storable metrics, no attributes
    dimension-only    per hierarchy of a dimension: the finest level whose groups are so much fewer than the dimension's
                      rows, with all coarser levels and what hangs on them: what lists of filter values show

Source: AtScale, "Types of Aggregate Tables": prediction-defined; "Life Cycle of Aggregate Tables": prediction-defined
tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from airflow_atscale_aggs.engine.advising.aggregate_names import aggregate_label, aggregate_name
from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, DefinitionOrigin, FactPart
from airflow_atscale_aggs.engine.aggregates.measures import row_count, stored_measures
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.paths import GrainAttribute, Role
from airflow_atscale_aggs.engine.model.semantic_model import Dimension, Metric, SemanticModel

Chain = tuple[FactPart, ...]
"""Grains of one hierarchy, finest first."""


def all_member_definitions(
    model: SemanticModel, model_id: str, metrics: Mapping[str, Mapping[str, Metric]]
) -> tuple[AggregateDefinition, ...]:
    """One all-member definition for each fact.

    Args:
        metrics: storable metrics by name, by fact.
    """
    definitions = []
    for fact, here in sorted(metrics.items()):
        pieces = {
            piece
            for metric in here.values()
            for piece in stored_measures(metric.calculation_method, metric.dataset, metric.column)
        }
        part = FactPart(fact=fact, attributes=(), measures=tuple(sorted({*pieces, row_count(fact)})))
        definitions.append(predicted_definition(model, model_id, part, tuple(sorted(here))))
    return tuple(definitions)


def predicted_definition(
    model: SemanticModel, model_id: str, part: FactPart, metrics: tuple[str, ...] = ()
) -> AggregateDefinition:
    """The prediction-defined aggregate of one part."""
    return AggregateDefinition(
        model_id=model_id,
        name=aggregate_name(part),
        label=aggregate_label(part),
        origin=DefinitionOrigin.PREDICTION_DEFINED,
        metrics=metrics,
        parts=(part,),
        composite=model.is_composite,
    )


def dimension_chains(model: SemanticModel, paths: JoinPaths, dimension: Dimension) -> tuple[Chain, ...]:
    """For each hierarchy: the grains that could answer its lists of filter values, without the finest level itself.

    Empty where a dimension has no dataset of its own, or the model keeps it out.
    """
    chains: dict[Chain, None] = {}
    if dimension.is_degenerate:
        return ()
    for hierarchy in dimension.hierarchies:
        leaf = dimension.attributes.get(hierarchy.levels[-1]) if hierarchy.levels else None
        if leaf is None or not leaf.dataset or not _is_allowed(model, (leaf.dataset,)):
            continue
        reached = paths.attributes_of(leaf.dataset)
        chain = []
        for number in range(len(hierarchy.levels) - 1, 0, -1):
            levels = frozenset(hierarchy.levels[:number])
            wanted = [
                GrainAttribute(Role(dimension.name), attribute.name)
                for attribute in dimension.attributes.values()
                if attribute.level in levels and not attribute.exclude_from_dim_agg
            ]
            bound = tuple(
                reached[attribute]
                for attribute in wanted
                if attribute in reached
                and not reached[attribute].is_many_to_many
                and _is_allowed(model, (step.to_dataset for step in reached[attribute].steps))
            )
            # If the level itself is left out, the next coarser level gives the same grain.
            if any(reached_level.attribute.name == hierarchy.levels[number - 1] for reached_level in bound):
                chain.append(FactPart(fact=leaf.dataset, attributes=bound, measures=(row_count(leaf.dataset),)))
        if chain:
            chains[tuple(chain)] = None
    return tuple(chains)


def choose_grain_of_chain(
    chain: Chain, rows: int, counts: Sequence[float | None], *, compression: int
) -> FactPart | None:
    """The finest grain of a chain with at least ``compression`` rows of the dimension per group; None: none pays.

    Args:
        rows: of the dimension's dataset.
        counts: groups of each grain; None where it cannot be counted.
    """
    for part, count in zip(chain, counts, strict=True):
        if count and rows / count >= compression:
            return part
    return None


def shape(dimension: Dimension | None) -> object:
    """A dimension without its place in the files and its labels: equal as long as nothing else changed."""
    if dimension is None:
        return None
    attributes = {name: replace(attribute, where="", label="") for name, attribute in dimension.attributes.items()}
    edges = tuple(replace(edge, where="") for edge in dimension.relationships)
    return replace(dimension, where="", label="", attributes=attributes, relationships=edges)


def fact_shape(model: SemanticModel, fact: str, metrics: Iterable[str]) -> object:
    """All that the predicted aggregates of a fact depend on: equal as long as nothing of it changed."""
    edges = [
        replace(relationship, where="") for relationship in model.relationships if relationship.from_dataset == fact
    ]
    own = [replace(model.metrics[name], where="", label="") for name in sorted(metrics)]
    dimensions = {relationship.dimension for relationship in edges} | set(model.degenerate_dimensions)
    pending = list(dimensions)
    while pending:
        for edge in model.dimensions[pending.pop()].relationships:
            if edge.dimension and edge.dimension in model.dimensions and edge.dimension not in dimensions:
                dimensions.add(edge.dimension)
                pending.append(edge.dimension)
    return edges, own, [shape(model.dimensions[name]) for name in sorted(dimensions)]


def _is_allowed(model: SemanticModel, datasets: Iterable[str]) -> bool:
    return all(name in model.datasets and model.datasets[name].allow_aggregates for name in datasets)
