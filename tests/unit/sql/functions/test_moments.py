"""Arithmetic of dates, timestamps and intervals, and how an interval is read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.support.translated import answers, day, moment, refusal, sql_of, type_of


@pytest.mark.parametrize(
    ("written", "sql"),
    [
        ("INTERVAL '1 day'", "TO_DAYS(1)"),
        ("INTERVAL '1' MONTH", "TO_MONTHS(1)"),
        ("INTERVAL '-2 months'", "TO_MONTHS((-2))"),
        ("INTERVAL '2 weeks'", "TO_DAYS(14)"),
        ("INTERVAL '1 year 2 mons 3 days'", "(TO_MONTHS(12) + TO_MONTHS(2) + TO_DAYS(3))"),
        ("INTERVAL '1 century'", "TO_MONTHS(1200)"),
        ("INTERVAL '90 min'", "TO_MINUTES(90)"),
        ("CAST('1 day 02:03:04.5' AS INTERVAL)", "(TO_DAYS(1) + TO_MICROSECONDS(7384500000))"),
        ("CAST('-00:30' AS INTERVAL)", "(TO_MICROSECONDS((-1800000000)))"),
        ("CAST('1 day 2 hours ago' AS INTERVAL)", "(-TO_DAYS(1) + -TO_HOURS(2))"),
    ],
)
def test_an_interval_is_read_unit_by_unit(written: str, sql: str) -> None:
    """Each unit is what PostgreSQL keeps it as: months, days, or microseconds."""
    assert sql_of(written) == sql


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("d + 1", {"2024-02-28": day("2024-02-29"), None: None}),
        ("1 + d", {"2024-02-28": day("2024-02-29")}),
        ("d - 1", {"2024-03-01": day("2024-02-29")}),
        ("d + s", {("2024-01-01", 31): day("2024-02-01"), ("2024-01-01", None): None}),
        ("d - e", {("2024-03-01", "2024-02-28"): 2, ("2024-03-01", None): None}),
        ("d - '2024-2-28'", {"2024-03-01": 2}),
        ("d + INTERVAL '1 month'", {"2024-01-31": moment("2024-02-29"), None: None}),
        ("d - INTERVAL '1 day'", {"2024-03-01": moment("2024-02-29")}),
        ("INTERVAL '1 day' + d", {"2024-02-28": moment("2024-02-29")}),
        ("d + 2 * INTERVAL '1 month'", {"2023-12-31": moment("2024-02-29")}),
        ("d + i * INTERVAL '1 day'", {("2024-01-01", -1): moment("2023-12-31"), ("2024-01-01", None): None}),
        ("d + EXTRACT(day FROM d) * INTERVAL '1 day'", {"2024-01-05": moment("2024-01-10")}),
        ("ts - INTERVAL '90 minutes'", {"2024-01-01 01:00": moment("2023-12-31 23:30")}),
        ("ts + CAST('1 day 02:03:04' AS INTERVAL)", {"2024-01-01": moment("2024-01-02 02:03:04")}),
        ("ts + '1 day'", {"2024-01-01": moment("2024-01-02")}),
        ("ts - us", {("2024-01-02 12:00", "2024-01-01"): timedelta(days=1, hours=12)}),
        ("d - ts", {("2024-01-02", "2024-01-01 12:00"): timedelta(hours=12)}),
        ("d + c", {("2024-01-02", "10:30:00"): moment("2024-01-02 10:30")}),
        ("v + INTERVAL '1 day'", {timedelta(days=2): timedelta(days=3)}),
        ("- INTERVAL '1 day' + ts", {"2024-01-02": moment("2024-01-01")}),
        ("z + INTERVAL '1 day' > z", {"2024-01-01 00:00+00": True, None: None}),
    ],
)
def test_moments_are_moved_and_subtracted(expression: str, expected: dict[Any, Any]) -> None:
    """The last day of a month stays within the month that is meant."""
    assert answers(expression, expected) == expected


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("d + 1", "date"),
        ("d - e", "integer"),
        ("d + INTERVAL '1 day'", "timestamp"),
        ("d + c", "timestamp"),
        ("ts - us", "interval"),
        ("z - ts", "interval"),
        ("z + INTERVAL '1 day'", "timestamp with time zone"),
        ("v + v", "interval"),
        ("2 * v", "interval"),
    ],
)
def test_the_type_is_that_of_postgresql(expression: str, kind: str) -> None:
    assert type_of(expression) == kind


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("d + '1 day'", "PostgreSQL does not know what type stands beside the date"),
        ("d + NULL", "PostgreSQL does not know what type stands beside the date"),
        ("d + t", "PostgreSQL has no such operation on date and text"),
        ("d + e", "PostgreSQL has no such operation on date and date"),
        ("ts + 1", "PostgreSQL has no such operation on timestamp and integer"),
        ("d + x", "PostgreSQL has no such operation on date and double precision"),
        ("v / 2", "intervals are multiplied with whole numbers only"),
        ("v * x", "it takes a whole number here in PostgreSQL"),
        ("v * n", "it takes a whole number here in PostgreSQL"),
        ("d + INTERVAL '1.5 days'", "it is no whole number of a unit"),
        ("d + CAST('1.5 days' AS INTERVAL)", "this spelling of an interval is not read here"),
        ("d + CAST('P1Y2M' AS INTERVAL)", "this spelling of an interval is not read here"),
        ("d + INTERVAL ''", "an interval is meant, and nothing stands there"),
        ("d + INTERVAL '1.5' DAY", "it is no whole number of a unit"),
        ("d + INTERVAL '1 fortnight'", "`FORTNIGHT` is no unit of an interval in PostgreSQL"),
    ],
)
def test_what_is_not_the_same_is_refused(expression: str, reason: str) -> None:
    assert reason in refusal(expression)
