"""What the messages of the PostgreSQL protocol say: those of clients are read, those of servers are made.

Source: PostgreSQL documentation, "Frontend/Backend Protocol", "Message Formats".
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.troubleshooting.passages import help_command, pointer, sqlstate_code
from airflow_atscale_aggs.server.frames import Frame, ProtocolViolationError, TextEncodingError

_INT16 = struct.Struct("!h")
_INT32 = struct.Struct("!i")
_UINT32 = struct.Struct("!I")
_COLUMN = struct.Struct("!IhIhih")
_NULL = _INT32.pack(-1)

PARSE_COMPLETE = Frame(b"1", b"").encode()
BIND_COMPLETE = Frame(b"2", b"").encode()
CLOSE_COMPLETE = Frame(b"3", b"").encode()
NO_DATA = Frame(b"n", b"").encode()
PORTAL_SUSPENDED = Frame(b"s", b"").encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultColumn:
    """A column of an answer, as RowDescription tells it.

    Attributes:
        type_oid, type_size, type_modifier: its type in PostgreSQL; a size is in bytes, or negative: it varies.
        table_oid, number: the column of a table that it is; 0: of none.
    """

    name: str
    type_oid: int
    type_size: int = -1
    type_modifier: int = -1
    table_oid: int = 0
    number: int = 0


@dataclass(frozen=True, slots=True)
class ParseMessage:
    """A statement to prepare. Numbers of types may be 0: not told."""

    statement: str
    sql: str
    type_oids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BindMessage:
    """Values for a prepared statement. Formats are 0 (text) and 1 (binary), for each, for all, or none: text."""

    portal: str
    statement: str
    formats: tuple[int, ...]
    values: tuple[bytes | None, ...]
    result_formats: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TargetMessage:
    """What is to be described or closed: a statement (``S``) or a portal (``P``)."""

    kind: bytes
    name: str


@dataclass(frozen=True, slots=True)
class ExecuteMessage:
    """A portal to run. ``most`` rows; 0: all."""

    portal: str
    most: int


class _Payload:
    """Reads a message from its beginning. Every method raises ProtocolViolationError where it ends too early."""

    def __init__(self, payload: bytes) -> None:
        self._payload, self._at = payload, 0

    def text(self) -> str:
        """A text that ends with NUL."""
        end = self._payload.find(b"\0", self._at)
        if end < 0:
            raise ProtocolViolationError("invalid string in message")
        data, self._at = self._payload[self._at : end], end + 1
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise TextEncodingError("invalid byte sequence for encoding UTF8") from error

    def data(self, size: int) -> bytes:
        """Some bytes."""
        if size < 0 or self._at + size > len(self._payload):
            raise ProtocolViolationError("insufficient data left in message")
        data, self._at = self._payload[self._at : self._at + size], self._at + size
        return data

    def int16(self) -> int:
        """A signed number of two bytes."""
        return int(_INT16.unpack(self.data(2))[0])

    def int32(self) -> int:
        """A signed number of four bytes."""
        return int(_INT32.unpack(self.data(4))[0])

    def int16s(self) -> tuple[int, ...]:
        """Numbers of two bytes, behind their count."""
        return tuple(self.int16() for _ in range(self._count()))

    def oids(self) -> tuple[int, ...]:
        """Numbers of types, behind their count."""
        return tuple(int(_UINT32.unpack(self.data(4))[0]) for _ in range(self._count()))

    def values(self) -> tuple[bytes | None, ...]:
        """Values, behind their count."""
        return tuple(self._value() for _ in range(self._count()))

    def end(self) -> None:
        """Nothing may follow."""
        if self._at != len(self._payload):
            raise ProtocolViolationError("invalid message format")

    def _count(self) -> int:
        # The count is unsigned: PostgreSQL takes 65,535 parameters.
        return self.int16() & 0xFFFF

    def _value(self) -> bytes | None:
        size = self.int32()
        return None if size == -1 else self.data(size)


def read_query(payload: bytes) -> str:
    """The text of a simple query. Raises ProtocolViolationError, as all functions here that read."""
    reader = _Payload(payload)
    sql = reader.text()
    reader.end()
    return sql


def read_parse(payload: bytes) -> ParseMessage:
    """A Parse message."""
    reader = _Payload(payload)
    message = ParseMessage(reader.text(), reader.text(), reader.oids())
    reader.end()
    return message


def read_bind(payload: bytes) -> BindMessage:
    """A Bind message."""
    reader = _Payload(payload)
    message = BindMessage(reader.text(), reader.text(), reader.int16s(), reader.values(), reader.int16s())
    reader.end()
    for formats, name, count in (
        (message.formats, "parameter", len(message.values)),
        (message.result_formats, "result column", None),
    ):
        if not set(formats) <= {0, 1}:
            reason = f"unsupported format code of a {name}"
            raise ProtocolViolationError(reason)
        if count is not None and len(formats) > 1 and len(formats) != count:
            reason = f"bind message has {len(formats)} parameter formats but {count} parameters"
            raise ProtocolViolationError(reason)
    return message


def read_target(payload: bytes) -> TargetMessage:
    """A Describe or Close message."""
    reader = _Payload(payload)
    message = TargetMessage(reader.data(1), reader.text())
    reader.end()
    if message.kind not in {b"S", b"P"}:
        raise ProtocolViolationError("invalid DESCRIBE or CLOSE message subtype")
    return message


def read_execute(payload: bytes) -> ExecuteMessage:
    """An Execute message."""
    reader = _Payload(payload)
    message = ExecuteMessage(reader.text(), reader.int32())
    reader.end()
    return message


def read_row(payload: bytes) -> list[str | None]:
    """The values of a row that a server sent as texts."""
    return [None if value is None else value.decode() for value in _Payload(payload).values()]


def format_of(formats: Sequence[int], number: int) -> int:
    """The format of a column or value, 0-based, from the list of a Bind message."""
    if not formats:
        return 0
    return formats[0] if len(formats) == 1 else formats[number]


def row_description(columns: Sequence[ResultColumn], formats: Sequence[int] = ()) -> bytes:
    """Tells the columns of an answer."""
    parts = [_INT16.pack(len(columns))]
    for number, column in enumerate(columns):
        parts.append(column.name.encode() + b"\0")
        parts.append(
            _COLUMN.pack(
                column.table_oid,
                column.number,
                column.type_oid,
                column.type_size,
                column.type_modifier,
                format_of(formats, number),
            )
        )
    return Frame(b"T", b"".join(parts)).encode()


def parameter_description(type_oids: Sequence[int]) -> bytes:
    """Tells the types of a statement's parameters."""
    return Frame(
        b"t", struct.pack("!H", len(type_oids)) + b"".join(_UINT32.pack(type_oid) for type_oid in type_oids)
    ).encode()


