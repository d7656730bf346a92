"""What may happen around `serve`: servers that go away, clients that vanish, do not read, or are too many.

    python -m tests.chaos.serve_chaos --rounds 10 --seconds 60

Clients that behave well ask all the time. They never get a wrong answer, and no error but while a server is away;
afterwards nothing is left behind.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import shutil
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg

from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace, utc_now
from airflow_atscale_aggs.server.own_server import own_server
from tests.support.serve_process import Held, ServeProcess
from tests.support.stars import tiny_star
from tests.support.tcp_proxy import tcp_proxy
from tests.support.vanishing import CANNOT_VANISH, vanish

QUERIES = 4
CLIENTS = 6
_DAYS = 12_000
_LARGE = 'SELECT "Day", REPEAT("Shop", 200) AS s, "Amount", "Quantity" FROM tiny_sales'
_SMALL = (
    'SELECT "City", SUM("Amount") AS a FROM tiny_sales GROUP BY 1 ORDER BY 1',
    'SELECT "Month", SUM("Quantity") AS q FROM tiny_sales GROUP BY 1 ORDER BY 1',
    "SELECT relname::text FROM pg_class WHERE relname = 'tiny_sales'",
)
_OF_OUTAGES = ("08", "53", "57", "58")
"""Classes of SQLSTATE that a client may get while a server is away."""

_PATIENCE = 60.0
"""Seconds until all is well again; a machine that is busy with other work makes nothing look endless."""


@dataclass
class Told:
    """What clients that behave well were told."""

    answers: int = 0
    wrong: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    slowest: float = 0.0


class Clients:
    """Ask all the time, each in a thread of its own, and connect again when a connection is lost."""

    def __init__(self, conninfo: str, right: dict[str, list[Any]]) -> None:
        self._conninfo, self._right = conninfo, right
        self._is_over = threading.Event()
        self._lock = threading.Lock()
        self.told = Told()
        self.last_answers = [0.0] * CLIENTS
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def take(self) -> Told:
        """What they were told since the last time."""
        with self._lock:
            told, self.told = self.told, Told()
        return told

    def wait_for_all(self) -> None:
        """Until each was answered anew."""
        begun, end = time.monotonic(), time.monotonic() + _PATIENCE
        while min(self.last_answers) < begun:
            assert time.monotonic() < end, f"clients wait for answers: {self.told}"
            time.sleep(0.05)

    def close(self) -> None:
        """Stop them."""
        self._is_over.set()
        for thread in self._threads:
            thread.join(_PATIENCE)

    def _ask(self, number: int) -> None:
        choices = random.Random(number)
        while not self._is_over.is_set():
            try:
                with psycopg.connect(self._conninfo, autocommit=True, connect_timeout=20) as connection:
                    while not self._is_over.wait(0.02):
                        self._ask_once(connection, choices, number)
            except psycopg.Error as error:
                with self._lock:
                    self.told.errors.append(f"{error.sqlstate or '08'} {error}".strip())
                time.sleep(0.2)

    def _ask_once(self, connection: psycopg.Connection[Any], choices: random.Random, number: int) -> None:
        sql, begun = choices.choice(_SMALL), time.monotonic()
        rows = connection.cursor(binary=bool(choices.randrange(2))).execute(sql).fetchall()
        self.last_answers[number] = time.monotonic()
        with self._lock:
            self.told.answers += 1
            self.told.slowest = max(self.told.slowest, time.monotonic() - begun)
            if rows != self._right[sql]:
                self.told.wrong.append(f"{sql}: {rows}")


class Scene:
    """`serve`, with its registry, its warehouse and its PostgreSQL behind lines that can be cut.

    Args:
        seconds: for which something is away.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._stack = ExitStack()
        self._folder = Path(tempfile.mkdtemp(prefix="chaos"))
        self._stack.callback(shutil.rmtree, self._folder, ignore_errors=True)
        try:
            self._begin()
        except BaseException:
            self._stack.close()
            raise

    def _begin(self) -> None:
        self._server = self._stack.enter_context(own_server())
        self.lines = {name: self._stack.enter_context(tcp_proxy(_socket_of(self._server))) for name in _LINES}
        direct = self._server.replace("postgresql://", "postgresql+psycopg://")
        with psycopg.connect(self._server, autocommit=True) as connection:
            for name in ("registry", "warehouse"):
                connection.execute(f"CREATE DATABASE {name}")
        self._fill(*(urlsplit(direct)._replace(path=f"/{name}").geturl() for name in ("registry", "warehouse")))
        over = {name: f"postgresql+psycopg://postgres@127.0.0.1:{line.port}" for name, line in self.lines.items()}
        arguments = ["--registry", f"{over['registry']}/registry", "--warehouse", f"{over['warehouse']}/warehouse"]
        self.process = ServeProcess(
            [
                *arguments,
                "--schema",
                "aggs",
                "--no-password",
                "--queries",
                str(QUERIES),
                "--authentication-timeout",
                "3s",
                "--keepalive",
                "2s",
            ],
            self._server,
            self._folder / "log",
            over=f"{over['catalog']}/postgres",
        )
        self._stack.callback(self.process.stop)
        self.conninfo = f"host={self.process.host} port={self.process.port} dbname=tiny user=me"
        self.clients = Clients(self.conninfo, self._right())
        self._stack.callback(self.clients.close)
        self.clients.wait_for_all()
        self.slow_readers()
        self.clients.wait_for_all()
        self._first = self._held()
        assert self._first.sessions == CLIENTS, self._first

    def close(self) -> None:
        """Stop everything."""
        self._stack.close()

    def run(self, name: str, event: Callable[[], None], *, is_outage: bool) -> None:
        """Let something happen, and look whether all is well."""
        self.clients.take()
        event()
        self.clients.wait_for_all()
        told = self.clients.take()
        print(
            f"{name}: {told.answers} answers, the slowest {told.slowest:.2f} s, errors {sorted(set(told.errors))[:3]}"
        )
        assert told.wrong == [], f"{name}: {told.wrong[0]}"
        unexpected = [error for error in told.errors if not (is_outage and error.startswith(_OF_OUTAGES))]
        assert unexpected == [], f"{name}: {unexpected[0]}"
        self._check(name)

    def away(self, name: str) -> None:
        """A server is gone for some time."""
        self.lines[name].cut()
        time.sleep(self._seconds)
        self.lines[name].mend()

    def restarted(self, name: str) -> None:
        """All connections to a server are lost, and new ones are taken at once."""
        self.lines[name].cut()
        self.lines[name].mend()

    def vanish(self) -> None:
        """Clients are gone in the middle of rows."""
        for number in range(3 * QUERIES):
            client = self._signed_in()
            client.sendall(_query(_LARGE))
            client.recv(1000)
            if number % 2:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()

    def unplugged(self) -> None:
        """The machines of clients are gone without a word, idle or in the middle of rows."""
        if CANNOT_VANISH:
            print(f"left out: {CANNOT_VANISH}")
            return
        with contextlib.ExitStack() as stack:
            for number in range(3 * QUERIES):
                client = stack.enter_context(self._signed_in())
                if number % 2:
                    client.sendall(_query(_LARGE))
                    client.recv(1000)
                vanish(client)
            # Their sockets stay open meanwhile.
            now = self.process.held_at_rest(Held(files=1000, threads=1000, sessions=CLIENTS, megabytes=0))
            assert now.sessions <= CLIENTS, now

    def silent(self) -> None:
        """Clients connect, and say nothing more, or half of a message."""
        with contextlib.ExitStack() as stack:
            for number in range(20):
                client = stack.enter_context(socket.create_connection((self.process.host, self.process.port)))
                client.sendall((b"", b"\0\0", struct.pack("!II", 100, 196608) + b"user\0")[number % 3])
            self.clients.wait_for_all()
            # They are sent away in time.
            time.sleep(3.5)
            self.clients.wait_for_all()

    def slow_readers(self, count: int = 3 * QUERIES) -> None:
        """Clients ask for many rows, and do not read them; others are answered meanwhile."""
        with contextlib.ExitStack() as stack:
            for _ in range(count):
                client = stack.enter_context(self._signed_in())
                client.sendall(_query(_LARGE))
            for _ in range(3):
                self.clients.wait_for_all()

    def many(self, count: int = 1000) -> None:
        """More clients connect than are taken."""
        with contextlib.ExitStack() as stack:
            for _ in range(count):
                client = socket.create_connection((self.process.host, self.process.port))
                stack.enter_context(client)
                client.sendall(_STARTUP)
            self.clients.wait_for_all()

    def garbage(self) -> None:
        """Clients speak another language."""
        choices = random.Random(time.time())
        for number in range(50):
            with contextlib.suppress(OSError):
                client = socket.create_connection((self.process.host, self.process.port))
                with client:
                    if number % 2:
                        client.sendall(_STARTUP)
                    client.sendall(choices.randbytes(1 + choices.randrange(5000)))

    def _signed_in(self) -> socket.socket:
        client = socket.create_connection((self.process.host, self.process.port), timeout=_PATIENCE)
        # Little room, so that rows wait on the other side.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(_STARTUP)
        data = b""
        while not data.endswith(b"Z\0\0\0\5I"):
            part = client.recv(1 << 16)
            assert part, data
            data += part
        return client

    def _fill(self, registry: str, warehouse: str) -> None:
        setup = [sql for sql in tiny_star.SETUP_SQL if "INTO day" not in sql and "INTO sales" not in sql]
        with open_workspace(registry=registry, warehouse=warehouse, aggregate_schema="aggs") as workspace:
            tiny_star.run_sql(workspace, *setup)
            with workspace.warehouse.session() as session:
                session.execute(
                    f"INSERT INTO day SELECT d, 'day ' || d, 'month ' || d % 12 FROM generate_series(1, {_DAYS}) AS d"
                )
                session.execute(
                    "INSERT INTO sales SELECT d.day_id, s.shop_id, d.day_id % 7, d.day_id % 1000 + 0.25 FROM day AS d "
                    "CROSS JOIN (SELECT shop_id FROM shop WHERE shop_id < 4) AS s"
                )
            deploy(workspace, tiny_star.write_model(self._folder / "model"), now=utc_now())
            run_batch(workspace, "tiny_sales", owner="chaos")

    def _right(self) -> dict[str, list[Any]]:
        """The answers, from the tables."""
        joined = "FROM sales JOIN day USING (day_id) JOIN shop USING (shop_id)"
        with psycopg.connect(urlsplit(self._server)._replace(path="/warehouse").geturl()) as connection:
            cities = f"SELECT city, SUM(amount) {joined} GROUP BY 1 ORDER BY 1"
            months = f"SELECT month, SUM(quantity) {joined} GROUP BY 1 ORDER BY 1"
            return {
                _SMALL[0]: connection.execute(cities).fetchall(),
                _SMALL[1]: connection.execute(months).fetchall(),
                _SMALL[2]: [("tiny_sales",)],
            }

    def _held(self) -> Held:
        return self.process.held_at_rest(Held(0, 0, CLIENTS, 0), seconds=2)

    def _check(self, name: str) -> None:
        assert self.process.is_alive(), f"{name}: the process has ended"
        complaints = self.process.complaints()
        assert complaints == [], f"{name}: {complaints[0]}"
        most = Held(
            files=self._first.files + 10, threads=self._first.threads + 6, sessions=CLIENTS,
            megabytes=self._first.megabytes + 150,
        )  # fmt: skip
        now = self.process.held_at_rest(most)
        is_more = now.files > most.files or now.threads > most.threads or now.sessions > most.sessions
        assert not is_more, f"{name}: it holds {now}, and held {self._first}"
        assert now.megabytes <= most.megabytes, f"{name}: it holds {now}, and held {self._first}"
        active, count = self._sessions()
        end = time.monotonic() + _ENDED_SECONDS
        while (active > QUERIES or count > 2 * QUERIES) and time.monotonic() < end:
            time.sleep(0.1)
            active, count = self._sessions()
        assert active <= QUERIES, f"{name}: {active} statements run in the warehouse: {self._running()}"
        assert count <= 2 * QUERIES, f"{name}: {count} sessions are left in the warehouse"

    def _sessions(self) -> tuple[int, int]:
        """How many sessions run a statement in the warehouse, and how many there are."""
        with psycopg.connect(self._server) as connection:
            active, count = connection.execute(_SESSIONS).fetchone() or (0, 0)
        return active, count

    def _running(self) -> list[Any]:
        with psycopg.connect(self._server) as connection:
            return connection.execute(_RUNNING).fetchall()


