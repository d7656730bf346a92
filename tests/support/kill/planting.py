"""Planted bugs: a property must fail when the code is broken on purpose."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

Plant = Callable[[pytest.MonkeyPatch], None]


def plants(all_plants: Iterable[Plant], *, is_slow: Callable[[Plant], bool]) -> list[Any]:
    """Parameters of a test; slow ones are left to ``make fuzz``."""
    reason = "finding this plant takes up to minutes; `make fuzz` does it"
    return [
        pytest.param(
            plant,
            id=plant.__name__.strip("_"),
            marks=pytest.mark.skipif(is_slow(plant) and "FUZZ_EXAMPLES" not in os.environ, reason=reason),
        )
        for plant in all_plants
    ]


def assert_found(plant: Plant, check: Callable[[st.DataObject], None], *, examples: int) -> None:
    """Check that the property fails within a number of examples, more with ``FUZZ_EXAMPLES``."""

    @seed(20260101)
    @settings(
        max_examples=max(examples, int(os.environ.get("FUZZ_EXAMPLES", "0"))),
        deadline=None,
        database=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data())
    def law(data: st.DataObject) -> None:
        check(data)

    with pytest.MonkeyPatch.context() as patch, pytest.raises((AssertionError, duckdb.Error)):
        plant(patch)
        law()
