"""Collects candidates for one fact: grains that queries ask for, and the smallest grains that serve several of them.

Other candidates are never better, since the smallest grain that serves the same requirements has no more rows. So only
joins of required grains on the lattice are made, until there are too many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from airflow_atscale_aggs.engine.advising.grains import GrainSpace
from airflow_atscale_aggs.engine.advising.query_requirements import QueryRequirement
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute
from airflow_atscale_aggs.engine.settings import Settings

_WORD_BITS = 64
_MOST_MERGED = 300


@dataclass(frozen=True, slots=True)
class CandidateGrain:
    """A grain that could be stored.

    Attributes:
        mask: its attributes as bits, without determined ones unless it is exact.
        exact: number of the only requirement that it serves, since its measure is exact at that grain only; else -1.
    """

    mask: int
    exact: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinLimits:
    """The figures that the settings on joins limit.

    Attributes:
        key_values: number of values of the keys that a dataset is joined by, by dataset.
        is_incremental: the fact has an incremental indicator.
        unsafe: datasets that may change under an incremental aggregate.
    """

    key_values: Mapping[str, int]
    is_incremental: bool = False
    unsafe: frozenset[str] = frozenset()


def unwanted_attributes(space: GrainSpace, limits: JoinLimits, settings: Settings) -> dict[GrainAttribute, str]:
    """The attributes that the settings keep out of system-defined aggregates, each with the reason."""
    reasons: dict[GrainAttribute, str] = {}
    for bound in space.attributes:
        reason = _reason_against(bound, space, limits, settings) if bound.steps else ""
        if reason:
            reasons[bound.attribute] = f"`{bound.attribute.query_name}` {reason}"
    return reasons


def _reason_against(bound: BoundAttribute, space: GrainSpace, limits: JoinLimits, settings: Settings) -> str:
    if not settings.joins:
        return "is joined, which `aggregates.create.joins.enabled` forbids"
    depth = len(bound.steps)
    if depth > settings.join_depth:
        return f"is {depth} joins away; `aggregates.create.joins.maximumDepth` is {settings.join_depth}"
    keys = max((limits.key_values.get(step.to_dataset, 0) for step in bound.steps), default=0)
    if keys > settings.join_key_cardinality:
        most = settings.join_key_cardinality
        return f"is joined by {keys:,} keys; `aggregates.create.joins.maximumKeyCardinality` is {most:,}"
    if limits.is_incremental and not settings.joins_may_prevent_incremental:
        unsafe = sorted({step.to_dataset for step in bound.steps} & limits.unsafe)
        if unsafe:
            return f"is in `{unsafe[0]}`, which is not immutable, and the fact is built by increments"
    compression = space.fact_rows / space.rows(space.reduce(space.mask([bound.attribute])))
    if compression < settings.join_compression:
        least = settings.join_compression
        return f"has one value per {compression:.1f} rows; `aggregates.create.joins.compression` is {least}"
    return ""


def candidate_grains(
    space: GrainSpace, requirements: Sequence[QueryRequirement], *, largest: float, most: int
) -> tuple[CandidateGrain, ...]:
    """The grains of requirements and their joins with at most ``largest`` estimated rows, at most ``most`` of them.

    Args:
        requirements: heaviest first; joins of heavy ones come before joins of light ones.
    """
    exact = [
        CandidateGrain(space.mask(requirement.grain), number)
        for number, requirement in enumerate(requirements)
        if not requirement.part.has_only_rollups()
    ]
    plain = [
        space.reduce(space.mask(requirement.grain))
        for requirement in requirements
        if requirement.part.has_only_rollups()
    ]
    masks = {mask: None for mask in plain if space.rows(mask) <= largest}
    # A grain above the limit has no joins below it.
    asked = list(masks)[:_MOST_MERGED]
    frontier = list(asked)
    while frontier and len(masks) < most:
        merged: dict[int, None] = {}
        for mask in frontier:
            for other in asked:
                both = space.reduce(mask | other)
                is_new = both not in masks and both not in merged
                if is_new and (mask ^ other) & space.many_to_many == 0 and space.rows(both) <= largest:
                    merged[both] = None
            if len(masks) + len(merged) >= most:
                break
        masks.update(merged)
        frontier = sorted(merged, key=space.rows)
    merged_grains = [CandidateGrain(mask) for mask in list(masks)[:most]]
    return (*merged_grains, *(grain for grain in exact if space.rows(space.reduce(grain.mask)) <= largest))


def serving_table(
    space: GrainSpace, candidates: Sequence[CandidateGrain], requirements: Sequence[QueryRequirement]
) -> NDArray[np.bool_]:
    """A table of candidates by requirements: whether the grain serves, whatever measures are stored."""
    asked = [space.mask(requirement.grain) for requirement in requirements]
    given = [space.closure(candidate.mask) for candidate in candidates]
    words = max(1, -(-len(space.attributes) // _WORD_BITS))
    table = np.ones((len(given), len(asked)), dtype=np.bool_)
    for word in range(words):
        mine, theirs = _words(given, word), _words(asked, word)
        table &= (mine[:, None] & theirs[None, :]) == theirs[None, :]
    if space.many_to_many:
        many = [candidate.mask & space.many_to_many for candidate in candidates]
        is_same = [[mask == mask_asked & space.many_to_many for mask_asked in asked] for mask in many]
        # An array of no lists has one dimension.
        table &= np.array(is_same, dtype=np.bool_).reshape(table.shape)
    rolls_up = np.array([requirement.part.has_only_rollups() for requirement in requirements], dtype=np.bool_)
    table[:, ~rolls_up] = False
    for number, candidate in enumerate(candidates):
        if candidate.exact >= 0:
            table[number, candidate.exact] = True
    return table


def _words(masks: Sequence[int], word: int) -> NDArray[np.uint64]:
    low = (1 << _WORD_BITS) - 1
    return np.array([mask >> (word * _WORD_BITS) & low for mask in masks], dtype=np.uint64)
