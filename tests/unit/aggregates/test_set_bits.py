"""Sets of numbers as bits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airflow_atscale_aggs.engine.aggregates.set_bits import bits_of_places, places_of_bits


@given(st.frozensets(st.integers(0, 300)))
def test_the_places_are_the_numbers_of_the_set(numbers: frozenset[int]) -> None:
    assert list(places_of_bits(sum(1 << number for number in numbers))) == sorted(numbers)


@given(st.frozensets(st.integers(0, 300)))
def test_a_set_is_made_of_its_numbers(numbers: frozenset[int]) -> None:
    assert bits_of_places(sorted(numbers)) == sum(1 << number for number in numbers)
