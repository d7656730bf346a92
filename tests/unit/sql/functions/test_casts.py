"""CAST with PostgreSQL's spellings, rounding, cutting and padding, on DuckDB."""

from __future__ import annotations

import math
from datetime import time
from decimal import Decimal
from typing import Any

import pytest

from tests.support.translated import answer, answers, day, error_of, moment, refusal, sql_of, type_of


@pytest.mark.parametrize(
    ("expression", "sql"),
    [
        ("i::bigint", "CAST(i AS BIGINT)"),
        ("n::int", "CAST(n AS INT)"),
        ("x::int", "CAST(ROUND_EVEN(CAST(x AS DOUBLE), 0) AS INT)"),
        ("i::numeric", "i"),
        ("i::numeric(12,2)", "CAST(i AS DECIMAL(12, 2))"),
        ("t::varchar(2)", "LEFT(t, 2)"),
        ("t::text", "t"),
        ("t::char(3)", "RPAD(LEFT(t, 3), 3, ' ')"),
        ("i::text", "CAST(i AS TEXT)"),
        ("p::boolean", "p"),
        ("i::boolean", "((i) <> 0)"),
        ("ts::date", "CAST(ts AS DATE)"),
        ("'5'::int", "CAST(5 AS INT)"),
        ("'Jan 5, 2024'::date", "CAST('2024-01-05' AS DATE)"),
        ("'on'::boolean", "TRUE"),
        ("NULL::int", "CAST(NULL AS INT)"),
    ],
)
def test_a_cast_in_the_words_of_duckdb(expression: str, sql: str) -> None:
    """A text that stands in the query is read before it runs."""
    assert sql_of(expression) == sql


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("x::int", {2.5: 2, 3.5: 4, -2.5: -2, None: None}),
        ("n::int", {"2.50": 3, "-2.50": -3, "2.49": 2}),
        ("(n / 2)::int", {"5.00": 3, "-5.00": -3}),
        ("(n / 3)::int", {"4.50": 2}),
        ("t::int", {" 12 ": 12, "-7": -7, "+5": 5, "007": 7, None: None}),
        ("t::smallint", {"12": 12}),
        ("p::int", {True: 1, False: 0, None: None}),
        ("t::numeric", {"1.5": Decimal("1.5"), " -.5 ": Decimal("-0.5"), "12": 12}),
        ("x::numeric", {0.1: 0.1, 1234.5: 1234.5}),
        ("x::numeric(12,2)", {0.285: Decimal("0.29"), 2.675: Decimal("2.68"), None: None}),
        ("n::numeric(10,1)", {"0.25": Decimal("0.3"), "-0.25": Decimal("-0.3")}),
        ("n::numeric(5)", {"2.50": 3}),
        ("(n / 3)::numeric(12,4)", {"2.00": Decimal("0.6667")}),
        ("t::float8", {"1e3": 1000.0, " -1.5 ": -1.5, "inf": math.inf, "-Infinity": -math.inf, None: None}),
        ("n::float8", {"2.50": 2.5}),
        ("i::real", {7: 7.0}),
    ],
)
def test_to_numbers(expression: str, expected: dict[Any, Any]) -> None:
    """Halves of decimals go away from zero, halves of double precision to the even neighbour.

    Double precision becomes a decimal by its first fifteen digits.
    """
    assert answers(expression, expected) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("t::boolean", {"t": True, " YES ": True, "on": True, "1": True, None: None}),
        ("t::boolean", {"f": False, "Fals": False, "of": False, "no": False, "0": False}),
        ("i::boolean", {5: True, 0: False, None: None}),
        ("t::date", {"2024-2-5": day("2024-02-05"), " 2024-02-05 10:00:00 ": day("2024-02-05"), None: None}),
        ("t::timestamp", {"2024-02-05": moment("2024-02-05")}),
        ("t::timestamp", {"2024-02-05T10:20:30.5": moment("2024-02-05 10:20:30.5")}),
        ("ts::date", {"2024-02-05 23:59": day("2024-02-05")}),
        ("d::timestamp", {"2024-02-05": moment("2024-02-05")}),
        ("ts::time", {"2024-02-05 10:20:30": time(10, 20, 30)}),
        ("d::timestamptz = z", {("2024-02-05", "2024-02-05 00:00+00"): True}),
    ],
)
def test_to_booleans_and_moments(expression: str, expected: dict[Any, Any]) -> None:
    assert answers(expression, expected) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("t::varchar(2)", {"abc": "ab", "a": "a", "": "", None: None}),
        ("t::char(3) || '|'", {"a": "a|", "abcd": "abc|"}),
        ("LENGTH(t::char(5))", {"ab ": 2}),
        ("CAST(t AS CHAR)", {"abc": "a"}),
        ("CONCAT(t::char(4), '|')", {"a": "a   |"}),
        ("i::text", {-7: "-7", None: None}),
        ("i::varchar(2)", {123: "12"}),
        ("n::text", {"2.50": "2.50", "0.00": "0.00"}),
        ("(n * m)::text", {("2.00", "0.5000"): "1.000000"}),
        ("ROUND(n / 3, 2)::text", {"1.00": "0.33"}),
        ("p::text", {True: "true", False: "false"}),
        ("d::text", {"2024-02-05": "2024-02-05"}),
        ("d::varchar(7)", {"2024-02-05": "2024-02"}),
        ("ts::text", {"2024-02-05 10:20:30": "2024-02-05 10:20:30"}),
        (
            "x::text",
            {
                2.0: "2",
                0.1: "0.1",
                -1.5: "-1.5",
                1e15: "1e+15",
                1.5e15: "1.5e+15",
                -2e15: "-2e+15",
                math.inf: "Infinity",
                -math.inf: "-Infinity",
                None: None,
            },
        ),
    ],
)
def test_to_texts(expression: str, expected: dict[Any, Any]) -> None:
    """CHARACTER is filled up with blanks, which most functions do not see."""
    assert answers(expression, expected) == expected


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("CAST(2.5 AS INT)", 3),
        ("CAST(3.5::float8 AS INT)", 4),
        ("CAST(' 12 ' AS INT)", 12),
        ("CAST('1.25' AS NUMERIC)", Decimal("1.25")),
        ("CAST('-1.25' AS NUMERIC(3,1))", Decimal("-1.3")),
        ("CAST('Infinity' AS DOUBLE PRECISION)", math.inf),
        ("CAST('yes' AS BOOLEAN)", True),
        ("DATE '2024-Jan-05'", day("2024-01-05")),
        ("TIMESTAMP '2024-01-05 3:04 PM'", moment("2024-01-05 15:04")),
        ("CAST(NULL AS VARCHAR(3))", None),
        ("CAST(NULL AS NUMERIC(3,1))", None),
    ],
)
def test_what_stands_in_the_query(expression: str, value: object) -> None:
    assert answer(expression) == value


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("i::numeric", "numeric 0"),
        ("i::numeric(12,2)", "numeric 2"),
        ("x::numeric", "numeric in double precision"),
        ("t::numeric", "numeric"),
        ("t::char(3)", "character"),
        ("t::varchar(3)", "text"),
        ("i::float8", "double precision"),
        ("i::real", "real"),
        ("ts::time", "time"),
        ("d::timestamptz", "timestamp with time zone"),
        ("'1 day'::interval", "interval"),
    ],
)
def test_the_type_is_that_of_postgresql(expression: str, kind: str) -> None:
    assert type_of(expression) == kind


