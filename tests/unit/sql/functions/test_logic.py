"""Comparisons, rows, boolean logic, CASE and its like: PostgreSQL's types and NULLs on DuckDB."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest

from tests.support.translated import answer, answers, day, moment, refusal, sql_of, type_of


@pytest.mark.parametrize(
    ("expression", "sql"),
    [
        ("i = j", "i = j"),
        ("i = '1'", "i = 1"),
        ("d = '2024-2-9'", "d = '2024-02-09'"),
        ("d + 1 = '2024-2-9'", "(d + CAST(1 AS INT)) = CAST('2024-02-09' AS DATE)"),
        ("n = x", "CAST(n AS DOUBLE) = x"),
        ("d = ts", "d = ts"),
        ("(i, j) = (1, 2)", "((i = 1) AND (j = 2))"),
        ("(i, j) <> (1, 2)", "NOT ((i = 1) AND (j = 2))"),
        ("(i, j) < (1, 2)", "CASE WHEN i = 1 THEN j < 2 ELSE i < 1 END"),
        ("(i, j) >= (1, 2)", "CASE WHEN i = 1 THEN j >= 2 ELSE i > 1 END"),
        ("i = ANY (ARRAY[1, 2])", "((i = 1) OR (i = 2))"),
        ("i IN (1, '2')", "i IN (1, 2)"),
        ("(i, j) IN ((1, 2))", "((((i = 1) AND (j = 2))))"),
        ("i BETWEEN SYMMETRIC 3 AND 1", "(i BETWEEN 3 AND 1 OR i BETWEEN 1 AND 3)"),
        ("p AND q OR p", "(p AND q) OR p"),
        ("NOT (p AND q)", "NOT (p AND q)"),
        ("p IS NOT TRUE", "NOT (p IS TRUE)"),
        ("CASE WHEN p THEN i ELSE x END", "CASE WHEN p THEN CAST(i AS DOUBLE) ELSE x END"),
        ("CASE i WHEN 1 THEN 'a' END", "CASE WHEN i = 1 THEN 'a' END"),
        ("COALESCE(d, ts)", "COALESCE(CAST(d AS TIMESTAMP), ts)"),
        ('t COLLATE "C" < u', "t < u"),
    ],
)
def test_a_condition_in_the_words_of_duckdb(expression: str, sql: str) -> None:
    """A column is compared with a plain text as it was written."""
    assert sql_of(expression) == sql


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("i = j", {(1, 1): True, (1, 2): False, (1, None): None}),
        ("i <> 1", {1: False, 2: True, None: None}),
        ("t < u", {("a", "b"): True, ("B", "a"): True, ("é", "z"): False, ("a", "a "): True}),
        ("n = i", {("1.00", 1): True, ("1.01", 1): False}),
        ("x = 'NaN'", {math.inf: False, None: None}),
        ("d = ts", {("2024-01-01", "2024-01-01 00:00"): True, ("2024-01-01", "2024-01-01 01:00"): False}),
        ("p = 'yes'", {True: True, False: False, None: None}),
        ("p < q", {(False, True): True, (True, False): False}),
        ("n / 3 = 1", {"3.00": True, "1.00": False}),
        ("0.3 / 0.1 = n", {"3.00": True}),
        ("i IS DISTINCT FROM j", {(1, None): True, (None, None): False, (1, 1): False, (1, 2): True}),
        ("t IS NOT DISTINCT FROM 'a'", {"a": True, None: False}),
        ("t::char(3) = 'ab'", {"ab": True, "ab ": True, "abc": False}),
    ],
)
def test_comparisons(expression: str, expected: dict[Any, Any]) -> None:
    """Texts are in the order of their bytes; blanks at the end of CHARACTER do not count."""
    assert answers(expression, expected) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("(i, j) = (1, 2)", {(1, 2): True, (1, None): None, (3, None): False, (None, 3): False}),
        ("(i, j) <> (1, 2)", {(1, 2): False, (1, None): None, (3, None): True}),
        ("(i, j) < (1, 2)", {(0, None): True, (1, 1): True, (1, 2): False, (1, None): None, (None, 1): None}),
        ("(i, j) >= (1, 2)", {(2, None): True, (1, 2): True, (1, 1): False, (0, 9): False}),
        ("ROW(i, j) = ROW(j, i)", {(1, 1): True, (1, 2): False}),
        ("(i, j) IS DISTINCT FROM (1, NULL)", {(1, None): False, (1, 2): True}),
        ("(i, j) IS NOT DISTINCT FROM (1, NULL)", {(1, None): True, (1, 2): False}),
        ("(i, t) IN ((1, 'a'), (2, 'b'))", {(1, "a"): True, (1, "b"): False, (1, None): None, (3, None): False}),
        ("(i, j) IS NULL", {(None, None): True, (1, None): False, (1, 1): False}),
        ("(i, j) IS NOT NULL", {(None, None): False, (1, None): False, (1, 1): True}),
        ("(i, j) IN (SELECT 1, 2 UNION ALL SELECT 3, NULL)", {(1, 2): True, (3, 9): None, (5, 9): False}),
        ("(i, j) IN (SELECT 1, 2 WHERE FALSE)", {(1, 2): False, (None, None): False}),
    ],
)
def test_rows_are_compared_part_by_part(expression: str, expected: dict[Any, Any]) -> None:
    """NULL where a NULL decides."""
    assert answers(expression, expected) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("i IN (1, 2)", {1: True, 3: False, None: None}),
        ("i NOT IN (1, NULL)", {1: False, 2: None}),
        ("n IN (1, 1.5)", {"1.50": True, "1.00": True, "2.00": False}),
        ("d IN ('2024-02-29', '1969-12-31')", {"2024-02-29": True, "2024-03-01": False}),
        ("i IN (SELECT 1 UNION ALL SELECT NULL)", {1: True, 2: None}),
        ("i = ANY (ARRAY[1, NULL])", {1: True, 2: None, None: None}),
        ("i <> ALL (ARRAY[1, 2])", {1: False, 3: True}),
        ("i > ALL (ARRAY[1, NULL])", {1: False, 5: None}),
        ("i = ANY ('{1, 2}')", {2: True, 3: False}),
        ("t = ANY ('{a,NULL}')", {"a": True, "b": None}),
        ("i = ANY ('{}')", {1: False}),
        ("i <> ALL ('{}')", {1: True}),
        ("i BETWEEN 1 AND 3", {1: True, 3: True, 4: False, None: None}),
        ("i BETWEEN 3 AND 1", {2: False}),
        ("i BETWEEN SYMMETRIC 3 AND 1", {2: True, 4: False}),
        ("i NOT BETWEEN 1 AND j", {(5, 3): True, (2, None): None, (0, None): True}),
        ("t BETWEEN 'a' AND 'b'", {"ab": True, "ba": False}),
        ("d BETWEEN '2024-1-1' AND '2024-12-31'", {"2024-06-01": True, "2023-06-01": False}),
    ],
)
def test_values_among_others(expression: str, expected: dict[Any, Any]) -> None:
    assert answers(expression, expected) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("p AND q", {(True, True): True, (True, None): None, (False, None): False}),
        ("p OR q", {(False, None): None, (True, None): True}),
        ("NOT p", {True: False, None: None}),
        ("p OR q AND NOT p", {(False, True): True, (True, False): True, (False, False): False}),
        ("(p OR q) AND p", {(False, True): False}),
        ("p AND NULL", {True: None, False: False}),
        ("p IS TRUE", {True: True, None: False}),
        ("p IS NOT FALSE", {None: True, False: False}),
        ("p IS UNKNOWN", {None: True, True: False}),
        ("i ISNULL", {None: True, 1: False}),
        ("i + 1 IS NOT NULL", {None: False, 1: True}),
    ],
)
def test_three_truths(expression: str, expected: dict[Any, Any]) -> None:
    assert answers(expression, expected) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("CASE WHEN i > 1 THEN 'x' ELSE t END", {(2, "a"): "x", (1, "a"): "a", (None, None): None}),
        ("CASE i WHEN NULL THEN 1 ELSE 0 END", {None: 0, 1: 0}),
        ("CASE WHEN p THEN d ELSE ts END", {(True, "2024-01-05", None): moment("2024-01-05")}),
        ("CASE WHEN j = 0 THEN 0 ELSE i / j END", {(0, 5): 0, (2, 5): 2}),
        ("COALESCE(i, 1.5)", {None: Decimal("1.5"), 2: 2}),
        ("COALESCE(d, '2000-1-1')", {None: day("2000-01-01")}),
        ("NULLIF(i, 1)", {1: None, 2: 2}),
        ("i / NULLIF(j, 0.0)", {(7, 2): 3.5, (7, 0): None}),
        ("i / NULLIF(j, x)", {(7, 2, 0.0): 3.5, (7, 2, 2.0): None}),
        ("i / NULLIF(j, 0)", {(7, 2): 3, (7, 0): None}),
        ("NULLIF(i, 1.5)::text", {7: "7"}),
        ("NULLIF('3', n)::text", {"2.50": "3", "3.00": None}),
        ("NULLIF('2024-2-29', d)", {"2024-01-01": day("2024-02-29"), "2024-02-29": None}),
        ("CASE WHEN p THEN n ELSE r END = 0.1::real", {(True, "0.10", 1.0): True}),
        ("NULLIF(t, '')", {"": None, "a": "a", None: None}),
        ("NULLIF(d, '2024-2-29')", {"2024-02-29": None}),
        ("NULLIF(t::char(3), 'a')", {"a": None, "b": "b  "}),
        ("GREATEST(i, j)", {(1, 2): 2, (1, None): 1, (None, None): None}),
        ("LEAST(t, u)", {("a", "B"): "B", ("a", None): "a"}),
        ("GREATEST(d, '2000-1-1')", {"1999-12-31": day("2000-01-01")}),
    ],
)
def test_choices(expression: str, expected: dict[Any, Any]) -> None:
    """GREATEST and LEAST leave NULLs out."""
    assert answers(expression, expected) == expected


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("i = j", "boolean"),
        ("CASE WHEN p THEN i ELSE n END", "numeric"),
        ("CASE WHEN p THEN n ELSE 1.50 END", "numeric 2"),
        ("CASE WHEN p THEN n ELSE '1.5' END", "numeric"),
        ("CASE WHEN p THEN n ELSE NULL END", "numeric 2"),
        ("CASE WHEN p THEN n / 3 ELSE n END", "numeric in double precision"),
        ("CASE WHEN p THEN n ELSE r END", "real"),
        ("COALESCE(i, r)", "real"),
        ("COALESCE(r, x)", "double precision"),
        ("CASE WHEN p THEN i END", "integer"),
        ("CASE WHEN p THEN NULL ELSE 'a' END", "text"),
        ("COALESCE(i, l)", "bigint"),
        ("COALESCE(i, x)", "double precision"),
        ("COALESCE(d, ts)", "timestamp"),
        ("COALESCE(d, z)", "timestamp with time zone"),
        ("NULLIF(i, 1)", "integer"),
        ("NULLIF(i, l)", "integer"),
        ("NULLIF(i, 1.5)", "numeric 0"),
        ("NULLIF(i, x)", "double precision"),
        ("NULLIF(i, r)", "double precision"),
        ("NULLIF(r, x)", "real"),
        ("NULLIF(n, 1)", "numeric 2"),
        ("NULLIF(n, x)", "double precision"),
        ("NULLIF(d, ts)", "date"),
        ("NULLIF('a', t)", "text"),
        ("GREATEST(n, 1)", "numeric"),
        ("2147483647", "integer"),
        ("2147483648", "bigint"),
        ("9223372036854775808", "numeric 0"),
        ("1.50", "numeric 2"),
        ("1e-3", "numeric 3"),
    ],
)
def test_the_type_is_that_of_postgresql(expression: str, kind: str) -> None:
    assert type_of(expression) == kind


def test_thousands_of_alternatives_are_joined_without_recursion() -> None:
    assert sql_of(" OR ".join(f"i = {n}" for n in range(1500))).count(" OR ") == 1499
    assert answer(" AND ".join(["TRUE"] * 500)) is True


def test_a_number_with_more_digits_than_a_decimal_has_is_a_floating_one() -> None:
    assert type_of("1e40") == "numeric in double precision"
    assert answer("1e40") == 1e40


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("t = 1", "PostgreSQL does not take text and integer together. CAST one of them"),
        ("d = t", "PostgreSQL does not take date and text together"),
        ("p = i", "PostgreSQL does not take boolean and integer together"),
        ("CASE WHEN p THEN i ELSE t END", "PostgreSQL does not take integer and text together"),
        ("COALESCE(i, 'a')", "PostgreSQL reads no integer in it"),
        ("d = 'today'", "Dates are read as YYYY-MM-DD."),
        ("t::char(3) = t", "blanks at the end count or not, as CHARACTER meets another type"),
        ("(i, j) = (1, 2, 3)", "the rows have different lengths"),
        ("(i, j) IS TRUE", "only IS NULL is said of a row"),
        ("i = ANY (SELECT 1)", "a comparison with all rows of a query is not translated. Use IN or EXISTS."),
        ("i = ANY (STRING_TO_ARRAY(t, ','))", "only arrays that stand in the query are compared with"),
        ("t = ANY ('{\"a\"}')", "only arrays that stand in the query are compared with"),
        ("p AND 1", "a condition has to be boolean in PostgreSQL, and this is integer"),
        ("CASE WHEN i THEN 1 END", "a condition has to be boolean in PostgreSQL"),
        ("i IS TRUE", "a condition has to be boolean in PostgreSQL"),
        ("COALESCE(n, 0)::text", "how many digits or which words numeric has as a text is not the same here"),
        ("CASE WHEN p THEN n ELSE '3' END || ''", "how many digits or which words numeric has as a text"),
        ("NOT t", "a condition has to be boolean in PostgreSQL, and this is text"),
        ('t COLLATE "de_DE" < u', "texts are in the order of their bytes here"),
    ],
)
def test_what_is_not_the_same_is_refused(expression: str, reason: str) -> None:
    assert reason in refusal(expression)
