"""Searches for a better choice.

It adds, drops or exchanges one candidate while that pays, else it changes some at random.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

Numbers = NDArray[np.float64]

_LEAST_GAIN = 1e-9
"""A share of the cost without aggregates. A move that gains less is treated as a rounding error."""

_MOST_KICKS = 2000
_PATIENCE = 60
"""The search ends after so many random changes in a row without a better choice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbourhood:
    """A problem with few enough candidates for a full table.

    Attributes:
        reads: candidates by requirements: rows that are read; infinite where a candidate does not serve.
    """

    weights: Numbers
    costs: Numbers
    reads: Numbers
    sizes: Numbers
    upkeep: Numbers


@dataclass(frozen=True, slots=True)
class _Standing:
    """The costs of each requirement under a choice.

    The best, the second best, and the owner of the best (-1: today's).
    """

    best: Numbers
    second: Numbers
    owner: NDArray[np.int64]


def weighted_sums(costs: Numbers, weights: Numbers) -> Numbers:
    """Weighted sums over requirements. ``@`` is not used: its threads make it many times slower on a busy machine."""
    sums: Numbers = np.einsum("ij,j->i", costs, weights)
    return sums


class Interchange:
    """Searches choices of one neighbourhood within a size and a count."""

    def __init__(self, given: Neighbourhood, *, size: float, count: int) -> None:
        self._given, self._size, self._count = given, size, count
        self._cells = 0
        self._random = random.Random(0)  # noqa: S311 - a fixed seed: the same choice each time
        self._costs = given.costs * given.weights
        # Requirements by candidates, so that the values of all candidates lie side by side. No query reads more than
        # today.
        self._reads = np.ascontiguousarray((np.minimum(given.reads, given.costs) * given.weights).T)
        self._change, self._part = np.empty_like(self._reads), np.empty_like(self._reads)
        self._least = _LEAST_GAIN * float(self._costs.sum())

    def best(self, starts: Sequence[Sequence[int]], *, effort: int) -> list[int]:
        """The cheapest choice found from any start; ``effort`` bounds the kicks, in cells looked at."""
        chosen: list[int] = []
        cost = self._cost(chosen)
        tried: set[frozenset[int]] = set()
        for start in sorted(starts, key=self._cost):
            if frozenset(start) in tried or (tried and self._cells > effort // 2):
                continue
            tried.add(frozenset(start))
            improved = self._improve(list(start))
            if self._cost(improved) < cost - self._least:
                chosen, cost = improved, self._cost(improved)
        idle = 0
        for _ in range(_MOST_KICKS):
            if self._cells > effort or idle >= _PATIENCE or not len(self._given.sizes):
                break
            improved = self._improve(self._kick(chosen))
            idle += 1
            if self._cost(improved) < cost - self._least:
                chosen, cost, idle = improved, self._cost(improved), 0
        return chosen

    def _cost(self, chosen: Sequence[int]) -> float:
        places = np.array(chosen, dtype=np.int64)
        best = self._reads[:, places].min(axis=1, initial=np.inf)
        return float(np.minimum(self._costs, best).sum() + self._given.upkeep[places].sum())

    def _kick(self, chosen: Sequence[int]) -> list[int]:
        """A copy of the choice without some candidates.

        They are removed at random, and one other is added, within the budget.
        """
        changed = list(chosen)
        self._random.shuffle(changed)
        del changed[: self._random.randint(1, max(2, len(changed) // 3))]
        new = self._random.randrange(len(self._given.sizes))
        if new in changed:
            return changed
        while changed and not self._fits([*changed, new]):
            changed.pop()
        return [*changed, new] if self._fits([*changed, new]) else changed

    def _fits(self, chosen: Sequence[int]) -> bool:
        return len(chosen) <= self._count and float(self._given.sizes[list(chosen)].sum()) <= self._size

    def _improve(self, chosen: list[int]) -> list[int]:
        """Make the best moves, until no move gains."""
        while True:
            move = self._best_move(chosen)
            if move is None:
                return chosen
            out, new = move
            if out >= 0:
                del chosen[out]
            if new >= 0:
                chosen.append(new)

    def _best_move(self, chosen: Sequence[int]) -> tuple[int, int] | None:
        """(place to take out or -1, candidate to put in or -1) of the move that gains most; None when none gains."""
        given, places = self._given, np.array(chosen, dtype=np.int64)
        now = self._standing(places)
        self._cells += given.reads.size
        # By requirement and added candidate: how the cost changes when the present owner is removed.
        change, part = self._change, self._part
        np.minimum(now.second[:, None], self._reads, out=change)
        np.subtract(change, now.best[:, None], out=change)
        added = -np.minimum(change, 0.0, out=part).sum(axis=0) - given.upkeep
        added[places] = -np.inf
        room = self._size - float(given.sizes[places].sum())
        moves: list[tuple[float, int, int]] = []
        if len(chosen) < self._count:
            gains = np.where(given.sizes <= room, added, -np.inf)
            moves.append((float(gains.max(initial=-np.inf)), -1, int(gains.argmax()) if len(gains) else -1))
        if len(chosen):
            dropped = given.upkeep[places] - self._by_owner((now.second - now.best)[:, None], now, len(places))[0]
            moves.append((float(dropped.max()), int(dropped.argmax()), -1))
            # The costs that an added candidate does not take over from a removed one.
            unanswered = self._by_owner(np.maximum(change, 0.0, out=part), now, len(places))
            swaps = added[:, None] - unanswered + given.upkeep[places]
            swaps[given.sizes[:, None] > room + given.sizes[places]] = -np.inf
            new, out = np.unravel_index(int(swaps.argmax()), swaps.shape)
            moves.append((float(swaps[new, out]), int(out), int(new)))
        gain, out_, new_ = max(moves, default=(0.0, -1, -1))
        return (out_, new_) if gain > self._least else None

    @staticmethod
    def _by_owner(costs: Numbers, now: _Standing, count: int) -> Numbers:
        """Costs by requirement (the first axis), summed by owner (the last axis)."""
        summed = np.zeros((count, costs.shape[1]))
        for owner in range(count):
            mine = costs[now.owner == owner]
            if len(mine):
                mine.sum(axis=0, out=summed[owner])
        return summed.T

    def _standing(self, places: NDArray[np.int64]) -> _Standing:
        table = np.vstack((self._costs, self._reads[:, places].T))
        first = table.argmin(axis=0)
        columns = np.arange(table.shape[1])
        best = table[first, columns]
        table[first, columns] = np.inf
        second = np.where(first == 0, best, np.minimum(table.min(axis=0), self._costs))
        return _Standing(best, second, first - 1)
