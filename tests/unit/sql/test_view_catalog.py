"""What a catalog tells of views and of what belongs to them."""

from __future__ import annotations

import dataclasses

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from airflow_atscale_aggs.engine.sql.view_catalog import DUCKDB, POSTGRES, CatalogQueries

Rows = list[tuple[object, ...]]


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    """Tables, views and comments in two schemas."""
    connection = duckdb.connect()
    for statement in (
        "CREATE SCHEMA aggs",
        'CREATE TABLE aggs."T" (b DECIMAL(9,2), "a ""b""" VARCHAR)',
        'CREATE VIEW aggs.v AS SELECT b, b + 1 AS "C" FROM aggs.t',
        "CREATE VIEW main.v AS SELECT 1 AS x",
        "COMMENT ON VIEW aggs.v IS 'it''s ours'",
        "COMMENT ON TABLE aggs.t IS 'plain'",
        'COMMENT ON COLUMN aggs.t."a ""b""" IS \'of a column\'',
    ):
        connection.execute(statement)
    return connection


def _ask(connection: duckdb.DuckDBPyConnection, query: str, **places: str) -> Rows:
    literals = {"schema": "'aggs'", "names": "'t', 'v', 'gone'", **places}
    rows: Rows = connection.execute(query.format(**literals)).fetchall()
    return rows


def test_duckdb_tells_what_bears_the_names(connection: duckdb.DuckDBPyConnection) -> None:
    """It has no owners, so that everybody may replace everything."""
    assert sorted(_ask(connection, DUCKDB.relations)) == [
        ("T", "table", "", True, True),
        ("v", "view", "", True, True),
    ]


def test_duckdb_tells_columns_in_their_order(connection: duckdb.DuckDBPyConnection) -> None:
    rows = _ask(connection, DUCKDB.columns)

    assert [row[1:] for row in rows if row[0] == "T"] == [("b", "DECIMAL(9,2)"), ('a "b"', "VARCHAR")]
    assert [row[1] for row in rows if row[0] == "v"] == ["b", "C"]


def test_duckdb_tells_the_texts_of_all_views(connection: duckdb.DuckDBPyConnection) -> None:
    rows = _ask(connection, DUCKDB.views or "")

    assert [row[:2] for row in rows] == [("aggs", "v"), ("main", "v")]
    assert str(rows[0][2]).startswith("CREATE VIEW aggs.v AS SELECT")


def test_duckdb_composes_the_statements_that_give_comments_to_another_relation(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    connection.execute("CREATE TABLE aggs.new AS FROM aggs.t")
    of_views = _ask(connection, DUCKDB.belongings, target="'aggs.v'", kind="'VIEW'", names="'v'")
    of_tables = _ask(connection, DUCKDB.belongings, target="'aggs.new'", kind="'TABLE'", names="'t'")

    assert of_views == [("v", "comment", None, "COMMENT ON VIEW aggs.v IS 'it''s ours'")]
    assert {row[:3] for row in of_tables} == {("T", "comment", None), ("T", "comment", 'a "b"')}
    for row in of_tables:
        connection.execute(str(row[3]))
    assert _ask(connection, "SELECT comment FROM duckdb_tables() WHERE table_name = 'new'") == [("plain",)]
    assert _ask(
        connection, "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 'new' AND comment IS NOT NULL"
    ) == [('a "b"', "of a column")]


def test_duckdb_loses_comments_and_takes_any_columns_when_a_view_is_replaced(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    assert sorted(DUCKDB.lost_by_replace) == ["comment"]
    assert DUCKDB.replaces_any_columns

    connection.execute("CREATE OR REPLACE VIEW aggs.v AS SELECT 'x' AS other")

    assert _ask(connection, DUCKDB.belongings, target="''", kind="''", names="'v'") == []


_PLACES = dict.fromkeys(("schema", "names", "name", "target", "kind"), "'x'")


@pytest.mark.parametrize(
    ("queries", "dialect"), [(DUCKDB, "duckdb"), (POSTGRES, "postgres")], ids=["duckdb", "postgres"]
)
def test_every_query_is_one_that_its_dialect_reads(queries: CatalogQueries, dialect: str) -> None:
    texts = [getattr(queries, field.name) for field in dataclasses.fields(queries)]

    read = [sqlglot.parse_one(text.format(**_PLACES), read=dialect) for text in texts if isinstance(text, str)]

    assert len(read) >= 4
    assert all(isinstance(query, exp.Query) for query in read)


@pytest.mark.parametrize(
    ("narrow", "wide", "expected"),
    [
        ("smallint", "bigint", True),
        ("integer", "double precision", True),
        ("bigint", "double precision", False),
        ("bigint", "integer", False),
        ("character varying", "text", True),
        ("text", "character varying", False),
        ("date", "timestamp without time zone", True),
        ("date", "timestamp with time zone", False),
        ("numeric", "double precision", False),
    ],
)
def test_types_between_which_no_value_changes_on_postgres(narrow: str, wide: str, expected: bool) -> None:
    """A double holds 53 bits, and an instant depends on the session's time zone."""
    assert ((narrow, wide) in POSTGRES.widenings) is expected
