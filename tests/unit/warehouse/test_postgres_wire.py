"""Rows that PostgreSQL has written are passed on as they are, and the session stays what it was."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
import pytest
from psycopg.adapt import Transformer
from psycopg.pq import Format

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError, TransientWarehouseError
from airflow_atscale_aggs.engine.warehouse.base import RowMessages, WireFormat
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession
from airflow_atscale_aggs.engine.warehouse.postgres import open_postgres
from tests.conftest import PostgresDatabase

pytestmark = pytest.mark.postgres

_INT4, _INT8, _NUMERIC, _TEXT, _FLOAT4, _FLOAT8, _TIMESTAMPTZ = 23, 20, 1700, 25, 700, 701, 1184
_MANY = "SELECT i, i::text FROM generate_series(1, {}) AS i"

_ENDLESS = "SELECT i * j, 'x' FROM generate_series(1, 10000) AS i, generate_series(1, 100000) AS j"


@pytest.fixture(scope="module")
def url(postgres_database: PostgresDatabase) -> Iterator[str]:
    with postgres_database("postgres_wire") as found:
        yield found.replace("+psycopg", "")


@pytest.fixture
def session(url: str) -> Iterator[DbApiSession]:
    warehouse = open_postgres(url, aggregate_schema="")
    with warehouse.session() as opened:
        yield opened
    warehouse.close()


def _wire(*type_oids: int, binary: bool = False, zone: str = "UTC", longest: int = 1 << 26) -> WireFormat:
    return WireFormat(type_oids=type_oids, formats=(int(binary),) * len(type_oids), zone=zone, longest=longest)


def _rows(messages: Sequence[RowMessages], wire: WireFormat) -> list[tuple[Any, ...]]:
    """The values that a client reads."""
    data, rows, at = b"".join(found.data for found in messages), [], 0
    loaders = [
        Transformer().get_loader(oid, Format(kind)) for oid, kind in zip(wire.type_oids, wire.formats, strict=True)
    ]
    while at < len(data):
        assert data[at : at + 1] == b"D"
        (size, count), values = struct.unpack_from("!Ih", data, at + 1), []
        place = at + 7
        for number in range(count):
            (length,) = struct.unpack_from("!i", data, place)
            value = None if length < 0 else data[place + 4 : place + 4 + length]
            values.append(None if value is None else loaders[number].load(value))
            place += 4 + max(length, 0)
        rows.append(tuple(values))
        at += 1 + size
    assert len(rows) == sum(found.count for found in messages)
    return rows


def _read(session: DbApiSession, sql: str, wire: WireFormat) -> list[tuple[Any, ...]] | None:
    with session.stream_messages(sql, wire) as answer:
        return None if answer is None else _rows(list(answer[1]), wire)


@pytest.mark.parametrize("binary", [False, True])
def test_rows_are_those_of_the_query_each_time_that_it_is_asked(session: DbApiSession, binary: bool) -> None:
    sql = f"{_MANY.format(20_000)} UNION ALL SELECT NULL, 'ä'"
    expected = session.fetch_all(sql)

    for _ in range(2):
        assert _read(session, sql, _wire(_INT4, _TEXT, binary=binary)) == expected
        assert session.fetch_all("SELECT 1") == [(1,)]


@pytest.mark.parametrize("binary", [False, True])
def test_a_type_that_holds_the_same_values_is_cast(session: DbApiSession, binary: bool) -> None:
    sql = "SELECT x, x AS x, x::numeric / 8 AS d FROM generate_series(3, 1, -1) AS x ORDER BY x DESC"

    rows = _read(session, sql, _wire(_INT8, _NUMERIC, _FLOAT8, binary=binary))

    assert rows == [(3, 3, 0.375), (2, 2, 0.25), (1, 1, 0.125)]
    assert rows is not None
    assert [type(value) for value in rows[0]] == [int, type(session.fetch_all("SELECT 1::numeric")[0][0]), float]


@pytest.mark.parametrize(
    ("sql", "wire"),
    [
        ("SELECT 1.5", _wire(_INT8)),
        ("SELECT 0.1::float4", _wire(_FLOAT8)),
        ("SELECT ARRAY[1]", _wire(_TEXT)),
        ("SELECT 1, 2", _wire(_INT4)),
        ("SELECT TIMESTAMPTZ '2025-01-01 00:00+00'", _wire(_TIMESTAMPTZ, zone="Asia/Tokyo")),
    ],
)
def test_what_must_be_read_to_be_written_is_not_run(session: DbApiSession, sql: str, wire: WireFormat) -> None:
    for _ in range(2):
        assert _read(session, sql, wire) is None
        assert session.fetch_all("SELECT 1") == [(1,)]


@pytest.mark.parametrize(
    "setting",
    ["DateStyle = 'SQL, DMY'", "IntervalStyle = 'iso_8601'", "extra_float_digits = 0", "bytea_output = 'escape'"],
)
def test_texts_of_another_style_are_not_passed_on(url: str, setting: str) -> None:
    sql = "SELECT DATE '2025-02-01', INTERVAL '1 day', 0.1::float8, '\\x01'::bytea"
    wire = _wire(1082, 1186, _FLOAT8, 17)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER ROLE CURRENT_USER SET {setting}")
        try:
            warehouse = open_postgres(url, aggregate_schema="")
            with warehouse.session() as session:
                assert _read(session, sql, wire) is None
        finally:
            connection.execute(f"ALTER ROLE CURRENT_USER RESET {setting.split(' ', maxsplit=1)[0]}")


def test_an_error_has_the_servers_state_wherever_it_comes(session: DbApiSession) -> None:
    early, late = "SELECT nothing", "SELECT 1 / (i - 19999) FROM generate_series(1, 20000) AS i"
    for sql, state in ((early, "42703"), (late, "22012"), (late, "22012"), ("DELETE FROM x", None)):
        with pytest.raises(PermanentWarehouseError) as caught:
            _read(session, sql, _wire(_INT4))
        assert isinstance(caught.value.__cause__, psycopg.Error)
        assert state is None or caught.value.__cause__.sqlstate == state
        assert session.fetch_all("SELECT 1") == [(1,)]


def test_nothing_is_written(session: DbApiSession) -> None:
    session.execute("CREATE TABLE IF NOT EXISTS kept (a INT)")
    for sql in ("DELETE FROM kept RETURNING a", "SELECT 1; DELETE FROM kept"):
        with pytest.raises(PermanentWarehouseError):
            _read(session, sql, _wire(_INT4))


def test_rows_that_nobody_reads_to_the_end_are_not_made(session: DbApiSession) -> None:
    started = time.monotonic()
    with session.stream_messages(_ENDLESS, _wire(_INT4, _TEXT)) as answer:
        assert answer is not None
        next(answer[1])

    assert time.monotonic() - started < 30
    assert session.fetch_all("SELECT pg_current_xact_id_if_assigned()") == [(None,)]


def test_a_canceled_query_is_an_error_and_the_session_goes_on(session: DbApiSession) -> None:
    with session.stream_messages(_ENDLESS, _wire(_INT4, _TEXT)) as answer:
        assert answer is not None
        next(answer[1])
        session.cancel()
        with pytest.raises(psycopg.errors.QueryCanceled):
            list(answer[1])

    assert session.fetch_all("SELECT 1") == [(1,)]


def test_columns_that_have_changed_are_looked_at_again(session: DbApiSession) -> None:
    session.execute("CREATE TABLE changing AS SELECT 1 AS a")
    assert _read(session, "SELECT a FROM changing", _wire(_INT4)) == [(1,)]
    session.execute("ALTER TABLE changing ALTER a TYPE NUMERIC")

    assert _read(session, "SELECT a FROM changing", _wire(_INT4)) is None
    assert _read(session, "SELECT a FROM changing", _wire(_NUMERIC)) == [(1,)]


def test_a_long_row_is_an_error_and_a_less_long_one_is_not(session: DbApiSession) -> None:
    sql = "SELECT repeat('x', 3000000)"
    assert _read(session, sql, _wire(_TEXT)) == session.fetch_all(sql)
    with pytest.raises(PermanentWarehouseError, match="a row takes more than"):
        _read(session, sql, _wire(_TEXT, longest=1_000_000))


def test_a_server_that_ends_the_session_is_lost(url: str, session: DbApiSession) -> None:
    (number,) = session.fetch_all("SELECT pg_backend_pid()")[0]
    with psycopg.connect(url) as connection:
        connection.execute("SELECT pg_terminate_backend(%s)", [number])

    with pytest.raises(TransientWarehouseError):
        _read(session, "SELECT 1", _wire(_INT4))
    assert session.fetch_all("SELECT 1") == [(1,)]


def test_a_session_that_was_canceled_is_not_kept(url: str) -> None:
    """The request may reach the next statement, or the end of the transaction, which stays open then."""
    warehouse = open_postgres(url, aggregate_schema="")
    warehouse.kept_sessions = 2
    with warehouse.session() as canceled:
        assert _read(canceled, "SELECT 1", _wire(_INT4)) == [(1,)]
        canceled.cancel()
    with warehouse.session() as other:
        assert other is not canceled
        assert _read(other, "SELECT 1", _wire(_INT4)) == [(1,)]
    with warehouse.session() as kept:
        assert kept is other
    warehouse.close()
