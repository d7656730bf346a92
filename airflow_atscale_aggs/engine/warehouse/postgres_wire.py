"""Rows as PostgreSQL sends them, without a value being read: its own DataRow messages, many together.

libpq does not look at its socket between two statements. So one statement is sent past it, message by message, and its
answer is read until the server waits again.

Source: PostgreSQL documentation, "Frontend/Backend Protocol", "Message Formats".
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
from collections import OrderedDict
from collections.abc import Generator, Iterator, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from psycopg.pq import TransactionStatus

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.warehouse.base import RowMessages, WireFormat

_BEGIN = b"BEGIN TRANSACTION READ ONLY\0"
_SETTINGS = b"SELECT current_setting('extra_float_digits'), current_setting('bytea_output')\0"
_ROLLBACK = b"ROLLBACK\0"
_HEAD = struct.Struct("!I")
_COUNT = struct.Struct("!h")
_COLUMN = struct.Struct("!IhIhih")
_BUFFER_BYTES = 1 << 18
_MOST_BYTES = 1 << 30
_DATA_ROW = ord("D")
_HEAD_BYTES = 5
"""Type and length of a message."""

_ENOUGH_BYTES = 1 << 16
_PATIENCE_MS = 1
"""The server sends 8 kB at a time; so many more are waited for so long."""

_NO_QUERY = "this is no query, and nothing else is run here"
_STOP_SECONDS = 5.0

_INT2, _INT4, _INT8, _NUMERIC, _FLOAT8 = 21, 23, 20, 1700, 701
_DATE, _TIMESTAMP, _TIMESTAMPTZ, _INTERVAL, _BYTEA = 1082, 1114, 1184, 1186, 17
_TEXTS = frozenset({25, 1043, 1042, 19})
"""text, varchar, bpchar, name: the same bytes in both formats."""

_CASTS = {
    (_INT2, _INT4): "int4", (_INT2, _INT8): "int8", (_INT4, _INT8): "int8",
    (_INT2, _NUMERIC): "numeric", (_INT4, _NUMERIC): "numeric", (_INT8, _NUMERIC): "numeric",
    (_INT2, _FLOAT8): "float8", (_INT4, _FLOAT8): "float8", (_NUMERIC, _FLOAT8): "float8",
    (_DATE, _TIMESTAMP): "timestamp",
}  # fmt: skip
"""What makes a value of one type the same value of another one; nothing is rounded that a reader would not round."""

_FLOATS = frozenset({700, _FLOAT8})


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    type_oid: int


class PostgresWire:
    """Reads rows as messages over the connections of one warehouse. Safe to share between threads.

    It remembers what columns the answers of statements have, so that these are run in one round trip.
    """

    _MOST_KNOWN = 2000

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[_Column, ...]] = OrderedDict()
        self._plain_texts: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()

    @contextlib.contextmanager
    def read(
        self, connection: Any, sql: str, wire: WireFormat
    ) -> Iterator[tuple[tuple[str, ...], Iterator[RowMessages]] | None]:
        """Run one query in a transaction that may not write: names of columns, and the rows as messages.

        None: its values must be read to be written as they are wanted. Then nothing was run.

        Raises psycopg.Error.
        """
        if not _is_open_to_us(connection):
            yield None
            return
        exchange = _Exchange(connection)
        try:
            found = self._start(exchange, connection, sql, wire)
            if found is None:
                yield None
            else:
                with contextlib.closing(exchange.rows(wire.longest)) as rows:
                    yield tuple(column.name for column in found), rows
        finally:
            exchange.end()

    def _start(self, exchange: _Exchange, connection: Any, sql: str, wire: WireFormat) -> tuple[_Column, ...] | None:
        """Run the query; None: it was not run."""
        known = self._known.get(sql)
        if known is None or connection not in self._plain_texts:
            exchange.begin(with_settings=connection not in self._plain_texts)
            known = self._look(exchange, connection, sql)
        else:
            exchange.begin(with_settings=False)
        cast = _with_casts(sql, known, wire)
        if cast is None or not self._texts_are_ours(connection, wire):
            return None
        if not exchange.run(cast, wire.formats, [column.type_oid for column in known] if cast is sql else None):
            # The tables have changed since their columns were looked at.
            self._known.pop(sql, None)
            return None
        return known

    def _look(self, exchange: _Exchange, connection: Any, sql: str) -> tuple[_Column, ...]:
        columns, settings = exchange.describe(sql)
        if settings is not None:
            digits, output = settings
            self._plain_texts[connection] = int(digits or 0) > 0 and output == "hex"
        self._known[sql] = columns
        while len(self._known) > self._MOST_KNOWN:
            with contextlib.suppress(KeyError):
                self._known.popitem(last=False)
        return columns

    def _texts_are_ours(self, connection: Any, wire: WireFormat) -> bool:
        """Whether the session writes texts of values as they are wanted."""
        told = {oid for number, oid in enumerate(wire.type_oids) if not wire.formats[number]}
        status = connection.pgconn.parameter_status
        if told & {_DATE, _TIMESTAMP, _TIMESTAMPTZ} and not (status(b"DateStyle") or b"").startswith(b"ISO"):
            return False
        if _TIMESTAMPTZ in told and (status(b"TimeZone") or b"").decode() != wire.zone:
            return False
        if _INTERVAL in told and status(b"IntervalStyle") != b"postgres":
            return False
        return not told & {*_FLOATS, _BYTEA} or self._plain_texts.get(connection, False)


def _is_open_to_us(connection: Any) -> bool:
    """Whether the connection's socket carries messages as they are, and the server waits for a statement."""
    pgconn = connection.pgconn
    return (
        not pgconn.ssl_in_use
        and not pgconn.used_gssapi
        and pgconn.transaction_status == TransactionStatus.IDLE
        and pgconn.parameter_status(b"client_encoding") == b"UTF8"
    )


