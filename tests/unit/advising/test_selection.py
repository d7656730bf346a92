"""The choice of aggregates: the published example, small lattices against brute force, budgets, many candidates."""

from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_atscale_aggs.engine.advising.selection import Budget, SelectionProblem, greedy_picks, select

_UNBOUNDED = 1e12

_ROWS = {"a": 100, "b": 50, "c": 75, "d": 20, "e": 30, "f": 40, "g": 1, "h": 10}
_FINER_THAN = {"a": "bc", "b": "de", "c": "ef", "d": "g", "e": "gh", "f": "h", "g": "", "h": ""}
"""Figure 7 of Harinarayan, Rajaraman and Ullman: ``a`` is the base, and each view answers those it is finer than."""


def _answered(view: str) -> set[str]:
    return {view}.union(*(_answered(coarser) for coarser in _FINER_THAN[view]))


def _example() -> SelectionProblem:
    views = list(_ROWS)
    rows = np.array([float(_ROWS[view]) for view in views])
    return SelectionProblem(
        weights=np.ones(8),
        costs=np.full(8, 100.0),
        rows=rows,
        sizes=rows,
        upkeep=np.zeros(8),
        serves=np.array([[other in _answered(view) for other in views] for view in views]),
    )


def test_the_published_lattice_and_its_greedy_picks() -> None:
    """Figure 8: b gains 250, then f 70, then d 60; 800 becomes 420."""
    problem = _example()
    picks = greedy_picks(problem, Budget(size=_UNBOUNDED, count=3))

    assert [("abcdefgh"[pick.candidate], pick.gain) for pick in picks] == [("b", 250.0), ("f", 70.0), ("d", 60.0)]
    assert problem.cost_of_nothing == 800
    assert problem.cost(select(problem, Budget(size=_UNBOUNDED, count=3))) == 420


def test_greedy_can_be_as_bad_as_the_paper_says_and_the_search_is_not() -> None:
    """Figure 9: greedy takes c first and gets 6241; b and d together are worth 8200."""
    needs = 1 + 20 * 4 + 4
    serves = np.zeros((3, needs), dtype=bool)
    first, second, third, fourth = (slice(5 + 20 * n, 25 + 20 * n) for n in range(4))
    b, c, d = range(3)
    serves[b, 1], serves[c, 2], serves[d, 3] = True, True, True
    serves[b, first] = serves[b, second] = True
    serves[c, second] = serves[c, third] = True
    serves[d, third] = serves[d, fourth] = True
    rows = np.array([100.0, 99.0, 100.0])
    problem = SelectionProblem(
        weights=np.ones(needs),
        costs=np.full(needs, 200.0),
        rows=rows,
        sizes=rows,
        upkeep=np.zeros(3),
        serves=serves,
    )
    budget = Budget(size=_UNBOUNDED, count=2)
    greedy = problem.cost_of_nothing - problem.cost([pick.candidate for pick in greedy_picks(problem, budget)])
    searched = problem.cost_of_nothing - problem.cost(select(problem, budget))

    assert (greedy, searched) == (6241, 8200)


@st.composite
def _problems(draw: st.DrawFn) -> SelectionProblem:
    """Products of two or three short chains of levels with random cardinalities, weights and upkeep."""
    chains = draw(st.lists(st.lists(st.integers(2, 40), min_size=1, max_size=2), min_size=2, max_size=2))
    fact = float(draw(st.integers(50, 3000)))
    levels = [[1, *itertools.accumulate(chain, lambda coarse, times: coarse * times)] for chain in chains]
    nodes = list(itertools.product(*(range(len(chain)) for chain in levels)))
    cells = [math.prod(levels[chain][depth] for chain, depth in enumerate(node)) for node in nodes]
    rows = np.array([min(fact, count) for count in cells], dtype=float)
    asked = draw(st.lists(st.sampled_from(nodes), min_size=1, max_size=6, unique=True))
    weights = draw(st.lists(st.integers(1, 50), min_size=len(asked), max_size=len(asked)))
    upkeep = draw(st.sampled_from([0.0, 0.5, 2.0]))
    return SelectionProblem(
        weights=np.array(weights, dtype=float),
        costs=np.full(len(asked), fact),
        rows=rows,
        sizes=rows,
        upkeep=upkeep * rows,
        serves=np.array([[all(a >= b for a, b in zip(node, need, strict=True)) for need in asked] for node in nodes]),
    )


@settings(max_examples=50, deadline=None)
@given(_problems(), st.integers(1, 4), st.floats(0.02, 2.0))
def test_random_lattices_against_brute_force(problem: SelectionProblem, count: int, share: float) -> None:
    """Within the budget, and at least (1 - 1/e) of the best saving; so is greedy by benefit if only the count binds."""
    budget = Budget(size=share * float(problem.costs[0]), count=count)
    nodes = range(len(problem.rows))

    def saving(chosen: tuple[int, ...]) -> float:
        return problem.cost_of_nothing - problem.cost(chosen)

    def best(size: float) -> float:
        choices = itertools.chain.from_iterable(itertools.combinations(nodes, number) for number in range(count + 1))
        return max(saving(choice) for choice in choices if problem.sizes[list(choice)].sum() <= size)

    chosen = select(problem, budget)
    assert len(set(chosen)) == len(chosen) <= count
    assert problem.sizes[list(chosen)].sum() <= budget.size
    assert saving(chosen) >= (1 - 1 / math.e) * best(budget.size) - 1e-6
    if not problem.upkeep.any():
        picks = greedy_picks(problem, Budget(size=_UNBOUNDED, count=count))
        assert saving(tuple(pick.candidate for pick in picks)) >= (1 - 1 / math.e) * best(_UNBOUNDED) - 1e-6


