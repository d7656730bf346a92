"""ClickHouse's values as Python's."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from airflow_atscale_aggs.engine.warehouse.clickhouse_values import decoders

_CLOCK = datetime(2026, 1, 2, 3, 4, 5)


@pytest.mark.parametrize(
    ("kind", "value", "made"),
    [
        ("Nullable(Decimal(76, 2))", "2.50", Decimal("2.50")),
        ("Float64", "nan", float("nan")),
        ("Float32", 0.5, 0.5),
        ("Nullable(Date32)", "1950-02-28", date(1950, 2, 28)),
        ("Date", "2024-02-29", date(2024, 2, 29)),
        ("DateTime", "2026-01-02 03:04:05", _CLOCK),
        ("DateTime64(6)", "2026-01-02 03:04:05.000000", _CLOCK),
        ("DateTime('UTC')", "2026-01-02 03:04:05", _CLOCK.replace(tzinfo=ZoneInfo("UTC"))),
        ("DateTime64(3, 'Asia/Tokyo')", "2026-01-02 03:04:05.000", _CLOCK.replace(tzinfo=ZoneInfo("Asia/Tokyo"))),
        ("UUID", "61f0c404-5cb3-11e7-907b-a6006ad3dba0", UUID("61f0c404-5cb3-11e7-907b-a6006ad3dba0")),
    ],
)
def test_a_value_is_made_of_its_text(kind: str, value: object, made: object) -> None:
    (decode,) = decoders([kind])

    assert decode is not None
    assert str(decode(value)) == str(made)
    assert type(decode(value)) is type(made)


@pytest.mark.parametrize("kind", ["String", "LowCardinality(Nullable(String))", "Int256", "Bool", "Array(Int8)"])
def test_others_are_right_as_they_come(kind: str) -> None:
    assert decoders([kind]) == [None]
