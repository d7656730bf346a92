"""Defines query requirements: what queries need from one fact, and how often. They are the input of every advice."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute, Role
from airflow_atscale_aggs.engine.model.semantic_model import SemanticModel

_PAIR_WEIGHT = 0.5
"""A query by two attributes is half as likely as a query by one of them."""

_MOST_PAIRS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryRequirement:
    """Queries that need the same from one fact: a grain of all attributes that they use, and stored measures.

    Attributes:
        weight: how many queries it stands for.
        metrics: names of base metrics behind the measures, sorted; the number of rows has no name.
    """

    part: FactPart
    weight: float
    metrics: tuple[str, ...] = ()

    @property
    def grain(self) -> frozenset[GrainAttribute]:
        """The attributes by meaning."""
        return frozenset(bound.attribute for bound in self.part.attributes)


def combine_requirements(requirements: Iterable[QueryRequirement]) -> tuple[QueryRequirement, ...]:
    """The requirements with equal ones combined, heaviest first."""
    by_meaning: dict[tuple[object, ...], QueryRequirement] = {}
    for requirement in requirements:
        key = (requirement.part.fact, requirement.grain, requirement.part.measures)
        first = by_meaning.get(key)
        if first is None:
            by_meaning[key] = requirement
        else:
            metrics = tuple(sorted({*first.metrics, *requirement.metrics}))
            by_meaning[key] = replace(first, weight=first.weight + requirement.weight, metrics=metrics)
    return tuple(
        sorted(
            by_meaning.values(),
            key=lambda requirement: (-requirement.weight, requirement.part.fact, _words(requirement)),
        )
    )


def requirements_of_structure(
    model: SemanticModel, paths: JoinPaths, stored: Iterable[QueryRequirement]
) -> tuple[QueryRequirement, ...]:
    """The requirements that dashboards are likely to have: each level, and pairs of levels of different dimensions.

    Coarse levels weigh more than fine ones: (1, 1/2, 1/3, …) from the coarsest, pairs half of their product.

    Args:
        stored: one per fact, without attributes, with the measures to be asked for.
    """
    requirements_found: list[QueryRequirement] = []
    for measured in stored:
        levels = _levels(model, paths, measured.part.fact)
        requirements_found += [_with_attributes(measured, (level,), weight) for level, weight in levels]
        pairs = [
            (finer, other, weight * other_weight * _PAIR_WEIGHT)
            for (finer, weight), (other, other_weight) in itertools.combinations(levels, 2)
            if finer.attribute.role != other.attribute.role
        ]
        pairs.sort(key=lambda pair: (-pair[2], pair[0].attribute, pair[1].attribute))
        requirements_found += [
            _with_attributes(measured, (finer, other), weight) for finer, other, weight in pairs[:_MOST_PAIRS]
        ]
    return combine_requirements(requirements_found)


def _levels(model: SemanticModel, paths: JoinPaths, fact: str) -> list[tuple[BoundAttribute, float]]:
    """Levels that a fact reaches, each in each role, with their weights."""
    by_attribute: dict[GrainAttribute, tuple[BoundAttribute, float]] = {}
    for attribute, bound in paths.attributes_of(fact).items():
        dimension = model.dimensions[attribute.role.dimension]
        ranks = [
            hierarchy.levels.index(attribute.name)
            for hierarchy in dimension.hierarchies
            if attribute.name in hierarchy.levels
        ]
        is_own = attribute.role == Role(dimension.name) and not bound.steps and not dimension.is_degenerate
        if ranks and not bound.is_many_to_many and not is_own:
            by_attribute[attribute] = (bound, 1.0 / (1 + min(ranks)))
    return [by_attribute[attribute] for attribute in sorted(by_attribute)]


def _with_attributes(
    requirement: QueryRequirement, attributes: tuple[BoundAttribute, ...], weight: float
) -> QueryRequirement:
    return replace(requirement, part=replace(requirement.part, attributes=attributes), weight=weight)


def _words(requirement: QueryRequirement) -> list[str]:
    return sorted(attribute.query_name for attribute in requirement.grain)
