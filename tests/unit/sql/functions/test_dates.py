"""Parts of dates and timestamps, and what is made of parts: PostgreSQL's values on DuckDB."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.support.translated import answer, answers, day, error_of, moment, refusal, sql_of, type_of


@pytest.mark.parametrize(
    ("expression", "sql"),
    [
        ("EXTRACT(month FROM d)", "MONTH(d)"),
        ("EXTRACT(dow FROM d)", "DAYOFWEEK(d)"),
        ("DATE_PART('week', ts)", "WEEKOFYEAR(ts)"),
        ("EXTRACT(year FROM d)", "CASE WHEN YEAR(d) > 0 THEN YEAR(d) ELSE (YEAR(d) - 1) END"),
        ("DATE_TRUNC('month', d)", "CAST(DATE_TRUNC('MONTH', CAST(d AS TIMESTAMP)) AS TIMESTAMP)"),
        ("MAKE_DATE(2024, s, 1)", "MAKE_DATE(2024, s, 1)"),
        ("CURRENT_DATE", "CURRENT_DATE"),
        ("ISFINITE(d)", "ISFINITE(d)"),
    ],
)
def test_a_function_in_the_words_of_duckdb(expression: str, sql: str) -> None:
    assert sql_of(expression).replace("'month'", "'MONTH'") == sql


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("year", {"2024-12-30": 2024, "0001-01-01": 1}),
        ("month", {"2024-12-30": 12}),
        ("day", {"2024-12-30": 30}),
        ("quarter", {"2024-12-30": 4, "2024-03-31": 1}),
        ("week", {"2024-12-30": 1, "2021-01-03": 53}),
        ("isoyear", {"2024-12-30": 2025, "2021-01-03": 2020}),
        ("dow", {"2024-12-29": 0, "2024-12-30": 1}),
        ("isodow", {"2024-12-29": 7, "2024-12-30": 1}),
        ("doy", {"2024-12-31": 366, "2023-12-31": 365}),
        ("decade", {"2024-01-01": 202, "1999-12-31": 199}),
        ("century", {"2000-12-31": 20, "2001-01-01": 21, "0001-01-01": 1}),
        ("millennium", {"2000-12-31": 2, "2001-01-01": 3}),
        ("epoch", {"1970-01-02": 86400, "1969-12-31": -86400, None: None}),
        ("julian", {"2000-01-01": 2451545}),
    ],
)
def test_parts_of_a_date(part: str, expected: dict[Any, Any]) -> None:
    """Weeks are those of ISO; centuries and millennia begin with a year 1."""
    assert answers(f"EXTRACT({part} FROM d)", expected) == expected


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("hour", 13),
        ("minute", 14),
        ("second", Decimal("15.123456")),
        ("milliseconds", Decimal("15123.456")),
        ("microseconds", 15123456),
        ("msec", Decimal("15123.456")),
        ("secs", Decimal("15.123456")),
        ("years", 2024),
        ("yr", 2024),
        ("centuries", 21),
        ("mils", 3),
        ("epoch", Decimal("1709212455.123456")),
    ],
)
def test_parts_of_a_timestamp_have_short_names_and_plurals(part: str, value: object) -> None:
    """Seconds and their like hold the whole minute."""
    assert answers(f"DATE_PART('{part}', ts)", ["2024-02-29 13:14:15.123456"]) == {"2024-02-29 13:14:15.123456": value}


@pytest.mark.parametrize(
    ("unit", "start"),
    [
        ("microseconds", "2024-08-29 13:14:15.123456"),
        ("milliseconds", "2024-08-29 13:14:15.123"),
        ("second", "2024-08-29 13:14:15"),
        ("minute", "2024-08-29 13:14"),
        ("hour", "2024-08-29 13:00"),
        ("day", "2024-08-29"),
        ("week", "2024-08-26"),
        ("month", "2024-08-01"),
        ("quarter", "2024-07-01"),
        ("Year", "2024-01-01"),
        ("decade", "2020-01-01"),
        ("century", "2001-01-01"),
        ("millennium", "2001-01-01"),
    ],
)
def test_a_timestamp_is_cut_to_the_start_of_a_unit(unit: str, start: str) -> None:
    moment_text = "2024-08-29 13:14:15.123456"

    assert answers(f"DATE_TRUNC('{unit}', ts)", [moment_text]) == {moment_text: moment(start)}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("DATE_TRUNC('century', d)", {"2000-12-31": moment("1901-01-01"), "2001-01-01": moment("2001-01-01")}),
        ("DATE_TRUNC('decade', d)", {"2009-12-31": moment("2000-01-01"), None: None}),
        ("DATE_TRUNC('millennium', d)", {"2000-12-31": moment("1001-01-01")}),
        ("DATE_TRUNC('month', d) = '2024-2-1'", {"2024-02-29": True, "2024-03-01": False}),
        ("EXTRACT(day FROM ts - us)", {("2024-03-01 12:00", "2024-02-28"): 2}),
        ("EXTRACT(hour FROM v)", {timedelta(days=2, hours=6): 6}),
        ("EXTRACT(second FROM v)", {timedelta(seconds=1.5): Decimal("1.5")}),
        ("EXTRACT(minute FROM c)", {"10:20:30": 20}),
        ("EXTRACT(second FROM c)", {"10:20:30.5": Decimal("30.5")}),
        ("EXTRACT(epoch FROM z)", {"1970-01-01 01:00+01": 0.0}),
        ("EXTRACT(year FROM AGE(d, e))", {("2024-03-01", "2020-03-02"): 3, ("2024-03-02", "2020-03-02"): 4}),
        ("EXTRACT(month FROM AGE(ts, us))", {("2024-03-01", "2020-03-02"): 11}),
        ("MAKE_DATE(2024, i, 29)", {2: day("2024-02-29"), None: None}),
        ("MAKE_TIMESTAMP(2024, i, 1, 2, 3, 4.5)", {5: moment("2024-05-01 02:03:04.5")}),
        ("DATE(ts)", {"2024-02-29 13:14": day("2024-02-29")}),
        ("ISFINITE(d)", {"2024-02-29": True, None: None}),
        ("TO_TIMESTAMP(i) = z", {(86400, "1970-01-02 00:00+00"): True}),
        (
            "ts AT TIME ZONE 'Europe/Berlin' AT TIME ZONE 'America/New_York'",
            {"2024-07-01 12:00": moment("2024-07-01 06:00"), None: None},
        ),
        ("ts AT TIME ZONE 'UTC' = z", {("2024-07-01 12:00", "2024-07-01 12:00+00"): True}),
    ],
)
def test_moments_and_their_parts(expression: str, expected: dict[Any, Any]) -> None:
    assert answers(expression, expected) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (
            "(d, e) OVERLAPS (DATE '2024-01-10', DATE '2024-01-20')",
            {
                ("2024-01-01", "2024-01-10"): False,
                ("2024-01-01", "2024-01-11"): True,
                ("2024-01-11", "2024-01-01"): True,
                ("2024-01-15", "2024-01-15"): True,
                ("2024-01-20", "2024-01-25"): False,
                ("2024-01-10", "2024-01-10"): True,
            },
        ),
    ],
)
def test_spans_overlap_when_they_share_more_than_an_end(expression: str, expected: dict[Any, Any]) -> None:
    """Their ends may be turned; a single moment overlaps what begins with it."""
    assert answers(expression, expected) == expected


def test_a_span_without_an_end_is_an_error_here() -> None:
    """PostgreSQL answers some of them."""
    assert "OVERLAPS of a NULL" in error_of("(d, e) OVERLAPS (e, d)", "2024-01-01", None)


@pytest.mark.parametrize(
    "expression",
    ["NOW() = CURRENT_TIMESTAMP", "CAST(NOW() AS DATE) = CURRENT_DATE", "LOCALTIMESTAMP > DATE '2024-01-01'"],
)
def test_what_is_now_is_the_same_by_all_its_names(expression: str) -> None:
    assert answer(expression) is True


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("EXTRACT(year FROM d)", "numeric 0"),
        ("EXTRACT(second FROM ts)", "numeric 6"),
        ("EXTRACT(epoch FROM ts)", "numeric 6"),
        ("DATE_TRUNC('month', ts)", "timestamp"),
        ("DATE_TRUNC('month', z)", "timestamp with time zone"),
        ("ts AT TIME ZONE 'UTC'", "timestamp with time zone"),
        ("z AT TIME ZONE 'UTC'", "timestamp"),
        ("AGE(d, e)", "interval"),
        ("NOW()", "timestamp with time zone"),
        ("LOCALTIMESTAMP", "timestamp"),
        ("MAKE_DATE(2024, 1, 1)", "date"),
    ],
)
def test_the_type_is_that_of_postgresql(expression: str, kind: str) -> None:
    assert type_of(expression) == kind


@pytest.mark.parametrize(
    ("expression", "values", "message"),
    [
        ("MAKE_DATE(2024, i, 30)", (2,), "out of range"),
        ("MAKE_DATE(2024, i, 1)", (13,), "out of range"),
    ],
)
def test_what_postgresql_refuses_row_by_row_is_an_error(expression: str, values: tuple[Any, ...], message: str) -> None:
    assert message in error_of(expression, *values)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("EXTRACT(hour FROM d)", "PostgreSQL takes no time out of a date. CAST it to TIMESTAMP first."),
        ("EXTRACT(timezone FROM ts)", "the part timezone is not translated"),
        ("EXTRACT(julian FROM ts)", "the part julian is not translated"),
        ("EXTRACT(year FROM c)", "a time of day has no such part"),
        ("EXTRACT(epoch FROM v)", "the part epoch of an interval is not translated"),
        ("EXTRACT(year FROM t)", "it takes a date or a timestamp in PostgreSQL, and an argument is text"),
        ("DATE_TRUNC('fortnight', d)", "PostgreSQL has no unit `fortnight`"),
        ("DATE_TRUNC('month', z, 'UTC')", "DATE_TRUNC in a time zone is not translated"),
        ("DATE_TRUNC('day', v)", "DATE_TRUNC of an interval is not translated"),
        ("AGE(d)", "with one date it depends on today. Give both dates."),
        ("MAKE_DATE(2024, 1)", "it takes a year, a month and a day"),
        ("MAKE_INTERVAL(days => 1)", "MAKE_INTERVAL is not translated"),
        ("CURRENT_TIMESTAMP(3)", "digits of the second are not cut off here"),
        ("ts AT TIME ZONE 'CET'", "a zone has to stand in the query by its full name"),
        ("ts AT TIME ZONE t", "a zone has to stand in the query by its full name"),
        ("t AT TIME ZONE 'UTC'", "it takes a timestamp in PostgreSQL"),
        ("(d, v) OVERLAPS (d, e)", "its ends have to be dates or timestamps here"),
        ("(d, e, d) OVERLAPS (d, e)", "OVERLAPS is of two pairs"),
        ("ISFINITE(d, e)", "it takes one date"),
    ],
)
def test_what_is_not_the_same_is_refused(expression: str, reason: str) -> None:
    assert reason in refusal(expression)
