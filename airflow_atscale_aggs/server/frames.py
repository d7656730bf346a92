"""Messages of the PostgreSQL protocol, version 3.0, as they stand on the wire.

Source: PostgreSQL documentation, "Frontend/Backend Protocol", "Message Formats".
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Mapping

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.server.message_writer import MessageWriter

PROTOCOL = 3 << 16
SSL_REQUEST = 80877103
GSS_REQUEST = 80877104
CANCEL_REQUEST = 80877102

_LENGTH = struct.Struct("!I")
_CODES = struct.Struct("!II")
_LONGEST_STARTUP = 10_000
"""Bytes; as PostgreSQL's own bound."""

MOST_BYTES = 1 << 30
"""Of a message; PostgreSQL's own bound of a value."""

_PIECE = 1 << 16


class ProtocolViolationError(Exception):
    """What came from a socket is no message of the protocol, or is longer than is taken. Never leaves the server."""


class MessageTooLongError(ProtocolViolationError):
    """A message is longer than is taken. Its payload was not read.

    Attributes:
        kind: its type, one byte.
        size: bytes of its payload.
    """

    def __init__(self, kind: bytes, size: int, longest: int) -> None:
        super().__init__(f"a message of {size:,} bytes is longer than the {longest:,} that are taken")
        self.kind, self.size = kind, size


class TextEncodingError(ProtocolViolationError):
    """A text of a message is not UTF-8."""


class PeerGoneError(Exception):
    """The other side has closed its socket. Never leaves the server."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message.

    Attributes:
        kind: its type, one byte.
        payload: what stands behind its length.
    """

    kind: bytes
    payload: bytes

    def encode(self) -> bytes:
        """As it stands on the wire."""
        return self.kind + _LENGTH.pack(len(self.payload) + 4) + self.payload


@dataclass(frozen=True, slots=True)
class StartupPacket:
    """The first message of a client, which has no type.

    Attributes:
        code: the version of the protocol, or what is asked for instead of a session.
        payload: what stands behind it.
    """

    code: int
    payload: bytes

    def parameters(self) -> Mapping[str, str]:
        """Names and values, such as ``user``. Raises ProtocolViolationError."""
        parts = self.payload.split(b"\0")
        if len(parts) < 2 or parts[-1] or parts[-2]:  # noqa: PLR2004 - the list ends with an empty name
            raise ProtocolViolationError("invalid startup packet layout: expected terminator as last byte")
        texts = [_text(part) for part in parts[:-2]]
        if len(texts) % 2:
            raise ProtocolViolationError("invalid startup packet layout: a parameter has no value")
        return dict(zip(texts[::2], texts[1::2], strict=True))

    def cancel_key(self) -> tuple[int, int]:
        """Number of the session to cancel, and its secret. Raises ProtocolViolationError."""
        if len(self.payload) != _CODES.size:
            raise ProtocolViolationError("invalid length of a cancel request")
        number, secret = _CODES.unpack(self.payload)
        return number, secret

    def encode(self) -> bytes:
        """As it stands on the wire."""
        return _CODES.pack(len(self.payload) + _CODES.size, self.code) + self.payload


def startup_packet(parameters: Mapping[str, str]) -> StartupPacket:
    """The first message of a client that wants a session."""
    words = [word for pair in parameters.items() for word in pair]
    return StartupPacket(PROTOCOL, b"".join(word.encode() + b"\0" for word in words) + b"\0")


async def read_startup(reader: asyncio.StreamReader) -> StartupPacket:
    """The first message of a client.

    Raises:
        PeerGoneError: the client closed its socket.
        ProtocolViolationError: its length cannot be meant so.
    """
    length, code = _CODES.unpack(await _read(reader, _CODES.size))
    if not _CODES.size <= length <= _LONGEST_STARTUP:
        message = f"invalid length of startup packet: {length}"
        raise ProtocolViolationError(message)
    return StartupPacket(code, await _read(reader, length - _CODES.size))


async def read_frame(reader: asyncio.StreamReader, *, longest: int) -> Frame:
    """The next message.

    Args:
        longest: bytes of payload that are taken.

    Raises:
        MessageTooLongError: whoever goes on must `discard` the payload first.

    Further as `read_startup`.
    """
    kind, size = await read_head(reader)
    if size > longest:
        raise MessageTooLongError(kind, size, longest)
    return Frame(kind, await _read(reader, size))


async def read_head(reader: asyncio.StreamReader) -> tuple[bytes, int]:
    """Type of the next message, and bytes of its payload. Raises as `read_startup`."""
    head = await _read(reader, 5)
    (length,) = _LENGTH.unpack_from(head, 1)
    if not 4 <= length <= MOST_BYTES:  # noqa: PLR2004 - the length counts itself
        message = f"invalid message length: {length} bytes in a message of type {head[:1]!r}"
        raise ProtocolViolationError(message)
    return head[:1], length - 4


async def read_payload(reader: asyncio.StreamReader, size: int) -> bytes:
    """The payload of a message. Raises PeerGoneError."""
    return await _read(reader, size)


async def discard(reader: asyncio.StreamReader, size: int) -> None:
    """Pass over a payload without keeping it. Raises PeerGoneError."""
    while size:
        data = await _read(reader, min(size, _PIECE))
        size -= len(data)


async def pass_payload(reader: asyncio.StreamReader, writer: MessageWriter, kind: bytes, size: int) -> None:
    """Pass a long message on, piece by piece. Raises PeerGoneError."""
    writer.write(kind + _LENGTH.pack(size + 4))
    while size:
        data = await _read(reader, min(size, _PIECE))
        writer.write(data)
        await writer.drain()
        size -= len(data)


async def _read(reader: asyncio.StreamReader, size: int) -> bytes:
    try:
        return await reader.readexactly(size)
    except (asyncio.IncompleteReadError, OSError) as error:
        raise PeerGoneError from error


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ProtocolViolationError("a name or value is not UTF-8") from error
