"""How old an aggregate may be is written as a number and a unit."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.lifecycle.query.staleness import read_age


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("0s", timedelta(0)),
        ("45s", timedelta(seconds=45)),
        ("90m", timedelta(minutes=90)),
        ("12h", timedelta(hours=12)),
        ("7d", timedelta(days=7)),
        ("36500d", timedelta(days=36_500)),
    ],
)
def test_an_age_is_a_number_and_a_unit(text: str, age: timedelta) -> None:
    assert read_age(text) == age


@pytest.mark.parametrize("text", ["", "12", "h", "12 h", "1.5h", "-1h", "12w", "²d", "12hh", "36501d", f"{9**30}d"])
def test_what_is_no_age_is_named(text: str) -> None:
    with pytest.raises(UnsupportedQueryError, match="such as 12h") as raised:
        read_age(text)
    assert raised.value.clause == text
