"""Sessions on a PostgreSQL server, message by message."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import make_url

from airflow_atscale_aggs.server.backend import Backend, BackendAddress, BackendError, cancel
from airflow_atscale_aggs.server.frames import Frame
from airflow_atscale_aggs.server.messages import read_fields
from tests.conftest import PostgresDatabase

_PASSWORD = "pässword, 1"


@pytest.fixture(scope="module")
def server(postgres_database: PostgresDatabase) -> Iterator[tuple[BackendAddress, str]]:
    """The address of a server, and a database on it."""
    with postgres_database("backend") as text:
        url = make_url(text)
        host = url.host or str(url.query["host"])
        yield BackendAddress(host=host, port=url.port or 5432, user=url.username or ""), str(url.database)


@pytest.fixture(params=["scram-sha-256", "md5", "password"])
def signed(request: pytest.FixtureRequest, server: tuple[BackendAddress, str]) -> Iterator[BackendAddress]:
    """The address with a role that must give a password, in one of three ways."""
    address, database = server
    encryption = "md5" if request.param == "md5" else "scram-sha-256"
    with psycopg.connect(
        host=address.host, port=address.port, user=address.user, dbname=database, autocommit=True
    ) as connection:
        connection.execute(f"SET password_encryption = '{encryption}'")
        connection.execute(f"CREATE ROLE signed LOGIN PASSWORD '{_PASSWORD}'")
        file = Path(_one(connection, "SHOW hba_file"))
        before = file.read_text(encoding="utf-8")
        lines = [f"local all signed {request.param}", f"host all signed all {request.param}"]
        file.write_text("\n".join([*lines, before]), encoding="utf-8")
        try:
            connection.execute("SELECT pg_reload_conf()")
            _wait_for(connection, request.param)
            yield BackendAddress(host=address.host, port=address.port, user="signed", password=_PASSWORD)
        finally:
            file.write_text(before, encoding="utf-8")
            connection.execute("SELECT pg_reload_conf()")
            connection.execute("DROP ROLE signed")


def _one(connection: psycopg.Connection[Any], sql: str) -> str:
    row = connection.execute(sql).fetchone()
    assert row is not None
    return str(row[0])


def _wait_for(connection: psycopg.Connection[Any], method: str) -> None:
    """Until the server has read its file."""
    for _ in range(100):
        if _one(connection, f"SELECT COUNT(*) FROM pg_hba_file_rules WHERE auth_method = '{method}'") != "0":
            connection.execute("SELECT pg_sleep(0.2)")
            return
        connection.execute("SELECT pg_sleep(0.05)")
    raise AssertionError(method)


async def _ask(backend: Backend, sql: str) -> list[Frame]:
    backend.writer.write(Frame(b"Q", sql.encode() + b"\0").encode())
    frames: list[Frame] = []
    while not frames or frames[-1].kind != b"Z":
        frames.append(await backend.read())
    return frames


def test_answers_come_as_the_server_gives_them(server: tuple[BackendAddress, str]) -> None:
    async def ask() -> tuple[list[Frame], bytes, str]:
        address, database = server
        backend = await Backend.open(address, {"database": database, "application_name": "someone"})
        await _ask(backend, "SET application_name = 'other'")
        frames = await _ask(backend, "BEGIN; SELECT 1/0")
        status, name = backend.status, backend.parameters["application_name"]
        await backend.close()
        return frames, status, name

    frames, status, name = asyncio.run(ask())

    assert [frame.kind for frame in frames] == [b"C", b"E", b"Z"]
    assert read_fields(frames[1].payload)["C"] == "22012"
    assert (status, name) == (b"E", "other")


def test_a_password_is_given_as_the_server_asks_for_it(
    signed: BackendAddress, server: tuple[BackendAddress, str]
) -> None:
    async def ask() -> bytes:
        backend = await Backend.open(signed, {"database": server[1]})
        frames = await _ask(backend, "SELECT current_user")
        await backend.close()
        return frames[1].payload

    assert asyncio.run(ask()).endswith(b"signed")


def test_a_wrong_password_is_told_in_the_servers_words(
    signed: BackendAddress, server: tuple[BackendAddress, str]
) -> None:
    wrong = BackendAddress(host=signed.host, port=signed.port, user="signed", password="guessed")

    with pytest.raises(BackendError, match="password authentication failed") as caught:
        asyncio.run(Backend.open(wrong, {"database": server[1]}))

    assert caught.value.frame is not None
    assert read_fields(caught.value.frame.payload)["C"] == "28P01"


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="cannot be reached"):
        asyncio.run(Backend.open(BackendAddress(host=str(tmp_path), user="me"), {}))


def test_a_statement_is_canceled(server: tuple[BackendAddress, str]) -> None:
    async def ask() -> list[Frame]:
        address, database = server
        backend = await Backend.open(address, {"database": database})
        asking = asyncio.ensure_future(_ask(backend, "SELECT pg_sleep(60)"))
        await asyncio.sleep(0.3)
        await cancel(address, backend.key)
        frames = await asyncio.wait_for(asking, 30)
        await backend.close()
        return frames

    frames = asyncio.run(ask())

    assert [read_fields(frame.payload)["C"] for frame in frames if frame.kind == b"E"] == ["57014"]
