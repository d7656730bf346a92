"""Statements of clients who cancel or vanish end in the warehouse, and nobody else's."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.server.conftest import Served

_SLOW = 'SELECT "City", SUM("Amount") FROM tiny_sales GROUP BY 1'
_CLIENT = """
import psycopg, sys
with psycopg.connect(sys.argv[1]) as connection:
    connection.execute("SET atscale_aggs.use_aggregates = off")
    connection.execute(sys.argv[2])
"""


@pytest.fixture
def facts(served: Served) -> Iterator[psycopg.Connection[Any]]:
    """Somebody has locked the facts, so that whoever reads them waits."""
    if served.workspace.warehouse.dialect.name != "postgres":
        pytest.skip("a DuckDB table is never locked for readers")
    with served.workspace.warehouse.session() as session:
        name = str(session.fetch_all("SELECT current_database()")[0][0])
    with psycopg.connect(served.warehouse, dbname=name) as holding:
        holding.execute("LOCK TABLE sales IN ACCESS EXCLUSIVE MODE")
        yield holding


def _wait_until(holding: psycopg.Connection[Any], number: int) -> None:
    """Until so many statements wait for the facts."""
    sql = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    deadline = time.monotonic() + 20
    while holding.execute(sql).fetchone() != (number,):
        assert time.monotonic() < deadline, number
        time.sleep(0.05)


def test_a_canceled_statement_ends_and_others_go_on(served: Served, facts: psycopg.Connection[Any]) -> None:
    with psycopg.connect(served.conninfo, autocommit=True) as client, psycopg.connect(served.conninfo) as other:
        client.execute("SET atscale_aggs.use_aggregates = off")
        errors: list[BaseException] = []

        def ask() -> None:
            try:
                client.execute(_SLOW)
            except psycopg.Error as error:
                errors.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        _wait_until(facts, 1)
        assert other.execute(_SLOW).fetchall()
        client.cancel_safe()
        thread.join(20)

        assert [type(error) for error in errors] == [psycopg.errors.QueryCanceled]
        _wait_until(facts, 0)
        client.execute("SET atscale_aggs.use_aggregates = on")
        assert client.execute(_SLOW).fetchall()


def test_the_statement_of_a_client_that_vanishes_ends(served: Served, facts: psycopg.Connection[Any]) -> None:
    client = subprocess.Popen([sys.executable, "-c", _CLIENT, served.conninfo, _SLOW])
    _wait_until(facts, 1)

    client.kill()
    client.wait()

    _wait_until(facts, 0)
    with psycopg.connect(served.conninfo) as other:
        assert other.execute(_SLOW).fetchall()


def test_what_is_closed_early_disturbs_no_later_statement(served: Served) -> None:
    """A cancel request that comes late would end the next statement of a session of the warehouse."""
    with psycopg.connect(served.conninfo) as connection:
        right = connection.execute(_SLOW).fetchall()
        for _ in range(20):
            with connection.cursor("c") as cursor:
                cursor.execute('SELECT "Day", "Shop", "Amount" FROM tiny_sales')
                cursor.fetchone()
            assert connection.execute(_SLOW).fetchall() == right


_PART = '(SELECT "Day", "Shop", "Amount" FROM tiny_sales) AS {}'
_PARTS = ", ".join(_PART.format(name) for name in "abcdefghij")
_ENDLESS = f'SELECT COUNT(*) FROM {_PARTS} WHERE a."Amount" + j."Amount" > -1'


def _wait_until_running(served: Served, number: int) -> None:
    """Until so many sessions of the warehouse are in use."""
    deadline = time.monotonic() + 20
    while len(served.workspace.warehouse._sessions) != number:  # type: ignore[attr-defined]
        assert time.monotonic() < deadline, number
        time.sleep(0.05)


def test_a_statement_that_computes_is_stopped_in_every_warehouse(served: Served) -> None:
    _wait_until_running(served, 0)
    with psycopg.connect(served.conninfo, autocommit=True) as client:
        timer = threading.Timer(1, client.cancel_safe)
        timer.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            client.execute(_ENDLESS)
        _wait_until_running(served, 0)
        assert client.execute(_SLOW).fetchall()

    gone = subprocess.Popen([sys.executable, "-c", _CLIENT, served.conninfo, _ENDLESS])
    _wait_until_running(served, 1)
    gone.kill()
    gone.wait()
    _wait_until_running(served, 0)
