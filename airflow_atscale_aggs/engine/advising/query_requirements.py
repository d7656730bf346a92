"""What queries need of one fact, with how often: the input of every advice."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute, Role
from airflow_atscale_aggs.engine.model.semantic_model import SemanticModel

_PAIR_WEIGHT = 0.5
"""A dashboard's tile by two attributes is half as likely as one by one of them."""

_MOST_PAIRS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryRequirement:
    """Queries that need the same of one fact: a grain, made of all attributes they use, and stored measures.

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


def combine_requirements(needs: Iterable[QueryRequirement]) -> tuple[QueryRequirement, ...]:
    """Equal needs as one, heaviest first."""
    found: dict[tuple[object, ...], QueryRequirement] = {}
    for need in needs:
        key = (need.part.fact, need.grain, need.part.measures)
        known = found.get(key)
        if known is None:
            found[key] = need
        else:
            metrics = tuple(sorted({*known.metrics, *need.metrics}))
            found[key] = replace(known, weight=known.weight + need.weight, metrics=metrics)
    return tuple(sorted(found.values(), key=lambda need: (-need.weight, need.part.fact, _words(need))))


def requirements_of_structure(
    model: SemanticModel, paths: JoinPaths, stored: Iterable[QueryRequirement]
) -> tuple[QueryRequirement, ...]:
    """What dashboards are likely to ask, by the model alone: each level, and pairs of levels of different dimensions.

    Coarse levels weigh more than fine ones: (1, 1/2, 1/3, …) from the coarsest, pairs half of their product.

    Args:
        stored: one per fact, without attributes: the measures that are meant.
    """
    found: list[QueryRequirement] = []
    for need in stored:
        levels = _levels(model, paths, need.part.fact)
        found += [_asking(need, (level,), weight) for level, weight in levels]
        pairs = [
            (one, other, weight * other_weight * _PAIR_WEIGHT)
            for (one, weight), (other, other_weight) in itertools.combinations(levels, 2)
            if one.attribute.role != other.attribute.role
        ]
        pairs.sort(key=lambda pair: (-pair[2], pair[0].attribute, pair[1].attribute))
        found += [_asking(need, (one, other), weight) for one, other, weight in pairs[:_MOST_PAIRS]]
    return combine_requirements(found)


def _levels(model: SemanticModel, paths: JoinPaths, fact: str) -> list[tuple[BoundAttribute, float]]:
    """Levels that a fact reaches, each in each role, with their weights."""
    found: dict[GrainAttribute, tuple[BoundAttribute, float]] = {}
    for attribute, bound in paths.attributes_of(fact).items():
        dimension = model.dimensions[attribute.role.dimension]
        ranks = [one.levels.index(attribute.name) for one in dimension.hierarchies if attribute.name in one.levels]
        is_own = attribute.role == Role(dimension.name) and not bound.steps and not dimension.is_degenerate
        if ranks and not bound.is_many_to_many and not is_own:
            found[attribute] = (bound, 1.0 / (1 + min(ranks)))
    return [found[attribute] for attribute in sorted(found)]


def _asking(need: QueryRequirement, attributes: tuple[BoundAttribute, ...], weight: float) -> QueryRequirement:
    return replace(need, part=replace(need.part, attributes=attributes), weight=weight)


def _words(need: QueryRequirement) -> list[str]:
    return sorted(attribute.query_name for attribute in need.grain)