def data_row(values: Sequence[bytes | None]) -> bytes:
    """One row."""
    parts = [b"D\0\0\0\0", _INT16.pack(len(values))]
    size = 6
    for value in values:
        if value is None:
            parts.append(_NULL)
            size += 4
        else:
            parts += (_INT32.pack(len(value)), value)
            size += 4 + len(value)
    parts[0] = b"D" + _INT32.pack(size)
    return b"".join(parts)


def copy_out_response(columns: int, *, is_binary: bool) -> bytes:
    """Tells that rows of a COPY follow."""
    formats = _INT16.pack(int(is_binary)) * columns
    return Frame(b"H", bytes([is_binary]) + _INT16.pack(columns) + formats).encode()


def command_complete(tag: str) -> bytes:
    """Tells that a statement has ended, and what it did, such as ``SELECT 5``."""
    return Frame(b"C", tag.encode() + b"\0").encode()


def ready_for_query(status: bytes) -> bytes:
    """Tells that the next statement may come. Status of the transaction: ``I``, ``T`` or ``E``."""
    return Frame(b"Z", status).encode()


def parameter_status(name: str, value: str) -> bytes:
    """Tells a setting of the session."""
    return Frame(b"S", name.encode() + b"\0" + value.encode() + b"\0").encode()


def error_response(sqlstate: str, message: str, *, severity: str = "ERROR", **fields: str) -> bytes:
    """Tells an error of ours. Further fields by their letter: ``H`` (hint), ``D`` (detail), ``P`` (position), ….

    The hint ends with where to read more. Where it does not say so yet, that is the passage about the SQLSTATE.
    """
    hint, code = fields.pop("H", ""), sqlstate_code(sqlstate)
    if code and help_command([]) not in hint:
        hint = f"{hint} {pointer([code])}".strip()
    return relayed_error_response(sqlstate, message, severity=severity, **fields, H=hint)


def relayed_error_response(sqlstate: str, message: str, *, severity: str = "ERROR", **fields: str) -> bytes:
    """Tells an error as somebody else has said it."""
    return _fields(b"E", {"S": severity, "V": severity, "C": sqlstate, "M": message, **fields})


def notice_response(message: str, *, sqlstate: str = "00000") -> bytes:
    """Tells something that is no error."""
    return _fields(b"N", {"S": "NOTICE", "V": "NOTICE", "C": sqlstate, "M": message})


def read_fields(payload: bytes) -> Mapping[str, str]:
    """The fields of an error or a notice by their letters."""
    return {part[:1].decode(): part[1:].decode(errors="replace") for part in payload.split(b"\0") if part}


def _fields(kind: bytes, fields: Mapping[str, str]) -> bytes:
    # NUL ends a field, so that it may not stand in one.
    parts = [letter.encode() + text.replace("\0", "").encode() + b"\0" for letter, text in fields.items() if text]
    return Frame(kind, b"".join(parts) + b"\0").encode()
