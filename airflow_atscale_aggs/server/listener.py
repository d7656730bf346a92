"""Take connections: TLS, who it is, which catalog; then a session of its own."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import psycopg

from airflow_atscale_aggs.engine.errors import AtScaleAggsError
from airflow_atscale_aggs.engine.registry.users import UserRecord
from airflow_atscale_aggs.server import messages
from airflow_atscale_aggs.server.answering import Visitor
from airflow_atscale_aggs.server.backend import Backend, BackendError
from airflow_atscale_aggs.server.client_session import ClientSession
from airflow_atscale_aggs.server.frames import (
    CANCEL_REQUEST,
    GSS_REQUEST,
    PROTOCOL,
    SSL_REQUEST,
    Frame,
    PeerGoneError,
    ProtocolViolationError,
    StartupPacket,
    read_startup,
)
from airflow_atscale_aggs.server.passwords import Verifier, verifier_of_nobody
from airflow_atscale_aggs.server.served_catalog import ServedCatalog
from airflow_atscale_aggs.server.sign_in import proves_password
from airflow_atscale_aggs.server.sql_errors import error_frame

_STARTUP_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenOptions:
    """How connections are taken.

    Attributes:
        without_password: everybody is let in.
        ssl_context: for clients that ask for TLS; None: there is none.
        requires_tls: clients without TLS are refused.
    """

    without_password: bool
    ssl_context: ssl.SSLContext | None = None
    requires_tls: bool = False


class Listener:
    """Takes connections for some catalogs.

    Args:
        catalog_of: the catalog by the name of the database that a client gives; None: there is none.
        user_of: a user by name; None: there is none.
    """

    def __init__(
        self,
        catalog_of: Callable[[str], Awaitable[ServedCatalog | None]],
        user_of: Callable[[str], Awaitable[UserRecord | None]],
        options: ListenOptions,
    ) -> None:
        self._catalog_of, self._user_of, self._options = catalog_of, user_of, options
        self._sessions: dict[tuple[int, int], ClientSession] = {}
        self._last_number = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, host: str, port: int) -> asyncio.Server:
        """Listen; the server is to be closed by the caller."""
        return await asyncio.start_server(self._connected, host, port)

    async def close(self) -> None:
        """End all sessions, and wait until their statements have ended."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve_one(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_STARTUP_SECONDS):
                packet = await self._negotiate(reader, writer)
            if packet.code == CANCEL_REQUEST:
                session = self._sessions.get(packet.cancel_key())
                if session is not None:
                    await session.cancel()
            else:
                await self._session(packet, reader, writer)
        except (PeerGoneError, ConnectionError, TimeoutError):
            pass
        except ProtocolViolationError as error:
            writer.write(messages.error_response("08P01", str(error), severity="FATAL"))
        finally:
            with contextlib.suppress(ConnectionError):
                writer.close()
                await writer.wait_closed()

    async def _negotiate(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> StartupPacket:
        """The packet behind what clients ask before it."""
        is_encrypted = False
        while True:
            packet = await read_startup(reader)
            if packet.code == SSL_REQUEST and self._options.ssl_context is not None and not is_encrypted:
                writer.write(b"S")
                await writer.drain()
                await writer.start_tls(self._options.ssl_context)
                is_encrypted = True
            elif packet.code in {SSL_REQUEST, GSS_REQUEST}:
                writer.write(b"N")
                await writer.drain()
            elif self._options.requires_tls and not is_encrypted and packet.code != CANCEL_REQUEST:
                raise ProtocolViolationError("this server takes connections with TLS only; ask with sslmode=require")
            else:
                return packet

    async def _signed_in(self, user: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Visitor | None:
        """Who has signed in; None: nobody."""
        if self._options.without_password:
            return Visitor(user, None)
        record = await self._user_of(user)
        verifier = verifier_of_nobody(user) if record is None else Verifier.decode(record.verifier)
        async with asyncio.timeout(_STARTUP_SECONDS):
            is_proven = await proves_password(reader, writer, verifier)
        return Visitor(user, record.model_ids) if is_proven and record is not None else None

    async def _session(self, packet: StartupPacket, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if packet.code >> 16 != PROTOCOL >> 16:
            raise ProtocolViolationError("unsupported frontend protocol")
        parameters = dict(packet.parameters())
        user = parameters.pop("user", "")
        name = parameters.pop("database", user)
        visitor = await self._signed_in(user, reader, writer)
        if visitor is None:
            text = f'password authentication failed for user "{user}"'
            writer.write(messages.error_response("28P01", text, severity="FATAL"))
            return
        try:
            catalog = await self._catalog_of(name)
        except (AtScaleAggsError, psycopg.Error) as error:
            writer.write(error_frame(error))
            return
        if catalog is None:
            text = f'database "{name}" does not exist'
            hint = "Databases are the catalogs of deployed models."
            writer.write(messages.error_response("3D000", text, severity="FATAL", H=hint))
            return
        try:
            backend = await Backend.open(catalog.backend, {"database": catalog.shells, **parameters})
        except BackendError as error:
            fallback = messages.error_response("08006", str(error), severity="FATAL")
            writer.write(fallback if error.frame is None else error.frame.encode())
            return
        self._last_number += 1
        key = (self._last_number, secrets.randbits(32))
        session = self._sessions[key] = ClientSession(reader, writer, catalog, backend, visitor)
        try:
            self._welcome(writer, backend, key)
            await session.run()
        finally:
            del self._sessions[key]
            await backend.close()

    def _welcome(self, writer: asyncio.StreamWriter, backend: Backend, key: tuple[int, int]) -> None:
        writer.write(Frame(b"R", (0).to_bytes(4, "big")).encode())
        for name, value in backend.parameters.items():
            writer.write(messages.parameter_status(name, value))
        writer.write(Frame(b"K", b"".join(part.to_bytes(4, "big") for part in key)).encode())
        writer.write(messages.ready_for_query(backend.status))
