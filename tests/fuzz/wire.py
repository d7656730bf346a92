"""Whatever bytes a client sends, `serve` lives, others get right answers, and nothing is left behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import ssl
import struct
import subprocess
import tempfile
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg

from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace, utc_now
from airflow_atscale_aggs.server.own_server import own_server
from airflow_atscale_aggs.server.passwords import make_verifier
from tests.fuzz.mutations import Choices, choose
from tests.fuzz.wire_messages import message, session_bytes, startup_bytes
from tests.support.serve_process import Held, ServeProcess
from tests.support.stars import tiny_star

_ANSWERS = (
    ('SELECT "City", SUM("Amount") AS a FROM tiny_sales GROUP BY 1 ORDER BY 1', ()),
    ('SELECT "City", SUM("Quantity") FROM tiny_sales WHERE "Month" = %s GROUP BY 1 ORDER BY 1', ("month 1",)),
    ("SELECT relname::text, 7 FROM pg_class WHERE relname = 'tiny_sales'", ()),
)
_LOOK_AFTER = 200
"""Inputs, after which is counted what the process holds."""

_FILES, _THREADS = 40, 24
"""Threads start when there is work, with connections of their own."""

_MEGABYTES = 400
"""By which the process may grow beyond what it held after the first inputs: it remembers descriptions and plans."""

_SERVER_KINDS = frozenset(b"RKSZTDCE1234ntsINGHWdcAvV")
_PATIENCE = 60
"""Seconds; a machine that is busy with other work makes nothing look endless."""


class Wire:
    """A real process of `serve` with a star behind it, and a client beside the fuzzer that behaves well.

    Args:
        on_postgres: the star is in PostgreSQL, whose rows are passed on as they come; else in DuckDB.
    """

    def __init__(self, *, on_postgres: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="wire"))
        self._stack = ExitStack()
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self._catalog_server = self._stack.enter_context(own_server())
        registry, warehouse = f"sqlite:///{self.folder / 'r.sqlite'}", f"duckdb:///{self.folder / 'w.duckdb'}"
        if on_postgres:
            warehouse = self._catalog_server.replace("postgresql://", "postgresql+psycopg://")
        with open_workspace(registry=registry, warehouse=warehouse, aggregate_schema="aggs") as workspace:
            tiny_star.run_sql(workspace, *tiny_star.SETUP_SQL)
            deploy(workspace, tiny_star.write_model(self.folder / "model"), now=utc_now())
            run_batch(workspace, "tiny_sales", owner="fuzz")
            workspace.registry.users.put("ann", make_verifier("secret").encode(), None, now=utc_now())
        self._arguments = ["--registry", registry, "--warehouse", warehouse, "--schema", "aggs", *self._certificate()]
        self._count = 0
        self._first: Held
        self._start()

    def close(self) -> None:
        """Stop everything, and look a last time at what is left."""
        try:
            self._control.close()
            self.process.stop()
            self._check_log()
        finally:
            self._stack.close()

    def fuzz_wire(self, choices: Choices) -> None:
        """Send an input, and look whether all is well."""
        if not self.process.is_alive():
            self._start()
        (self._startup if not choices.randrange(4) else self._session)(choices)
        self._check(choices)

    def _startup(self, choices: Choices) -> None:
        with socket.create_connection((self._host, self._port), timeout=_PATIENCE) as client:
            data = startup_bytes(choices)
            if not choices.randrange(4):
                client.sendall(struct.pack("!II", 8, 80877103))
                if client.recv(1) == b"S" and choices.randrange(2):
                    self._inside_tls(client, data)
                    return
            with contextlib.suppress(OSError):
                client.sendall(data)
                client.settimeout(0.05)
                client.recv(4096)
            _leave(client, choices)

    def _inside_tls(self, client: socket.socket, data: bytes) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with contextlib.suppress(OSError), context.wrap_socket(client) as wrapped:
            wrapped.settimeout(0.05)
            wrapped.sendall(data)
            wrapped.recv(4096)

    def _session(self, choices: Choices) -> None:
        connection = self._connect()
        client = socket.socket(fileno=os.dup(connection.pgconn.socket))
        try:
            client.setblocking(True)
            client.settimeout(_PATIENCE)
            with contextlib.suppress(OSError):
                client.sendall(session_bytes(choices))
                if choices.randrange(2):
                    # Behind this an answer must come, or the connection must end: one that is stuck is a finding.
                    client.sendall(message(b"c", b"") + message(b"S", b""))
                    client.shutdown(socket.SHUT_WR)
                    _check_answers(_read_all(client))
            _leave(client, choices)
        finally:
            client.close()
            connection.close()

    def _check(self, choices: Choices) -> None:
        assert self.process.is_alive(), "the process has ended"
        sql, values = choose(choices, _ANSWERS)
        cursor = self._control.cursor(binary=bool(choices.randrange(2)))
        rows = cursor.execute(sql, values or None).fetchall()
        assert rows == self._right[sql], f"the answer of another client: {rows}"
        self._count += 1
        if self._count % _LOOK_AFTER == 0:
            self._check_log()
            self._check_held()

    def _check_log(self) -> None:
        complaints = self.process.complaints()
        self.process.log.write_bytes(b"")
        assert not complaints, complaints[0]

    def _check_held(self) -> None:
        now = self.process.held_at_rest(self._first)
        if self._count <= 2 * _LOOK_AFTER:
            # What is kept for many queries is there by now.
            self._first = Held(now.files, now.threads, now.sessions, now.megabytes)
        most = Held(
            files=self._first.files + _FILES,
            threads=self._first.threads + _THREADS,
            sessions=self._first.sessions,
            megabytes=self._first.megabytes + _MEGABYTES,
        )
        is_more = (
            now.files > most.files
            or now.threads > most.threads
            or now.sessions > most.sessions
            or now.megabytes > most.megabytes
        )
        assert not is_more, f"it holds {now}, and held {self._first}"

    def _start(self) -> None:
        self.process = ServeProcess(self._arguments, self._catalog_server, self.folder / "log")
        self._host, self._port = self.process.host, self.process.port
        self._control = self._connect()
        self._right: dict[str, list[Any]] = {}
        for sql, values in _ANSWERS:
            self._right[sql] = self._control.execute(sql, values or None).fetchall()
        assert self._right[_ANSWERS[0][0]] == [
            ("North", Decimal("555.00")), ("South", Decimal("292.50")), (None, Decimal("302.50")),
        ]  # fmt: skip
        self._first = self.process.held()
        assert self._first.sessions == 1, self._first

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host=self._host, port=self._port, dbname="tiny", user="ann", password="secret", sslmode="disable",
            autocommit=True, connect_timeout=_PATIENCE,
        )  # fmt: skip

    def _certificate(self) -> list[str]:
        files = [str(self.folder / name) for name in ("certificate.pem", "key.pem")]
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
        subprocess.run([*command, "-out", files[0], "-keyout", files[1]], check=True, capture_output=True)
        return ["--certificate", files[0], "--key", files[1]]


def _leave(client: socket.socket, choices: Choices) -> None:
    """Say goodbye, close, or be gone without a word."""
    with contextlib.suppress(OSError):
        match choices.randrange(3):
            case 0:
                client.sendall(message(b"X", b""))
            case 1:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()


def _read_all(client: socket.socket) -> bytes:
    parts = []
    try:
        while part := client.recv(1 << 16):
            parts.append(part)
    except TimeoutError as error:
        message_of = f"no end after {sum(map(len, parts))} bytes: {parts[-1:]}"
        raise AssertionError(message_of) from error
    return b"".join(parts)


def _check_answers(data: bytes) -> None:
    """What the server says are whole messages of the protocol, and none is about a defect."""
    place = 0
    while place + 5 <= len(data):
        (length,) = struct.unpack_from("!I", data, place + 1)
        assert data[place] in _SERVER_KINDS, data[place : place + 40]
        payload = data[place + 5 : place + 1 + length]
        assert not (data[place] == ord("E") and b"not foreseen" in payload), payload
        place += 1 + length
    assert place == len(data), "the last message is no whole one"
