"""What a driver says of an error, for people."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest

from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.warehouse.base import RowBounds
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession
from airflow_atscale_aggs.engine.warehouse.drivers import MEANINGS, Driver, Failure, fetch_rows
from airflow_atscale_aggs.engine.warehouse.information_schema import InformationSchema


def _driver(failure: Failure) -> Driver:
    return Driver(
        connect=lambda: sqlite3.connect(":memory:"),
        catalog=InformationSchema(),
        errors=(sqlite3.Error,),
        is_transient=lambda _: False,
        rows_written=lambda _: None,
        interrupt=lambda _: None,
        failure=lambda _error, _name: failure,
    )


@pytest.mark.parametrize("failure", list(MEANINGS))
def test_each_failure_is_told_in_a_sentence_of_its_own(failure: Failure) -> None:
    """No right, no connection, a wrong database, "is not there" and "who knows" are five different sentences."""
    text = _driver(failure).describe(sqlite3.Error("it\nfailed"))

    assert text == f"it failed ({MEANINGS[failure]})"
    assert len(set(MEANINGS.values())) == len(MEANINGS)


def test_of_what_nobody_knows_only_the_message_is_told() -> None:
    assert _driver(Failure.OTHER).describe(sqlite3.Error("syntax")) == "syntax"
    assert _driver(Failure.OTHER).describe(sqlite3.Error()) == "Error"


def test_first_rows_are_decoded_as_all_rows_are() -> None:
    """By drivers that read with cursors, such as those of other people's connections to Spark."""
    driver = replace(_driver(Failure.OTHER), decode=lambda _, rows: [(f"{row[0]}!",) for row in rows])
    session = DbApiSession(driver, find_dialect("duckdb"))

    assert session.fetch_all("SELECT 'a'") == session.fetch_first("SELECT 'a'", RowBounds(9, 999)).rows == [("a!",)]


def test_rows_come_as_tuples_some_at_a_time() -> None:
    with sqlite3.connect(":memory:") as connection:
        connection.row_factory = sqlite3.Row
        query = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500) SELECT i FROM n"

        rows = list(fetch_rows(connection.execute(query)))

    assert (len(rows), rows[0], rows[-1]) == (2500, (1,), (2500,))
