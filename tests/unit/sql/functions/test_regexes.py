"""PostgreSQL's regular expressions in RE2's words, where both find the same."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.functions.regexes import Regex, read_regex
from airflow_atscale_aggs.engine.sql.functions.surfaces import translator_of
from tests.support.translated import answers, parsed, refusal, sql_of

_MATCHES = "REGEXP_MATCHES(t, 'a', 's')"


@pytest.mark.parametrize(
    ("written", "regex"),
    [
        ("abc", Regex("abc", takes_letters=True)),
        (r"\d+", Regex(r"[\p{Nd}]+", takes_letters=True)),
        (r"\W", Regex(r"[^\p{L}\p{M}\p{N}_]", takes_letters=True)),
        (r"^a\.b$", Regex(r"^a\.b$", takes_letters=True)),
        (r"\Aa\Z", Regex(r"\Aa\z", takes_letters=True)),
        ("a*", Regex("a*")),
        ("a{0,2}", Regex("a{0,2}")),
        ("a{2}", Regex("a{2}", takes_letters=True)),
        ("^$", Regex("^$")),
        ("a+?", Regex("a+?", takes_letters=True, has_lazy=True)),
        ("a|b", Regex("a|b", takes_letters=True, is_single=False)),
        ("(ab)(c)", Regex("(ab)(c)", takes_letters=True, groups=2)),
        ("(?:ab)c", Regex("(?:ab)c", takes_letters=True)),
        ("(ab)+", Regex("(ab)+", takes_letters=True, groups=1, is_single=False)),
        ("[a-c]", Regex("[a-c]", takes_letters=True)),
        ("[]^a]", Regex(r"[\]\^a]", takes_letters=True)),
        ("[^[:digit:]_]", Regex(r"[^\p{Nd}_]", takes_letters=True)),
        (r"[\d\.]", Regex(r"[\p{Nd}\.]", takes_letters=True)),
        ("a{x", Regex(r"a\{x", takes_letters=True)),
        ("}", Regex(r"\}", takes_letters=True)),
    ],
)
def test_a_pattern_is_read_letter_by_letter(written: str, regex: Regex) -> None:
    """And it is noted whether there is one way to match only, and whether a match may be empty."""
    translator = translator_of("postgres", find_dialect("duckdb"))
    assert translator is not None

    assert read_regex(written, parsed("t"), translator) == regex


@pytest.mark.parametrize(
    ("expression", "sql"),
    [
        ("t ~ 'a.b'", "REGEXP_MATCHES(t, 'a.b', 's')"),
        ("t ~* 'A'", "REGEXP_MATCHES(t, 'A', 'is')"),
        ("REGEXP_REPLACE(t, 'a', 'X', 'g')", "REGEXP_REPLACE(t, 'a', 'X', 'sg')"),
        ("REGEXP_SUBSTR(t, 'a')", f"CASE WHEN {_MATCHES} THEN REGEXP_EXTRACT(t, 'a', 0, 's') ELSE NULL END"),
    ],
)
def test_a_function_in_the_words_of_duckdb(expression: str, sql: str) -> None:
    assert sql_of(expression) == sql


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("t ~ '^a'", {"ab": True, "ba": False, "": False, None: None}),
        ("t ~ 'b$'", {"ab": True, "ab\n": False, "b\na": False}),
        ("t ~ '^.$'", {"\n": True, "é": True, "ab": False}),
        ("t ~ ''", {"": True, "a": True}),
        ("t !~ 'a'", {"a": False, "b": True, None: None}),
        ("t ~* 'É'", {"é": True, "e": False}),
        ("t !~* 'A'", {"a": False, "b": True}),
        (r"t ~ '^\w+$'", {"añ_1": True, "a b": False}),
        (r"t ~ '\s'", {"a\tb": True, "a\x0bb": True, "ab": False}),
        ("t ~ '[[:upper:]]'", {"aB": True, "ab": False}),
        ("t ~ '[[:punct:]]'", {"a!": True, "a": False}),
        ("t ~ '^(a|ab)$'", {"a": True, "ab": True, "abc": False}),
        ("t ~ 'a{2}'", {"aa": True, "a": False}),
        (r"t ~ '[\d_]'", {"1": True, "_": True, "a": False}),
        ("REGEXP_LIKE(t, 'A', 'i')", {"a": True, "b": False}),
        ("REGEXP_LIKE(t, 'A', 'ic')", {"a": False, "A": True}),
    ],
)
def test_whether_a_text_matches(expression: str, expected: dict[Any, Any]) -> None:
    """A dot takes line ends in."""
    assert answers(expression, expected) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("REGEXP_REPLACE(t, 'a', 'X')", {"aba": "Xba", "b": "b", None: None}),
        ("REGEXP_REPLACE(t, 'a', 'X', 'g')", {"aba": "XbX"}),
        ("REGEXP_REPLACE(t, 'A', 'X', 'gi')", {"aBA": "XBX"}),
        (r"REGEXP_REPLACE(t, '(a)(.)', '\2\1', 'g')", {"abac": "baca"}),
        (r"REGEXP_REPLACE(t, '[ab]', '<\&>', 'g')", {"abc": "<a><b>c"}),
        (r"REGEXP_REPLACE(t, 'a', '\\', 'g')", {"aba": "\\b\\"}),
        ("REGEXP_REPLACE(t, '^.', '')", {"abc": "bc", "": ""}),
        ("REGEXP_REPLACE(t, 'b*', '-')", {"abb": "-abb", "bba": "-a"}),
        ("SUBSTRING(t FROM 'a.')", {"xab": "ab", "x": None, None: None}),
        ("SUBSTRING(t FROM 'a(.)')", {"xab": "b", "x": None}),
        ("SUBSTRING(t, '[0-9]+')", {"a12b3": "12", "a": None}),
        ("SUBSTRING(t FROM 'a*')", {"baa": "", "aab": "aa"}),
        ("REGEXP_SUBSTR(t, 'a(.)')", {"xab": "ab", "x": None}),
        ("REGEXP_COUNT(t, 'a')", {"banana": 3, "x": 0, None: None}),
        ("REGEXP_COUNT(t, 'aa')", {"aaa": 1}),
    ],
)
def test_what_a_regular_expression_replaces_extracts_and_counts(expression: str, expected: dict[Any, Any]) -> None:
    assert answers(expression, expected) == expected


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("t ~ u", "a regular expression has to stand in the query as a text"),
        ("t ~ '(?i)a'", "its regular expression has options of its own"),
        ("t ~ '***:a'", "its regular expression has options of its own"),
        ("t ~ 'a(?=b)'", "a look ahead or behind"),
        (r"t ~ '\ya'", r"`\y`, which is not the same here"),
        (r"t ~ '(a)\1'", r"`\1`, which is not the same here"),
        ("t ~ 'a\\'", "a backslash at its end"),
        ("t ~ '(a'", "a parenthesis that is not closed"),
        ("t ~ 'a)'", "a parenthesis that was not opened"),
        ("t ~ '[a'", "a bracket that is not closed"),
        ("t ~ '[[:word:]]'", "a class of letters that is not known here"),
        ("t ~ '[[.a.]]'", "a class of letters that is not known here"),
        (r"t ~ '[\y]'", r"`\y` in brackets"),
        ("t ~ 'a+*'", "a quantifier of a quantifier"),
        ("REGEXP_LIKE(t, 'a', 'n')", "its flag `n` is not translated"),
        ("REGEXP_REPLACE(t, 'a|ab', 'X')", "PostgreSQL takes the longest of several matches, the warehouse the first"),
        ("REGEXP_REPLACE(t, 'a+?', 'X')", "PostgreSQL takes the longest of several matches"),
        ("REGEXP_COUNT(t, '(a|b)')", "PostgreSQL takes the longest of several matches"),
        ("REGEXP_REPLACE(t, 'b*', '-', 'g')", "its regular expression matches nothing as well"),
        (r"REGEXP_REPLACE(t, '(a)', '\2')", r"its replacement has `\2`, which is not the same here"),
        ("REGEXP_REPLACE(t, 'a', u)", "a replacement has to stand in the query as a text"),
        ("REGEXP_REPLACE(t, 'a', 'X', 'n')", "its flag `n` is not translated"),
        ("REGEXP_SUBSTR(t, 'a', 2)", "only the first match is taken here"),
        ("REGEXP_COUNT(t, 'a', 2)", "it takes a text and a regular expression here"),
    ],
)
def test_what_is_not_the_same_is_refused(expression: str, reason: str) -> None:
    assert reason in refusal(expression)
