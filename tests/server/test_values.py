"""Values are written as PostgreSQL writes them."""

from __future__ import annotations

import contextlib
import random
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from airflow_atscale_aggs.server import values
from airflow_atscale_aggs.server.messages import ResultColumn
from airflow_atscale_aggs.server.values import ValueEncodingError, decode, encoders
from tests.conftest import PostgresDatabase

_ZONE = "Asia/Kolkata"
_CASES: dict[str, tuple[int, tuple[Any, ...]]] = {
    "bool": (values.BOOL, (True, False)),
    "int2": (values.INT2, (0, -5)),
    "int4": (values.INT4, (0, 2**31 - 1)),
    "int8": (values.INT8, (0, -(2**63))),
    "float8": (
        values.FLOAT8,
        (0.0, -0.0, 2.0, 0.1, 1e15, 1e16, 123456789012345.0, 3123482174803706.5, 1e-4, 1e-5, 1e300, -1.5e-7,
         float("nan"), float("inf"), float("-inf")),
    ),
    "numeric": (
        values.NUMERIC,
        tuple(map(Decimal, ("1E+10", "0.10", "-0", "NaN", "-12345678901234567890.123456789", "1E-10"))),
    ),
    "date": (values.DATE, (date(1, 1, 1), date(2000, 2, 29), date(9999, 12, 31))),
    "time": (values.TIME, (time(0, 0), time(23, 59, 59, 999999), time(1, 2, 3, 500000))),
    "timestamp": (values.TIMESTAMP, (datetime(1, 1, 1), datetime(2000, 1, 2, 3, 4, 5, 600000))),
    "timestamptz": (values.TIMESTAMPTZ, (datetime(2000, 1, 2, 3, 4, 5, 6, tzinfo=UTC),)),
    "interval": (
        values.INTERVAL,
        (timedelta(), timedelta(days=1, seconds=5), timedelta(seconds=-5), timedelta(days=-3),
         timedelta(days=400, hours=30, microseconds=10), timedelta(hours=-30)),
    ),
    "uuid": (values.UUID, (uuid.UUID(int=2**127 + 5),)),
    "bytea": (values.BYTEA, (b"\0x", b"")),
    "text": (values.TEXT, ("é", "", "a\nb")),
}  # fmt: skip


@pytest.fixture(scope="module")
def connection(postgres_database: PostgresDatabase) -> Iterator[psycopg.Connection[Any]]:
    with postgres_database("values") as url, psycopg.connect(url.replace("+psycopg", "")) as opened:
        opened.execute(f"SET TimeZone = '{_ZONE}'")
        yield opened


@pytest.mark.parametrize("written", [0, 1], ids=["text", "binary"])
@pytest.mark.parametrize("name", _CASES)
def test_a_value_is_written_as_postgresql_does(connection: psycopg.Connection[Any], name: str, written: int) -> None:
    type_oid, cases = _CASES[name]
    (encode,) = encoders([ResultColumn(name="a", type_oid=type_oid)], (written,), ZoneInfo(_ZONE))
    for value in cases:
        cursor = connection.cursor(binary=bool(written))
        cursor.execute(f"SELECT %s::{name}", (value,))
        assert cursor.pgresult is not None

        assert encode(value) == cursor.pgresult.get_value(0, 0), value
        assert decode(encode(value), type_oid, written) == value or value != value


@pytest.mark.parametrize(
    ("type_oid", "value", "expected"),
    [
        (values.INT8, Decimal("5.0"), b"5"),
        (values.FLOAT8, Decimal("0.25"), b"0.25"),
        (values.NUMERIC, 0.1, b"0.1"),
        (values.NUMERIC, 5, b"5"),
        (values.TEXT, 5, b"5"),
        (values.TEXT, True, b"true"),
        (values.JSON, {"a": [1]}, b'{"a": [1]}'),
        (values.DATE, datetime(2000, 1, 2, 3), b"2000-01-02"),
        (values.DATE, "2000-01-02", b"2000-01-02"),
        (values.TIMESTAMP, date(2000, 1, 2), b"2000-01-02 00:00:00"),
        (values.TIMESTAMPTZ, datetime(2000, 1, 2), b"2000-01-02 00:00:00+00"),
    ],
)
def test_values_of_other_warehouses_are_written_as_the_type_that_was_told(
    type_oid: int, value: Any, expected: bytes
) -> None:
    (encode,) = encoders([ResultColumn(name="a", type_oid=type_oid)], ())

    assert encode(value) == expected
    assert encode(None) is None


@pytest.mark.parametrize(
    ("type_oid", "value"),
    [(values.INT8, Decimal("5.5")), (values.INT4, "many"), (values.DATE, 5), (values.INT2, 1 << 40)],
)
@pytest.mark.parametrize("written", [0, 1])
def test_what_is_no_value_of_its_type_is_an_error_and_never_another_value(
    type_oid: int, value: Any, written: int
) -> None:
    (encode,) = encoders([ResultColumn(name="a", type_oid=type_oid)], (written,))

    with pytest.raises(ValueEncodingError):
        encode(value)


def test_a_parameter_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(ValueEncodingError, match="type 23"):
        decode(b"many", values.INT4, 0)


@pytest.mark.parametrize("written", [0, 1])
def test_no_bytes_of_a_parameter_are_a_python_error(written: int) -> None:
    """They come from outside: of any length, and with any content."""
    bytes_of = random.Random(7)
    oids = sorted({info.oid for info in psycopg.adapters.types} | {info.array_oid for info in psycopg.adapters.types})
    for oid in oids:
        for length in (*range(20), 64):
            for content in (b"\x00" * length, b"\xff" * length, b"9" * length, bytes_of.randbytes(length)):
                with contextlib.suppress(ValueEncodingError):
                    decode(content, oid, written)
