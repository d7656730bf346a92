"""What many aggregates can be derived from: the same as pair by pair, without what follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.derivability import find_sources
from airflow_atscale_aggs.engine.aggregates.lattice import derivation
from airflow_atscale_aggs.engine.planning.ordering import nearest_sources, without_cycles
from tests.support.oracles.composed_statements import (
    CITY_LEVEL,
    COARSE,
    DAY_LEVEL,
    EXACT,
    FINE,
    MONTH,
    QUARTER,
    REASON_LEVEL,
    ROLLING,
    SHOP_LEVEL,
    TOTAL,
    all_constraints,
    part,
)

PROVEN = all_constraints().functional
_ATTRIBUTES = (CITY_LEVEL, SHOP_LEVEL, DAY_LEVEL, MONTH, QUARTER, REASON_LEVEL)
_MEASURES = (*ROLLING, *EXACT)

parts = st.builds(
    lambda attributes, measures, fact: replace(part(*attributes, measures=tuple(measures)), fact=fact),
    st.lists(st.sampled_from(_ATTRIBUTES), unique=True, max_size=4),
    st.lists(st.sampled_from(_MEASURES), unique=True, min_size=1, max_size=4),
    st.sampled_from(["sales", "sales", "sales", "returns"]),
)


def _pair_by_pair(candidates: Sequence[FactPart]) -> list[frozenset[int]]:
    """The same as plans find it."""
    derivable = [
        frozenset(
            source
            for source, parent in enumerate(candidates)
            if source != number and derivation(child, parent, PROVEN) is not None
        )
        for number, child in enumerate(candidates)
    ]
    return [frozenset(sources) for sources in nearest_sources(without_cycles(derivable))]


@given(st.lists(parts, max_size=8))
def test_the_sources_are_those_that_are_found_pair_by_pair(candidates: list[FactPart]) -> None:
    assert find_sources(candidates, PROVEN) == _pair_by_pair(candidates)


@pytest.mark.parametrize("proven", [PROVEN, frozenset()])
def test_only_what_is_proven_is_joined_back(proven: frozenset[object]) -> None:
    """Without proofs a coarser level must be stored."""
    found = find_sources([FINE, COARSE], PROVEN if proven else frozenset())

    assert found == [frozenset(), frozenset({0}) if proven else frozenset()]


def test_a_chain_has_edges_between_neighbours_only() -> None:
    chain = [part(DAY_LEVEL, SHOP_LEVEL), part(DAY_LEVEL, CITY_LEVEL), part(MONTH, CITY_LEVEL), part(MONTH), TOTAL]

    found = find_sources(chain, PROVEN)

    assert found == [frozenset(), *(frozenset({number}) for number, _ in pairwise(range(len(chain))))]


def test_of_equals_the_first_is_the_source() -> None:
    """What derives from all of them derives from the last of the chain."""
    same = part(DAY_LEVEL, SHOP_LEVEL)

    assert find_sources([same, same, part(DAY_LEVEL)], PROVEN) == [frozenset(), frozenset({0}), frozenset({1})]


def test_nothing_has_no_sources() -> None:
    assert find_sources([], PROVEN) == []