def test_what_costs_more_to_keep_than_it_saves_is_not_made() -> None:
    """Asked twice, rebuilt three times from the facts: it would read more than it saves."""
    problem = SelectionProblem(
        weights=np.array([2.0, 20.0]),
        costs=np.array([1000.0, 1000.0]),
        rows=np.array([10.0, 10.0]),
        sizes=np.array([10.0, 10.0]),
        upkeep=np.array([3000.0, 3000.0]),
        serves=np.eye(2, dtype=bool),
    )

    assert select(problem, Budget(size=100, count=2)) == (1,)


@pytest.mark.parametrize("budget", [Budget(size=0, count=5), Budget(size=100, count=0)])
def test_no_budget_nothing(budget: Budget) -> None:
    """Neither room nor number."""
    assert select(_example(), budget) == ()


def test_no_candidates_nothing() -> None:
    """A problem without candidates has an empty answer."""
    problem = SelectionProblem(
        weights=np.ones(3),
        costs=np.ones(3),
        rows=np.empty(0),
        sizes=np.empty(0),
        upkeep=np.empty(0),
        serves=np.empty((0, 3), dtype=bool),
    )

    assert select(problem, Budget(size=1, count=1)) == ()


def test_the_choice_among_many_is_as_good_as_each_greedy_one_and_the_same_each_time() -> None:
    draw = random.Random(3)
    levels = np.array([[draw.randint(0, 4) for _ in range(8)] for _ in range(10_000)])
    asked = levels[:100]
    rows = np.minimum(1e8, np.prod(np.power(9.0, levels), axis=1))
    serves = np.ones((len(levels), len(asked)), dtype=bool)
    for dimension in range(8):
        serves &= levels[:, dimension, None] >= asked[None, :, dimension]
    problem = SelectionProblem(
        weights=1.0 / np.arange(1, 101),
        costs=np.full(100, 1e8),
        rows=rows,
        sizes=rows,
        upkeep=np.zeros(len(rows)),
        serves=serves,
    )
    budget = Budget(size=2.5e7, count=20)
    chosen = select(problem, budget, effort=4_000_000)

    assert chosen == select(problem, budget, effort=4_000_000)
    for weight in (0.0, 0.5, 1.0):
        picks = greedy_picks(problem, budget, space_weight=weight)
        assert problem.cost(chosen) <= problem.cost([pick.candidate for pick in picks])


def test_only_the_best_of_too_many_candidates_are_searched_and_nothing_is_lost() -> None:
    """Each candidate serves one requirement; the heaviest requirements gain most, and one of them is too large."""
    count = 1500
    weights = np.arange(1.0, count + 1)
    sizes = np.ones(count)
    sizes[-1] = 30.0
    problem = SelectionProblem(
        weights=weights,
        costs=np.full(count, 100.0),
        rows=np.full(count, 10.0),
        sizes=sizes,
        upkeep=np.zeros(count),
        serves=np.eye(count, dtype=bool),
    )

    assert select(problem, Budget(size=20, count=5), effort=1_000_000) == (1498, 1497, 1496, 1495, 1494)
    assert select(problem, Budget(size=31, count=2), effort=1_000_000) == (1499, 1498)


@pytest.mark.parametrize(
    ("space_weight", "picks"), [(0.0, [0]), (1.0, [1, 2])], ids=["by benefit", "by benefit per unit of space"]
)
def test_a_greedy_start_weighs_space_against_number(space_weight: float, picks: list[int]) -> None:
    """One large candidate gains 95 and takes all the room; two small ones gain 90 and 80 in half of it each."""
    problem = SelectionProblem(
        weights=np.ones(3),
        costs=np.full(3, 100.0),
        rows=np.array([5.0, 10.0, 20.0]),
        sizes=np.array([10.0, 5.0, 5.0]),
        upkeep=np.zeros(3),
        serves=np.eye(3, dtype=bool),
    )

    chosen = greedy_picks(problem, Budget(size=10, count=5), space_weight=space_weight)
    assert [pick.candidate for pick in chosen] == picks
    assert sorted(select(problem, Budget(size=10, count=5))) == [1, 2]


@pytest.mark.parametrize("candidates", [0, 1, 3])
@pytest.mark.parametrize("needs", [0, 1, 3])
@pytest.mark.parametrize("size", [0.0, 1.0, 10.0])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_choice_among_nothing_is_nothing(candidates: int, needs: int, size: float, count: int) -> None:
    """No candidate, no need, no room: none of them ends in an error of the arithmetic."""
    problem = SelectionProblem(
        weights=np.ones(needs),
        costs=np.full(needs, 5.0),
        rows=np.ones(candidates),
        sizes=np.ones(candidates),
        upkeep=np.zeros(candidates),
        serves=np.ones((candidates, needs), dtype=np.bool_),
    )
    chosen = select(problem, Budget(size=size, count=count))
    assert len(chosen) == (1 if candidates and needs and size and count else 0)
    assert problem.cost(chosen) == needs * (1.0 if chosen else 5.0)
