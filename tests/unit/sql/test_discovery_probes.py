"""Questions about tables that nobody has modelled, answered by DuckDB."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from airflow_atscale_aggs.engine.sql.dialects import DIALECTS
from airflow_atscale_aggs.engine.sql.discovery_probes import (
    LookedAt,
    count_statement,
    dependence_statement,
    duplicates_statement,
    inclusion_statement,
    profile_statement,
)
from airflow_atscale_aggs.engine.sql.statements import render

_DUCKDB = DIALECTS["duckdb"]
_T, _K = LookedAt("select", "main"), LookedAt("keys")
_STATEMENTS = [
    count_statement(_T),
    duplicates_statement(_T, ["a", "b c"]),
    *(
        statement
        for part in (_T, LookedAt("t", share=0.1, rows=5), LookedAt("t", rows=5))
        for statement in (
            profile_statement(part, [("a", True), ("b c", False)], _DUCKDB),
            inclusion_statement((part, ["a"]), (_K, ["k"]), _DUCKDB),
            dependence_statement(part, ["a"], "b c", _DUCKDB),
        )
    ),
]


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute('CREATE TABLE "select" (a INT, "b c" TEXT)')
        connection.execute("""INSERT INTO "select" VALUES (1, 'x'), (1, 'y'), (2, 'x'), (9, NULL), (NULL, 'z')""")
        connection.execute("CREATE TABLE keys AS SELECT * FROM (VALUES (1), (2), (3), (NULL)) t(k)")
        connection.execute('CREATE TABLE t AS SELECT i AS a, i % 3 AS "b c" FROM range(100000) t(i)')
        yield connection


def _ask(database: duckdb.DuckDBPyConnection, statement: exp.Expr) -> tuple[object, ...]:
    (row,) = database.execute(render(statement, _DUCKDB)).fetchall()
    return tuple(row)


def test_answers_are_counts(database: duckdb.DuckDBPyConnection) -> None:
    assert _ask(database, count_statement(_T)) == (5,)
    assert _ask(database, profile_statement(_T, [("a", True), ("b c", False)], _DUCKDB)) == (5, 4, 3, 1, 9, 4, 3)
    assert _ask(database, duplicates_statement(_T, ["a"])) == (1,)
    assert _ask(database, duplicates_statement(_T, ["a", "b c"])) == (0,)
    assert _ask(database, inclusion_statement((_T, ["a"]), (_K, ["k"]), _DUCKDB)) == (3, 2, 4, 3)
    assert _ask(database, dependence_statement(_T, ["a"], "b c", _DUCKDB)) == (1,)


def test_a_sample_is_a_part_and_the_same_each_time(database: duckdb.DuckDBPyConnection) -> None:
    statement = profile_statement(LookedAt("t", share=0.2, rows=10_000), [("a", True)], _DUCKDB)

    first = _ask(database, statement)
    assert 1 < int(str(first[0])) <= 10_000
    assert _ask(database, statement) == first


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda dialect: dialect.name)
def test_each_dialect_can_say_them(dialect: object) -> None:
    from airflow_atscale_aggs.engine.sql.capabilities import Dialect

    assert isinstance(dialect, Dialect)
    statements = [
        profile_statement(LookedAt("t", share=0.1, rows=5), [("a", True)], dialect),
        inclusion_statement((_T, ["a"]), (_K, ["k"]), dialect),
        dependence_statement(_T, ["a"], "b c", dialect),
        *_STATEMENTS[:2],
    ]
    for statement in statements:
        assert sqlglot.parse_one(render(statement, dialect), read=dialect.sqlglot_name) is not None
