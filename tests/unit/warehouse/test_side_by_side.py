"""Small statements run at the same time, each in a session of its own, where the dialect's row says so."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiWarehouse
from airflow_atscale_aggs.engine.warehouse.side_by_side import do_each


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[DbApiWarehouse]:
    """A file of DuckDB, which takes three statements at once."""
    opened = open_warehouse(f"duckdb:///{tmp_path / 'w.duckdb'}")
    assert isinstance(opened, DbApiWarehouse)
    opened.dialect = replace(opened.dialect, statements_at_once=3)
    yield opened
    opened.close()


def _square(session: WarehouseSession, number: int) -> object:
    return session.fetch_all(f"SELECT {number} * {number}")[0][0]


def test_results_stand_in_the_order_of_the_items(warehouse: DbApiWarehouse) -> None:
    with warehouse.session() as session:
        assert do_each(warehouse, session, range(20), _square) == [number * number for number in range(20)]
        assert do_each(warehouse, session, [], _square) == []


def test_so_many_are_under_way_at_once_each_in_a_session_of_its_own(warehouse: DbApiWarehouse) -> None:
    together = threading.Barrier(3, timeout=20)

    def meet(session: WarehouseSession, number: int) -> tuple[int, WarehouseSession]:
        _square(session, number)
        together.wait()
        return threading.get_ident(), session

    with warehouse.session() as session:
        met = do_each(warehouse, session, range(3), meet)

    assert len({thread for thread, _ in met}) == 3
    assert len({id(own) for _, own in met}) == 3
    assert (threading.get_ident(), session) in met


@pytest.mark.parametrize("may_open", [True, False])
def test_one_after_the_other_where_the_row_says_one_or_nobody_opens_sessions(
    warehouse: DbApiWarehouse, *, may_open: bool
) -> None:
    if may_open:
        warehouse.dialect = replace(warehouse.dialect, statements_at_once=1)
    seen: list[WarehouseSession] = []

    with warehouse.session() as session:
        do_each(warehouse if may_open else None, session, range(5), lambda own, _: seen.append(own))

    assert seen == [session] * 5


@pytest.mark.parametrize("at_once", [1, 3])
def test_an_error_is_raised_and_what_is_not_begun_is_left_out(warehouse: DbApiWarehouse, at_once: int) -> None:
    warehouse.dialect = replace(warehouse.dialect, statements_at_once=at_once)
    begun: list[str] = []
    is_over = threading.Event()

    def run(session: WarehouseSession, sql: str) -> None:
        begun.append(sql)
        if sql.startswith("SELECT 1"):
            is_over.wait(20)
        try:
            session.execute(sql)
        finally:
            is_over.set()

    with warehouse.session() as session, pytest.raises(PermanentWarehouseError, match="nothing_there"):
        do_each(warehouse, session, ["SELECT * FROM nothing_there", *["SELECT 1"] * 40], run)

    assert len(begun) <= 1 + 2 * (at_once - 1)
