"""Values of the thrift protocol, whose dates are texts."""

from __future__ import annotations

from datetime import date

from airflow_atscale_aggs.engine.warehouse.spark_values import decode_dates


def test_dates_come_as_dates() -> None:
    description = [("a", "INT_TYPE"), ("d", "DATE_TYPE"), ("t", "STRING_TYPE")]
    rows = [(1, "2024-02-29", "2024-02-29"), (2, None, None), (3, date(2024, 1, 1), "")]

    assert decode_dates(description, rows) == [
        (1, date(2024, 2, 29), "2024-02-29"),
        (2, None, None),
        (3, date(2024, 1, 1), ""),
    ]


def test_rows_without_dates_stay_as_they_are() -> None:
    rows = [(1, "2024-02-29")]

    assert decode_dates([("a", "INT_TYPE"), ("t", "STRING_TYPE")], rows) is rows
    assert decode_dates(None, []) == []
