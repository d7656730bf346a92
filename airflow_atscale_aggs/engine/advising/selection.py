"""Selects the aggregates that save most query cost within a budget, after the cost of keeping them up to date.

    cost of a choice = sum over requirements of weight * rows of the smallest chosen aggregate that serves, or of what
                     answers today + sum over chosen aggregates of upkeep

Several greedy starts, from benefit alone to benefit per unit of space, then a search over adding, dropping and
exchanging one aggregate, with kicks. Same input, same choice.

Source: Harinarayan, Rajaraman, Ullman, "Implementing Data Cubes Efficiently" (1996): the greedy choice and its bound;
Minoux (1978): lazy evaluation; Teitz, Bart (1968) and Whitaker (1983): interchange.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from airflow_atscale_aggs.engine.advising.interchange import Interchange, Neighbourhood, weighted_sums
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

Numbers = NDArray[np.float64]
Places = NDArray[np.int64]

_SPACE_WEIGHTS = (0.0, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0)
"""How much a greedy start weighs space against the number of aggregates."""

_EVALUATED_TOGETHER = 64
_CHUNK_CELLS = 1 << 20
_SHORTLIST_CELLS = 300_000
_LEAST_SHORTLIST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionProblem:
    """The requirements and the candidates that could answer them.

    Attributes:
        weights: per requirement: how often it is asked.
        costs: per requirement: rows that are read for it today.
        rows: per candidate: rows that are read for a query that it serves.
        sizes: per candidate: what counts against the budget, in rows or bytes.
        upkeep: per candidate: rows read and written to keep it, during the time of the workload.
        serves: candidates by requirements: whether it can answer.
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
    """Select the candidates to make; those that save most come first.

    Args:
        effort: how long to search, in cells of the (candidate, requirement) table looked at; the greedy starts come on
            top.
    """
    greedy = _Greedy(problem, budget)
    starts = [greedy.picks(weight) for weight in _SPACE_WEIGHTS]
    shortlist = greedy.shortlist([pick.candidate for start in starts for pick in start])
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
    best = search.best([[place[pick.candidate] for pick in start] for start in starts], effort=effort)
    return _by_gain(problem, [int(shortlist[number]) for number in best])


def greedy_picks(problem: SelectionProblem, budget: Budget, *, space_weight: float = 0.0) -> tuple[Pick, ...]:
    """The greedy choice in the order of its picks. Candidates without a gain are not picked.

    Args:
        space_weight: 0: by benefit; 1: by benefit per unit of space; between: by both budgets' shares.
    """
    return _Greedy(problem, budget).picks(space_weight)


def _by_gain(problem: SelectionProblem, chosen: Sequence[int]) -> tuple[int, ...]:
    """The chosen candidates in the order in which a greedy choice would pick them."""
    costs, ordered, remaining = problem.costs.copy(), [], list(chosen)
    while remaining:
        read = np.where(problem.serves[remaining], problem.rows[remaining, None], np.inf)
        gains = weighted_sums(np.maximum(costs - read, 0.0), problem.weights) - problem.upkeep[remaining]
        best = remaining.pop(int(gains.argmax()))
        ordered.append(best)
        costs = np.minimum(costs, np.where(problem.serves[best], problem.rows[best], np.inf))
    return tuple(ordered)


