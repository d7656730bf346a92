"""Take connections: TLS, who it is, which catalog; then a session of its own."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable

import psycopg

from airflow_atscale_aggs.engine.errors import AtScaleAggsError
from airflow_atscale_aggs.server import messages
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
from airflow_atscale_aggs.server.house import House
from airflow_atscale_aggs.server.sql_errors import error_frame

_STARTUP_SECONDS = 60


class Listener:
    """Takes connections for some catalogs.

    Args:
        house_of: the catalog by the name of the database that a client gives; None: there is none.
    """

    def __init__(self, house_of: Callable[[str], Awaitable[House | None]]) -> None:
        self._house_of = house_of
        self._sessions: dict[tuple[int, int], ClientSession] = {}
        self._last_number = 0

    async def serve(self, host: str, port: int) -> asyncio.Server:
        """Listen; the server is to be closed by the caller."""
        return await asyncio.start_server(self._connected, host, port)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
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
        while True:
            packet = await read_startup(reader)
            if packet.code not in {SSL_REQUEST, GSS_REQUEST}:
                return packet
            writer.write(b"N")
            await writer.drain()

    async def _session(self, packet: StartupPacket, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if packet.code >> 16 != PROTOCOL >> 16:
            raise ProtocolViolationError("unsupported frontend protocol")
        parameters = dict(packet.parameters())
        user = parameters.pop("user", "")
        name = parameters.pop("database", user)
        try:
            house = await self._house_of(name)
        except (AtScaleAggsError, psycopg.Error) as error:
            writer.write(error_frame(error))
            return
        if house is None:
            text = f'database "{name}" does not exist'
            hint = "Databases are the catalogs of deployed models."
            writer.write(messages.error_response("3D000", text, severity="FATAL", H=hint))
            return
        try:
            backend = await Backend.open(house.backend, {"database": house.shells, **parameters})
        except BackendError as error:
            fallback = messages.error_response("08006", str(error), severity="FATAL")
            writer.write(fallback if error.frame is None else error.frame.encode())
            return
        self._last_number += 1
        key = (self._last_number, secrets.randbits(32))
        session = self._sessions[key] = ClientSession(reader, writer, house, backend)
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
