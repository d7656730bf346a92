"""Connections of which nothing is known but DB-API: each statement commits by itself, whatever they offer for it."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import psycopg
import pytest

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError
from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.warehouse.drivers import Failure
from airflow_atscale_aggs.engine.warehouse.other_drivers import (
    commit_each_statement,
    failure_of,
    is_transient,
    open_hook,
)
from tests.conftest import PostgresDatabase

_SQLITE = Dialect(name="sqlite", sqlglot_name="sqlite", schemes=("sqlite",))


class _ByMethod:
    """As the connector of Snowflake: autocommit is a method."""

    def __init__(self) -> None:
        self.mode = False

    def autocommit(self, mode: bool) -> None:
        self.mode = mode


def test_a_table_of_one_session_is_there_in_the_next_where_only_commit_is_offered(tmp_path: Path) -> None:
    """SQLite's driver opens a transaction before each change, unless it is told otherwise."""
    warehouse = open_hook(lambda: sqlite3.connect(tmp_path / "w.sqlite"), _SQLITE, aggregate_schema="")

    with warehouse.session() as session:
        session.execute("CREATE TABLE t (a INTEGER)")
        session.execute("INSERT INTO t VALUES (1)")
    with warehouse.session() as session:
        assert session.fetch_all("SELECT a FROM t") == [(1,)]


@pytest.mark.postgres
def test_a_table_of_one_session_is_there_in_the_next_where_autocommit_is_an_attribute(
    postgres_database: PostgresDatabase,
) -> None:
    with postgres_database("other_driver") as url:
        dsn = url.replace("+psycopg", "")
        warehouse = open_hook(
            lambda: psycopg.connect(dsn), find_dialect("postgres"), aggregate_schema="aggs", errors=(psycopg.Error,)
        )
        with warehouse.session() as session:
            session.execute("CREATE TABLE aggs.t AS SELECT 1 AS a")
        with warehouse.session() as session:
            assert session.fetch_all("SELECT a FROM aggs.t") == [(1,)]
            with pytest.raises(PermanentWarehouseError, match="gone"), session.transaction():
                session.execute("DROP TABLE aggs.t")
                session.execute("SELECT a FROM gone")
            assert session.tables("aggs") == {"t"}


def test_autocommit_may_be_a_method() -> None:
    connection = _ByMethod()

    commit_each_statement(connection)

    assert connection.mode is True


class OperationalError(Exception):
    """As DB-API names it."""


@pytest.mark.parametrize(
    ("message", "failure", "is_lasting"),
    [
        ("Object 'T' does not exist or not authorized.", Failure.NO_RIGHT, True),
        ("User does not have SELECT privilege", Failure.NO_RIGHT, True),
        ("Access Denied: Table p:d.t", Failure.NO_RIGHT, True),
        ("Catalog 'x' does not exist", Failure.NO_DATABASE, True),
        ("Not found: Table p:d.t", Failure.ABSENT, True),
        ("Invalid object name 'dbo.t'.", Failure.ABSENT, True),
        ("connection reset by peer", Failure.NO_CONNECTION, False),
    ],
)
def test_the_text_of_an_error_tells_right_database_absence_and_connection_apart(
    message: str, failure: Failure, is_lasting: bool
) -> None:
    error: Any = OperationalError(message)

    assert failure_of(error) is failure
    assert is_transient(error) is not is_lasting


def test_of_an_error_of_another_kind_nothing_is_known() -> None:
    assert failure_of(ValueError("syntax")) is Failure.OTHER
    assert not is_transient(ValueError("syntax"))
