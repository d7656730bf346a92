"""Tests for the stored answers: SELECTs written by hand prove them, on DuckDB and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from airflow_atscale_aggs.engine.lifecycle.conformance.check_star import TABLES, read_rows
from airflow_atscale_aggs.engine.lifecycle.conformance.scratch import Scratch
from airflow_atscale_aggs.engine.lifecycle.conformance.stored_answers import (
    StoredQuery,
    find_difference,
    plain,
    read_queries,
)
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse
from tests.conftest import PostgresDatabase


@pytest.fixture(scope="module", params=["duckdb", pytest.param("postgres", marks=pytest.mark.postgres)])
def session(request: pytest.FixtureRequest) -> Iterator[WarehouseSession]:
    """A session that finds the star's tables without a schema."""
    if request.param == "duckdb":
        yield from _loaded("duckdb://", "SET search_path = 'scratch'")
        return
    database: PostgresDatabase = request.getfixturevalue("postgres_database")
    with database("stored_answers") as url:
        yield from _loaded(url, "SET search_path = scratch")


def _loaded(url: str, looking: str) -> Iterator[WarehouseSession]:
    warehouse = open_warehouse(url)
    scratch = Scratch(warehouse, "scratch")
    scratch.open()
    for name in TABLES:
        scratch.load(name, read_rows(name))
    with warehouse.session() as opened:
        opened.execute(looking)
        yield opened
    warehouse.close()


@pytest.mark.parametrize("query", read_queries(), ids=lambda query: str(query.name))
def test_the_select_gives_the_stored_answer(session: WarehouseSession, query: StoredQuery) -> None:
    assert find_difference(session.fetch_all(query.proof), query.answer) == ""


def test_there_are_some_forty_and_most_have_rows() -> None:
    queries = read_queries()

    assert len({query.name for query in queries}) == len(queries) >= 40
    assert len([query for query in queries if not query.answer]) == 1


@pytest.mark.parametrize(
    ("rows", "stored", "difference"),
    [
        ([(1, None)], [(1.0, None)], ""),
        ([(Decimal("0.30"),)], [(0.3,)], ""),
        ([("0.3",)], [(0.3,)], ""),
        ([(0.1 + 0.2,)], [(0.3,)], ""),
        ([(0.31,)], [(0.3,)], "(0.31) instead of (0.3)"),
        ([("a",), (None,)], [(None,), ("a",)], ""),
        ([("a",), ("a",)], [("a",)], "2 rows instead of 1"),
        ([("A",)], [("a",)], "('A') instead of ('a')"),
        ([(None,)], [("",)], "(NULL) instead of ('')"),
        ([(0,)], [(None,)], "(0) instead of (NULL)"),
        ([(1, 2)], [(1,)], "(1, 2) instead of (1)"),
    ],
)
def test_answers_are_compared_as_what_they_mean(
    rows: list[tuple[object, ...]], stored: list[tuple[object, ...]], difference: str
) -> None:
    assert find_difference(rows, stored) == difference


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (date(2024, 3, 31), "2024-03-31"),
        (datetime(2024, 3, 31), "2024-03-31"),
        (datetime(2024, 3, 31, 1, tzinfo=UTC), "2024-03-31T01:00:00+00:00"),
        (True, 1.0),
        (3, 3.0),
        ("a ", "a "),
    ],
)
def test_values_are_stored_plainly(value: object, stored: object) -> None:
    assert plain(value) == stored
