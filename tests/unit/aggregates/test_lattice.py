"""What derives from what, and the reason when something does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.lattice import (
    Dependency,
    NotDerivable,
    dependency_of,
    derivation,
    why_not_derivable,
)
from airflow_atscale_aggs.engine.aggregates.measures import StoredFunction, StoredMeasure
from airflow_atscale_aggs.engine.model.paths import Role
from tests.support.oracles.composed_statements import (
    CITY,
    CITY_LEVEL,
    COARSE,
    DAY_LEVEL,
    EXACT,
    FINE,
    MONTH,
    OPEN,
    QUARTER,
    REASON_LEVEL,
    ROLLING,
    SHOP_LEVEL,
    TOTAL,
    all_constraints,
    part,
)

PROVEN = all_constraints().functional
NOTHING: frozenset[Dependency] = frozenset()


REASON_BEHIND = replace(REASON_LEVEL, attribute=replace(REASON_LEVEL.attribute, name="Kind of Reason"))
"""Another attribute behind the bridge."""


def test_a_coarser_grain_derives_by_rolling_up_and_joining_back() -> None:
    way = derivation(COARSE, FINE, PROVEN)

    assert way is not None
    assert not way.is_same_grain
    assert {origin.attribute.label: origin.source.label for origin in way.origins} == {
        "Month": "Day",
        "Open": "Day",
        "Kind": "Day",
        "Quarter": "Day",
        "City": "Shop",
        "Reason": "Reason",
    }
    assert [origin.attribute.label for origin in way.origins if origin.is_stored] == ["Reason"]


def test_everything_without_many_to_many_derives_to_the_total() -> None:
    assert derivation(TOTAL, part(DAY_LEVEL), NOTHING) is not None


def test_the_same_grain_in_another_order_is_a_copy_even_of_exact_distinct_counts() -> None:
    parent = part(DAY_LEVEL, SHOP_LEVEL, measures=(*ROLLING, *EXACT))
    child = part(SHOP_LEVEL, DAY_LEVEL, measures=EXACT)

    way = derivation(child, parent, NOTHING)

    assert way is not None
    assert way.is_same_grain


@pytest.mark.parametrize(
    ("child", "parent", "reason"),
    [
        (replace(TOTAL, fact="other"), part(DAY_LEVEL), NotDerivable.OTHER_FACT),
        (part(measures=ROLLING), part(DAY_LEVEL, measures=ROLLING[:1]), NotDerivable.MEASURE_NOT_STORED),
        (part(measures=EXACT), part(DAY_LEVEL, measures=EXACT), NotDerivable.NOT_ADDITIVE),
        (part(DAY_LEVEL), part(DAY_LEVEL, REASON_LEVEL), NotDerivable.MANY_TO_MANY),
        (part(DAY_LEVEL, REASON_LEVEL), part(DAY_LEVEL, SHOP_LEVEL), NotDerivable.MANY_TO_MANY),
        (part(DAY_LEVEL), part(MONTH), NotDerivable.ATTRIBUTE_NOT_DETERMINED),
        (part(CITY_LEVEL), part(DAY_LEVEL), NotDerivable.ATTRIBUTE_NOT_DETERMINED),
        (part(REASON_BEHIND, REASON_LEVEL), part(DAY_LEVEL, REASON_LEVEL), NotDerivable.MANY_TO_MANY),
    ],
    ids=["other fact", "measure", "distinct", "drops m2m", "needs m2m", "finer", "other dimension", "other m2m"],
)
def test_the_reason_against_a_derivation_is_told(child: FactPart, parent: FactPart, reason: NotDerivable) -> None:
    assert why_not_derivable(child, parent, PROVEN) is reason
    assert derivation(child, parent, PROVEN) is None


def test_a_hierarchy_that_the_data_did_not_prove_is_not_used() -> None:
    claim = dependency_of(MONTH, DAY_LEVEL)
    assert claim in PROVEN

    reason = why_not_derivable(part(MONTH), part(DAY_LEVEL), PROVEN - {claim})

    assert reason is NotDerivable.ATTRIBUTE_NOT_DETERMINED


def test_a_claim_names_the_key_the_joins_behind_it_and_what_they_determine() -> None:
    """A key that facts join on is never NULL where it counts."""
    assert dependency_of(CITY_LEVEL, SHOP_LEVEL) == Dependency(
        "shop", ("shop_id",), (CITY,), ("city_id", "city_name"), is_join_key=True
    )
    assert dependency_of(QUARTER, MONTH) == Dependency("day", ("month_id",), (), ("quarter",), is_join_key=False)


def test_an_attribute_reached_by_other_joins_is_not_determined() -> None:
    elsewhere = replace(CITY_LEVEL, steps=(CITY,))

    assert dependency_of(elsewhere, SHOP_LEVEL) is None
    assert dependency_of(CITY_LEVEL, replace(SHOP_LEVEL, steps=())) is None


def test_another_role_of_the_same_dimension_determines_nothing() -> None:
    """Sold Day says nothing about Shipped Month."""
    shipped = replace(DAY_LEVEL, attribute=replace(DAY_LEVEL.attribute, role=Role("day", "Shipped {0}")))

    assert dependency_of(MONTH, shipped) is None


def test_a_coarser_attribute_does_not_determine_a_finer_one() -> None:
    assert dependency_of(DAY_LEVEL, MONTH) is None
    assert dependency_of(OPEN, MONTH) is None


def test_centred_squares_need_counts_and_sums_to_be_combined_but_not_to_be_copied() -> None:
    squares = (StoredMeasure(StoredFunction.CENTERED_SQUARES, "sales", "price"),)

    assert why_not_derivable(part(measures=squares), part(DAY_LEVEL, measures=squares), PROVEN) is (
        NotDerivable.MEASURE_NOT_STORED
    )
    assert derivation(part(DAY_LEVEL, measures=squares), part(DAY_LEVEL, measures=squares), PROVEN) is not None