# A session that was closed while its statement ran is told as active until the server has ended it.
_ENDED_SECONDS = 10
_SESSIONS = """
SELECT COUNT(*) FILTER (WHERE state = 'active'), COUNT(*) FROM pg_stat_activity WHERE datname = 'warehouse'
"""
_RUNNING = """
SELECT pid, wait_event, NOW() - query_start, LEFT(query, 200) FROM pg_stat_activity
WHERE datname = 'warehouse' AND state = 'active'
"""
_LINES = ("registry", "warehouse", "catalog")
_STARTUP = struct.pack("!II", 8 + len(b"user\0me\0database\0tiny\0\0"), 196608) + b"user\0me\0database\0tiny\0\0"


def _query(sql: str) -> bytes:
    return b"Q" + struct.pack("!I", len(sql) + 5) + sql.encode() + b"\0"


def _socket_of(url: str) -> int | str:
    parts = urlsplit(url)
    folder = parse_qs(parts.query).get("host", [""])[0]
    return f"{folder}/.s.PGSQL.{parts.port or 5432}" if folder else parts.port or 5432


def events(scene: Scene) -> Iterator[tuple[str, Callable[[], None], bool]]:
    """What may happen: name, what is done, and whether clients may get errors."""
    for name in _LINES:
        yield f"the {name} is away", partial(scene.away, name), True
        yield f"the {name} was restarted", partial(scene.restarted, name), True
    yield "clients vanish", scene.vanish, False
    yield "machines of clients vanish", scene.unplugged, False
    yield "clients are silent", scene.silent, False
    yield "clients do not read", scene.slow_readers, False
    yield "a thousand clients", scene.many, False
    yield "garbage", scene.garbage, False


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=60)
    arguments = parser.parse_args()
    scene = Scene(arguments.seconds)
    try:
        for _ in range(arguments.rounds):
            happening = list(events(scene))
            random.shuffle(happening)
            for name, event, is_outage in happening:
                scene.run(name, event, is_outage=is_outage)
    finally:
        scene.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
