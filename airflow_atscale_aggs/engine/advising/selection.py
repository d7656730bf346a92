"""Which aggregates to make: the most query cost saved within a budget, less what it costs to keep them up to date.

    cost of a choice = sum over needs of weight * rows of the smallest chosen aggregate that serves, or of what answers today
                     + sum over chosen aggregates of upkeep

Several greedy starts, from benefit alone to benefit per unit of space, then a search over adding, dropping and exchanging
one aggregate, with kicks. Same input, same choice.

Source: Harinarayan, Rajaraman, Ullman, "Implementing Data Cubes Efficiently" (1996): the greedy choice and its bound;
Minoux (1978): lazy evaluation; Teitz, Bart (1968) and Whitaker (1983): interchange.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from airflow_atscale_aggs.engine.advising.interchange import Interchange, Neighbourhood, weighted

Numbers = NDArray[np.float64]
Places = NDArray[np.int64]

_SPACE_WEIGHTS = (0.0, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0)
"""How much a greedy start looks at space rather than at the number of aggregates."""

_EVALUATED_TOGETHER = 64
_CHUNK_CELLS = 1 << 20
_SHORTLIST_CELLS = 300_000
_LEAST_SHORTLIST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionProblem:
    """What is asked, and what could answer it.

    Attributes:
        weights: per need: how often it is asked.
        costs: per need: rows that are read for it today.
        rows: per candidate: rows that are read for a query that it serves.
        sizes: per candidate: what counts against the budget, in rows or bytes.
        upkeep: per candidate: rows read and written to keep it, during the time in which the needs are asked.
        serves: candidates by needs: whether it can answer.
    """

    weights: Numbers
    costs: Numbers
    rows: Numbers
    sizes: Numbers
    upkeep: Numbers
    serves: NDArray[np.bool_]

    @property
    def cost_of_nothing(self) -> float:
        """The cost when nothing is made."""
        return float(self.weights @ self.costs)

    def cost(self, chosen: Sequence[int]) -> float:
        """The cost of a choice, upkeep included."""
        places = np.array(chosen, dtype=np.int64)
        read = np.where(self.serves[places], self.rows[places, None], np.inf)
        costs = np.minimum(self.costs, read.min(axis=0, initial=np.inf))
        return float(self.weights @ costs + self.upkeep[places].sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much may be made: ``size`` in the unit of the candidates' sizes, rows or bytes, and how many."""

    size: float
    count: int
    in_bytes: bool = False


@dataclass(frozen=True, slots=True)
class Pick:
    """A candidate, and the cost that it saved when it was picked, upkeep deducted."""

    candidate: int
    gain: float


def select(problem: SelectionProblem, budget: Budget, *, effort: int = 80_000_000) -> tuple[int, ...]:
    """The candidates to make, those that save most first.

    Args:
        effort: how long to search, in cells of the (candidate, need) table looked at; the greedy starts come on top.
    """
    known = _Greedy(problem, budget)
    starts = [known.picks(weight) for weight in _SPACE_WEIGHTS]
    shortlist = known.shortlist([pick.candidate for start in starts for pick in start])
    place = {int(candidate): number for number, candidate in enumerate(shortlist)}
    search = Interchange(
        Neighbourhood(
            weights=problem.weights,
            costs=problem.costs,
            reads=np.where(problem.serves[shortlist], problem.rows[shortlist, None], np.inf),
            sizes=problem.sizes[shortlist],
            upkeep=problem.upkeep[shortlist],
        ),
        size=budget.size,
        count=budget.count,
    )
    found = search.best([[place[pick.candidate] for pick in start] for start in starts], effort=effort)
    return _by_gain(problem, [int(shortlist[number]) for number in found])


def greedy_picks(problem: SelectionProblem, budget: Budget, *, space_weight: float = 0.0) -> tuple[Pick, ...]:
    """The greedy choice in the order of its picks; what gains nothing is not picked.

    Args:
        space_weight: 0: by benefit; 1: by benefit per unit of space; between: by both budgets' shares.
    """
    return _Greedy(problem, budget).picks(space_weight)


def _by_gain(problem: SelectionProblem, chosen: Sequence[int]) -> tuple[int, ...]:
    """In the order in which a greedy choice among them would pick them."""
    costs, ordered, left = problem.costs.copy(), [], list(chosen)
    while left:
        read = np.where(problem.serves[left], problem.rows[left, None], np.inf)
        gains = weighted(np.maximum(costs - read, 0.0), problem.weights) - problem.upkeep[left]
        best = left.pop(int(gains.argmax()))
        ordered.append(best)
        costs = np.minimum(costs, np.where(problem.serves[best], problem.rows[best], np.inf))
    return tuple(ordered)