@pytest.mark.parametrize(
    ("expression", "values", "message"),
    [
        ("t::int", ("1.5",), 'invalid input syntax for type integer: "1.5"'),
        ("t::int", ("",), 'invalid input syntax for type integer: ""'),
        ("t::numeric", ("1,5",), 'invalid input syntax for type numeric: "1,5"'),
        ("t::float8", ("many",), 'invalid input syntax for type double precision: "many"'),
        ("t::boolean", ("o",), 'invalid input syntax for type boolean: "o"'),
        ("t::date", ("today it is",), 'invalid input syntax for type date: "today it is"'),
        ("t::date", ("2024-02-30",), "2024-02-30"),
        ("i::smallint", (40_000,), "40000"),
        ("n::numeric(3,2)", ("10.00",), "10.00"),
    ],
)
def test_what_postgresql_refuses_row_by_row_is_an_error(expression: str, values: tuple[Any, ...], message: str) -> None:
    assert message in error_of(expression, *values)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("t::json", "CAST to JSON is not translated"),
        ("t::int[]", "is not translated"),
        ("o::text", "the type of what is cast is not known here"),
        ("d::int", "PostgreSQL casts no date to INT"),
        ("p::bigint", "PostgreSQL casts no boolean to BIGINT"),
        ("p::numeric", "PostgreSQL casts no boolean to"),
        ("p::float8", "PostgreSQL casts no boolean to"),
        ("n::boolean", "PostgreSQL casts no numeric to BOOLEAN"),
        ("i::date", "PostgreSQL casts no integer to DATE"),
        ("d::time", "PostgreSQL casts no date to TIME"),
        ("n::numeric(40,2)", "decimals have 1 to 38 digits here"),
        ("n::numeric(3,5)", "its scale is not between 0 and its precision"),
        ("r::text", "how many digits or which words real has as a text is not the same here"),
        ("(n / 3)::text", "how many digits or which words numeric has as a text"),
        ("v::text", "which words interval has as a text"),
        ("t::timestamptz", "the instant of a text depends on the session's time zone"),
        ("t::interval", "only intervals that stand in the query are read"),
        ("'abc'::int", "it stands where integer is meant, and PostgreSQL reads no integer in it"),
        ("'99999999999'::int", "it is out of range for integer"),
        ("'2024-02-30'::date", "the calendar has no such day. Dates are read as YYYY-MM-DD."),
        ("'1/2/2024'::date", "no date that is read the same under every setting"),
        ("'2'::boolean", "PostgreSQL reads no boolean in it"),
    ],
)
def test_what_is_not_the_same_is_refused(expression: str, reason: str) -> None:
    assert reason in refusal(expression)
