"""Another process that writes to the registry holds no answer up, and what the log lacks is said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy

from airflow_atscale_aggs.engine.lifecycle.query.query_log import LONGEST_WAIT
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter, answer
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, utc_now

_QUERY = 'SELECT "City", "Amount" FROM tiny_sales GROUP BY 1 ORDER BY 1'
_LONG = 15
"""Seconds: SQLite's own wait is twice as long, PostgreSQL's has no end."""

Lock = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def logged_workspace(workspace: Workspace) -> Workspace:
    """The tiny star with its aggregates; one query is logged, so that every table of the log has a row."""
    answer(workspace, _QUERY)
    return workspace


@pytest.fixture(params=["the whole registry", "the rows that count uses"])
def lock(logged_workspace: Workspace, request: pytest.FixtureRequest) -> Lock:
    """A lock that a writer of the log needs and a reader does not."""

    @contextmanager
    def hold_lock() -> Iterator[None]:
        engine = sqlalchemy.create_engine(logged_workspace.registry.database.url)
        with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                driver: Any = connection.connection.driver_connection
                driver.isolation_level = None
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            elif request.param == "the whole registry":
                for table in ("queries", "usages", "models"):
                    connection.exec_driver_sql(f"LOCK TABLE atscale_aggs_{table} IN EXCLUSIVE MODE")
            else:
                connection.exec_driver_sql("UPDATE atscale_aggs_usages SET uses = uses + 1")
            try:
                yield
            finally:
                connection.rollback()
        engine.dispose()

    return hold_lock


def test_an_answer_does_not_wait_for_a_locked_registry(logged_workspace: Workspace, lock: Lock) -> None:
    """The answer is complete; its log is not, and it says so."""
    with lock(), ThreadPoolExecutor(1) as pool:
        result = pool.submit(answer, logged_workspace, _QUERY).result(timeout=_LONG)

    assert result.plan.sources[0].aggregate == "by_city"
    assert len(result.rows) == 3
    assert result.log_loss.startswith("1 query is missing in the log of queries")
    (record,) = logged_workspace.read.models.current()
    assert len(logged_workspace.read.queries.find(record.id)) == 1


def test_a_router_writes_later_what_it_could_not_write_at_once(logged_workspace: Workspace, lock: Lock) -> None:
    """Nothing is lost when the lock goes away while the router lives."""
    now = utc_now()
    router = QueryRouter(logged_workspace, clock=lambda: now)
    router.answer(_QUERY)
    with lock(), ThreadPoolExecutor(1) as pool:
        now += LONGEST_WAIT
        pool.submit(router.answer, _QUERY).result(timeout=_LONG)
    (record,) = logged_workspace.read.models.current()
    assert len(logged_workspace.read.queries.find(record.id)) == 1

    now += LONGEST_WAIT + timedelta(seconds=1)
    router.answer(_QUERY)
    router.close()

    assert len(logged_workspace.read.queries.find(record.id)) == 4
    assert router.log_loss == ""
