"""LIKE, ILIKE and SIMILAR TO with PostgreSQL's escapes, on DuckDB."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.translated import answers, refusal, sql_of


@pytest.mark.parametrize(
    ("expression", "sql"),
    [
        ("t LIKE 'a%'", "(t LIKE 'a%')"),
        (r"t LIKE 'a\b%'", "(t LIKE 'ab%')"),
        (r"t LIKE 'a\_b'", r"(t LIKE 'a\_b' ESCAPE '\')"),
        (r"t LIKE 'a!_b\' ESCAPE '!'", r"(t LIKE 'a\_b\\' ESCAPE '\')"),
        (r"t LIKE 'a\_%' ESCAPE ''", r"(t LIKE 'a\_%')"),
        ("t NOT LIKE 'a%'", "NOT (t LIKE 'a%')"),
        ("t LIKE u", r"(t LIKE u ESCAPE '\')"),
        ("t SIMILAR TO '(a|b)%'", "REGEXP_FULL_MATCH(t, '(?:a|b).*', 's')"),
        ("t SIMILAR TO 'a.b_'", r"REGEXP_FULL_MATCH(t, 'a\.b.', 's')"),
    ],
)
def test_a_pattern_in_the_words_of_duckdb(expression: str, sql: str) -> None:
    """An escape stands only where a letter needs one."""
    assert sql_of(expression) == sql


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("t LIKE 'a%'", {"abc": True, "a": True, "Abc": False, "": False, None: None}),
        ("t LIKE ''", {"": True, "a": False}),
        ("t LIKE '_'", {"a": True, "é": True, "": False, "ab": False}),
        (r"t LIKE 'a\_b'", {"a_b": True, "axb": False}),
        (r"t LIKE 'a\%%'", {"a%b": True, "ab": False}),
        (r"t LIKE '\\%'", {"\\x": True, "x": False}),
        (r"t LIKE '100\%'", {"100%": True, "1000": False}),
        ("t LIKE 'a!_b' ESCAPE '!'", {"a_b": True, "axb": False}),
        (r"t LIKE 'a\_%' ESCAPE ''", {"a\\xb": True, "a_b": False}),
        (r"t LIKE 'a\' ESCAPE ''", {"a\\": True, "a": False}),
        ("t LIKE '%%b' ESCAPE '%'", {"%b": True, "ab": False}),
        ("t LIKE '__c' ESCAPE '_'", {"_c": True, "ac": False}),
        ("t NOT LIKE '%b'", {"ab": False, "ba": True, None: None}),
        ("t NOT LIKE 'a!_b' ESCAPE '!'", {"a_b": False, "axb": True, None: None}),
        ("t LIKE u", {("a_b", r"a\_b"): True, ("axb", r"a\_b"): False, ("abc", "a%"): True, ("a", None): None}),
        ("t LIKE u || '%'", {("abc", "ab"): True, ("abc", "b"): False}),
        ("t ILIKE 'A%'", {"abc": True, "ABC": True, "b": False}),
        (r"t ILIKE 'A\_B'", {"a_b": True, "axb": False}),
        ("t NOT ILIKE '%B'", {"ab": False, "ac": True}),
        ("t ~~ 'a%'", {"ab": True, "b": False}),
        ("t !~~* 'A%'", {"ab": False, "b": True}),
        ("t LIKE NULL", {"a": None}),
        ("t LIKE ANY (ARRAY['a%', '%b'])", {"ax": True, "xb": True, "x": False, None: None}),
        ("t LIKE ALL (ARRAY['a%', '%b'])", {"ab": True, "ax": False}),
        ("t NOT LIKE ANY (ARRAY['a%', '%b'])", {"ab": False, "ax": True, "x": True}),
        ("t LIKE ANY (ARRAY['a%', NULL])", {"ab": True, "x": None}),
        ("t LIKE ANY ('{}')", {"ab": False}),
        ("t LIKE ALL ('{}')", {"ab": True}),
    ],
)
def test_like(expression: str, expected: dict[Any, Any]) -> None:
    assert answers(expression, expected) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("t SIMILAR TO 'a%'", {"abc": True, "a\nb": True, "ba": False, None: None}),
        ("t SIMILAR TO '(a|b)%'", {"ax": True, "bx": True, "cx": False}),
        ("t SIMILAR TO 'ab|cd'", {"ab": True, "cd": True, "acd": False}),
        (r"t SIMILAR TO 'a\_b'", {"a_b": True, "axb": False}),
        ("t SIMILAR TO 'a.b'", {"a.b": True, "axb": False}),
        ("t SIMILAR TO 'a!_b' ESCAPE '!'", {"a_b": True, "axb": False}),
        ("t NOT SIMILAR TO '%b'", {"ab": False, "a": True}),
        ("t SIMILAR TO '[a-c]_b'", {"bxb": True, "dxb": False}),
        ("t SIMILAR TO '[^a]%'", {"b": True, "ab": False, "": False}),
        ("t SIMILAR TO '[%_]+'", {"%_": True, "a": False}),
        ("t SIMILAR TO '[]a]'", {"]": True, "a": True, "b": False}),
        (r"t SIMILAR TO '[a\]]'", {"]": True, "\\": False}),
        ("t SIMILAR TO '[a&~]'", {"&": True, "~": True, "b": False}),
        ("t SIMILAR TO '_{3}'", {"abc": True, "ab": False}),
        ("t SIMILAR TO 'a+b*'", {"aab": True, "b": False}),
        ("t SIMILAR TO '%^%$'", {"a^b$": True, "ab": False}),
        ("t SIMILAR TO ''", {"": True, "a": False}),
        (r"t SIMILAR TO 'a\' ESCAPE ''", {"a\\": True, "a": False}),
    ],
)
def test_similar_to(expression: str, expected: dict[Any, Any]) -> None:
    """Its pattern has to match the whole text."""
    assert answers(expression, expected) == expected


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        (r"t LIKE 'a\'", r"must not end with the escape. Write \\ for the letter itself."),
        ("t LIKE 'a!!!' ESCAPE '!'", "must not end with the escape. Write !! for the letter itself."),
        ("t LIKE 'a' ESCAPE '!!'", "an escape is one letter, or none"),
        ("i LIKE '1%'", "it takes a text in PostgreSQL, and an argument is integer"),
        ("t LIKE ANY (ARRAY_AGG(u))", "only arrays that stand in the query are compared with"),
        ("t SIMILAR TO u", "a pattern of SIMILAR TO has to stand in the query as a text"),
        (r"t SIMILAR TO 'a\'", "must not end with the escape"),
        (r"""t SIMILAR TO 'a\"b'""", "the escape before a double quote, which belongs to SUBSTRING"),
        ("t SIMILAR TO '[[:alpha:]]'", "classes of letters in brackets are not translated. List the letters."),
        (r"t SIMILAR TO '[\d]'", "an escape in brackets that is not the same here"),
        ("t SIMILAR TO '[ab'", "a bracket that is not closed"),
        ("t SIMILAR TO '(a'", "its pattern is no regular expression"),
    ],
)
def test_what_is_not_the_same_is_refused(expression: str, reason: str) -> None:
    assert reason in refusal(expression)
