"""Which grains could be stored: those that are asked for, and the smallest that serve several of them."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_atscale_aggs.engine.advising.candidates import (
    CandidateGrain,
    JoinLimits,
    candidate_grains,
    serving_table,
    unwanted_attributes,
)
from airflow_atscale_aggs.engine.advising.grains import GrainSpace
from airflow_atscale_aggs.engine.advising.query_requirements import QueryRequirement, combine_requirements
from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.lattice import derivation
from airflow_atscale_aggs.engine.model.paths import JoinKind
from airflow_atscale_aggs.engine.settings import Settings
from tests.support.grain_cases import (
    CUSTOMERS,
    FACT_ROWS,
    LEVELS,
    PROVEN,
    REASON,
    grain_part,
    grain_space,
    level,
    mask_of,
    names_of,
    requirement,
)

_grains = st.lists(st.sampled_from(sorted(LEVELS)), min_size=0, max_size=4, unique=True)


def _candidates(*levels_of_needs: str, largest: float = FACT_ROWS, most: int = 100) -> list[str]:
    """The grains for requirements such as ``"Month Shop"``, in the same words."""
    space = grain_space()
    needs = [requirement(*names.split()) for names in levels_of_needs]
    grains = candidate_grains(space, needs, largest=largest, most=most)
    return [" ".join(sorted(names_of(space, grain.mask))) for grain in grains]


@pytest.mark.parametrize(
    ("levels_of_needs", "grains"),
    [
        (["Month"], ["Month"]),
        (["Year Month"], ["Month"]),
        (["Year", "Month"], ["Year", "Month"]),
        (["Year", "Region"], ["Year", "Region", "Region Year"]),
        (["Month Region", "Month Shop"], ["Month Region", "Month Shop"]),
        (
            ["Year", "Region", "Channel"],
            ["Year", "Region", "Channel", "Channel Region", "Channel Year", "Region Year", "Channel Region Year"],
        ),
        ([], []),
    ],
    ids=["one", "determined", "one is finer", "a join of two", "the finer serves both", "joins of joins", "nothing"],
)
def test_joins_of_requirements_are_candidates_as_well(levels_of_needs: list[str], grains: list[str]) -> None:
    assert sorted(_candidates(*levels_of_needs)) == sorted(grains)


def test_grains_that_are_too_large_are_left_out_with_their_joins() -> None:
    assert _candidates("Day", "Year", "Region", largest=500) == ["Year", "Region", "Region Year"]
    assert _candidates("Day", largest=999) == []
    assert _candidates("Day", largest=1000) == ["Day"]


def test_there_are_no_more_candidates_than_are_looked_at() -> None:
    assert _candidates("Year", "Region", "Channel", most=4)[:3] == ["Year", "Region", "Channel"]
    assert len(_candidates("Year", "Region", "Channel", most=4)) == 4
    assert _candidates("Year", "Region", "Channel", most=2) == ["Year", "Region"]


@settings(deadline=None)
@given(st.lists(_grains, min_size=1, max_size=4), _grains)
def test_a_grain_serves_what_the_lattice_derives_from_it(levels_of_needs: list[list[str]], stored: list[str]) -> None:
    """The table of bits and `derivation` agree."""
    space, needs = grain_space(), [requirement(*names) for names in levels_of_needs]
    (row,) = serving_table(space, [CandidateGrain(mask_of(space, *stored))], needs)

    assert list(row) == [derivation(need.part, grain_part(*stored), PROVEN) is not None for need in needs]


@settings(deadline=None, max_examples=50)
@given(st.lists(_grains.filter(bool), min_size=1, max_size=4))
def test_no_grain_is_better_than_a_join_of_needs(levels_of_needs: list[list[str]]) -> None:
    """Whatever grain serves some needs, a candidate serves the same ones with no more rows."""
    space = grain_space()
    needs = combine_requirements(requirement(*names) for names in levels_of_needs)
    candidates = candidate_grains(space, needs, largest=FACT_ROWS, most=10_000)
    rows = [space.rows(space.reduce(candidate.mask)) for candidate in candidates]
    table = serving_table(space, candidates, needs)
    for size in range(len(LEVELS) + 1):
        for names in itertools.combinations(LEVELS, size):
            any_grain = CandidateGrain(space.reduce(mask_of(space, *names)))
            (serves,) = serving_table(space, [any_grain], needs)
            if serves.any():
                as_good = [
                    count for count, own in zip(rows, table, strict=True) if np.array_equal(own & serves, serves)
                ]
                assert min(as_good) <= space.rows(any_grain.mask) + 1e-9


def test_exact_distinct_counts_get_their_own_grain() -> None:
    """They serve themselves only; other needs are served by it as by any other grain."""
    space = grain_space()
    exact = requirement("Month", "Year", measures=(CUSTOMERS,))
    needs = combine_requirements([exact, requirement("Year", weight=0.5)])
    candidates = candidate_grains(space, needs, largest=FACT_ROWS, most=100)
    table = serving_table(space, candidates, needs)
    (own,) = [number for number, candidate in enumerate(candidates) if candidate.exact >= 0]

    assert candidates[own].mask == mask_of(space, "Month", "Year")
    assert list(table[own]) == [True, True]
    assert not table[[number for number in range(len(candidates)) if number != own], 0].any()


def test_an_exact_grain_that_is_too_large_is_left_out() -> None:
    exact = requirement("Day", measures=(CUSTOMERS,))

    assert candidate_grains(grain_space(), [exact], largest=999, most=100) == ()


def test_many_to_many_attributes_must_be_the_same() -> None:
    """A row stands once per member, so such an attribute can be neither dropped nor added."""
    month = LEVELS["Month"]
    space = GrainSpace((month, REASON), frozenset(), fact_rows=FACT_ROWS, measured={})
    parts = [FactPart(fact="sales", attributes=grain, measures=()) for grain in ((month,), (month, REASON), (REASON,))]
    needs = [QueryRequirement(part=part, weight=1.0) for part in parts]
    both = CandidateGrain(space.mask([month.attribute, REASON.attribute]))

    assert list(serving_table(space, [both], needs)[0]) == [False, True, True]
    masks = {candidate.mask for candidate in candidate_grains(space, needs, largest=FACT_ROWS, most=100)}
    assert masks == {space.mask(bound.attribute for bound in part.attributes) for part in parts}


@pytest.mark.parametrize("candidates", [0, 1, 2])
@pytest.mark.parametrize("needs", [0, 1, 2])
@pytest.mark.parametrize("kind", [JoinKind.BRIDGE, JoinKind.UNIQUE_KEY])
def test_a_table_of_nothing_has_its_shape(candidates: int, needs: int, kind: JoinKind) -> None:
    """Also where no candidate is small enough, or nothing was asked."""
    reason = level(("Reason",), 0, kind)
    space = GrainSpace((reason,), frozenset(), fact_rows=FACT_ROWS, measured={})
    part = FactPart(fact="sales", attributes=(reason,), measures=())
    grains = [CandidateGrain(space.mask([reason.attribute]))] * candidates

    assert serving_table(space, grains, [QueryRequirement(part=part, weight=1.0)] * needs).shape == (candidates, needs)


def test_more_attributes_than_a_machine_word_has_bits_are_compared_as_well() -> None:
    bounds = [level((f"L{number}",), 0) for number in range(130)]
    space = GrainSpace(bounds, frozenset(), fact_rows=FACT_ROWS, measured={})
    part = FactPart(fact="sales", attributes=(bounds[1], bounds[129]), measures=())
    needs = [QueryRequirement(part=part, weight=1.0)]
    grains = [CandidateGrain(space.mask([bounds[1].attribute])), CandidateGrain(space.mask(needs[0].grain))]

    assert serving_table(space, grains, needs).tolist() == [[False], [True]]


_LIMITS = JoinLimits(key_values={"day": 1000, "shop": 50})


@pytest.mark.parametrize(
    ("changes", "limits", "unwanted", "reason"),
    [
        ({}, {}, [], ""),
        (
            {"joins": False},
            *({}, ["Channel", "Day", "Month", "Region", "Shop", "Year"]),
            "is joined, which `aggregates.create.joins.enabled` forbids",
        ),
        (
            {"join_depth": 0},
            *({}, ["Channel", "Day", "Month", "Region", "Shop", "Year"]),
            "is 1 joins away; `aggregates.create.joins.maximumDepth` is 0",
        ),
        (
            {"join_key_cardinality": 999},
            *({}, ["Day", "Month", "Year"]),
            "is joined by 1,000 keys; `aggregates.create.joins.maximumKeyCardinality` is 999",
        ),
        ({"join_key_cardinality": 1000}, {}, [], ""),
        (
            {"join_compression": 100},
            *({}, ["Day"]),
            "has one value per 10.0 rows; `aggregates.create.joins.compression` is 100",
        ),
        (
            {"joins_may_prevent_incremental": False},
            *({"is_incremental": True, "unsafe": frozenset({"shop"})}, ["Region", "Shop"]),
            "is in `shop`, which is not immutable, and the fact is built by increments",
        ),
        ({"joins_may_prevent_incremental": True}, {"is_incremental": True, "unsafe": frozenset({"shop"})}, [], ""),
        ({"joins_may_prevent_incremental": False}, {"is_incremental": False, "unsafe": frozenset({"shop"})}, [], ""),
        ({"joins_may_prevent_incremental": False}, {"is_incremental": True}, [], ""),
    ],
)
def test_settings_keep_joined_attributes_out(
    changes: dict[str, Any], limits: dict[str, Any], unwanted: list[str], reason: str
) -> None:
    plain = Settings(
        join_compression=1, **{name: value for name, value in changes.items() if name != "join_compression"}
    )
    chosen = replace(plain, **changes)

    reasons = unwanted_attributes(grain_space(), replace(_LIMITS, **limits), chosen)

    assert sorted(attribute.name for attribute in reasons) == unwanted
    assert {text.partition("` ")[2] for text in reasons.values()} == ({reason} if reason else set())


def test_columns_of_the_fact_itself_are_never_unwanted() -> None:
    own = replace(LEVELS["Channel"], dataset="sales", steps=())
    space = GrainSpace([own], frozenset(), fact_rows=10, measured={})

    assert unwanted_attributes(space, _LIMITS, Settings(joins=False, join_compression=1000)) == {}
