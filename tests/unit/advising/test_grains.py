"""Grains as bits: what determines what, and estimates between measurements."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_atscale_aggs.engine.advising.grains import GrainSpace
from airflow_atscale_aggs.engine.aggregates.lattice import dependency_of
from airflow_atscale_aggs.engine.model.paths import GrainAttribute, Role
from tests.support.grain_cases import (
    COUNTS,
    FACT_ROWS,
    LEVELS,
    MEASURED,
    PROVEN,
    REASON,
    grain_space,
    mask_of,
    names_of,
)


@pytest.mark.parametrize(
    ("grain", "closure", "reduced"),
    [
        (["Day"], ["Day", "Month", "Year"], ["Day"]),
        (["Year"], ["Year"], ["Year"]),
        (["Year", "Month"], ["Year", "Month"], ["Month"]),
        (["Year", "Day", "Region", "Shop"], ["Year", "Month", "Day", "Region", "Shop"], ["Day", "Shop"]),
        (["Channel", "Month"], ["Channel", "Month", "Year"], ["Channel", "Month"]),
        ([], [], []),
    ],
)
def test_a_grain_gives_what_its_attributes_determine_and_needs_none_of_that(
    grain: list[str], closure: list[str], reduced: list[str]
) -> None:
    """A day gives its month and year; a month beside a day adds no groups."""
    space = grain_space()
    mask = mask_of(space, *grain)

    assert names_of(space, space.closure(mask)) == set(closure)
    assert names_of(space, space.reduce(mask)) == set(reduced)


def test_what_is_not_proven_does_not_count() -> None:
    """Without proofs every attribute stands for itself."""
    space = grain_space(is_proven=False)

    assert space.reduce(mask_of(space, "Year", "Day")) == mask_of(space, "Year", "Day")


def test_a_many_to_many_attribute_is_determined_by_nothing() -> None:
    space = grain_space((*LEVELS.values(), REASON))

    assert names_of(space, space.many_to_many) == {"Reason"}
    assert names_of(space, space.closure(space.mask([REASON.attribute]))) == {"Reason"}


def test_an_attribute_is_one_bit_however_often_it_is_named() -> None:
    space = grain_space((LEVELS["Day"], LEVELS["Month"], LEVELS["Day"]))

    assert [bound.attribute.name for bound in space.attributes] == ["Day", "Month"]
    assert [space.mask([LEVELS[name].attribute]) for name in ("Day", "Month")] == [1, 2]


@pytest.mark.parametrize(("name", "count"), COUNTS.items())
def test_a_measured_grain_has_the_rows_that_were_counted(name: str, count: int) -> None:
    space = grain_space()

    assert space.rows(mask_of(space, name)) == count
    assert space.is_measured(mask_of(space, name))


def _hit(cells: float) -> float:
    """How many of so many cells 10,000 rows hit that fall at random."""
    return cells * (1 - (1 - 1 / cells) ** FACT_ROWS)


@pytest.mark.parametrize(
    ("grain", "rows"),
    [
        ([], 1),
        (["Month", "Region"], _hit(36 * 4)),
        (["Month", "Shop", "Channel"], _hit(36 * 50 * 2)),
        (["Day", "Channel"], _hit(2000)),
    ],
)
def test_other_grains_are_estimated_as_if_dimensions_were_independent(grain: list[str], rows: float) -> None:
    space = grain_space()
    estimate = space.rows(mask_of(space, *grain))

    assert math.isclose(estimate, rows, rel_tol=1e-3)
    assert space.is_measured(mask_of(space, *grain)) is (not grain)


def test_no_grain_has_more_rows_than_the_fact() -> None:
    """Also one of so many cells that each row falls into a cell of its own."""
    few = GrainSpace([LEVELS["Day"], LEVELS["Shop"]], PROVEN, fact_rows=10, measured={})
    days = frozenset({LEVELS["Day"].attribute}), frozenset({LEVELS["Shop"].attribute})
    many = GrainSpace(few.attributes, PROVEN, fact_rows=1000, measured=dict.fromkeys(days, 999.0))

    assert few.rows(mask_of(few, "Day", "Shop")) == pytest.approx(100 * (1 - 0.99**10), rel=0.01)
    assert many.rows(mask_of(many, "Day", "Shop")) == 1000


def test_attributes_of_one_dimension_are_no_more_cells_than_the_fact_has_rows() -> None:
    """Unproven levels are multiplied; what nobody has counted may be as many as the rows."""
    space = GrainSpace([LEVELS["Year"], LEVELS["Day"]], frozenset(), fact_rows=2000, measured=MEASURED)
    unknown = GrainSpace([LEVELS["Year"]], frozenset(), fact_rows=2000, measured={})

    for rows in (space.rows(mask_of(space, "Year", "Day")), unknown.rows(1)):
        assert rows == pytest.approx(2000 * (1 - math.exp(-1)))


def test_measured_grains_bound_the_coarser_and_the_finer_ones() -> None:
    space = grain_space()
    month, region, shop, year = (LEVELS[name].attribute for name in ("Month", "Region", "Shop", "Year"))
    month_region = mask_of(space, "Month", "Region")

    space.learn({frozenset({month, shop}): 90.0})
    assert space.rows(month_region) == 90
    space.learn({frozenset({month, region, year}): 70.0})
    assert space.rows(month_region) == 70
    assert space.is_measured(month_region)
    space.learn({frozenset({LEVELS["Year"].attribute, region}): 12.0})
    assert space.rows(mask_of(space, "Year", "Region", "Channel")) >= 12


def test_a_table_that_was_built_counts_and_not_a_sketch_of_its_grain() -> None:
    """Of several tables the smallest; also for a sketch that comes later, and for the bounds of other grains."""
    space = grain_space()
    month, region, year = (LEVELS[name].attribute for name in ("Month", "Region", "Year"))

    space.learn_built([(frozenset({month, region, year}), 75.0), (frozenset({month, region}), 73.0)])
    space.learn({frozenset({month, region}): 70.0})

    assert space.rows(mask_of(space, "Month", "Region")) == 73
    assert space.is_measured(mask_of(space, "Month", "Region"))
    assert space.rows(mask_of(space, "Month", "Region", "Channel")) >= 73


def test_a_measurement_of_other_attributes_is_of_no_use() -> None:
    space = grain_space([LEVELS["Month"]])
    before = space.rows(1)

    space.learn({frozenset({GrainAttribute(Role("Elsewhere"), "Month")}): 5.0})

    assert space.rows(1) == before


@pytest.mark.parametrize(("fact_rows", "counted"), [(0, 0.0), (1, 0.0), (10, 0.2)])
def test_a_fact_and_a_grain_have_a_row_at_the_least(fact_rows: int, counted: float) -> None:
    year = LEVELS["Year"]
    space = GrainSpace([year], frozenset(), fact_rows=fact_rows, measured={frozenset({year.attribute}): counted})

    assert space.fact_rows >= 1
    assert space.rows(1) == 1.0


_grains = st.lists(st.sampled_from(sorted(LEVELS)), min_size=0, max_size=4, unique=True)


@settings(deadline=None, max_examples=60)
@given(_grains, _grains)
def test_a_finer_grain_has_no_fewer_rows(grain: list[str], more: list[str]) -> None:
    space = grain_space()
    coarse, fine = (space.reduce(mask_of(space, *names)) for names in (grain, [*grain, *more]))

    assert space.rows(coarse) <= space.rows(fine) + 1e-9


@settings(deadline=None, max_examples=200)
@given(st.lists(st.sets(st.integers(0, 11)), min_size=12, max_size=12), st.integers(0, (1 << 12) - 1))
def test_closures_and_reductions_are_as_their_definitions_say(determined: list[set[int]], mask: int) -> None:
    """On random claims, also chains that are not closed and attributes that determine each other."""
    space = _space_of_claims(determined)

    assert space.closure(mask) == _closure(determined, mask)
    assert space.reduce(mask) == _reduction(determined, mask)


def _space_of_claims(determined: list[set[int]]) -> GrainSpace:
    """Attributes of two roles by turns; each determines others, which counts within its role only."""
    bounds = [
        replace(
            LEVELS["Day"],
            attribute=GrainAttribute(Role(f"Dimension {number % 2}"), str(number)),
            key_columns=(f"k{number}",),
            name_column=f"c{number}",
            determines=frozenset(map(str, others)),
        )
        for number, others in enumerate(determined)
    ]
    claims = {dependency_of(bound, source) for bound in bounds for source in bounds}
    return GrainSpace(bounds, {claim for claim in claims if claim is not None}, fact_rows=FACT_ROWS, measured={})


def _closure(determined: list[set[int]], mask: int) -> int:
    own = {number for number in range(len(determined)) if mask >> number & 1}
    given_by_own = {other for number in own for other in determined[number] if other % 2 == number % 2}
    return sum(1 << number for number in own | given_by_own)


def _reduction(determined: list[set[int]], mask: int) -> int:
    """Attribute by attribute: what the rest gives is taken out."""
    for number in range(len(determined)):
        bit = 1 << number
        if mask & bit and _closure(determined, mask & ~bit) & bit:
            mask &= ~bit
    return mask
