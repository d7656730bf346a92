"""What a catalog answers about tables and their columns."""

from __future__ import annotations

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.sql.dialects import DIALECTS
from airflow_atscale_aggs.engine.sql.table_catalog import (
    DUCKDB_COLUMNS,
    POSTGRES_COLUMNS,
    POSTGRES_TABLES,
    SNOWFLAKE_COLUMNS,
    STANDARD_COLUMNS,
    STANDARD_TABLES,
)


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    """Tables of one name in two schemas, and in a second database."""
    connection = duckdb.connect()
    for statement in (
        "CREATE SCHEMA other",
        'CREATE TABLE main."Shop" (b DECIMAL(9,2), "A" VARCHAR)',
        "CREATE TABLE other.shop (id INTEGER)",
        "CREATE VIEW main.shown AS SELECT b FROM main.shop",
        "CREATE TABLE main.day (d DATE)",
        "ATTACH ':memory:' AS second",
        "CREATE TABLE second.main.shop (id BIGINT)",
    ):
        connection.execute(statement)
    return connection


_SHOP_COLUMNS = {
    ("memory", "main", "Shop", "b", "DECIMAL(9,2)", 1, True, "table", "", False),
    ("memory", "main", "Shop", "A", "VARCHAR", 1, True, "table", "", False),
    ("memory", "main", "shown", "b", "DECIMAL(9,2)", 1, True, "view", "", False),
    ("memory", "other", "shop", "id", "INTEGER", None, True, "table", "", False),
    ("second", "main", "shop", "id", "BIGINT", 1, False, "table", "", False),
}


@pytest.mark.parametrize("query", [DUCKDB_COLUMNS, STANDARD_COLUMNS], ids=["duckdb", "standard"])
def test_every_table_of_a_name_is_listed_with_its_columns(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    """Case does not matter. A schema that is not searched has no place; the session's own database is told apart."""
    rows = connection.execute(query.format(names="'shop', 'shown'")).fetchall()

    assert set(rows) == _SHOP_COLUMNS
    assert [row[3] for row in rows if row[2] == "Shop"] == ["b", "A"]


def test_the_place_of_a_schema_is_that_on_the_search_path(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("SET search_path = 'other,main'")

    rows = connection.execute(DUCKDB_COLUMNS.format(names="'shop'")).fetchall()

    assert {(row[1], row[5]) for row in rows if row[0] == "memory"} == {("other", 1), ("main", 2)}


def test_the_tables_and_views_of_a_schema_are_listed(connection: duckdb.DuckDBPyConnection) -> None:
    rows = connection.execute(STANDARD_TABLES.format(schema="'main'")).fetchall()

    assert sorted({name for (name,) in rows}) == ["Shop", "day", "shop", "shown"]


@pytest.mark.parametrize("query", [POSTGRES_COLUMNS, STANDARD_COLUMNS, DUCKDB_COLUMNS, SNOWFLAKE_COLUMNS])
def test_a_query_on_columns_answers_ten_things(query: str) -> None:
    tree = sqlglot.parse_one(query.format(names="'a', 'b'", database=""), read="postgres")

    assert isinstance(tree, exp.Select)
    assert len(tree.expressions) == 10


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_every_dialect_is_asked_in_words_that_it_reads(dialect: Dialect) -> None:
    places = {"names": "'a', 'b'", "schema": "'s'", "database": '"D".'}

    for query in (dialect.columns, dialect.tables):
        assert isinstance(sqlglot.parse_one(query.format(**places), read=dialect.sqlglot_name), exp.Select)
    assert (dialect.tables == POSTGRES_TABLES) is (dialect.name == "postgres")
