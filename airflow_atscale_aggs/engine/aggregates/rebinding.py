"""Adapts system-defined definitions to a changed model.

The same meaning with the new joins and columns, if possible.
"""

from __future__ import annotations

from dataclasses import replace

from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, FactPart
from airflow_atscale_aggs.engine.aggregates.measures import StoredMeasure, row_count, stored_measures
from airflow_atscale_aggs.engine.model.calculations import BaseMetrics
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.semantic_model import SemanticModel


def rebind(definition: AggregateDefinition, paths: JoinPaths) -> AggregateDefinition | None:
    """The definition with its attributes as the facts reach them in a model; None when one is out of reach there."""
    parts: list[FactPart] = []
    for part in definition.parts:
        reached = paths.attributes_of(part.fact)
        if any(bound.attribute not in reached for bound in part.attributes):
            return None
        parts.append(replace(part, attributes=tuple(reached[bound.attribute] for bound in part.attributes)))
    return replace(definition, parts=tuple(parts))


def why_undefinable(definition: AggregateDefinition, model: SemanticModel, paths: JoinPaths) -> str:
    """Why a definition cannot exist in a model any more; empty when it can.

    Its metrics must be made of the very measures that it stores: one that is computed otherwise today would be another
    definition.
    """
    base_metrics = BaseMetrics(model)
    pieces: dict[str, set[StoredMeasure]] = {}
    for name in definition.metrics:
        bases, missing, cycles = base_metrics.of(name)
        for gone in (*missing, *cycles):
            return f"metric `{gone}` left the model"
        for base_metric in bases:
            metric = model.metrics[base_metric]
            stored = stored_measures(metric.calculation_method, metric.dataset, metric.column)
            pieces.setdefault(metric.dataset, set()).update(stored)
    for part in definition.parts:
        dataset = model.datasets.get(part.fact)
        if dataset is None:
            return f"dataset `{part.fact}` left the model"
        if not dataset.allow_aggregates:
            return f"dataset `{part.fact}` has `allow_aggregates: false`"
        reached = paths.attributes_of(part.fact)
        for bound in part.attributes:
            if bound.attribute not in reached:
                return f"attribute `{bound.attribute.query_name}` left the model, or `{part.fact}` does not reach it"
        if {*pieces.get(part.fact, ()), row_count(part.fact)} != set(part.measures):
            return f"the metrics of `{part.fact}` are computed otherwise"
    return ""
