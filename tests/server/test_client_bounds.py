"""What a client may take is bounded, and others are not disturbed by one that wants more."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace, utc_now
from airflow_atscale_aggs.server.client_bounds import Bounds
from airflow_atscale_aggs.server.serve import ServerOptions
from tests.conftest import PostgresDatabase
from tests.server.conftest import Served, running
from tests.support.stars import tiny_star

pytestmark = pytest.mark.postgres

_ROWS = 'SELECT "Day", "Shop", "Amount" FROM tiny_sales'
_FACTS = 'SELECT "City", SUM("Amount") FROM tiny_sales GROUP BY 1'
_BOUNDS = Bounds(
    connections=6, connections_per_user=3, rows=10, session_bytes=20_000, statement_seconds=30.0,
    authentication_seconds=1.0, idle_in_transaction_seconds=1.0, idle_session_seconds=3.0,
)  # fmt: skip


@pytest.fixture(scope="module")
def bounded(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: str, postgres_database: PostgresDatabase
) -> Iterator[Served]:
    """A server with narrow bounds in front of PostgreSQL."""
    folder = tmp_path_factory.mktemp("bounded")
    with (
        postgres_database("bounded") as url,
        open_workspace(
            registry=f"sqlite:///{folder / 'registry.sqlite'}", warehouse=url, aggregate_schema="aggs"
        ) as workspace,
    ):
        tiny_star.run_sql(workspace, *tiny_star.SETUP_SQL)
        deploy(workspace, tiny_star.write_model(folder / "model"), now=utc_now())
        run_batch(workspace, "tiny_sales", owner="test")
        options = ServerOptions(port=0, without_password=True, queries=2, bounds=_BOUNDS)
        with running(workspace, postgres_server, options) as started:
            yield replace(started, warehouse=url.replace("+psycopg", ""))


@pytest.fixture
def client(bounded: Served) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(bounded.conninfo, autocommit=True) as opened:
        yield opened


def _connect(served: Served, user: str) -> psycopg.Connection[Any]:
    return psycopg.connect(host=served.host, port=served.port, dbname="tiny", user=user)


def test_connections_are_bounded_for_all_and_for_each_user(bounded: Served) -> None:
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(_connect(bounded, "ann"))
        with pytest.raises(psycopg.OperationalError, match='too many connections for role "ann"'):
            _connect(bounded, "ann")
        for _ in range(3):
            stack.enter_context(_connect(bounded, "bob"))
        with pytest.raises(psycopg.OperationalError, match="sorry, too many clients already"):
            _connect(bounded, "eve")
    deadline = time.monotonic() + 10
    while True:
        try:
            _connect(bounded, "eve").close()
            return
        except psycopg.OperationalError:
            assert time.monotonic() < deadline


def test_an_answer_with_too_many_rows_is_an_error(client: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.ProgramLimitExceeded, match="more than 10 rows"):
        client.execute(_ROWS)

    assert len(client.execute(f"{_ROWS} LIMIT 10").fetchall()) == 10


@pytest.mark.parametrize("sql", ["SELECT {}", f"{_FACTS} /* {{}} */"])
def test_a_long_message_is_refused_and_the_session_goes_on(client: psycopg.Connection[Any], sql: str) -> None:
    with pytest.raises(psycopg.errors.ProgramLimitExceeded, match="longer than the 20,000"):
        client.execute(sql.format(f"'{'x' * 3_000_000}'"))
    with pytest.raises(psycopg.errors.ProgramLimitExceeded):
        client.execute("SELECT %s", ["x" * 3_000_000])

    assert client.execute("SELECT 1").fetchone() == (1,)


def test_prepared_statements_and_portals_are_bounded_together(client: psycopg.Connection[Any]) -> None:
    pgconn = client.pgconn
    states = [pgconn.prepare(f"s{number}".encode(), _FACTS.encode()).status for number in range(30)]

    assert psycopg.pq.ExecStatus.FATAL_ERROR in states
    assert states[0] == psycopg.pq.ExecStatus.COMMAND_OK
    assert client.execute(f"{_ROWS} LIMIT 1").fetchone() is not None


@pytest.mark.parametrize("sql", ["SELECT pg_sleep(20)", _FACTS])
def test_the_time_that_a_client_sets_is_kept(bounded: Served, client: psycopg.Connection[Any], sql: str) -> None:
    with psycopg.connect(bounded.warehouse, dbname=_database(bounded)) as holding:
        holding.execute("LOCK TABLE sales IN ACCESS EXCLUSIVE MODE")
        client.execute("SET atscale_aggs.use_aggregates = off")
        client.execute("SET statement_timeout = '300ms'")
        started = time.monotonic()
        with pytest.raises(psycopg.errors.QueryCanceled, match="statement timeout"):
            client.execute(sql)
        assert time.monotonic() - started < 10


def test_a_canceled_statement_of_postgresqls_ends(client: psycopg.Connection[Any]) -> None:
    timer = threading.Timer(0.3, client.cancel_safe)
    timer.start()

    with pytest.raises(psycopg.errors.QueryCanceled):
        client.execute("SELECT pg_sleep(20)")


def test_who_does_not_sign_in_or_is_idle_is_shown_out(bounded: Served) -> None:
    silent = socket.create_connection((bounded.host, bounded.port))
    idle, holding = _connect(bounded, "ann"), _connect(bounded, "bob")
    holding.execute("SELECT 1")

    silent.settimeout(10)
    assert silent.recv(1) == b""
    assert "idle-in-transaction timeout" in _last_words(holding)
    assert "idle-session timeout" in _last_words(idle)


def _last_words(connection: psycopg.Connection[Any]) -> str:
    found = socket.socket(fileno=connection.fileno())
    found.settimeout(10)
    found.setblocking(True)
    try:
        kind = found.recv(1)
        assert kind == b"E"
        (length,) = struct.unpack("!I", found.recv(4))
        return found.recv(length).decode()
    finally:
        found.detach()
        connection.close()


def _database(served: Served) -> str:
    with served.workspace.warehouse.session() as session:
        return str(session.fetch_all("SELECT current_database()")[0][0])
