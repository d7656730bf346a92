"""From a URL to a warehouse: schemes, DuckDB's parameters, and what is told when there is no driver."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.errors import (
    PermanentWarehouseError,
    TransientWarehouseError,
    UnsupportedOnDialectError,
    WarehouseError,
)
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse, split_table_options


@pytest.mark.parametrize(
    ("url", "dialect"),
    [
        ("duckdb://", "duckdb"),
        ("duckdb:///relative/file", "duckdb"),
        ("postgresql+psycopg://me:pw@host/db", "postgres"),
        ("postgres://host/db", "postgres"),
    ],
)
def test_a_url_leads_to_a_warehouse_that_nobody_is_connected_to_yet(url: str, dialect: str) -> None:
    warehouse = open_warehouse(url, aggregate_schema="aggs")

    assert (warehouse.dialect.name, warehouse.aggregate_schema) == (dialect, "aggs")


@pytest.mark.parametrize(
    ("scheme", "message"),
    [
        ("oracle://host/db", "no warehouse dialect has this URL scheme; known: duckdb, postgresql"),
        ("", "no warehouse dialect has this URL scheme"),
    ],
)
def test_an_unknown_scheme_names_the_known_ones(scheme: str, message: str) -> None:
    with pytest.raises(UnsupportedOnDialectError, match=re.escape(message)):
        open_warehouse(scheme)


def test_a_duckdb_file_is_made_where_the_url_says(tmp_path: Path) -> None:
    """Letters of a URL that stand for others are read."""
    with open_warehouse(f"duckdb:///{tmp_path}/my%20file.duckdb").session() as session:
        session.execute("CREATE TABLE t AS SELECT 1 AS a")

    assert (tmp_path / "my file.duckdb").is_file()


def test_a_database_in_memory_lives_as_long_as_its_warehouse() -> None:
    warehouse = open_warehouse("duckdb://")
    with warehouse.session() as session:
        session.execute("CREATE TABLE t AS SELECT 1 AS a")
    with warehouse.session() as session:
        assert session.fetch_all("SELECT a FROM t") == [(1,)]
    with open_warehouse("duckdb://").session() as session:
        assert session.tables("main") == frozenset()


@pytest.mark.parametrize(
    ("parameters", "query", "value"),
    [
        ("threads=1", "SELECT CURRENT_SETTING('threads')", 1),
        ("TimeZone=Asia/Kolkata", "SELECT CURRENT_SETTING('TimeZone')", "Asia/Kolkata"),
        ("threads=1&lock_timeout=0.5", "SELECT CURRENT_SETTING('threads')", 1),
    ],
)
def test_parameters_of_the_url_are_duckdbs_settings(parameters: str, query: str, value: object) -> None:
    with open_warehouse(f"duckdb://?{parameters}").session() as session:
        assert session.fetch_all(query) == [(value,)]


def test_a_parameter_that_duckdb_does_not_know_is_refused() -> None:
    with open_warehouse("duckdb://?thraeds=1").session() as session, pytest.raises(WarehouseError, match="thraeds"):
        session.execute("SELECT 1")


def test_a_lock_timeout_is_a_number() -> None:
    with pytest.raises(PermanentWarehouseError, match="`lock_timeout=long` in its URL is no number of seconds"):
        open_warehouse("duckdb://?lock_timeout=long")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("trino://host:notaport/db", "install the SQLAlchemy dialect of trino, or correct the URL"),
    ],
)
def test_without_a_driver_it_is_told_what_to_install(url: str, message: str) -> None:
    with pytest.raises(PermanentWarehouseError, match=message):
        open_warehouse(url)


def test_a_server_that_does_not_answer_is_an_error_of_the_first_statement() -> None:
    """Nobody listens at port 1."""
    warehouse = open_warehouse("postgresql+psycopg://me:pw@127.0.0.1:1/db")
    with warehouse.session() as session, pytest.raises(TransientWarehouseError) as caught:
        session.execute("SELECT 1")

    assert "the connection was lost, or cannot be made" in caught.value.reason
    assert (caught.value.sql, "pw" in str(caught.value)) == ("", False)


def test_opening_imports_no_driver() -> None:
    """Whoever only deploys needs none."""
    code = (
        "import sys; import airflow_atscale_aggs.engine.warehouse.connect; "
        "print([m for m in ('duckdb', 'psycopg', 'sqlalchemy', 'sqlglot') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("url", "rest", "options"),
    [
        ("sc://h:15002", "sc://h:15002", ""),
        ("sc://h/;token=a?table_options=USING+iceberg", "sc://h/;token=a", "USING iceberg"),
        (
            "hive://me@h/default?auth=NONE&table_options=USING%20delta%20TBLPROPERTIES%20('a'%3D'b')",
            "hive://me@h/default?auth=NONE",
            "USING delta TBLPROPERTIES ('a'='b')",
        ),
    ],
)
def test_options_of_tables_are_part_of_the_url(url: str, rest: str, options: str) -> None:
    assert split_table_options(url) == (rest, options)
