r"""Rows as PostgreSQL's protocol has them, written by DuckDB itself: one column of bytes instead of values.

A value that becomes one of Python's and then bytes costs more than DuckDB takes to find it. So the query is read by
another one, which writes each row as a DataRow message: its type, its length, and the values behind their lengths.
BIT is what DuckDB casts to bytes as they stand in memory, the highest first, as the protocol has numbers.

Source: PostgreSQL documentation, "Frontend/Backend Protocol", "Message Formats".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from airflow_atscale_aggs.engine.warehouse.base import RowMessages, WireFormat

FEW_ROWS = 10_000
"""An answer with no more than these is read as values: to plan the longer statement takes more than it spares."""

_FIRST_ROWS, _MOST_ROWS = 16, 2000
_ENOUGH_BYTES = 1 << 16
"""Of rows that go to the client together."""

_HEAD_BYTES = 7
"""Type, length and number of columns of a row."""

_BOOL, _BYTEA, _INT2, _INT4, _INT8, _FLOAT8, _NUMERIC = 16, 17, 21, 23, 20, 701, 1700
_DATE, _TIMESTAMP = 1082, 1114
_TEXTS = frozenset({25, 1043, 1042, 19})
"""text, varchar, bpchar, name: the same bytes in both formats."""

_WIDTHS = {"TINYINT": 1, "UTINYINT": 2, "SMALLINT": 2, "USMALLINT": 4, "INTEGER": 4, "UINTEGER": 8, "BIGINT": 8}
"""Bytes that every value of a type of whole numbers fits into."""

_WHOLE = {_INT2: (2, "SMALLINT"), _INT4: (4, "INTEGER"), _INT8: (8, "BIGINT")}
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")

_AS_TEXT = "CAST({} AS VARCHAR)"
_BITS = "CAST(CAST({} AS BIT) AS BLOB)"

# DuckDB writes the shortest digits that are read as the same number, as PostgreSQL does. The latter has an exponent
# from 1e15 on, and no `.0`.
_FLOAT_TEXT = r"""CASE
WHEN ABS({0}) < 1e15 THEN REGEXP_REPLACE(CAST({0} AS VARCHAR), '\.0$', '')
WHEN ISFINITE({0}) THEN REGEXP_REPLACE(
REGEXP_REPLACE(CAST({0} AS VARCHAR), '^(-?[0-9])([0-9]{{15}})\.([0-9]+)$', '\1.\2\3e+15'), '\.?0*e', 'e')
WHEN ISNAN({0}) THEN 'NaN' WHEN {0} > 0 THEN 'Infinity' WHEN {0} < 0 THEN '-Infinity' END"""

_DATE_BITS = _BITS.format(
    "CAST(CASE WHEN ISFINITE({0}) THEN {0} - DATE '2000-01-01' WHEN {0} > DATE '2000-01-01' THEN 2147483647 "
    "WHEN {0} < DATE '2000-01-01' THEN -2147483648 END AS INTEGER)"
)
_TIMESTAMP_BITS = _BITS.format(
    "CAST(CASE WHEN ISFINITE({0}) THEN EPOCH_US({0}) - 946684800000000 "
    "WHEN {0} > TIMESTAMP '2000-01-01' THEN 9223372036854775807 "
    "WHEN {0} < TIMESTAMP '2000-01-01' THEN -9223372036854775808 END AS BIGINT)"
)
_BEFORE_CHRIST = "REPLACE(CAST({0} AS VARCHAR), '(BC)', 'BC')"


def message_query(sql: str, types: Sequence[str], wire: WireFormat) -> str | None:
    """A query that gives the rows of another one as messages, in one column of bytes.

    None: DuckDB cannot write them as PostgreSQL would, or what is ordered may lose its order in a subquery.

    Args:
        types: DuckDB's, of the columns.
    """
    if len(types) != len(wire.type_oids) or not types or re.search(r"\border\b", sql, re.IGNORECASE):
        return None
    written = [
        _written(kind, type_oid, is_binary=bool(wire.formats[number]))
        for number, (kind, type_oid) in enumerate(zip(types, wire.type_oids, strict=True))
    ]
    texts = [f"{text.format(f'c{number}')} AS c{number}" for number, text in enumerate(written) if text is not None]
    if len(texts) < len(types):
        return None
    names = ", ".join(f"c{number}" for number in range(len(types)))
    values = " || ".join(
        rf"COALESCE({_BITS.format(f'CAST(OCTET_LENGTH(c{number}) AS INTEGER)')} || c{number}, '\xFF\xFF\xFF\xFF'::BLOB)"
        for number in range(len(types))
    )
    length = _BITS.format("CAST(OCTET_LENGTH(r) + 6 AS INTEGER)")
    count = "".join(rf"\x{byte:02X}" for byte in len(types).to_bytes(2, "big"))
    return (
        f"SELECT 'D'::BLOB || {length} || '{count}'::BLOB || r FROM (SELECT {values} AS r FROM ("
        f"SELECT {', '.join(texts)} FROM (\n{sql}\n) AS answer({names})))"
    )


def _written(kind: str, type_oid: int, *, is_binary: bool) -> str | None:
    """An expression for the bytes of a value, with ``{0}`` for it; None: there is none that is known to be right."""
    text = _binary(kind, type_oid) if is_binary else _text(kind, type_oid)
    if kind == "VARCHAR" and type_oid in _TEXTS:
        return "ENCODE({0})"
    if kind == "BLOB" and type_oid == _BYTEA:
        return "{0}" if is_binary else r"ENCODE('\x' || LOWER(HEX({0})))"
    return text if text is None or is_binary else f"ENCODE({text})"


def _text(kind: str, type_oid: int) -> str | None:
    decimal = _DECIMAL.fullmatch(kind)
    # One without digits before the point is written without a zero there.
    is_plain = decimal is not None and int(decimal[1]) > int(decimal[2])
    is_whole = kind in _WIDTHS and type_oid in _WHOLE and _WIDTHS[kind] <= _WHOLE[type_oid][0]
    if is_whole or (type_oid == _NUMERIC and (is_plain or kind in {*_WIDTHS, "HUGEINT", "UBIGINT"})):
        return _AS_TEXT
    return {
        ("BOOLEAN", _BOOL): "LEFT(CAST({0} AS VARCHAR), 1)",
        ("DOUBLE", _FLOAT8): _FLOAT_TEXT,
        ("DATE", _DATE): _BEFORE_CHRIST,
        ("TIMESTAMP", _TIMESTAMP): _BEFORE_CHRIST,
    }.get((kind, type_oid))


def _binary(kind: str, type_oid: int) -> str | None:
    if kind in _WIDTHS and type_oid in _WHOLE and _WIDTHS[kind] <= _WHOLE[type_oid][0]:
        return _BITS.format(f"CAST({{0}} AS {_WHOLE[type_oid][1]})")
    return {
        ("BOOLEAN", _BOOL): _BITS.format("CAST({0} AS UTINYINT)"),
        ("DOUBLE", _FLOAT8): _BITS.format("{0}"),
        ("DATE", _DATE): _DATE_BITS,
        ("TIMESTAMP", _TIMESTAMP): _TIMESTAMP_BITS,
    }.get((kind, type_oid))


def read_rows(connection: Any) -> Iterator[RowMessages]:
    """The rows of a `message_query` that was run, about as many together as a client takes at once."""
    wanted = _FIRST_ROWS
    while found := connection.fetchmany(wanted):
        rows = [row for (row,) in found]
        data = b"".join(rows)
        # Long rows go in small batches, so that nobody keeps many of them.
        wanted = max(1, min(_MOST_ROWS, _ENOUGH_BYTES * len(rows) // len(data)))
        yield RowMessages(data, len(rows), longest=max(map(len, rows)) - _HEAD_BYTES)
