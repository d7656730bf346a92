"""Any other warehouse through SQLAlchemy, here SQLite in a file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError, TransientWarehouseError
from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiWarehouse
from airflow_atscale_aggs.engine.warehouse.sqlalchemy_urls import open_engine, open_url

_SQLITE = Dialect(name="sqlite", sqlglot_name="sqlite", schemes=("sqlite",))


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[DbApiWarehouse]:
    """An empty SQLite file."""
    opened = open_url(f"sqlite:///{tmp_path / 'w.sqlite'}", _SQLITE, aggregate_schema="")
    yield opened
    opened.close()


def test_each_statement_commits_by_itself_and_tells_the_rows_it_wrote(
    warehouse: DbApiWarehouse, tmp_path: Path
) -> None:
    with warehouse.session() as session:
        assert session.execute("CREATE TABLE t (a INTEGER)") is None
        assert session.execute("INSERT INTO t VALUES (1), (2)") == 2
        with sqlite3.connect(tmp_path / "w.sqlite") as other:
            assert other.execute("SELECT a FROM t ORDER BY a").fetchall() == [(1,), (2,)]


def test_errors_of_operation_may_pass_and_others_will_not(warehouse: DbApiWarehouse, tmp_path: Path) -> None:
    """SQLite takes a missing table for one of operation, which never passes."""
    with warehouse.session() as session:
        session.execute("CREATE TABLE t (a INTEGER PRIMARY KEY)")
        session.execute("INSERT INTO t VALUES (1)")
        with pytest.raises(PermanentWarehouseError, match=r"no such table: gone \(the table, view or schema is not"):
            session.execute("SELECT a FROM gone")
        with sqlite3.connect(tmp_path / "w.sqlite", isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            session.execute("PRAGMA busy_timeout = 1")
            with pytest.raises(TransientWarehouseError, match="database is locked"):
                session.execute("INSERT INTO t VALUES (2)")
        with pytest.raises(PermanentWarehouseError, match="UNIQUE constraint failed"):
            session.execute("INSERT INTO t VALUES (1)")


def test_a_driver_that_cannot_cancel_is_not_asked_to(warehouse: DbApiWarehouse) -> None:
    with warehouse.session() as session:
        session.fetch_all("SELECT 1")
        warehouse.cancel_all()
        assert session.fetch_all("SELECT 2") == [(2,)]


def test_an_engine_that_somebody_else_made_serves_as_well(tmp_path: Path) -> None:
    """Its pool is emptied when the warehouse is closed."""
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'w.sqlite'}", isolation_level="AUTOCOMMIT")
    warehouse = open_engine(engine, _SQLITE, aggregate_schema="aggs")
    pool = engine.pool
    with open_engine(engine, _SQLITE, aggregate_schema="").session() as session:
        assert session.fetch_all("SELECT 1") == [(1,)]

    warehouse.close()

    assert (warehouse.aggregate_schema, engine.pool is pool) == ("aggs", False)


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("nosuchdialect://host/db", "Can't load plugin"),
        ("mysql://host/db", "No module named 'MySQLdb'"),
        ("not a url", "Could not parse"),
        ("mssql://host:port/db", "port"),
    ],
)
def test_a_url_that_cannot_be_opened_says_what_to_install_or_correct(url: str, part: str) -> None:
    with pytest.raises(PermanentWarehouseError, match=part) as caught:
        open_url(url, _SQLITE, aggregate_schema="")

    assert caught.value.reason.endswith("; install the SQLAlchemy dialect of sqlite, or correct the URL")