def _with_casts(sql: str, columns: Sequence[_Column], wire: WireFormat) -> str | None:
    """The query whose columns have the types that are wanted; None: that cannot be said."""
    if len(columns) != len(wire.type_oids):
        return None
    parts = []
    for number, (column, wanted) in enumerate(zip(columns, wire.type_oids, strict=True)):
        has = column.type_oid
        if has == wanted or (has in _TEXTS and wanted in _TEXTS):
            parts.append(f"c{number}")
        elif (has, wanted) in _CASTS:
            parts.append(f"CAST(c{number} AS {_CASTS[has, wanted]})")
        else:
            return None
    if not any(part.startswith("CAST") for part in parts):
        return sql
    names = ", ".join(f"c{number}" for number in range(len(columns)))
    return f"SELECT {', '.join(parts)} FROM ({sql}) AS answer({names})"


class _Exchange:
    """One transaction on a connection's socket.

    Attributes:
        _waiting: how often the server will yet say that it is ready.
        _is_begun: the transaction has no end yet.
        _is_running: rows may yet come.
        _is_spoilt: the connection cannot be used any more.
        _status: of the transaction, as the server told last.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._socket = socket.socket(fileno=connection.pgconn.socket)
        self._socket.setblocking(False)
        self._readable = select.poll()
        self._readable.register(self._socket, select.POLLIN)
        self._buffer = bytearray(_BUFFER_BYTES)
        self._from = self._to = 0
        self._out = b""
        self._waiting = 0
        self._status = b"I"
        self._is_begun = self._is_running = self._is_spoilt = self._is_stale = False

    def begin(self, *, with_settings: bool) -> None:
        """Begin a transaction, with the next message that is sent."""
        self._out = _message(b"Q", _BEGIN) + (_message(b"Q", _SETTINGS) if with_settings else b"")

    def describe(self, sql: str) -> tuple[tuple[_Column, ...], tuple[str | None, ...] | None]:
        """Columns of a query, and the settings that were asked for. Raises psycopg.Error."""
        self._send(_parse(sql) + _message(b"D", b"S\0") + _message(b"S", b""))
        settings: tuple[str | None, ...] | None = None
        columns: tuple[_Column, ...] | None = None
        while self._waiting:
            kind, payload = self._next()
            if kind == b"D":
                settings = _values(payload)
            elif kind == b"T" and self._waiting == 1:
                columns = _columns(payload)
        if columns is None:
            raise psycopg.ProgrammingError(_NO_QUERY)
        return columns, settings

    def run(self, sql: str, formats: Sequence[int], types: Sequence[int] | None) -> bool:
        """Run a query until its first row is on its way. False: its columns have other types than were expected."""
        wanted = struct.pack(f"!hhh{len(formats)}h", 0, 0, len(formats), *formats)
        self._is_running = True
        self._send(
            _parse(sql) + _message(b"D", b"S\0") + _message(b"B", b"\0\0" + wanted)
            + _message(b"E", b"\0" + _HEAD.pack(0)) + _message(b"S", b"") + _message(b"Q", _ROLLBACK)
        )  # fmt: skip
        self._is_begun = False
        while True:
            kind, payload = self._next()
            if kind == b"T":
                return types is None or [column.type_oid for column in _columns(payload)] == list(types)
            if kind == b"n":
                raise psycopg.ProgrammingError(_NO_QUERY)

    def rows(self, longest: int) -> Generator[RowMessages, None, None]:
        """The rows, as many as come together. Raises psycopg.Error."""
        size = total = 0
        while True:
            after, count = _whole_rows(self._buffer, self._from + size, self._to)
            size, total = after - self._from, total + count
            is_row = self._to - after < _HEAD_BYTES or self._buffer[after] == _DATA_ROW
            is_enough = size >= _ENOUGH_BYTES or self._to == len(self._buffer)
            if total and (not is_row or is_enough or not self._readable.poll(_PATIENCE_MS)):
                data = bytes(memoryview(self._buffer)[self._from : after])
                self._from, size = after, 0
                yield RowMessages(data, total)
                total = 0
            elif is_row:
                self._fill(longest)
            elif self._next()[0] == b"C":
                self._is_running = False
                return

    def end(self) -> None:
        """Until the server waits for the next statement. What still runs is canceled."""
        try:
            if not self._is_spoilt:
                self._finish()
        except psycopg.Error:
            self._is_spoilt = True
        finally:
            # libpq owns it.
            self._socket.detach()
            # A cancel request that comes late may also end the ROLLBACK.
            if self._is_spoilt or self._is_stale or self._status != b"I":
                self._connection.close()

    def _finish(self) -> None:
        if self._is_running:
            with contextlib.suppress(psycopg.Error):
                self._connection.cancel_safe(timeout=_STOP_SECONDS)
        if self._is_begun:
            self._send(_message(b"Q", _ROLLBACK))
        while self._waiting and not self._is_spoilt:
            with contextlib.suppress(psycopg.Error):
                self._next(limit=_STOP_SECONDS)

    def _send(self, written: bytes) -> None:
        """Send messages, behind the beginning of the transaction where that was not sent."""
        begin, self._out = self._out, b""
        self._is_begun = self._is_begun or bool(begin)
        self._waiting += sum(1 for kind, _ in _split(begin + written) if kind in {b"Q", b"S"})
        data = memoryview(begin + written)
        while data:
            try:
                data = data[self._socket.send(data) :]
            except BlockingIOError:
                select.select([], [self._socket], [])
            except OSError as error:
                self._lose(error)

    def _next(self, *, limit: float | None = None) -> tuple[bytes, bytes]:
        """The next message. Raises psycopg.Error where it is one about an error."""
        while True:
            while self._to - self._from < _HEAD_BYTES:
                self._fill(_MOST_BYTES, limit)
            size = _HEAD.unpack_from(self._buffer, self._from + 1)[0] + 1
            while self._to - self._from < size:
                self._fill(_MOST_BYTES, limit)
            kind = bytes(self._buffer[self._from : self._from + 1])
            payload = bytes(self._buffer[self._from + 5 : self._from + size])
            self._from += size
            if kind == b"Z":
                self._waiting -= 1
                self._status = payload
            elif kind == b"E":
                self._is_running = False
                raise _error_of(payload)
            elif kind == b"S":
                # libpq does not get it, and would tell an old value.
                self._is_stale = True
            if kind not in {b"N", b"S", b"A"}:
                return kind, payload

    def _fill(self, longest: int, limit: float | None = None) -> None:
        """Read what has come, or wait for it."""
        if self._from:
            rest = self._to - self._from
            self._buffer[:rest] = self._buffer[self._from : self._to]
            self._from, self._to = 0, rest
        if self._to == len(self._buffer):
            if self._to >= longest:
                self._is_spoilt = True
                raise psycopg.errors.ProgramLimitExceeded(f"a row takes more than {longest:,} bytes")
            self._buffer.extend(bytes(len(self._buffer)))
        while True:
            if not self._readable.poll(None if limit is None else limit * 1000):
                self._lose(TimeoutError())
            try:
                count = self._socket.recv_into(memoryview(self._buffer)[self._to :])
            except BlockingIOError:
                continue
            except OSError as error:
                self._lose(error)
            if not count:
                self._lose(None)
            self._to += count
            return

    def _lose(self, error: OSError | None) -> None:
        self._is_spoilt = True
        raise psycopg.OperationalError("server closed the connection unexpectedly") from error


def _whole_rows(buffer: bytearray, at: int, end: int) -> tuple[int, int]:
    """Where the rows end that are in a buffer as a whole, and how many they are."""
    unpack, count = _HEAD.unpack_from, 0
    while end - at >= _HEAD_BYTES and buffer[at] == _DATA_ROW:
        after = at + 1 + unpack(buffer, at + 1)[0]
        if after > end:
            break
        at = after
        count += 1
    return at, count


def _message(kind: bytes, payload: bytes) -> bytes:
    return kind + _HEAD.pack(len(payload) + 4) + payload


def _split(messages: bytes) -> Iterator[tuple[bytes, int]]:
    """Types of some messages, and where they begin."""
    at = 0
    while at < len(messages):
        yield messages[at : at + 1], at
        at += 1 + int(_HEAD.unpack_from(messages, at + 1)[0])


def _parse(sql: str) -> bytes:
    return _message(b"P", b"\0" + sql.encode() + b"\0" + _COUNT.pack(0))


def _columns(payload: bytes) -> tuple[_Column, ...]:
    (count,) = _COUNT.unpack_from(payload)
    at, columns = 2, []
    for _ in range(count):
        end = payload.index(b"\0", at)
        columns.append(_Column(payload[at:end].decode(), _COLUMN.unpack_from(payload, end + 1)[2]))
        at = end + 1 + _COLUMN.size
    return tuple(columns)


def _values(payload: bytes) -> tuple[str | None, ...]:
    (count,) = _COUNT.unpack_from(payload)
    at, values = 2, []
    for _ in range(count):
        (size,) = struct.unpack_from("!i", payload, at)
        at += 4
        values.append(None if size < 0 else payload[at : at + size].decode())
        at += max(size, 0)
    return tuple(values)


def _error_of(payload: bytes) -> psycopg.Error:
    """An error of the server, as psycopg raises it."""
    fields = {part[:1]: part[1:].decode(errors="replace") for part in payload.split(b"\0") if part}
    state = fields.get(b"C", "XX000")
    try:
        kind: type[psycopg.Error] = psycopg.errors.lookup(state)
    except KeyError:
        kind = psycopg.DatabaseError
    more = [f"{word}:  {fields[letter]}" for letter, word in ((b"D", "DETAIL"), (b"H", "HINT")) if letter in fields]
    error = kind("\n".join([fields.get(b"M", ""), *more]))
    error.sqlstate = state
    return error