class _Greedy:
    """Makes greedy choices for one problem. First gains are computed once, later gains only where they can matter."""

    def __init__(self, problem: SelectionProblem, budget: Budget) -> None:
        self._problem, self._budget = problem, budget
        self._first, marks = _first_gains(problem)
        alive = (self._first > 0) & (problem.sizes <= budget.size)
        self._alive = _remove_dominated_candidates(problem, np.flatnonzero(alive), marks)

    def picks(self, space_weight: float) -> tuple[Pick, ...]:
        """See `greedy_picks`."""
        problem, prices = self._problem, self._prices(space_weight)
        bounds = self._first[self._alive] / prices[self._alive]
        # A gain never grows while others are picked, so an old gain is an upper bound of the new one.
        waiting = [(-bound, int(place), 0) for bound, place in zip(bounds, self._alive, strict=True)]
        heapq.heapify(waiting)
        costs, room = problem.costs.copy(), self._budget.size
        picked: list[Pick] = []
        while waiting and len(picked) < self._budget.count:
            if waiting[0][2] < len(picked):
                stale = _pop_stale(waiting, len(picked))
                stale = stale[problem.sizes[stale] <= room]
                gains = self._gains(stale, costs)
                for place, gain in zip(stale[gains > 0], gains[gains > 0], strict=True):
                    heapq.heappush(waiting, (-float(gain / prices[place]), int(place), len(picked)))
                continue
            score, best, _ = heapq.heappop(waiting)
            picked.append(Pick(best, -score * float(prices[best])))
            room -= float(problem.sizes[best])
            served = problem.serves[best]
            costs[served] = np.minimum(costs[served], problem.rows[best])
        return tuple(picked)

    def shortlist(self, picked: Sequence[int]) -> Places:
        """The picked candidates and the best others by every score, sorted."""
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
        return weighted_sums(saved, problem.weights) - problem.upkeep[places]


def _pop_stale(waiting: list[tuple[float, int, int]], picked: int) -> Places:
    """Pop the first entries of the heap that are older than the last pick, a limited number at once."""
    places: list[int] = []
    while waiting and waiting[0][2] < picked and len(places) < _EVALUATED_TOGETHER:
        places.append(heapq.heappop(waiting)[1])
    return np.array(places, dtype=np.int64)


def _first_gains(problem: SelectionProblem) -> tuple[Numbers, Numbers]:
    """What each candidate saves by itself, and a mark that is equal for candidates that serve the same requirements."""
    requirements = problem.serves.shape[1]
    bits = np.packbits(problem.serves, axis=1)
    marks = _sums_of_bits(bits, np.random.default_rng(0).random(size=(requirements,)))
    # Where a candidate has fewer rows than anything that is read today, what it saves is a difference of two sums.
    gains = _sums_of_bits(bits, problem.weights * problem.costs) - problem.rows * _sums_of_bits(bits, problem.weights)
    dear = np.flatnonzero(problem.rows >= problem.costs.min(initial=np.inf))
    step = max(_CHUNK_CELLS // max(requirements, 1), 1)
    for begin in range(0, len(dear), step):
        part = dear[begin : begin + step]
        saved = np.maximum(problem.costs - problem.rows[part, None], 0.0) * problem.serves[part]
        gains[part] = weighted_sums(saved, problem.weights)
    return gains - problem.upkeep, marks


def _sums_of_bits(bits: NDArray[np.uint8], values: Numbers) -> Numbers:
    """Sums of the values whose bits are set; by tables for eight bits at once, since there may be millions of bits."""
    padded = np.zeros(bits.shape[1] * 8)
    padded[: len(values)] = values
    tables = padded.reshape(-1, 8) @ np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).T.astype(np.float64)
    sums = np.zeros(len(bits))
    for number in range(bits.shape[1]):
        sums += tables[number][bits[:, number]]
    return sums


def _remove_dominated_candidates(problem: SelectionProblem, places: Places, marks: Numbers) -> Places:
    """The places without candidates that another one dominates: it serves the same requirements and is never worse."""
    order = places[np.lexsort((places, problem.sizes[places], problem.rows[places], marks[places]))]
    if not len(order):
        return order
    is_first = np.r_[True, np.diff(marks[order]) != 0]
    leader = order[np.maximum.accumulate(np.where(is_first, np.arange(len(order)), 0))]
    is_worse = (problem.sizes[order] >= problem.sizes[leader]) & (problem.upkeep[order] >= problem.upkeep[leader])
    return np.sort(order[is_first | ~is_worse])
