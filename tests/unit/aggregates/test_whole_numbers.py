"""Whole numbers in all forms in which drivers give them."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

import pytest

from airflow_atscale_aggs.engine.aggregates.whole_numbers import exact_whole, nearest_whole


@pytest.mark.parametrize("value", [61, "61", 61.0, "61.0", "6.1e1", Decimal(61), Decimal("61.00"), Decimal("6.1E+1")])
def test_a_number_is_the_same_in_every_form(value: object) -> None:
    assert (exact_whole(value), nearest_whole(value)) == (61, 61)


@pytest.mark.parametrize(
    ("value", "exact", "nearest"),
    [
        (2.0**53, 2**53, 2**53),
        (2.0**54, None, 2**54),
        ("1.8014398509481984e16", None, 2**54),
        (Decimal("1E+30"), 10**30, 10**30),
        (10**30, 10**30, 10**30),
        ("-9223372036854775808", -(2**63), -(2**63)),
        (1.5, None, 2),
        (float("nan"), None, 0),
        ("inf", None, 0),
    ],
)
def test_digits_that_may_be_lost_make_no_exact_number(value: object, exact: int | None, nearest: int) -> None:
    assert (exact_whole(value), nearest_whole(value)) == (exact, nearest)


def test_a_text_is_no_number() -> None:
    with pytest.raises(InvalidOperation):
        nearest_whole("many")