class _Greedy:
    """Greedy choices of one problem: first gains are computed once, later ones only where they can matter."""

    def __init__(self, problem: SelectionProblem, budget: Budget) -> None:
        self._problem, self._budget = problem, budget
        self._first, marks = _first_gains(problem)
        alive = (self._first > 0) & (problem.sizes <= budget.size)
        self._alive = _undominated(problem, np.flatnonzero(alive), marks)

    def picks(self, space_weight: float) -> tuple[Pick, ...]:
        """See `greedy_picks`."""
        problem, prices = self._problem, self._prices(space_weight)
        bounds = self._first[self._alive] / prices[self._alive]
        # A gain only shrinks while others are picked, so an old one bounds the new one.
        waiting = [(-bound, int(place), 0) for bound, place in zip(bounds, self._alive, strict=True)]
        heapq.heapify(waiting)
        costs, room = problem.costs.copy(), self._budget.size
        picked: list[Pick] = []
        while waiting and len(picked) < self._budget.count:
            if waiting[0][2] < len(picked):
                stale = _popped_stale(waiting, len(picked))
                stale = stale[problem.sizes[stale] <= room]
                gains = self._gains(stale, costs)
                for place, gain in zip(stale[gains > 0], gains[gains > 0], strict=True):
                    heapq.heappush(waiting, (-float(gain / prices[place]), int(place), len(picked)))
                continue
            score, best, _ = heapq.heappop(waiting)
            if problem.sizes[best] > room:
                continue
            picked.append(Pick(best, -score * float(prices[best])))
            room -= float(problem.sizes[best])
            served = problem.serves[best]
            costs[served] = np.minimum(costs[served], problem.rows[best])
        return tuple(picked)

    def shortlist(self, picked: Sequence[int]) -> Places:
        """What was picked, and the best of the others by every score; sorted."""
        most = max(_LEAST_SHORTLIST, _SHORTLIST_CELLS // max(len(self._problem.weights), 1))
        if len(self._alive) <= most:
            return self._alive
        chosen = dict.fromkeys(picked)
        first = self._first[self._alive]
        orders = [np.argsort(-first / self._prices(weight)[self._alive]) for weight in _SPACE_WEIGHTS]
        for rank in range(most):
            chosen.update((int(self._alive[order[rank]]), None) for order in orders)
            if len(chosen) >= most:
                break
        return np.sort(np.array(list(chosen), dtype=np.int64))

    def _prices(self, space_weight: float) -> Numbers:
        space = self._problem.sizes / self._budget.size if self._budget.size else self._problem.sizes
        return np.maximum(space_weight * space + (1.0 - space_weight) / max(self._budget.count, 1), 1e-12)

    def _gains(self, places: Places, costs: Numbers) -> Numbers:
        problem = self._problem
        saved = np.maximum(costs - problem.rows[places, None], 0.0) * problem.serves[places]
        return weighted(saved, problem.weights) - problem.upkeep[places]


def _popped_stale(waiting: list[tuple[float, int, int]], picked: int) -> Places:
    """The first entries of a heap that are older than the last pick, a few at once."""
    found: list[int] = []
    while waiting and waiting[0][2] < picked and len(found) < _EVALUATED_TOGETHER:
        found.append(heapq.heappop(waiting)[1])
    return np.array(found, dtype=np.int64)


def _first_gains(problem: SelectionProblem) -> tuple[Numbers, Numbers]:
    """What each candidate saves by itself, and a mark that is equal for candidates that serve the same needs."""
    needs = problem.serves.shape[1]
    bits = np.packbits(problem.serves, axis=1)
    marks = _summed(bits, np.random.default_rng(0).random(size=(needs,)))
    # Where a candidate has fewer rows than anything that is read today, what it saves is a difference of two sums.
    gains = _summed(bits, problem.weights * problem.costs) - problem.rows * _summed(bits, problem.weights)
    dear = np.flatnonzero(problem.rows >= problem.costs.min(initial=np.inf))
    step = max(_CHUNK_CELLS // max(needs, 1), 1)
    for begin in range(0, len(dear), step):
        part = dear[begin : begin + step]
        saved = np.maximum(problem.costs - problem.rows[part, None], 0.0) * problem.serves[part]
        gains[part] = weighted(saved, problem.weights)
    return gains - problem.upkeep, marks


def _summed(bits: NDArray[np.uint8], values: Numbers) -> Numbers:
    """Sums of the values whose bits are set; by tables for eight bits at once, since there may be millions of bits."""
    padded = np.zeros(bits.shape[1] * 8)
    padded[: len(values)] = values
    tables = padded.reshape(-1, 8) @ np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).T.astype(np.float64)
    found = np.zeros(len(bits))
    for number in range(bits.shape[1]):
        found += tables[number][bits[:, number]]
    return found


def _undominated(problem: SelectionProblem, places: Places, marks: Numbers) -> Places:
    """Without those that serve the same needs as another one that is better in every respect."""
    order = places[np.lexsort((places, problem.sizes[places], problem.rows[places], marks[places]))]
    if not len(order):
        return order
    is_first = np.r_[True, np.diff(marks[order]) != 0]
    leader = order[np.maximum.accumulate(np.where(is_first, np.arange(len(order)), 0))]
    is_worse = (problem.sizes[order] >= problem.sizes[leader]) & (problem.upkeep[order] >= problem.upkeep[leader])
    return np.sort(order[is_first | ~is_worse])
