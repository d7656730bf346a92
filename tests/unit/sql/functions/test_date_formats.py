"""TO_CHAR of dates and timestamps: PostgreSQL's template patterns, one by one, on DuckDB."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.functions.date_formats import Piece, pieces_of
from airflow_atscale_aggs.engine.sql.functions.surfaces import translator_of
from tests.support.translated import answers, parsed, refusal, sql_of

_MOMENT = "2024-02-05 15:04:09.012345"


@pytest.mark.parametrize(
    ("written", "pieces"),
    [
        ("YYYY-MM", [Piece("YYYY"), Piece("", "-"), Piece("MM")]),
        ("YYYYMMDD", [Piece("YYYY"), Piece("MM"), Piece("DD")]),
        ("FMMonth", [Piece("Month", fills=False)]),
        ("DDth DDTH", [Piece("DD", ordinal="th"), Piece("", " "), Piece("DD", ordinal="TH")]),
        ('"Q"Q', [Piece("", "Q"), Piece("Q")]),
        (r'"say \"hi\""', [Piece("", 'say "hi"')]),
        (r"\"YY", [Piece("", '"'), Piece("YY")]),
        ("xyz", [Piece("", "x"), Piece("y"), Piece("", "z")]),
        ("HH24:MI", [Piece("HH24"), Piece("", ":"), Piece("MI")]),
        ('"open', [Piece("", "open")]),
    ],
)
def test_a_format_is_taken_apart(written: str, pieces: list[Piece]) -> None:
    """The longest name of a pattern counts; what is no pattern is a text."""
    translator = translator_of("postgres", find_dialect("duckdb"))
    assert translator is not None

    assert pieces_of(written, parsed("ts"), translator) == pieces


@pytest.mark.parametrize(
    ("expression", "sql"),
    [
        (
            "TO_CHAR(d, 'YYYY')",
            "PRINTF('%04d', CAST(CASE WHEN YEAR(d) > 0 THEN YEAR(d) ELSE (1 - YEAR(d)) END AS BIGINT))",
        ),
        (
            "TO_CHAR(d, 'DD/MM')",
            "(PRINTF('%02d', CAST(DAY(d) AS BIGINT)) || '/' || PRINTF('%02d', CAST(MONTH(d) AS BIGINT)))",
        ),
        ("TO_CHAR(d, 'FMQ')", "CAST(QUARTER(d) AS TEXT)"),
        ("TO_CHAR(d, '\"year\"')", "CASE WHEN NOT d IS NULL THEN 'year' END"),
    ],
)
def test_a_format_in_the_words_of_duckdb(expression: str, sql: str) -> None:
    assert sql_of(expression) == sql


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("YYYY-MM-DD HH24:MI:SS", "2024-02-05 15:04:09"),
        ("YYYYMMDD", "20240205"),
        ("YYY YY Y", "024 24 4"),
        ("Y,YYY", "2,024"),
        ("yyyy-mm-dd", "2024-02-05"),
        ("IYYY-IW-ID IDDD", "2024-06-1 036"),
        ("IYY IY I", "024 24 4"),
        ("Q WW W DDD D", "1 06 1 036 2"),
        ("CC J", "21 2460346"),
        ("HH12:MI AM", "03:04 PM"),
        ("HH pm", "03 pm"),
        ("HH12 a.m.", "03 p.m."),
        ("MS US", "012 012345"),
        ("FF1 FF2 FF3 FF4 FF5 FF6", "0 01 012 0123 01234 012345"),
        ("SSSS SSSSS", "54249 54249"),
        ("Mon MON mon", "Feb FEB feb"),
        ("Month|MONTH|month", "February |FEBRUARY |february "),
        ("FMMonth DD", "February 05"),
        ("Day|DAY|day", "Monday   |MONDAY   |monday   "),
        ("FMDay, FMDD FMMonth", "Monday, 5 February"),
        ("Dy DY dy", "Mon MON mon"),
        ("RM|rm|FMRM", "II  |ii  |II"),
        ("AD b.c.", "AD a.d."),
        ("FMMM/FMDD/YY", "2/5/24"),
        ("FMHH24:FMMI", "15:4"),
        ("FMMS", "012"),
        ("DDth FMDDth FMDDTH", "05th 5th 5TH"),
        ('"Year: "YYYY', "Year: 2024"),
        (r"\"YYYY\"", '"2024"'),
        ("HH24hMI", "15h04"),
        ("YYYY-MM-DDTHH24:MI", "2024-02-05THH24:04"),
        ("a", "a"),
    ],
)
def test_a_timestamp_is_shown_by_its_format(written: str, text: str) -> None:
    assert answers(f"TO_CHAR(ts, '{written}')", [_MOMENT, None]) == {_MOMENT: text, None: None}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("TO_CHAR(d, 'FMDDth')", {"2024-01-01": "1st", "2024-01-02": "2nd", "2024-01-03": "3rd", "2024-01-04": "4th"}),
        (
            "TO_CHAR(d, 'FMDDth')",
            {"2024-01-11": "11th", "2024-01-12": "12th", "2024-01-21": "21st", "2024-01-23": "23rd"},
        ),
        ("TO_CHAR(d, 'DDDth')", {"2024-04-20": "111th", "2024-04-10": "101st"}),
        (
            "TO_CHAR(ts, 'HH12 AM')",
            {"2024-01-01 00:30": "12 AM", "2024-01-01 12:30": "12 PM", "2024-01-01 23:00": "11 PM"},
        ),
        ("TO_CHAR(d, 'WW-W')", {"2024-01-01": "01-1", "2024-01-08": "02-2", "2024-12-31": "53-5"}),
        ("TO_CHAR(d, 'IYYY-IW IDDD')", {"2021-01-03": "2020-53 371", "2024-12-30": "2025-01 001"}),
        ("TO_CHAR(d, 'CC YYYY')", {"2000-01-01": "20 2000", "0011-01-01": "01 0011"}),
        ("TO_CHAR(d, 'HH24:MI:SS.MS')", {"2024-01-01": "00:00:00.000"}),
        ("TO_CHAR(d, 'RM Mon')", {"2024-12-01": "XII  Dec", "2024-08-01": "VIII Aug"}),
        ("TO_CHAR(d + 1, 'Dy')", {"2024-02-29": "Fri", None: None}),
        ("TO_CHAR(z, 'HH24:MI')", {"2024-01-01 12:00+02": "10:00"}),
    ],
)
def test_edges_of_days_weeks_and_years(expression: str, expected: dict[Any, Any]) -> None:
    assert answers(expression, expected) == expected


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("TO_CHAR(ts, 'TMMonth')", "names in the session's language are not translated. Leave TM out."),
        ("TO_CHAR(ts, 'FXDD')", "the modifier FX is not translated"),
        ("TO_CHAR(ts, 'DDSP')", "the modifier SP is not translated"),
        ("TO_CHAR(ts, 'TZ')", "the pattern `TZ` is not translated"),
        ("TO_CHAR(ts, 'OF')", "the pattern `OF` is not translated"),
        ("TO_CHAR(ts, 'tz')", "the pattern `tz` is not translated"),
    ],
)
def test_what_is_not_the_same_is_refused(expression: str, reason: str) -> None:
    assert reason in refusal(expression)
