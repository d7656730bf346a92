"""Which sessions are kept for the next who asks, and for whom."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError
from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession, DbApiWarehouse
from airflow_atscale_aggs.engine.warehouse.drivers import Driver
from airflow_atscale_aggs.engine.warehouse.information_schema import InformationSchema

_FORGETS = Dialect(name="sqlite", sqlglot_name="sqlite", schemes=("sqlite",))
_REMEMBERS = replace(_FORGETS, remembers_files=True)


def _warehouse(dialect: Dialect) -> DbApiWarehouse:
    """A warehouse whose sessions are alive as long as they are open."""
    driver = Driver(
        connect=lambda: sqlite3.connect(":memory:", isolation_level=None),
        catalog=InformationSchema(),
        errors=(sqlite3.Error,),
        is_transient=lambda _: False,
        rows_written=lambda _: None,
        interrupt=lambda _: None,
        is_alive=lambda _: True,
    )
    return DbApiWarehouse(driver, dialect)


def _use(warehouse: DbApiWarehouse, *, may_remember: bool) -> DbApiSession:
    with warehouse.session(may_remember=may_remember) as session:
        session.fetch_all("SELECT 1")
    return session


@pytest.mark.parametrize("may_remember", [False, True])
def test_a_session_that_forgets_is_kept_for_anybody(may_remember: bool) -> None:
    warehouse = _warehouse(_FORGETS)
    warehouse.kept_sessions = 1

    first = _use(warehouse, may_remember=not may_remember)

    assert _use(warehouse, may_remember=may_remember) is first


def test_a_session_that_remembers_is_kept_for_attempts_of_a_batch_alone() -> None:
    """Whatever a server asks to keep."""
    warehouse = _warehouse(_REMEMBERS)
    warehouse.kept_sessions = 2

    outside = _use(warehouse, may_remember=True)
    with warehouse.keep_sessions(2):
        of_others = _use(warehouse, may_remember=False)
        first = _use(warehouse, may_remember=True)
        second = _use(warehouse, may_remember=True)
        later = _use(warehouse, may_remember=False)
    after = _use(warehouse, may_remember=True)

    assert first is second
    assert len({id(session) for session in (outside, of_others, first, later, after)}) == 5


def test_a_batch_gets_no_session_of_an_earlier_one_that_is_still_at_work() -> None:
    """It has looked at its facts before it begins to build, and must not read them as they were before."""
    warehouse = _warehouse(_REMEMBERS)
    with warehouse.keep_sessions(2):
        idle = _use(warehouse, may_remember=True)
        with warehouse.session(may_remember=True) as used:
            used.fetch_all("SELECT 1")
            with warehouse.keep_sessions(2):
                of_other_batch = _use(warehouse, may_remember=True)
        afterwards = _use(warehouse, may_remember=True)

    assert of_other_batch not in {idle, used}
    assert afterwards not in {idle, used, of_other_batch}


@pytest.mark.parametrize(("dialect", "are_kept"), [(_REMEMBERS, False), (_FORGETS, True)])
def test_after_a_failure_no_session_is_used_that_may_remember_the_same_files(dialect: Dialect, are_kept: bool) -> None:
    """The files may be gone: an attempt that is made again would fail again."""
    warehouse = _warehouse(dialect)
    with warehouse.keep_sessions(3):
        with warehouse.session(may_remember=True) as idle, warehouse.session(may_remember=True) as other:
            other.fetch_all("SELECT 1")
            idle.fetch_all("SELECT 1")
        with warehouse.session(may_remember=True) as used:
            used.fetch_all("SELECT 1")
            with pytest.raises(PermanentWarehouseError), warehouse.session(may_remember=True) as failing:
                failing.fetch_all("SELECT * FROM nowhere")
        again = _use(warehouse, may_remember=True)

    assert again is not failing
    assert (again in {idle, other, used}) == are_kept


def test_no_more_are_kept_than_were_asked_for_and_none_after_the_end() -> None:
    warehouse = _warehouse(_FORGETS)
    with warehouse.keep_sessions(1):
        with warehouse.session() as first, warehouse.session() as second:
            for session in (first, second):
                session.fetch_all("SELECT 1")
        kept = [session for session in (first, second) if session.is_alive()]
    assert len(kept) == 1
    assert not kept[0].is_alive()

    warehouse.kept_sessions = 1
    last = _use(warehouse, may_remember=False)
    assert last.is_alive()
    warehouse.close()
    assert not last.is_alive()
