"""Connections of machines that are gone end, with all that they hold; those of clients that do not read do not."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

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
from tests.support.vanishing import CANNOT_VANISH, vanish

pytestmark = [pytest.mark.postgres, pytest.mark.skipif(bool(CANNOT_VANISH), reason=CANNOT_VANISH)]

_KEEPALIVE = 1.0
_SMALL = 'SELECT "City", SUM("Amount") FROM tiny_sales GROUP BY 1'
_PART = '(SELECT "Day", "Shop", "Amount" FROM tiny_sales) AS {}'
_LARGE = f'SELECT a."Day", REPEAT(b."Shop", 500) AS s FROM {", ".join(_PART.format(name) for name in "abcdef")}'
_PASSED_ON = "SELECT repeat('x', 1000) FROM generate_series(1, 10000000)"
_RUNNING = """
SELECT COUNT(*) FROM pg_stat_activity WHERE state = 'active' AND (datname = %s OR query LIKE %s)
AND pid <> pg_backend_pid()
"""
_SESSIONS = "SELECT COUNT(*) FROM pg_stat_activity WHERE usename LIKE 'atscale_aggs_client%%' AND application_name = %s"
_NAME = "vanishing"


@pytest.fixture(scope="module")
def watched(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: str, postgres_database: PostgresDatabase
) -> Iterator[Served]:
    """A server that takes one connection of each user, and asks soon whether he is there."""
    folder = tmp_path_factory.mktemp("vanished")
    registry = f"sqlite:///{folder / 'registry.sqlite'}"
    bounds = Bounds(connections_per_user=1, keepalive_seconds=_KEEPALIVE)
    with (
        postgres_database("vanished") as url,
        open_workspace(registry=registry, warehouse=url, aggregate_schema="aggs") as workspace,
    ):
        tiny_star.run_sql(workspace, *tiny_star.SETUP_SQL)
        deploy(workspace, tiny_star.write_model(folder / "model"), now=utc_now())
        run_batch(workspace, "tiny_sales", owner="test")
        with running(workspace, postgres_server, ServerOptions(port=0, without_password=True, bounds=bounds)) as one:
            yield replace(one, warehouse=url.replace("+psycopg", ""))


@pytest.fixture
def observer(watched: Served, postgres_server: str) -> Iterator[psycopg.Connection[tuple[int]]]:
    with psycopg.connect(postgres_server.replace("+psycopg", ""), autocommit=True) as opened:
        yield opened


def _signed_in(served: Served, user: str) -> socket.socket:
    """A client by hand, which has little room for what it does not read."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(20)
    client.connect((served.host, served.port))
    words = f"user\0{user}\0database\0tiny\0application_name\0{_NAME}\0\0".encode()
    client.sendall(struct.pack("!II", 8 + len(words), 196608) + words)
    data = b""
    while not data.endswith(b"Z\0\0\0\5I"):
        part = client.recv(1 << 16)
        assert part, data
        data += part
    return client


def _ask(client: socket.socket, sql: str) -> None:
    client.sendall(b"Q" + struct.pack("!I", len(sql) + 5) + sql.encode() + b"\0")
    assert client.recv(1) == b"T"


def _wait_for(is_so: Callable[[], bool], what: str, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, what
        time.sleep(0.05)


class _Held:
    """What the clients of the test hold."""

    def __init__(self, served: Served, observer: psycopg.Connection[tuple[int]]) -> None:
        self._served, self._observer = served, observer
        with served.workspace.warehouse.session() as session:
            self._warehouse = str(session.fetch_all("SELECT current_database()")[0][0])

    def statements(self) -> int:
        """That run in the warehouse, or beside."""
        row = self._observer.execute(_RUNNING, [self._warehouse, "%repeat('x', 1000)%"]).fetchone()
        return row[0] if row else -1

    def sessions(self) -> int:
        """On the server with the empty tables."""
        row = self._observer.execute(_SESSIONS, [_NAME]).fetchone()
        return row[0] if row else -1


def _has_room(served: Served, user: str) -> bool:
    try:
        with psycopg.connect(host=served.host, port=served.port, dbname="tiny", user=user) as client:
            return bool(client.execute(_SMALL).fetchall())
    except psycopg.OperationalError as error:
        assert "too many connections" in str(error)
        return False


@pytest.mark.parametrize("sql", ["", _LARGE, _PASSED_ON], ids=["idle", "a model", "PostgreSQL"])
def test_a_client_whose_machine_is_gone_holds_nothing_any_more(
    watched: Served, observer: psycopg.Connection[tuple[int]], sql: str
) -> None:
    held = _Held(watched, observer)
    with _signed_in(watched, "ann") as client:
        if sql:
            _ask(client, sql)
            _wait_for(lambda: held.statements() == 1, "it runs")
        assert held.sessions() == 1
        assert not _has_room(watched, "ann")

        vanish(client)

        _wait_for(lambda: held.sessions() == 0, "the session beside ends")
        _wait_for(lambda: held.statements() == 0, "the statement ends")
        _wait_for(lambda: _has_room(watched, "ann"), "the connection is free")


def test_a_client_that_does_not_read_for_long_is_gone_only_when_its_machine_is(
    watched: Served, observer: psycopg.Connection[tuple[int]]
) -> None:
    """A machine answers that there is no room. The longer that is so, the more seldom it is asked."""
    with _signed_in(watched, "bob") as reader, _signed_in(watched, "tom") as other, _signed_in(watched, "eve") as gone:
        held = _Held(watched, observer)
        for client, sql in ((reader, _LARGE), (other, _PASSED_ON), (gone, _LARGE)):
            _ask(client, sql)
        time.sleep(1.5 * _KEEPALIVE)

        vanish(gone)

        _wait_for(lambda: held.sessions() == 2, "the session beside ends")
        _wait_for(lambda: held.statements() == 2, "the statement ends")
        for _ in range(10):
            assert reader.recv(1 << 16)
            assert other.recv(1 << 16)
