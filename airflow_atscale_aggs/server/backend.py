"""A connection to a PostgreSQL server, message by message, so that its answers can be passed on as they are."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import ssl
from collections.abc import Mapping
from dataclasses import field
from typing import Self

from scramp import ScramClient, ScramException

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.server.frames import (
    CANCEL_REQUEST,
    SSL_REQUEST,
    Frame,
    PeerGoneError,
    ProtocolViolationError,
    StartupPacket,
    pass_payload,
    read_head,
    read_payload,
    startup_packet,
)
from airflow_atscale_aggs.server.message_writer import MessageWriter

_LONG = 1 << 16
"""Bytes of a row from which on it is passed on in pieces."""

_OK, _CLEARTEXT, _MD5, _SASL, _SASL_CONTINUE, _SASL_FINAL = 0, 3, 5, 10, 11, 12
_MECHANISM = "SCRAM-SHA-256"


class BackendError(Exception):
    """The server refused the connection, or cannot be reached. Never leaves the server room.

    Attributes:
        frame: its own error message, to be passed on; None where it sent none.
    """

    def __init__(self, reason: str, frame: Frame | None = None) -> None:
        super().__init__(reason)
        self.frame = frame


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendAddress:
    """Where a PostgreSQL server is.

    Attributes:
        host: a name or address; one that begins with ``/`` is the folder of a socket.
        ssl_context: None: without TLS.
    """

    host: str
    port: int = 5432
    user: str
    password: str = field(default="", repr=False)
    ssl_context: ssl.SSLContext | None = None


@dataclass
class Backend:
    """An open session on a server.

    Attributes:
        parameters: what the server tells of the session, such as ``server_version``.
        key: number and secret with which its statements are canceled.
        status: of its transaction, as in its last ReadyForQuery: ``I``, ``T`` or ``E``.
    """

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    parameters: dict[str, str] = field(default_factory=dict)
    key: bytes = b""
    status: bytes = b"I"

    @classmethod
    async def open(cls, address: BackendAddress, parameters: Mapping[str, str]) -> Self:
        """Connect and sign in.

        Args:
            parameters: of the startup packet: ``database``, and settings of the session.

        Raises BackendError.
        """
        try:
            reader, writer = await _connect(address)
        except (OSError, PeerGoneError) as error:
            message = f"the server at {address.host}:{address.port} cannot be reached: {error}"
            raise BackendError(message) from error
        backend = cls(reader, writer)
        try:
            writer.write(startup_packet({"user": address.user, **parameters}).encode())
            await backend._sign_in(address)
        except BaseException as error:
            writer.close()
            if isinstance(error, (PeerGoneError, ProtocolViolationError, ScramException)):
                message = f"the server at {address.host}:{address.port} ended the session: {error}"
                raise BackendError(message) from error
            raise
        return backend

    async def read(self, client: MessageWriter | None = None) -> Frame:
        """The next message; keeps ``status`` and ``parameters`` as they are told. Raises PeerGoneError.

        Args:
            client: gets long rows piece by piece, so that nobody keeps them. They are not returned.
        """
        kind, size = await read_head(self.reader)
        while client is not None and size > _LONG and kind in {b"D", b"d"}:
            await pass_payload(self.reader, client, kind, size)
            kind, size = await read_head(self.reader)
        frame = Frame(kind, await read_payload(self.reader, size))
        if frame.kind == b"Z":
            self.status = frame.payload
        elif frame.kind == b"S":
            name, value, _ = frame.payload.split(b"\0", 2)
            self.parameters[name.decode()] = value.decode()
        return frame

    async def close(self) -> None:
        """End the session."""
        with contextlib.suppress(OSError):
            self.writer.write(Frame(b"X", b"").encode())
            self.writer.close()
            await self.writer.wait_closed()

    async def _sign_in(self, address: BackendAddress) -> None:
        """Until the server is ready for the first statement."""
        scram: ScramClient | None = None
        while True:
            frame = await self.read()
            if frame.kind == b"E":
                raise BackendError(_field(frame, b"M"), frame)
            if frame.kind == b"K":
                self.key = frame.payload
            elif frame.kind == b"Z":
                return
            elif frame.kind == b"R":
                scram = self._answer(frame.payload, address, scram)

    def _answer(self, payload: bytes, address: BackendAddress, scram: ScramClient | None) -> ScramClient | None:
        """Answer one question of the server about who we are."""
        kind, data = int.from_bytes(payload[:4], "big"), payload[4:]
        if kind == _CLEARTEXT:
            self._send_password(address.password.encode() + b"\0")
        elif kind == _MD5:
            inner = hashlib.md5((address.password + address.user).encode(), usedforsecurity=False).hexdigest()
            outer = hashlib.md5(inner.encode() + data, usedforsecurity=False).hexdigest()
            self._send_password(b"md5" + outer.encode() + b"\0")
        elif kind == _SASL:
            scram = ScramClient([_MECHANISM], address.user, address.password)
            first = scram.get_client_first().encode()
            self._send_password(_MECHANISM.encode() + b"\0" + len(first).to_bytes(4, "big") + first)
        elif kind == _SASL_CONTINUE and scram is not None:
            scram.set_server_first(data.decode())
            self._send_password(scram.get_client_final().encode())
        elif kind == _SASL_FINAL and scram is not None:
            scram.set_server_final(data.decode())
        elif kind != _OK:
            message = f"it asks for a way to sign in that is not known here ({kind})"
            raise BackendError(message)
        return scram

    def _send_password(self, payload: bytes) -> None:
        self.writer.write(Frame(b"p", payload).encode())


async def cancel(address: BackendAddress, key: bytes) -> None:
    """Ask a server to cancel the statement of a session. Whether it did is not told."""
    with contextlib.suppress(OSError, PeerGoneError):
        _, writer = await _connect(address)
        writer.write(StartupPacket(CANCEL_REQUEST, key).encode())
        await writer.drain()
        writer.close()


async def _connect(address: BackendAddress) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if address.host.startswith("/"):
        return await asyncio.open_unix_connection(f"{address.host}/.s.PGSQL.{address.port}")
    reader, writer = await asyncio.open_connection(address.host, address.port)
    if address.ssl_context is not None:
        writer.write(StartupPacket(SSL_REQUEST, b"").encode())
        if await reader.read(1) != b"S":
            writer.close()
            message = f"the server at {address.host}:{address.port} has no TLS"
            raise BackendError(message)
        await writer.start_tls(address.ssl_context, server_hostname=address.host)
    return reader, writer


def _field(frame: Frame, name: bytes) -> str:
    """A field of an error or a notice; empty where it has none."""
    fields = {part[:1]: part[1:] for part in frame.payload.split(b"\0") if part}
    return fields.get(name, b"").decode(errors="replace")
