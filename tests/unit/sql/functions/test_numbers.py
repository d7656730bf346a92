"""Arithmetic and functions of numbers: PostgreSQL's types decide, on DuckDB as well."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest

from tests.support.translated import answer, answers, error_of, refusal, sql_of, type_of


@pytest.mark.parametrize(
    ("expression", "sql"),
    [
        ("i + 1", "(i + 1)"),
        ("i + l", "(CAST(i AS BIGINT) + l)"),
        ("x + n", "(x + CAST(n AS DOUBLE))"),
        ("i - -1", "(i - (-1))"),
        ("-i", "(-(i))"),
        ("i / 2", "(i // 2)"),
        ("i / j", "(CASE WHEN j = 0 AND NOT (i) IS NULL THEN ERROR('division by zero') ELSE i // j END)"),
        ("i / NULLIF(j, 0)", "(i // NULLIF(j, 0))"),
        ("n / 4", "(CAST(n AS DOUBLE) / 4)"),
        ("s << 3", "(s * 8)"),
        ("i & 3", "(i & 3)"),
        ("i # 3", "XOR(i, 3)"),
        ("ROUND(n, 1)", "ROUND(n, 1)"),
        ("ROUND(n, 2)", "n"),
        ("ROUND(i, 2)", "i"),
        ("CEIL(x)", "CEIL(CAST(x AS DOUBLE))"),
        ("POWER(i, 2)", "POW(CAST(i AS DOUBLE), CAST(2 AS DOUBLE))"),
        ("GCD(i, 6)", "GCD(i, 6)"),
    ],
)
def test_a_function_in_the_words_of_duckdb(expression: str, sql: str) -> None:
    assert sql_of(expression) == sql


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("s + s", "smallint"),
        ("s + i", "integer"),
        ("i + l", "bigint"),
        ("i + n", "numeric 2"),
        ("n * m", "numeric 6"),
        ("n + m", "numeric 4"),
        ("n * k", "numeric"),
        ("n + k", "numeric"),
        ("n + r", "double precision"),
        ("r + r", "real"),
        ("i / 2", "integer"),
        ("n / 2", "numeric in double precision"),
        ("i / 2.0", "numeric in double precision"),
        ("(n / 3) * 2", "numeric in double precision"),
        ("i % l", "bigint"),
        ("ROUND(i)", "double precision"),
        ("ROUND(n)", "numeric 0"),
        ("ROUND(n / 3, 2)", "numeric 2"),
        ("DIV(i, 2)", "numeric 0"),
        ("SIGN(i)", "double precision"),
        ("SIGN(n)", "numeric 0"),
        ("SQRT(i)", "double precision"),
        ("SQRT(n)", "numeric in double precision"),
        ("POWER(i, n)", "numeric in double precision"),
        ("POWER(n, x)", "double precision"),
        ("POWER('3', n)", "numeric in double precision"),
        ("POWER(i, '3')", "double precision"),
        ("r / r", "real"),
        ("n * '3'", "numeric 2"),
        ("FACTORIAL(i)", "numeric 0"),
        ("WIDTH_BUCKET(x, 0, 10, 5)", "integer"),
        ("i + '1'", "integer"),
    ],
)
def test_the_type_is_that_of_postgresql(expression: str, kind: str) -> None:
    assert type_of(expression) == kind


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("i + j", {(2, 3): 5, (2, None): None}),
        ("i + '1'", {2: 3}),
        ("n * m", {("1.50", "0.3333"): Decimal("0.499950")}),
        ("i / j", {(7, 2): 3, (-7, 2): -3, (7, -2): -3, (None, 0): None, (1, None): None}),
        ("n / i", {("10.00", 4): 2.5, ("1.00", 3): 1 / 3, (None, 0): None}),
        ("x / y", {(1.0, 4.0): 0.25, (None, 0.0): None}),
        ("i / 2.0", {5: 2.5}),
        ("(r / '3')::float8 = (1 / 3.0)::real::float8", {1.0: True}),
        ("(n * '3')::text", {"1.50": "4.50"}),
        ("i % j", {(7, 3): 1, (-7, 3): -1, (7, -3): 1, (None, 0): None}),
        ("n % m", {("7.50", "2.0000"): Decimal("1.5000"), ("-7.50", "2.0000"): Decimal("-1.5000")}),
        ("(n / 4) % 2", {("10.00"): Decimal("0.5")}),
        ("DIV(i, j)", {(7, 2): 3, (-7, 2): -3, (None, 0): None}),
        ("DIV(n, 2)", {"7.50": 3, "-7.50": -3}),
        ("i & j", {(6, 3): 2, (-1, 5): 5, (6, None): None}),
        ("i | j", {(6, 3): 7}),
        ("i # j", {(6, 3): 5}),
        ("~i", {5: -6, None: None}),
        ("i << 2", {5: 20, -5: -20}),
        ("i >> 1", {5: 2, -5: -3}),
        ("- n", {"2.50": Decimal("-2.50"), None: None}),
        ("- (i + 1)", {2: -3}),
    ],
)
def test_operators(expression: str, expected: dict[Any, Any]) -> None:
    """Whole numbers are divided without a remainder, towards zero; NULL is divided by zero without an error."""
    assert answers(expression, expected) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("ROUND(n)", {"2.50": 3, "-2.50": -3, "0.50": 1, None: None}),
        ("ROUND(x)", {2.5: 2, 3.5: 4, -2.5: -2, -0.4: 0}),
        ("ROUND(i)", {7: 7}),
        ("ROUND(m, 2)", {"1.0050": Decimal("1.01"), "-1.0050": Decimal("-1.01")}),
        ("ROUND(m, -1)", {"15.0000": 20, "-15.0000": -20, "14.9999": 10}),
        ("ROUND(i, -1)", {15: 20, 25: 30, -15: -20, 4: 0}),
        ("ROUND(n / 3, 2)", {"2.00": Decimal("0.67"), "0.03": Decimal("0.01")}),
        ("ROUND(n / 8, 2)", {"1.00": Decimal("0.13"), "0.20": Decimal("0.03")}),
        ("TRUNC(n)", {"2.90": 2, "-2.90": -2}),
        ("TRUNC(x)", {2.9: 2, -2.9: -2}),
        ("TRUNC(m, 2)", {"1.9999": Decimal("1.99"), "-1.9999": Decimal("-1.99")}),
        ("TRUNC(m, -1)", {"19.9999": 10, "-19.0000": -10}),
        ("TRUNC(i, -1)", {19: 10}),
        ("CEIL(n)", {"1.10": 2, "-1.10": -1}),
        ("CEILING(x)", {1.1: 2, -1.1: -1}),
        ("FLOOR(n)", {"1.90": 1, "-1.10": -2}),
        ("FLOOR(n / m)", {("0.30", "0.1000"): 3}),
        ("ABS(i)", {-5: 5, None: None}),
        ("SIGN(i)", {-5: -1, 0: 0, 5: 1, None: None}),
        ("SIGN(n)", {"-5.00": -1, "0.00": 0}),
    ],
)
def test_rounding(expression: str, expected: dict[Any, Any]) -> None:
    """Halves of decimals go away from zero, halves of double precision to the even neighbour.

    A quotient of decimals is rounded from fifteen digits, so that 0.2 / 8 is the half that it is.
    """
    assert answers(expression, expected) == expected


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("ROUND(2.5)", 3),
        ("ROUND(-2.5)", -3),
        ("ROUND(CAST(2.5 AS DOUBLE PRECISION))", 2),
        ("ROUND(1.005, 2)", 1.01),
        ("FLOOR(0.3 / 0.1)", 3),
        ("-7 / 2", -3),
        ("7 % -3", 1),
        ("POWER(2, 10)", 1024),
        ("2 ^ 0.5", math.sqrt(2)),
        ("POWER(2, -1)", 0.5),
        ("SQRT(16)", 4),
        ("CBRT(27)", 3),
        ("CBRT(-8)", -2),
        ("EXP(0)", 1),
        ("LN(EXP(2))", 2),
        ("LOG(1000)", 3),
        ("LOG10(0.01)", -2),
        ("LOG(2, 8.0)", 3),
        ("LOG(10.0, 1000.0)", 3),
        ("SIN(0)", 0),
        ("COS(0)", 1),
        ("TAN(0)", 0),
        ("ASIN(1)", math.pi / 2),
        ("ACOS(1)", 0),
        ("ATAN(1)", math.pi / 4),
        ("ATAN2(1, -1)", 3 * math.pi / 4),
        ("DEGREES(PI())", 180),
        ("RADIANS(180)", math.pi),
        ("FACTORIAL(5)", 120),
        ("FACTORIAL(0)", 1),
        ("GCD(12, -18)", 6),
        ("LCM(4, 6)", 12),
        ("1e2 + 1", 101),
    ],
)
def test_functions_of_numbers(expression: str, value: float) -> None:
    assert float(answer(expression)) == pytest.approx(value, rel=1e-14, abs=1e-15)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("WIDTH_BUCKET(x, 0, 10, 5)", {-0.1: 0, 0.0: 1, 1.9: 1, 2.0: 2, 9.99: 5, 10.0: 6, None: None}),
        ("WIDTH_BUCKET(n, -5, 5, 4)", {"-5.00": 1, "0.00": 3, "4.99": 4, "5.00": 5, "-5.01": 0}),
    ],
)
def test_buckets_have_their_lower_bound(expression: str, expected: dict[Any, Any]) -> None:
    assert answers(expression, expected) == expected


@pytest.mark.parametrize(
    ("expression", "values", "message"),
    [
        ("i / j", (1, 0), "division by zero"),
        ("n / i", (1, 0), "division by zero"),
        ("x / y", (1.0, 0.0), "division by zero"),
        ("i % j", (1, 0), "division by zero"),
        ("DIV(i, j)", (1, 0), "division by zero"),
        ("DIV(n, m)", (1, 0), "division by zero"),
        ("SQRT(i)", (-1,), "cannot take square root of a negative number"),
        ("LN(i)", (0,), "cannot take logarithm of zero or a negative number"),
        ("LOG(n)", (-1,), "cannot take logarithm"),
        ("POWER(i, j)", (0, -1), "zero raised to a negative power is undefined"),
        ("POWER(i, x)", (-2, 0.5), "a negative number raised to a non-integer power"),
        ("EXP(i)", (1000,), "value out of range: overflow"),
        ("ASIN(i)", (2,), "input is out of range"),
        ("ACOS(x)", (-1.5,), "input is out of range"),
        ("FACTORIAL(i)", (-1,), "factorial of a negative number is undefined"),
        ("WIDTH_BUCKET(x, 0, 10, 5)", (math.nan,), "operand cannot be NaN"),
        ("i + j", (2147483647, 1), "Overflow"),
        ("s * s", (300,), "Overflow"),
    ],
)
def test_what_postgresql_refuses_row_by_row_is_an_error(expression: str, values: tuple[Any, ...], message: str) -> None:
    assert message in error_of(expression, *values)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("'1' + '2'", "neither side says what type is meant"),
        ("i + t", "it takes numbers in PostgreSQL, and an argument is text"),
        ("i * p", "it takes numbers in PostgreSQL, and an argument is boolean"),
        ("- t", "it takes a number in PostgreSQL, and an argument is text"),
        ("i + 'one'", "it stands where integer is meant, and PostgreSQL reads no integer in it"),
        ("x % 2", "PostgreSQL has no remainder of double precision"),
        ("ROUND(x, 1)", "PostgreSQL has no ROUND of double precision to a number of places"),
        ("TRUNC(x, 1)", "Write TRUNC(CAST(… AS NUMERIC), 1)."),
        ("ROUND(n, i)", "the number of places has to stand in the query"),
        ("i << j", "bits are shifted by a number that stands in the query"),
        ("i << 32", "smaller than the number of bits"),
        ("n & 1", "an argument is numeric"),
        ("FLOOR(n, 1)", "PostgreSQL takes one number"),
        ("LOG(x, 2)", "PostgreSQL's LOG with a base takes decimals"),
        ("DIV(x, 2)", "an argument is double precision"),
        ("WIDTH_BUCKET(x, 10, 0, 5)", "the lower bound first"),
        ("WIDTH_BUCKET(x, i, 10, 5)", "have to stand in the query"),
        ("GCD(i)", "it takes two integers"),
        ("GCD(n, 2)", "an argument is numeric"),
    ],
)
def test_what_is_not_the_same_is_refused(expression: str, reason: str) -> None:
    assert reason in refusal(expression)


def test_powers_within_powers_are_translated_once_each() -> None:
    """If each level translated its argument twice, sixty levels would never end."""
    depth = 60
    expression = "i"
    for _ in range(depth):
        expression = f"POWER({expression}, 1)"

    assert sql_of(expression).count("POW(") == depth
