"""Sets of numbers as bits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airflow_atscale_aggs.engine.aggregates.set_bits import places_of_bits


@given(st.frozensets(st.integers(0, 300)))
def test_the_places_are_the_numbers_of_the_set(numbers: frozenset[int]) -> None:
    assert list(places_of_bits(sum(1 << number for number in numbers))) == sorted(numbers)
