"""Functions of texts: PostgreSQL's values on DuckDB, for NULLs, empty texts, places before and behind a text."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.translated import answer, answers, error_of, refusal, sql_of, type_of


@pytest.mark.parametrize(
    ("expression", "sql"),
    [
        ("UPPER(t)", "UPPER(t)"),
        ("CHAR_LENGTH(t)", "LENGTH(t)"),
        ("POSITION('b' IN t)", "STRPOS(t, 'b')"),
        ("TRIM(t)", "TRIM(t, ' ')"),
        ("TRIM(LEADING 'ab' FROM t)", "LTRIM(t, 'ab')"),
        ("SUBSTRING(t, 0, 2)", "SUBSTR(t, 1, 1)"),
        ("t || 'x' || u", "(t || 'x' || u)"),
        ("OCTET_LENGTH(t)", "STRLEN(t)"),
        ("STARTS_WITH(t, 'a')", "STARTS_WITH(t, 'a')"),
    ],
)
def test_a_function_in_the_words_of_duckdb(expression: str, sql: str) -> None:
    assert sql_of(expression) == sql


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("UPPER(t)", {"aé": "AÉ", "": "", None: None}),
        ("LOWER(t)", {"AÉ": "aé", None: None}),
        ("REVERSE(t)", {"abc": "cba", None: None}),
        ("LENGTH(t)", {"añb": 3, "": 0, "a ": 2, None: None}),
        ("OCTET_LENGTH(t)", {"añb": 4, "": 0, None: None}),
        ("BIT_LENGTH(t)", {"ab": 16, "": 0, None: None}),
        ("INITCAP(t)", {"hello wORLD": "Hello World", "o'neil-x_y 2ND": "O'Neil-X_Y 2nd", "": "", None: None}),
        ("MD5(t)", {"": "d41d8cd98f00b204e9800998ecf8427e", "a": "0cc175b9c0f1b6a831c399e269772661", None: None}),
        ("ASCII(t)", {"A": 65, "é": 233, "": 0, None: None}),
        ("CHR(i)", {65: "A", 233: "é", None: None}),
        ("STARTS_WITH(t, u)", {("ab", "a"): True, ("ab", "b"): False, ("ab", ""): True, ("ab", None): None}),
        ("TO_HEX(i)", {255: "ff", 0: "0", -1: "ffffffff", None: None}),
        ("TO_HEX(l)", {255: "ff", -1: "ffffffffffffffff"}),
    ],
)
def test_functions_of_one_text(expression: str, expected: dict[Any, Any]) -> None:
    assert answers(expression, expected) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("SUBSTRING(t FROM 2)", {"abc": "bc", "a": "", None: None}),
        ("SUBSTRING(t FROM 2 FOR 2)", {"abcd": "bc", "ab": "b", "a": ""}),
        ("SUBSTRING(t FOR 2)", {"abc": "ab"}),
        ("SUBSTRING(t, 0)", {"abc": "abc"}),
        ("SUBSTRING(t, 0, 2)", {"abc": "a"}),
        ("SUBSTRING(t, -1, 3)", {"abc": "a"}),
        ("SUBSTRING(t, -5, 3)", {"abc": ""}),
        ("SUBSTRING(t, 1, 0)", {"abc": ""}),
        (
            "SUBSTR(t, i)",
            {("abc", 2): "bc", ("abc", 0): "abc", ("abc", -9): "abc", ("abc", 9): "", ("abc", None): None},
        ),
        (
            "SUBSTR(t, i, j)",
            {
                ("abcd", 2, 2): "bc",
                ("abcd", 0, 2): "a",
                ("abcd", -1, 3): "a",
                ("abcd", -9, 3): "",
                ("abcd", 2, 0): "",
                ("abcd", 3, 2147483647): "cd",
                ("abcd", None, 2): None,
                ("abcd", 2, None): None,
                (None, 2, -1): None,
            },
        ),
        ("SUBSTR(t, 2, i)", {("abc", 1): "b", ("abc", None): None}),
        ("LEFT(t, i)", {("abc", 2): "ab", ("abc", -1): "ab", ("abc", 0): "", ("abc", -9): "", ("abc", None): None}),
        ("RIGHT(t, i)", {("abc", 2): "bc", ("abc", -1): "bc", ("abc", 0): "", ("abc", 9): "abc", (None, 1): None}),
        ("STRPOS(t, u)", {("abcb", "b"): 2, ("abc", "x"): 0, ("abc", ""): 1, ("", "a"): 0, (None, "a"): None}),
        (
            "OVERLAY(t PLACING u FROM 2 FOR 1)",
            {("abcd", "XY"): "aXYcd", ("a", "XY"): "aXY", ("abcd", ""): "acd", ("abcd", None): None},
        ),
        ("OVERLAY(t PLACING u FROM 2)", {("abcd", "XY"): "aXYd", ("abcd", ""): "abcd"}),
    ],
)
def test_parts_of_texts(expression: str, expected: dict[Any, Any]) -> None:
    """What lies before a text counts into the length of a part."""
    assert answers(expression, expected) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("SPLIT_PART(t, ',', 1)", {"a,b": "a", "a": "a", "": "", ",b": "", None: None}),
        ("SPLIT_PART(t, ',', -1)", {"a,b": "b", "a": "a", "": ""}),
        ("SPLIT_PART(t, ',', 3)", {"a,b": "", "a,b,c": "c"}),
        ("SPLIT_PART(t, ',', -3)", {"a,b": "", "a,b,c": "a"}),
        ("SPLIT_PART(t, '', 1)", {"a,b": "a,b", "": ""}),
        ("SPLIT_PART(t, '', 2)", {"a,b": ""}),
        ("SPLIT_PART(t, '', -1)", {"a,b": "a,b"}),
        (
            "SPLIT_PART(t, u, i)",
            {
                ("a--b", "--", 2): "b",
                ("a--b", "", -1): "a--b",
                ("a--b", "", 2): "",
                ("a--b", None, 1): None,
                ("a--b", "-", None): None,
                (None, "-", 0): None,
            },
        ),
    ],
)
def test_a_text_is_split_at_a_delimiter(expression: str, expected: dict[Any, Any]) -> None:
    """An empty delimiter splits nothing; what is counted from the end begins with -1."""
    assert answers(expression, expected) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("LPAD(t, 5)", {"abc": "  abc", "abcdef": "abcde", "": "     ", None: None}),
        ("RPAD(t, 5, 'xy')", {"ab": "abxyx", "abcdef": "abcde", None: None}),
        ("LPAD(t, -1, 'x')", {"abc": ""}),
        ("LPAD(t, 5, '')", {"abc": "abc", "abcdef": "abcde"}),
        ("LPAD(t, i, u)", {("a", 3, "xy"): "xya", ("abc", 2, ""): "ab", ("a", -2, "x"): "", ("a", None, "x"): None}),
        ("RPAD(t, i)", {("a", 3): "a  ", ("a", None): None, (None, 3): None}),
        ("LPAD(t, 5, u)", {("a", None): None}),
        ("TRIM(t)", {"  a b ": "a b", "\ta": "\ta", None: None}),
        ("TRIM(BOTH 'ab' FROM t)", {"abcba": "c", "ccc": "ccc"}),
        ("TRIM(TRAILING FROM t)", {" a ": " a"}),
        ("LTRIM(t, '')", {" a": " a"}),
        ("RTRIM(t, 'b ')", {"a b b": "a"}),
        ("BTRIM(t, u)", {("xax", "x"): "a", ("xax", None): None}),
        ("REPLACE(t, 'a', 'xy')", {"banana": "bxynxynxy", "": "", None: None}),
        ("REPLACE(t, '', 'x')", {"ab": "ab"}),
        ("REPLACE(t, 'a', u)", {("ba", None): None}),
        ("REPEAT(t, i)", {("ab", 2): "abab", ("ab", 0): "", ("ab", -1): "", (None, 2): None}),
        ("REPEAT(t, -1)", {"ab": ""}),
        ("TRANSLATE(t, 'ab', 'xy')", {"aabbc": "xxyyc"}),
        ("TRANSLATE(t, 'ab', 'x')", {"abc": "xc"}),
        ("TRANSLATE(t, 'aa', 'xy')", {"a": "x"}),
    ],
)
def test_filling_trimming_and_replacing(expression: str, expected: dict[Any, Any]) -> None:
    assert answers(expression, expected) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("t || u", {("a", "b"): "ab", ("a", ""): "a", ("a", None): None}),
        ("t || i", {("a", 7): "a7", ("a", None): None}),
        ("i || t", {(7, "a"): "7a"}),
        ("t || p", {("a", True): "atrue", ("a", None): None}),
        ("t || n", {("a", "2.5"): "a2.50"}),
        ("CONCAT(t, i, p)", {("a", 7, True): "a7t", (None, None, False): "f", (None, None, None): ""}),
        ("CONCAT(x)", {2.0: "2", 0.1: "0.1", None: ""}),
        ("CONCAT_WS('-', t, u)", {("a", "b"): "a-b", ("a", None): "a", (None, None): "", ("", "b"): "-b"}),
        ("CONCAT_WS(t, u, i)", {(None, "a", 1): None, ("+", "a", 1): "a+1"}),
        ("FORMAT('%s of %s%%', i, t)", {(7, "x"): "7 of x%", (None, None): " of %"}),
        ("FORMAT('%s', t::char(3))", {"a": "a  "}),
    ],
)
def test_texts_are_put_together(expression: str, expected: dict[Any, Any]) -> None:
    """`||` knows NULL, CONCAT leaves it out; booleans are words beside `||` and letters in CONCAT."""
    assert answers(expression, expected) == expected


def test_many_texts_are_put_together_without_recursion() -> None:
    assert answer(" || ".join(["'a'"] * 900)) == "a" * 900


@pytest.mark.parametrize(
    ("expression", "values", "message"),
    [
        ("SUBSTR(t, i, j)", ("abc", 1, -1), "negative substring length not allowed"),
        ("SPLIT_PART(t, ',', i)", ("a,b", 0), "field position must not be zero"),
        ("CHR(i)", (0,), "null character not permitted"),
        ("CHR(i)", (-1,), "null character not permitted"),
    ],
)
def test_what_postgresql_refuses_row_by_row_is_an_error(expression: str, values: tuple[Any, ...], message: str) -> None:
    assert message in error_of(expression, *values)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("SUBSTR(t, 1, -1)", "its length is negative"),
        ("SUBSTRING(t FROM 'a' FOR '#')", "SUBSTRING with SIMILAR's pattern is not translated"),
        ("SPLIT_PART(t, ',', 0)", "its place is 0; the first part is 1, the last one -1"),
        ("LPAD(t, 2000000)", "filled up to 1000000 letters at the most"),
        ("REPEAT(t, 2000000)", "repeated 1000000 times at the most"),
        ("OVERLAY(t PLACING u FROM i)", "its places have to stand in the query, 1 or more"),
        ("OVERLAY(t PLACING u FROM 0)", "its places have to stand in the query, 1 or more"),
        ("CONCAT_WS(t)", "it takes a separator and at least one value"),
        ("FORMAT('%I', t)", "only %s is filled in here"),
        ("FORMAT('%s %s', t)", "only %s is filled in here"),
        ("FORMAT(t, u)", "a format has to stand in the query as a text"),
        ("TO_HEX(s)", "PostgreSQL takes an integer or a bigint"),
        ("TO_HEX(t)", "it takes bigint or integer or smallint in PostgreSQL, and an argument is text"),
        ("LENGTH(i)", "it takes a text in PostgreSQL, and an argument is integer"),
        ("UPPER(d)", "it takes a text in PostgreSQL, and an argument is date"),
        ("LEFT(t, l)", "it takes integer or smallint in PostgreSQL, and an argument is bigint"),
        ("i || j", "one side of || has to be a text in PostgreSQL"),
        ("t || r", "how many digits or which words real has as a text is not the same here"),
        ("OCTET_LENGTH(t, u)", "it takes one value"),
        ("E'\\\\u0041' || t", "its escapes are not read here"),
    ],
)
def test_what_is_not_the_same_is_refused(expression: str, reason: str) -> None:
    assert reason in refusal(expression)


@pytest.mark.parametrize(
    ("expression", "kind"),
    [("LENGTH(t)", "integer"), ("t || i", "text"), ("STARTS_WITH(t, 'a')", "boolean"), ("CONCAT(i)", "text")],
)
def test_the_type_is_that_of_postgresql(expression: str, kind: str) -> None:
    assert type_of(expression) == kind
