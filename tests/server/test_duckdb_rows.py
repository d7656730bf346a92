"""Rows that DuckDB writes are those that are written here of its values, byte for byte."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from airflow_atscale_aggs.engine.warehouse.base import WireFormat
from airflow_atscale_aggs.engine.warehouse.duckdb_wire import message_query, read_rows
from airflow_atscale_aggs.server import values
from airflow_atscale_aggs.server.messages import ResultColumn
from airflow_atscale_aggs.server.row_encoding import encode_rows
from airflow_atscale_aggs.server.values import encoders

_CHOICES = random.Random(11)
_TEXT, _BINARY, _BOTH = (0,), (1,), (0, 1)


def _floats() -> list[float]:
    bits = [struct.unpack("d", _CHOICES.randbytes(8))[0] for _ in range(3000)]
    near = [_CHOICES.uniform(-1, 1) * 10 ** _CHOICES.randrange(-7, 19) for _ in range(3000)]
    whole = [float(_CHOICES.randrange(-(10**17), 10**17)) for _ in range(1000)]
    edges = [0.0, -0.0, 1e15, 1e16, -1e15, 999999999999999.9, 1e15 + 0.125, 3123482174803706.5, 1e-4, 1e-5, 5e-324]
    return [*bits, *near, *whole, *edges, math.nan, math.inf, -math.inf, *(round(value, 2) for value in near)]


def _decimals(digits: int, scale: int) -> list[Decimal]:
    numbers = [_CHOICES.randrange(-(10**digits) + 1, 10**digits) for _ in range(500)]
    return [Decimal(number).scaleb(-scale) for number in [*numbers, 0, 1, -1, 10**digits - 1]]


def _moments() -> list[datetime]:
    first = datetime(1, 1, 1)
    most = (datetime(9999, 12, 31, 23, 59, 59) - first) // timedelta(seconds=1)
    times = [first + timedelta(seconds=_CHOICES.randrange(most)) for _ in range(500)]
    parts = [time.replace(microsecond=_CHOICES.choice([0, 1, 500000, 120, 999999])) for time in times]
    return [*parts, first, datetime(2000, 1, 1), datetime(1999, 12, 31, 23, 59, 59, 999999)]


_TYPES: tuple[tuple[str, int, Sequence[int], list[Any]], ...] = (
    ("VARCHAR", values.TEXT, _BOTH, ["", "a", "ä€😀", "a\tb\nc", "\\x41", "NULL", "x" * 3000, "it's"]),
    ("BOOLEAN", values.BOOL, _BOTH, [True, False]),
    ("TINYINT", values.INT2, _BOTH, [0, -128, 127]),
    ("UTINYINT", values.INT2, _BOTH, [0, 255]),
    ("SMALLINT", values.INT4, _BOTH, [0, -(2**15), 2**15 - 1]),
    ("INTEGER", values.INT4, _BOTH, [0, -(2**31), 2**31 - 1]),
    ("INTEGER", values.INT8, _BOTH, [0, -(2**31), 2**31 - 1]),
    ("UINTEGER", values.INT8, _BOTH, [0, 2**32 - 1]),
    ("BIGINT", values.INT8, _BOTH, [0, -(2**63), 2**63 - 1, *(10**n for n in range(19))]),
    ("BIGINT", values.NUMERIC, _TEXT, [0, -(2**63), 2**63 - 1]),
    ("HUGEINT", values.NUMERIC, _TEXT, [0, -(2**127) + 1, 2**127 - 1, 10**20]),
    ("DECIMAL(4,0)", values.NUMERIC, _TEXT, _decimals(4, 0)),
    ("DECIMAL(9,2)", values.NUMERIC, _TEXT, _decimals(9, 2)),
    ("DECIMAL(18,17)", values.NUMERIC, _TEXT, _decimals(18, 17)),
    ("DECIMAL(38,2)", values.NUMERIC, _TEXT, _decimals(38, 2)),
    ("DOUBLE", values.FLOAT8, _BOTH, _floats()),
    ("DATE", values.DATE, _BOTH, [moment.date() for moment in _moments()]),
    ("TIMESTAMP", values.TIMESTAMP, _BOTH, _moments()),
    ("BLOB", values.BYTEA, _BOTH, [b"", b"\x00\xff", bytes(range(256))]),
)
_IDS = [f"{kind} as {type_oid}" for kind, type_oid, _, _ in _TYPES]


@pytest.fixture(scope="module")
def connection() -> Iterator[Any]:
    with duckdb.connect() as opened:
        yield opened


def _written_twice(connection: Any, sql: str, oids: Sequence[int], formats: Sequence[int]) -> tuple[bytes, bytes]:
    """By DuckDB, and of its values."""
    wire = WireFormat(type_oids=tuple(oids), formats=tuple(formats), zone="UTC", longest=1 << 30)
    query = message_query(sql, [str(kind) for kind in connection.sql(sql).types], wire)
    assert query is not None, "it is read as values"
    connection.execute(query)
    ours = b"".join(batch.data for batch in read_rows(connection))
    rows = connection.execute(sql).fetchall()
    writers = encoders([ResultColumn(name="a", type_oid=oid) for oid in oids], formats)
    return ours, b"".join(batch.data for batch in encode_rows(iter(rows), writers, 1 << 30))


@pytest.mark.parametrize(("kind", "type_oid", "formats", "cases"), _TYPES, ids=_IDS)
def test_each_type_is_written_as_of_its_values(
    connection: Any, kind: str, type_oid: int, formats: Sequence[int], cases: list[Any]
) -> None:
    connection.execute(f"CREATE OR REPLACE TABLE cases (number INTEGER, value {kind})")
    # Not every version of DuckDB takes numbers of more than 64 bits as parameters.
    as_texts = kind.startswith(("DECIMAL", "HUGEINT"))
    listed = [str(value) if as_texts and value is not None else value for value in [None, *cases]]
    connection.execute(
        f"INSERT INTO cases SELECT UNNEST(RANGE({len(listed)})), UNNEST($1::{'VARCHAR' if as_texts else kind}[])",
        [listed],
    )
    for written in formats:
        ours, theirs = _written_twice(connection, "SELECT value FROM cases", [type_oid], [written])
        assert ours == theirs


def test_columns_of_all_types_stand_side_by_side(connection: Any) -> None:
    chosen = [(kind, oid, cases[0]) for kind, oid, formats, cases in _TYPES if formats == _BOTH]
    values_of = ", ".join(f"CAST(${number + 1} AS {kind})" for number, (kind, _, _) in enumerate(chosen))
    connection.execute(f"CREATE OR REPLACE TABLE wide AS SELECT {values_of}", [value for _, _, value in chosen])
    connection.execute(f"INSERT INTO wide VALUES ({', '.join(['NULL'] * len(chosen))})")
    for formats in ([0] * len(chosen), [1] * len(chosen), [number % 2 for number in range(len(chosen))]):
        ours, theirs = _written_twice(connection, "SELECT * FROM wide", [oid for _, oid, _ in chosen], formats)
        assert ours == theirs


def test_dates_that_python_has_not_are_written_as_postgresql_does(connection: Any) -> None:
    sql = "SELECT UNNEST(['infinity'::DATE, '-infinity'::DATE, '0044-03-15 (BC)'::DATE, '10000-01-01'::DATE])"
    texts = WireFormat(type_oids=(values.DATE,), formats=(0,), zone="UTC", longest=1000)
    query = message_query(sql, ["DATE"], texts)

    found = [row[0][11:].decode() for row in connection.execute(query).fetchall()]

    assert found == ["infinity", "-infinity", "0044-03-15 BC", "10000-01-01"]
    assert date.max.isoformat() not in found
