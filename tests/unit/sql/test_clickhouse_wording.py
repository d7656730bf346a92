"""What our SQL means on ClickHouse, in its words: what PostgreSQL answers, ClickHouse answers too."""

from __future__ import annotations

import math
from datetime import date
from decimal import Decimal

import pytest
import sqlglot
from sqlglot import UnsupportedError

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError
from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.statements import render, render_last
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession

_ROW = find_dialect("clickhouse")
_VALUES = (
    "(SELECT 1 AS k, CAST(NULL AS INT) AS x, CAST('5.00' AS DECIMAL(9, 2)) AS d, 'É' AS t "
    "UNION ALL SELECT 2, 7, CAST('3.00' AS DECIMAL(9, 2)), 'a') AS v"
)
_BIG = "CAST('9223372036854775807' AS BIGINT)"
_WIDE = "CAST('12345678901234567890.0123456789' AS DECIMAL(38, 10))"


def _said(sql: str) -> str:
    return render(sqlglot.parse_one(sql, read="postgres"), _ROW)


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        (f"SELECT SUM(d) / 3 FROM {_VALUES}", [(8 / 3,)]),
        (f"SELECT MAX(d) / MIN(d) FROM {_VALUES}", [(5 / 3,)]),
        ("SELECT 7 / CAST('2' AS BIGINT)", [(3.5,)]),
        (f"SELECT (1 + 2) / (SELECT MAX(k) FROM {_VALUES})", [(1.5,)]),
        (f"SELECT {_BIG} * 2", [(Decimal(18446744073709551614),)]),
        (f"SELECT {_WIDE} * {_WIDE}", [(Decimal("152415787532388367502210031450053345677.50053345778750190521"),)]),
        (f"SELECT {_BIG} * CASE WHEN 3 / 2 > 1 THEN 2 ELSE 1 END", [(Decimal(18446744073709551614),)]),
        ("SELECT 1.5 * CAST('2' AS DOUBLE PRECISION)", [(3.0,)]),
        ("SELECT NULLIF(COUNT(*), 0) * 0 FROM (SELECT 1) AS t", [(0,)]),
        (f"SELECT k FROM {_VALUES} WHERE k NOT IN (2, NULL)", []),
        (f"SELECT k FROM {_VALUES} WHERE k IN (2, NULL)", [(2,)]),
        (f"SELECT k FROM {_VALUES} WHERE k IN (SELECT 2)", [(2,)]),
        (f"SELECT LOWER(t), UPPER('é') FROM {_VALUES} WHERE k = 1", [("é", "É")]),
        (f"SELECT FIRST_VALUE(x) OVER (ORDER BY k) FROM {_VALUES} ORDER BY k", [(None,), (None,)]),
        (f"SELECT COUNT(x) - 3, COUNT(*) OVER () FROM {_VALUES} GROUP BY x ORDER BY 1", [(-3, 2), (-2, 2)]),
        (f"SELECT STDDEV(x), VAR_SAMP(k), STDDEV_POP(x) FROM {_VALUES}", [(None, 0.5, 0.0)]),
        (f"SELECT VAR_SAMP(k) FILTER (WHERE k > 1), VAR_SAMP(k) OVER () FROM {_VALUES} GROUP BY k", [(None, 0.5)] * 2),
        ("SELECT VAR_POP(x) FROM (SELECT 1000000004.0 AS x UNION ALL SELECT 1000000016.0) AS v", [(36.0,)]),
        ("SELECT CAST('1.005' AS DECIMAL(9, 2)), CAST(CAST('2.345' AS DECIMAL(9, 3)) AS DECIMAL(9, 2))",
         [(Decimal("1.01"), Decimal("2.35"))]),
        ("SELECT CAST(NULL AS INT), CAST('7' AS INT), CAST(TRUE AS INT), CAST(5 AS TEXT)", [(None, 7, 1, "5")]),
        ("SELECT DATE '1950-03-31', DATE '2250-01-01'", [(date(1950, 3, 31), date(2250, 1, 1))]),
        (f"SELECT PERCENTILE_CONT(0.25) WITHIN GROUP (ORDER BY CAST(d AS DOUBLE PRECISION)) FROM {_VALUES}", [(3.5,)]),
        ("SELECT BOOL_AND(b), BOOL_OR(b) FROM (SELECT TRUE AS b UNION ALL SELECT FALSE) AS v", [(False, True)]),
        (f"SELECT -k AS k FROM {_VALUES} ORDER BY k", [(-2,), (-1,)]),
        (f"SELECT a.k FROM {_VALUES} JOIN (SELECT 2 AS k) AS a ON a.k = v.k", [(2,)]),
        (("SELECT u.k FROM (SELECT a.k, b.j FROM (SELECT 1 AS k) AS a JOIN (SELECT 1 AS k, 2 AS j) AS b "
         "ON a.k = b.k JOIN (SELECT 1 AS k) AS c ON c.k = a.k) AS u"), [(1,)]),
        ("SELECT 1 - 2, 'it''s', 'a\\b'", [(-1, "it's", "a\\b")]),
    ],
)  # fmt: skip
def test_it_means_what_it_means_in_postgresql(clickhouse: DbApiSession, sql: str, rows: list[object]) -> None:
    assert clickhouse.fetch_all(_said(sql)) == rows


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT CAST('9999999999' AS INT)",
        "SELECT CAST(300 AS SMALLINT) + CAST(CAST('70000' AS INT) AS SMALLINT)",
        "SELECT CAST('abc' AS INT)",
        "SELECT CAST('abc' AS DECIMAL(9, 2))",
        "SELECT CAST(CAST('123456789' AS INT) AS DECIMAL(9, 2))",
        "SELECT CAST('abc' AS DOUBLE PRECISION)",
        "SELECT CAST('2024-02-31 00:00:00' AS TIMESTAMP)",
        "SELECT COALESCE(SUM(x), CAST(1.5 AS DOUBLE PRECISION)) FROM (SELECT CAST('1' AS BIGINT) AS x) AS t",
    ],
)
def test_what_does_not_fit_is_an_error(clickhouse: DbApiSession, sql: str) -> None:
    """And neither NULL, nor 0, nor the other end of the range."""
    with pytest.raises(PermanentWarehouseError):
        clickhouse.fetch_all(_said(sql))


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT 1 WHERE 2 NOT IN (SELECT 1)", "NOT EXISTS"),
        ("SELECT EXTRACT(SECOND FROM x) FROM t", "no digits behind the point"),
        ("SELECT DATE '2024-02-31'", "'2024-02-31' is no day"),
    ],
)
def test_what_cannot_be_said_is_refused(sql: str, reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason):
        _said(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT SUM(a) / SUM(b) AS q, a * b AS p, COUNT(*) AS c, CAST(a AS INT) AS i FROM t GROUP BY a, b ORDER BY q",
        "SELECT STDDEV(a) AS s, LOWER(t) AS l, FIRST_VALUE(a) OVER (ORDER BY b) AS f FROM t",
        "SELECT COUNT(*) FILTER (WHERE a > 1) OVER (PARTITION BY b) AS c, a IN (1, NULL) AS i FROM t",
        "SELECT a * b * c AS p, (a + b) * (a - b) AS q, sipHash64(a, b) AS h, toUnixTimestamp64Micro(t) AS u FROM t",
    ],
)
def test_what_was_printed_is_printed_again_as_it_is(sql: str) -> None:
    said = _said(sql)

    assert render(sqlglot.parse_one(said, read="clickhouse"), _ROW) == said
    assert render_last(sqlglot.parse_one(sql, read="postgres"), _ROW) == said


def test_the_statement_that_is_rendered_stays_as_it_was() -> None:
    statement = sqlglot.parse_one("SELECT a / b FROM t", read="postgres")

    render(statement, _ROW)

    assert statement.sql("duckdb") == "SELECT a / b FROM t"


def test_a_hash_tells_null_from_every_value(clickhouse: DbApiSession) -> None:
    query = sqlglot.parse_one(
        "SELECT sipHash64(a, b) FROM (SELECT CAST(NULL AS INT) AS a, 1 AS b UNION ALL SELECT 1, NULL "
        "UNION ALL SELECT 0, 1) AS t"
    )

    hashes = clickhouse.fetch_all(render(query, _ROW))

    assert len(set(hashes)) == 3
    assert all(0 < value < 2**64 and not math.isnan(value) for (value,) in hashes)
