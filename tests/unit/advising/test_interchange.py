"""The search for a better choice: add, drop or exchange one candidate while that pays."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_atscale_aggs.engine.advising.interchange import Interchange, Neighbourhood, weighted_sums

_EFFORT = 100_000


def _neighbourhood(
    reads: Sequence[Sequence[float]],
    *,
    costs: Sequence[float],
    weights: Sequence[float] | None = None,
    sizes: Sequence[float] | None = None,
    upkeep: Sequence[float] | None = None,
) -> Neighbourhood:
    """Candidates by requirements; 0 for one that a candidate does not serve."""
    table = np.array(reads, dtype=float).reshape(len(reads), len(costs))
    return Neighbourhood(
        weights=np.array(weights or [1.0] * len(costs)),
        costs=np.array(costs, dtype=float),
        reads=np.where(table > 0, table, np.inf),
        sizes=np.array(sizes or [1.0] * len(reads)),
        upkeep=np.array(upkeep or [0.0] * len(reads)),
    )


def _cost(given: Neighbourhood, chosen: Sequence[int]) -> float:
    """Requirement by requirement: the least of today's cost and of what a chosen candidate reads."""
    total = float(sum(given.upkeep[place] for place in chosen))
    for number, (cost, weight) in enumerate(zip(given.costs, given.weights, strict=True)):
        total += float(weight) * min([float(cost), *(float(given.reads[place, number]) for place in chosen)])
    return total


def _best(
    given: Neighbourhood,
    *,
    size: float = 100.0,
    count: int = 10,
    starts: Sequence[Sequence[int]] = ((),),
    effort: int = _EFFORT,
) -> list[int]:
    return sorted(Interchange(given, size=size, count=count).best(starts, effort=effort))


_TWO = _neighbourhood([[10, 0], [0, 10], [60, 60]], costs=[100, 100])
"""Two candidates that serve one requirement each, and one that serves both, less well."""


@pytest.mark.parametrize(
    ("starts", "count", "chosen"),
    [
        ([[]], 2, [0, 1]),
        ([[2]], 2, [0, 1]),
        ([[0, 2]], 2, [0, 1]),
        ([[]], 1, [0]),
        ([[2]], 1, [0]),
        ([[0, 1]], 2, [0, 1]),
        ([[]], 0, []),
    ],
    ids=["add two", "exchange, then add", "exchange", "add one", "exchange one", "leave it", "no room"],
)
def test_moves_are_made_while_they_pay(starts: list[list[int]], count: int, chosen: list[int]) -> None:
    assert _best(_TWO, starts=starts, count=count) == chosen


@pytest.mark.parametrize(("size", "chosen"), [(5.0, [0, 1]), (4.9, [1]), (2.9, [0]), (1.9, [])])
def test_a_choice_stays_within_its_size(size: float, chosen: list[int]) -> None:
    given = _neighbourhood([[10, 0], [0, 5]], costs=[100, 100], sizes=[2, 3])

    assert _best(given, size=size) == chosen


@pytest.mark.parametrize(("upkeep", "chosen"), [([89, 91], [0]), ([0, 0], [0, 1]), ([91, 91], [])])
def test_what_costs_more_than_it_saves_is_dropped(upkeep: list[float], chosen: list[int]) -> None:
    given = _neighbourhood([[10, 0], [0, 10]], costs=[100, 100], upkeep=upkeep)

    assert _best(given, starts=[[0, 1]]) == chosen


def test_a_candidate_that_reads_more_than_today_saves_nothing() -> None:
    assert _best(_neighbourhood([[200.0]], costs=[100])) == []


def test_weights_decide_which_requirement_is_served() -> None:
    given = _neighbourhood([[10, 0], [0, 10]], costs=[100, 100], weights=[1, 5])

    assert _best(given, count=1) == [1]


def test_the_better_of_several_starts_wins() -> None:
    assert _best(_TWO, starts=[[2], [0, 1], [0, 1]], count=2, effort=0) == [0, 1]


def test_kicks_find_what_single_moves_do_not() -> None:
    """Figure 9 of Harinarayan, Rajaraman and Ullman: the middle one is best alone, the outer two better together."""
    reads = [[100.0] * 2 + [0.0] * 2, [0.0] + [99.0] * 2 + [0.0], [0.0] * 2 + [100.0] * 2]
    given = _neighbourhood(reads, costs=[200] * 4)

    assert _best(given, starts=[[1]], count=2) == [0, 2]


def test_there_is_nothing_to_choose_among_nothing() -> None:
    assert _best(_neighbourhood([], costs=[5.0])) == []
    assert _best(_neighbourhood([], costs=[])) == []


@st.composite
def _neighbourhoods(draw: st.DrawFn) -> Neighbourhood:
    candidates, requirements = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    numbers = st.integers(0, 60)
    return _neighbourhood(
        [[float(draw(numbers)) for _ in range(requirements)] for _ in range(candidates)],
        costs=[float(draw(st.integers(1, 50))) for _ in range(requirements)],
        weights=[float(draw(st.integers(1, 5))) for _ in range(requirements)],
        sizes=[float(draw(st.integers(1, 9))) for _ in range(candidates)],
        upkeep=[float(draw(st.integers(0, 20))) for _ in range(candidates)],
    )


@settings(max_examples=60, deadline=None)
@given(_neighbourhoods(), st.integers(0, 4), st.integers(1, 20))
def test_the_best_choice_of_a_small_neighbourhood_is_found(given_: Neighbourhood, count: int, size: int) -> None:
    """By brute force: no choice within the limits costs less."""
    chosen = _best(given_, size=size, count=count)
    places = range(len(given_.sizes))
    choices = itertools.chain.from_iterable(itertools.combinations(places, number) for number in range(count + 1))
    least = min(_cost(given_, choice) for choice in choices if given_.sizes[list(choice)].sum() <= size)

    assert len(chosen) <= count
    assert given_.sizes[chosen].sum() <= size
    assert _cost(given_, chosen) == pytest.approx(least)


def test_weighted_sums_are_those_of_a_matrix() -> None:
    assert weighted_sums(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([10.0, 1.0])).tolist() == [12.0, 34.0]
