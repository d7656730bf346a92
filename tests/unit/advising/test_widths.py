"""Bytes of an aggregate before its table is built."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.advising.widths import RowWidths
from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from tests.support.grain_cases import CUSTOMERS, LEVELS, grain_part

_WIDTHS = RowWidths(attributes={LEVELS["Month"].attribute: 4, LEVELS["Shop"].attribute: 30}, measure=8, row=24)


@pytest.mark.parametrize(
    ("part", "width"),
    [
        (grain_part(), 24 + 8),
        (grain_part("Month"), 24 + 4 + 8),
        (grain_part("Month", "Shop", measures=(CUSTOMERS,)), 24 + 4 + 30 + 2 * 8),
        (grain_part("Channel"), 24 + 8),
    ],
    ids=["the number of rows", "an attribute", "two measures", "an attribute that nobody has measured"],
)
def test_a_row_is_as_wide_as_its_columns_and_what_the_warehouse_adds(part: FactPart, width: float) -> None:
    assert _WIDTHS.of_part(part) == width
    assert _WIDTHS.of((bound.attribute for bound in part.attributes), len(part.measures)) == width


def test_a_measure_takes_eight_bytes_where_nothing_is_known() -> None:
    assert RowWidths().of_part(grain_part("Month", measures=(CUSTOMERS,))) == 16
