"""Candidates for one fact: the grains that queries ask for and the smallest grains that serve several of them.

A candidate that is neither is never better: the smallest grain that serves the same needs has no more rows. So only joins
of needs on the lattice are made, until there are too many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from airflow_atscale_aggs.engine.advising.grains import GrainSpace
from airflow_atscale_aggs.engine.advising.query_requirements import QueryRequirement
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute
from airflow_atscale_aggs.engine.settings import Settings

_WORD_BITS = 64
_MOST_MERGED_NEEDS = 300


@dataclass(frozen=True, slots=True)
class CandidateGrain:
    """A grain that could be stored.

    Attributes:
        mask: of its attributes; without determined ones unless it is exact.
        exact: number of the need that it is made for alone, because a measure is exact at that very grain only; else -1.
    """

    mask: int
    exact: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinLimits:
    """What the settings on joins are held against.

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
    found: dict[GrainAttribute, str] = {}
    for bound in space.attributes:
        reason = _why_not_joined(bound, space, limits, settings) if bound.steps else ""
        if reason:
            found[bound.attribute] = f"`{bound.attribute.query_name}` {reason}"
    return found


def _why_not_joined(bound: BoundAttribute, space: GrainSpace, limits: JoinLimits, settings: Settings) -> str:
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
    space: GrainSpace, needs: Sequence[QueryRequirement], *, largest: float, most: int
) -> tuple[CandidateGrain, ...]:
    """The grains of needs and their joins with at most ``largest`` estimated rows, at most ``most`` of them.

    Args:
        needs: heaviest first; joins of heavy needs come before joins of light ones.
    """
    exact = [
        CandidateGrain(space.mask(need.grain), number)
        for number, need in enumerate(needs)
        if not need.part.has_only_rollups()
    ]
    plain = [space.reduce(space.mask(need.grain)) for need in needs if need.part.has_only_rollups()]
    found = {mask: None for mask in plain if space.rows(mask) <= largest}
    # A grain above the limit has no joins below it.
    asked = list(found)[:_MOST_MERGED_NEEDS]
    frontier = list(asked)
    while frontier and len(found) < most:
        merged: dict[int, None] = {}
        for mask in frontier:
            for other in asked:
                both = space.reduce(mask | other)
                is_new = both not in found and both not in merged
                if is_new and (mask ^ other) & space.many_to_many == 0 and space.rows(both) <= largest:
                    merged[both] = None
            if len(found) + len(merged) >= most:
                break
        found.update(merged)
        frontier = sorted(merged, key=space.rows)
    kept = [CandidateGrain(mask) for mask in list(found)[:most]]
    return (*kept, *(one for one in exact if space.rows(space.reduce(one.mask)) <= largest))


def serving_table(
    space: GrainSpace, candidates: Sequence[CandidateGrain], needs: Sequence[QueryRequirement]
) -> NDArray[np.bool_]:
    """Candidates by needs: whether the grain serves, whatever measures are stored."""
    asked = [space.mask(need.grain) for need in needs]
    given = [space.closure(one.mask) for one in candidates]
    words = max(1, -(-len(space.attributes) // _WORD_BITS))
    table = np.ones((len(given), len(asked)), dtype=np.bool_)
    for word in range(words):
        mine, theirs = _words(given, word), _words(asked, word)
        table &= (mine[:, None] & theirs[None, :]) == theirs[None, :]
    if space.many_to_many:
        many = [one.mask & space.many_to_many for one in candidates]
        is_same = [[mask == need & space.many_to_many for need in asked] for mask in many]
        # An array of no lists has one dimension.
        table &= np.array(is_same, dtype=np.bool_).reshape(table.shape)
    rolls_up = np.array([need.part.has_only_rollups() for need in needs], dtype=np.bool_)
    table[:, ~rolls_up] = False
    for number, one in enumerate(candidates):
        if one.exact >= 0:
            table[number, one.exact] = True
    return table


def _words(masks: Sequence[int], word: int) -> NDArray[np.uint64]:
    low = (1 << _WORD_BITS) - 1
    return np.array([mask >> (word * _WORD_BITS) & low for mask in masks], dtype=np.uint64)
