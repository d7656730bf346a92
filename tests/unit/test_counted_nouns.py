"""A noun is in the singular for one thing, and in the plural for none and several."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.counted_nouns import counted


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (1000, "1,000 rows"), (1_234_567, "1,234,567 rows")],
)
def test_a_noun_follows_its_number(number: int, text: str) -> None:
    assert counted(number, "row") == text


def test_a_noun_may_have_a_plural_of_its_own() -> None:
    assert [counted(number, "waits", "wait") for number in (0, 1, 2)] == ["0 wait", "1 waits", "2 wait"]
