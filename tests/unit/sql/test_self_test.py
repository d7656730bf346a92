"""Tests for the self-test's questions: a warehouse that does as it should says yes, and another one is found.

What other warehouses do is shown here by statements of DuckDB's that do the same.
"""

from __future__ import annotations

import duckdb
import pytest

from airflow_atscale_aggs.engine.sql.dialects import DIALECTS
from airflow_atscale_aggs.engine.sql.self_test import QUESTIONS, alone, compose_statements

_DUCKDB = DIALECTS["duckdb"]

_OTHERWISE = {
    # ClickHouse's joins give the default of a type where nothing matches.
    "unmatched_is_null": ("LEFT JOIN", "JOIN"),
    # Its sums begin at 0.
    "sum_of_nothing_is_null": ('SUM("x") AS "s"', 'COALESCE(SUM("x"), 0) AS "s"'),
    "sum_of_nulls_is_null": ('SUM("x") AS "s"', 'COALESCE(SUM("x"), 0) AS "s"'),
    "distinct_ignores_null": ('COUNT(DISTINCT "x")', 'COUNT(DISTINCT COALESCE("x", 0))'),
    "nulls_are_one_group": ("GROUP BY", "WHERE NOT x IS NULL GROUP BY"),
    "nans_are_one_group": ("GROUP BY", "WHERE NOT ISNAN(x) GROUP BY"),
    # SQL Server's collations, as a rule.
    "case_tells_texts_apart": ("GROUP BY", "GROUP BY UPPER(x),"),
    "spaces_tell_texts_apart": ("'a ' AS", "'a' AS"),
    "bytes_tell_texts_apart": ("GROUP BY", "GROUP BY NFC_NORMALIZE(x),"),
    "quotient_of_whole_numbers": ("/", "//"),
    # The quotient of decimals has the digits of its operands.
    "quotient_of_decimals": ('(SELECT SUM("a") / SUM("b")', '(SELECT CAST(SUM("a") / SUM("b") AS DECIMAL(9, 2))'),
    "average_of_decimals": ('AVG("x")', 'CAST(AVG("x") AS DECIMAL(9, 2))'),
    "sum_of_decimals": ('SUM("x")', 'CAST(SUM("x") AS INTEGER)'),
    # Sail's sums of BIGINT come back to its other end.
    "sum_of_bigint": ('SUM("x")', '(SUM("x") - 18446744073709551616)'),
    "timestamp_keeps_microseconds": ('"t" WHERE "x"', '"t" WHERE DATE_TRUNC(\'millisecond\', "x")'),
    "instant_keeps_zone_and_microseconds": ("+02:00", "+00:00"),
}
"""By question: what a statement is made into so that it does as another warehouse would."""


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_duckdb_says_yes_or_refuses(question: object) -> None:
    name = str(getattr(question, "name"))
    with duckdb.connect() as connection:
        if name == "sum_of_widest_decimal":
            with pytest.raises(duckdb.OutOfRangeException):
                connection.execute(alone(name, _DUCKDB))
            return
        assert connection.execute(alone(name, _DUCKDB)).fetchall() == [(1,)]


@pytest.mark.parametrize("name", _OTHERWISE)
def test_a_warehouse_that_does_otherwise_is_found(name: str) -> None:
    right, wrong = _OTHERWISE[name]
    statement = alone(name, _DUCKDB)
    if name in {"case_tells_texts_apart", "bytes_tell_texts_apart"}:
        statement = statement.replace('SELECT "x" FROM', 'SELECT MIN("x") AS "x" FROM').replace(' GROUP BY "x"', "")
        wrong_statement = statement.replace(') AS "t")', f') AS "t" {wrong.rstrip(",")})')
    else:
        wrong_statement = statement.replace(right, wrong)

    assert wrong_statement != alone(name, _DUCKDB)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        assert connection.execute(wrong_statement).fetchall() == [(0,)]


def test_one_statement_asks_nearly_all() -> None:
    statements = compose_statements(_DUCKDB)

    with duckdb.connect() as connection:
        result = connection.execute(statements.together)
        assert tuple(column[0] for column in result.description) == statements.names
        assert set(result.fetchall()[0]) == {1}
    assert set(statements.alone) == {"sum_of_widest_decimal"}


def test_what_reads_microseconds_is_asked_where_there_is_such_a_function() -> None:
    assert "UNIX_MICROS(`x`)" in alone("instant_is_read_in_microseconds", DIALECTS["spark"])
    assert "1 = 1" in alone("instant_is_read_in_microseconds", _DUCKDB)
