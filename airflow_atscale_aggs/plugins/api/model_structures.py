"""What a deployed model consists of, as the page draws it. Each deployment is read once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator

from airflow_atscale_aggs.engine.lifecycle.deployed_model import read_deployed_model
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute, Role
from airflow_atscale_aggs.engine.model.semantic_model import SemanticModel
from airflow_atscale_aggs.engine.registry.records import ModelRecord
from airflow_atscale_aggs.engine.registry.registry import RegistryReader
from airflow_atscale_aggs.plugins.api.documents.model_documents import (
    HierarchyNode,
    LevelNode,
    MetricNode,
    ModelStructure,
)

_MOST_MODELS = 16

Reached = dict[GrainAttribute, BoundAttribute]


class ModelStructures:
    """The structures of deployments, the ones asked for last kept. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_deployment: OrderedDict[str, ModelStructure] = OrderedDict()

    def of(self, read: RegistryReader, record: ModelRecord) -> ModelStructure:
        """The structure of a model's newest deployment. A deployment never changes, so it is read once."""
        with self._lock:
            known = self._by_deployment.get(record.deployment_id)
            if known is not None:
                self._by_deployment.move_to_end(record.deployment_id)
                return known
        structure = structure_of(read_deployed_model(read, record))
        with self._lock:
            self._by_deployment[record.deployment_id] = structure
            while len(self._by_deployment) > _MOST_MODELS:
                self._by_deployment.popitem(last=False)
        return structure


def structure_of(model: SemanticModel) -> ModelStructure:
    """A model as hierarchies, attributes and metrics.

    Attributes have the names that definitions have them under: the role-play template applied. Those that some fact
    reaches are shown, and of metrics those that the model lists.
    """
    paths = JoinPaths(model)
    reached: Reached = {}
    for fact in model.fact_datasets:
        for attribute, bound in paths.attributes_of(fact).items():
            reached.setdefault(attribute, bound)
    attributes = [_level(bound) for bound in reached.values()]
    return ModelStructure(
        hierarchies=list(_hierarchies(model, reached)),
        attributes=sorted(attributes, key=lambda attribute: attribute.name),
        metrics=list(_metrics(model)),
        facts=list(model.fact_datasets),
    )


def _hierarchies(model: SemanticModel, reached: Reached) -> Iterator[HierarchyNode]:
    """Each hierarchy in each role, with the levels that some fact reaches."""
    roles = sorted({attribute.role for attribute in reached})
    for role in roles:
        dimension = model.dimensions[role.dimension]
        for hierarchy in dimension.hierarchies:
            levels = [reached.get(GrainAttribute(role, level)) for level in hierarchy.levels]
            shown = [_level(bound) for bound in levels if bound is not None]
            if shown:
                yield HierarchyNode(
                    dimension=dimension.name,
                    role="" if role.template == Role(role.dimension).template else role.template,
                    name=hierarchy.name,
                    label=hierarchy.label or hierarchy.name,
                    levels=shown,
                )


def _level(bound: BoundAttribute) -> LevelNode:
    return LevelNode(name=bound.attribute.query_name, label=bound.label)


def _metrics(model: SemanticModel) -> Iterator[MetricNode]:
    for name in model.listed:
        metric = model.metric(name)
        if metric is not None:
            yield MetricNode(
                name=name, label=metric.label, fact=metric.dataset, method=metric.calculation_method, expression=""
            )
        elif name in model.calculations:
            calculation = model.calculations[name]
            yield MetricNode(
                name=name, label=calculation.label, fact="", method="calculated", expression=calculation.expression
            )
