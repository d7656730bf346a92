"""Rows of Python values as DataRow messages, column by column."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from types import NoneType
from typing import Any

from airflow_atscale_aggs.engine.warehouse.base import RowMessages
from airflow_atscale_aggs.server.messages import error_response
from airflow_atscale_aggs.server.sql_errors import SqlError
from airflow_atscale_aggs.server.values import Encode

_ENOUGH_BYTES = 1 << 16
"""Of rows that go to the client together."""

_FIRST_ROWS, _MOST_ROWS = 16, 2000
_MOST_REMEMBERED = 10_000
"""Values of a column."""

_SAME: tuple[frozenset[type], ...] = (
    frozenset({str, NoneType}),
    frozenset({int, NoneType}),
    frozenset({date, NoneType}),
)
"""Types of which two values that are equal are written the same: 1.0 and 1.00 are equal decimals."""

_SIZE = struct.Struct("!i")
_HEAD = struct.Struct("!cIh")
_HEAD_BYTES = 6
"""Of what the length counts: itself and the number of columns."""

_NULL = _SIZE.pack(-1)


class _Packed(dict[Any, bytes]):
    """Values as they stand in a message, behind their length. Those of a column are often the same."""

    def __init__(self, encode: Encode) -> None:
        super().__init__()
        self._encode = encode

    def __missing__(self, value: Any) -> bytes:
        packed = _pack(self._encode, value)
        if len(self) < _MOST_REMEMBERED:
            self[value] = packed
        return packed


def encode_rows(rows: Iterator[Sequence[Any]], encoders: Sequence[Encode], longest: int) -> Iterator[RowMessages]:
    """The rows as messages, about as many together as a client takes at once.

    Args:
        encoders: of the columns.
        longest: bytes of one message.

    Raises SqlError: a row is longer.
    """
    columns = [_column_packer(encode) for encode in encoders]
    wanted = _FIRST_ROWS
    while taken := list(itertools.islice(rows, wanted)):
        batch = _encode_batch(taken, columns, longest)
        # Long rows go in small batches, so that nobody keeps many of them.
        wanted = max(1, min(_MOST_ROWS, _ENOUGH_BYTES * len(taken) // len(batch)))
        yield RowMessages(batch, len(taken))


def too_long(longest: int) -> SqlError:
    """The refusal of a row that takes more bytes."""
    text = f"a row takes more than {longest:,} bytes"
    return SqlError(error_response("54000", text, H="Raise --session-memory of `atscale-aggs serve`."))


def _encode_batch(
    rows: list[Sequence[Any]], columns: Sequence[Callable[[Sequence[Any]], list[bytes]]], longest: int
) -> bytes:
    count, pack_head, parts = len(columns), _HEAD.pack, []
    packed = [pack(values) for pack, values in zip(columns, zip(*rows, strict=True), strict=True)]
    for values in zip(*packed, strict=True) if packed else itertools.repeat((), len(rows)):
        data = b"".join(values)
        if len(data) > longest:
            raise too_long(longest)
        parts.append(pack_head(b"D", len(data) + _HEAD_BYTES, count))
        parts.append(data)
    return b"".join(parts)


def _column_packer(encode: Encode) -> Callable[[Sequence[Any]], list[bytes]]:
    remembered: dict[frozenset[type], _Packed] = {kinds: _Packed(encode) for kinds in _SAME}

    def pack(values: Sequence[Any]) -> list[bytes]:
        found = set(map(type, values))
        for kinds, packed in remembered.items():
            if found <= kinds:
                return [packed[value] for value in values]
        return [_pack(encode, value) for value in values]

    return pack


def _pack(encode: Encode, value: Any) -> bytes:
    data = encode(value)
    return _NULL if data is None else _SIZE.pack(len(data)) + data
