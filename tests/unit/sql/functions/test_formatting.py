"""TO_CHAR by the type of what is shown; TO_DATE and TO_TIMESTAMP of texts that have the very form."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.translated import answer, answers, day, error_of, moment, refusal, type_of


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("TO_CHAR(d, 'YYYY')", {"2024-02-29": "2024", None: None}),
        ("TO_CHAR(ts, 'HH24')", {"2024-02-29 13:00": "13"}),
        ("TO_CHAR(i, '99')", {5: "  5", None: None}),
        ("TO_CHAR(x, 'FM9.9')", {1.5: "1.5"}),
        ("TO_CHAR(d, ('YYYY'))", {"2024-02-29": "2024"}),
        ("TO_CHAR(d, 'YYYY'::text)", {"2024-02-29": "2024"}),
    ],
)
def test_numbers_and_moments_are_shown_by_their_own_patterns(expression: str, expected: dict[Any, Any]) -> None:
    assert answers(expression, expected) == expected


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("TO_DATE('2024-02-29', 'YYYY-MM-DD')", day("2024-02-29")),
        ("TO_DATE('2024-2-9', 'YYYY-MM-DD')", day("2024-02-09")),
        ("TO_DATE(' 20240229 ', 'YYYYMMDD')", day("2024-02-29")),
        ("TO_DATE('29 Feb 2024', 'DD Mon YYYY')", day("2024-02-29")),
        ("TO_DATE('29-FEBRUARY-2024', 'DD-Month-YYYY')", day("2024-02-29")),
        ("TO_DATE('02/29/2024', 'MM/DD/YYYY')", day("2024-02-29")),
        ("TO_DATE('2024-060', 'YYYY-DDD')", day("2024-02-29")),
        ("TO_DATE('69-01-31', 'YY-MM-DD')", day("2069-01-31")),
        ("TO_DATE('70-01-31', 'YY-MM-DD')", day("1970-01-31")),
        ("TO_DATE('2024', 'YYYY')", day("2024-01-01")),
        ("TO_DATE('2024-03', 'YYYY-MM')", day("2024-03-01")),
        (
            "CAST(TO_TIMESTAMP('2024-02-29 13:14:15', 'YYYY-MM-DD HH24:MI:SS') AS TIMESTAMP)",
            moment("2024-02-29 13:14:15"),
        ),
        ("CAST(TO_TIMESTAMP('2024-02-29 01:14 PM', 'YYYY-MM-DD HH12:MI AM') AS TIMESTAMP)", moment("2024-02-29 13:14")),
        ("CAST(TO_TIMESTAMP('2024-02-29 12:00 am', 'YYYY-MM-DD HH:MI am') AS TIMESTAMP)", moment("2024-02-29")),
        ("CAST(TO_TIMESTAMP('2024-02-29 12:30', 'YYYY-MM-DD HH12:MI') AS TIMESTAMP)", moment("2024-02-29 00:30")),
        (
            "CAST(TO_TIMESTAMP('20240229131415.123', 'YYYYMMDDHH24MISS.MS') AS TIMESTAMP)",
            moment("2024-02-29 13:14:15.123"),
        ),
        ("CAST(TO_TIMESTAMP('2024-02-29.000123', 'YYYY-MM-DD.US') AS TIMESTAMP)", moment("2024-02-29 00:00:00.000123")),
        ("TO_DATE(NULL, 'YYYY')", None),
    ],
)
def test_a_text_is_read_by_its_format(expression: str, value: object) -> None:
    """Years of two digits are those from 1970 to 2069; twelve o'clock is the beginning of a half day."""
    assert answer(expression) == value


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("TO_DATE(t, 'YYYY-MM-DD')", {"2024-02-29": day("2024-02-29"), None: None}),
        ("TO_DATE(TO_CHAR(d, 'YYYYMM') || '01', 'YYYYMMDD')", {"2024-02-29": day("2024-02-01"), None: None}),
    ],
)
def test_texts_of_columns_are_read(expression: str, expected: dict[Any, Any]) -> None:
    assert answers(expression, expected) == expected


@pytest.mark.parametrize(
    ("expression", "values", "message"),
    [
        ("TO_DATE(t, 'YYYY-MM-DD')", ("2024-02-30",), "out of range"),
        ("TO_DATE(t, 'YYYY-MM-DD')", ("2024-13-01",), "out of range"),
        ("TO_TIMESTAMP(t, 'YYYY-MM-DD HH24:MI')", ("2024-02-29 25:00",), "date/time field value out of range"),
        ("TO_TIMESTAMP(t, 'YYYY-MM-DD HH24:MI')", ("2024-02-29 10:60",), "date/time field value out of range"),
        ("TO_DATE(t, 'YYYY-MM-DD')", ("soon",), 'the text has not the form YYYY-MM-DD: "soon"'),
    ],
)
def test_what_postgresql_refuses_row_by_row_is_an_error(expression: str, values: tuple[Any, ...], message: str) -> None:
    assert message in error_of(expression, *values)


@pytest.mark.parametrize(("text", "written"), [("24-02-29", "YYYY-MM-DD"), ("2024-02-29 and more", "YYYY-MM-DD")])
def test_what_postgresql_would_guess_is_an_error_here(text: str, written: str) -> None:
    assert "the text has not the form" in error_of(f"TO_DATE(t, '{written}')", text)


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("TO_CHAR(d, 'YYYY')", "text"),
        ("TO_DATE(t, 'YYYY')", "date"),
        ("TO_TIMESTAMP(t, 'YYYY')", "timestamp with time zone"),
    ],
)
def test_the_type_is_that_of_postgresql(expression: str, kind: str) -> None:
    assert type_of(expression) == kind


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("TO_CHAR(d, t)", "a format has to stand in the query as a text. Write it out."),
        ("TO_CHAR(i, 9)", "a format has to stand in the query as a text"),
        ("TO_CHAR(v, 'DD')", "TO_CHAR of interval is not translated. Use EXTRACT."),
        ("TO_CHAR(c, 'HH')", "TO_CHAR of time is not translated. Use EXTRACT."),
        ("TO_CHAR('5', '99')", "the type of what is shown does not stand there. CAST it."),
        ("TO_CHAR(t, 'DD')", "it takes a date or a timestamp in PostgreSQL"),
        ("TO_DATE(t, 'MM')", "a format without the year YYYY or YY is not translated"),
        ("TO_DATE(t, 'YYYY YYYY')", "the pattern `YYYY` is not translated where a text is read"),
        ("TO_DATE(t, 'IYYY-IW')", "the pattern `IYYY` is not translated where a text is read"),
        ("TO_DATE(t, 'YYYY-DDth')", "the pattern `DD` is not translated where a text is read"),
        ("TO_DATE(t, 'YYYY\"W\"MM')", "`W` between the parts of a format is not translated"),
        ("TO_DATE(i, 'YYYY')", "it takes a text in PostgreSQL, and an argument is integer"),
        ("TO_NUMBER(t, '999')", "TO_NUMBER is not translated. CAST the text to NUMERIC."),
    ],
)
def test_what_is_not_the_same_is_refused(expression: str, reason: str) -> None:
    assert reason in refusal(expression)
