"""Values of bind parameters are put into a text as literals, and no value changes the statement around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import duckdb
import pytest
import sqlglot

from airflow_atscale_aggs.engine.errors import UnreadableQueryError, UnsupportedQueryError
from airflow_atscale_aggs.engine.rewriting.parse.bind_parameters import Parameters, with_values


@pytest.mark.parametrize(
    ("sql", "parameters", "bound"),
    [
        ("SELECT a WHERE b = ? AND c > ?", [1, "x"], "SELECT a WHERE b = 1 AND c > 'x'"),
        ("SELECT a WHERE b = %s AND c > %s", (1, "x"), "SELECT a WHERE b = 1 AND c > 'x'"),
        ("SELECT a WHERE b = $2 AND c > $1 OR d = $2", [1, "x"], "SELECT a WHERE b = 'x' AND c > 1 OR d = 'x'"),
        ("SELECT a WHERE b = :b AND c = :c_1", {"b": 1, "c_1": 2, "more": 3}, "SELECT a WHERE b = 1 AND c = 2"),
        ("SELECT a WHERE b = $b OR c = %(b)s", {"b": "x"}, "SELECT a WHERE b = 'x' OR c = 'x'"),
        ("SELECT '?', \"?\" -- ?\n WHERE b = ?", [1], "SELECT '?', \"?\" -- ?\n WHERE b = 1"),
        ("SELECT ':b', \":b\" /* :b */ WHERE b = :b", {"b": 1}, "SELECT ':b', \":b\" /* :b */ WHERE b = 1"),
        ("SELECT b::date, l[1:b] WHERE c = :b", {"b": 1}, "SELECT b::date, l[1:b] WHERE c = 1"),
        ("SELECT a %% 2 WHERE b LIKE 'x%%' AND c = %s", [1], "SELECT a % 2 WHERE b LIKE 'x%' AND c = 1"),
        ("SELECT a % 2 WHERE b LIKE 'x%%' AND c = ?", [1], "SELECT a % 2 WHERE b LIKE 'x%%' AND c = 1"),
        ("SELECT a LIMIT ? OFFSET ?", ["5", 2], "SELECT a LIMIT 5 OFFSET 2"),
        ("SELECT a WHERE b IN ?", [[1, 2]], "SELECT a WHERE b IN (1, 2)"),
        ("SELECT a WHERE b IN (%s)", [("x", "y")], "SELECT a WHERE b IN ('x', 'y')"),
        ("SELECT a WHERE b IN (:l) AND c = ANY(:l)", {"l": [1]}, "SELECT a WHERE b IN (1) AND c = ANY(ARRAY[1])"),
        ("SELECT a - ?", [-1], "SELECT a - (-1)"),
    ],
)
def test_a_value_takes_the_place_of_its_parameter(sql: str, parameters: Parameters, bound: str) -> None:
    """Texts, quoted names, comments, casts and slices have no places."""
    assert with_values(sql, parameters, "postgres") == bound


@pytest.mark.parametrize("parameters", [None, [], ()])
def test_a_text_without_values_stays_as_it_is(parameters: Parameters | None) -> None:
    assert with_values("SELECT '%%', ?", parameters, "postgres") == "SELECT '%%', ?"


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        (None, "NULL"),
        (True, "TRUE"),
        (-3, "(-3)"),
        (1.5, "1.5"),
        (Decimal("1E+3"), "1000"),
        (Decimal("-0.10"), "(-0.10)"),
        ("it's", "'it''s'"),
        (date(2000, 1, 2), "CAST('2000-01-02' AS DATE)"),
        (datetime(2000, 1, 2, 3, 4, 5), "CAST('2000-01-02 03:04:05' AS TIMESTAMP)"),
        (datetime(2000, 1, 2, 3, tzinfo=UTC), "CAST('2000-01-02 03:00:00+00:00' AS TIMESTAMPTZ)"),
        (time(3, 4), "CAST('03:04:00' AS TIME)"),
        (UUID(int=7), "'00000000-0000-0000-0000-000000000007'"),
        ([1, None], "ARRAY[1, NULL]"),
    ],
)
def test_a_value_of_each_type_has_a_literal(value: object, literal: str) -> None:
    assert with_values("SELECT ?", [value], "postgres") == f"SELECT {literal}"


@pytest.mark.parametrize(
    "value",
    [
        "'; DROP TABLE t; --",
        "\\'; SELECT 1; --",
        "''",
        "? :a %s $1",
        "100%",
        "/* */ \n \t",
        "\u2019 \u02bc \ufb01",
        -5,
        Decimal("-123456789.000000001"),
        datetime(2000, 1, 2, 3, 4, 5, 678901),
        datetime(2000, 1, 2, 3, tzinfo=timezone(timedelta(hours=-5))),
        date(1, 1, 1),
        None,
        True,
        ["a'b", None],
    ],
)
def test_the_warehouse_reads_the_value_that_was_given(value: object) -> None:
    """A second parameter behind it stays where it was."""
    sql = with_values("SELECT ? AS first, ? AS second", [value, "end"], "duckdb")

    ((first, second),) = duckdb.execute(sql).fetchall()

    assert (first, second) == (value, "end")


@pytest.mark.parametrize("dialect", ["postgres", "bigquery", "snowflake", "databricks", "spark", "trino", "tsql"])
def test_a_text_is_escaped_as_its_dialect_does(dialect: str) -> None:
    value = "it's a \\' \\\\ \"quoted\" \n text"

    sql = with_values("SELECT ?", [value], dialect)

    (literal,) = sqlglot.parse_one(sql, read=dialect).expressions
    assert (literal.is_string, literal.name) == (True, value)


@pytest.mark.parametrize(
    ("sql", "parameters", "clause", "reason"),
    [
        ("SELECT ?", "x", "x", "parameters are a list of values or a mapping"),
        ("SELECT ?, ?", [1], "SELECT ?, ?", "it has 2 places for values, and 1 values were given"),
        ("SELECT 1", [1], "SELECT 1", "it has 0 places for values, and 1 values were given"),
        ("SELECT $2", [1], "SELECT $2", "it has 2 places for values, and 1 values were given"),
        ("SELECT $0", [1], "SELECT $0", "places for values, and 1 values were given"),
        ("SELECT ?, $1", [1, 2], "?", "places with and without numbers"),
        ("SELECT ?", {"a": 1}, "SELECT ?", "it has 0 places for values, and 1 values were given"),
        ("SELECT :a", {"b": 1, "c": 2}, ":a", "no value has this name; there are `b`, `c`"),
        (f"SELECT {'x' * 300}", [1], f"SELECT {'x' * 193}…", "it has 0 places"),
        ("SELECT ?", [float("nan")], "?", "a value of type `float` has no literal, or not this one"),
        ("SELECT ?", [Decimal("Infinity")], "?", "a value of type `Decimal` has no literal"),
        ("SELECT ?", ["a\x00b"], "?", "a value of type `str` has no literal, or not this one"),
        ("SELECT :a", {"a": b"x"}, ":a", "a value of type `bytes` has no literal"),
        ("SELECT %s", [{"a": 1}], "%s", "a value of type `dict` has no literal"),
        ("SELECT a WHERE b IN ?", [[]], "?", "the list behind IN is empty"),
    ],
)
def test_values_that_do_not_fit_are_refused(
    sql: str, parameters: Sequence[object] | Mapping[str, object], clause: str, reason: str
) -> None:
    with pytest.raises(UnsupportedQueryError) as error:
        with_values(sql, parameters, "postgres")

    assert error.value.clause == clause
    assert reason in error.value.reason


def test_a_text_that_cannot_be_taken_to_pieces_is_said_to_be_unreadable() -> None:
    with pytest.raises(UnreadableQueryError) as error:
        with_values("SELECT 'open, ?", [1], "postgres")

    assert error.value.sql == "SELECT 'open, ?"
