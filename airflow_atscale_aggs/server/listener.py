"""Take connections: TLS, who it is, which catalog; then a session of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field

import psycopg

from airflow_atscale_aggs.engine.errors import AtScaleAggsError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.row_security import Reader
from airflow_atscale_aggs.engine.registry.users import UserRecord
from airflow_atscale_aggs.server import messages
from airflow_atscale_aggs.server.answering import Visitor
from airflow_atscale_aggs.server.backend import Backend, BackendError
from airflow_atscale_aggs.server.client_bounds import Admission, Bounds
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
from airflow_atscale_aggs.server.keepalive import Keepalive
from airflow_atscale_aggs.server.overview import names_overview
from airflow_atscale_aggs.server.passwords import Verifier, verifier_of_nobody
from airflow_atscale_aggs.server.served_catalog import ServedCatalog
from airflow_atscale_aggs.server.session_options import startup_parameters
from airflow_atscale_aggs.server.sign_in import proves_password
from airflow_atscale_aggs.server.sql_errors import SqlError, error_frame

_log = logging.getLogger(__name__)

_Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]

_NEVER = 1e9
_LOOK_SECONDS = 0.5
"""Between two looks at all sessions."""


class _ClientReader(asyncio.StreamReader):
    """Knows that nothing more will come, also while not all was read that came."""

    is_over = False

    def feed_eof(self) -> None:
        """The other side sends nothing more."""
        self.is_over = True
        super().feed_eof()


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
    bounds: Bounds = field(default_factory=Bounds)


class Listener:
    """Takes connections for some catalogs.

    Args:
        catalog_of: the catalog by the name of the database that a client gives, as somebody sees it; None: there is
            none.
        user_of: a user by name; None: there is none.
    """

    def __init__(
        self,
        catalog_of: Callable[[str, Visitor], Awaitable[ServedCatalog | None]],
        user_of: Callable[[str], Awaitable[UserRecord | None]],
        options: ListenOptions,
    ) -> None:
        self._catalog_of, self._user_of, self._options = catalog_of, user_of, options
        self._sessions: dict[tuple[int, int], ClientSession] = {}
        self._last_number = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._bounds = options.bounds
        self._admission = Admission(options.bounds)
        self._watching: asyncio.Task[None] | None = None

    async def serve(self, host: str, port: int) -> asyncio.Server:
        """Listen; the server is to be closed by the caller."""
        self._watching = asyncio.ensure_future(self._watch())
        loop = asyncio.get_running_loop()
        return await loop.create_server(
            lambda: asyncio.StreamReaderProtocol(_ClientReader(), self._connected), host, port
        )

    async def close(self) -> None:
        """End all sessions, and wait until their statements have ended."""
        tasks = [*self._tasks, *([self._watching] if self._watching is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            for session in list(self._sessions.values()):
                session.look()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # As many again may be signing in, or wait to be told that there are too many, or cancel a statement.
        if self._bounds.connections and len(self._tasks) >= 2 * self._bounds.connections:
            writer.write(messages.error_response("53300", "sorry, too many clients already", severity="FATAL"))
            writer.close()
            return
        keepalive = Keepalive(writer, self._bounds.keepalive_seconds)
        keepalive.begin()
        task = asyncio.ensure_future(self._serve_one((reader, writer), keepalive))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve_one(self, client: _Client, keepalive: Keepalive) -> None:
        reader, writer = client
        try:
            deadline = asyncio.get_running_loop().time() + (self._bounds.authentication_seconds or _NEVER)
            async with asyncio.timeout_at(deadline):
                packet = await self._negotiate(reader, writer)
            if packet.code == CANCEL_REQUEST:
                session = self._sessions.get(packet.cancel_key())
                if session is not None:
                    session.cancel()
            else:
                with self._admission.admit():
                    await self._session(packet, client, deadline)
        except SqlError as refusal:
            writer.write(refusal.frame)
        except (PeerGoneError, OSError):
            # Also what is no TLS, and who takes too long.
            pass
        except Exception as error:  # noqa: BLE001 - the client gets it, others are not disturbed
            writer.write(error_frame(error, severity="FATAL"))
        finally:
            keepalive.end()
            with contextlib.suppress(OSError):
                writer.close()
                await writer.wait_closed()

    async def _negotiate(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> StartupPacket:
        """The packet behind what clients ask before it."""
        is_encrypted = False
        while True:
            packet = await read_startup(reader)
            if packet.code in {SSL_REQUEST, GSS_REQUEST} and _has_more(reader):
                # Somebody between us could have put it there, to be taken as part of what is encrypted.
                raise ProtocolViolationError("received unencrypted data after SSL request")
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

    async def _signed_in(self, user: str, client: _Client, deadline: float) -> Visitor | None:
        """Who has signed in; None: nobody."""
        if self._options.without_password:
            return Visitor(user, None)
        try:
            record = await self._user_of(user)
        except AtScaleAggsError as error:
            # Where the registry is, is for nobody who has not signed in.
            _log.warning("Nobody can sign in: %s", error)
            text = "users cannot be looked up: the registry does not answer"
            raise SqlError(messages.error_response("58000", text, severity="FATAL")) from error
        verifier = verifier_of_nobody(user) if record is None else Verifier.decode(record.verifier)
        async with asyncio.timeout_at(deadline):
            is_proven = await proves_password(*client, verifier)
        if not is_proven or record is None:
            return None
        return Visitor(user, record.model_ids, warehouse_role=record.warehouse_role, reader=Reader(user))

    async def _session(self, packet: StartupPacket, client: _Client, deadline: float) -> None:
        if packet.code >> 16 != PROTOCOL >> 16:
            raise ProtocolViolationError("unsupported frontend protocol")
        parameters = dict(packet.parameters())
        user = parameters.pop("user", "")
        name = parameters.pop("database", user)
        visitor = await self._signed_in(user, client, deadline)
        if visitor is None:
            text = f'password authentication failed for user "{user}"'
            raise SqlError(messages.error_response("28P01", text, severity="FATAL"))
        with self._admission.admit_user(user):
            catalog = await self._catalog(name, visitor)
            await self._answer(catalog, catalog.visitor(visitor), client, parameters)

    async def _catalog(self, name: str, visitor: Visitor) -> ServedCatalog:
        """The catalog by the name of a database, as somebody sees it. Raises SqlError."""
        try:
            catalog = await self._catalog_of(name, visitor)
        except (AtScaleAggsError, psycopg.Error) as error:
            raise SqlError(error_frame(error, severity="FATAL")) from error
        if catalog is None:
            text = f'database "{name}" does not exist'
            hint = "Databases are the catalogs of deployed models."
            raise SqlError(messages.error_response("3D000", text, severity="FATAL", H=hint))
        return catalog

    async def _answer(
        self, catalog: ServedCatalog, visitor: Visitor, client: _Client, parameters: Mapping[str, str]
    ) -> None:
        """Answer a client that has signed in until it goes."""
        settings, sets_options = startup_parameters(parameters, self._bounds.statement_seconds)
        try:
            address = await catalog.backend_of(visitor)
            backend = await Backend.open(address, {"database": catalog.shells, **settings})
        except psycopg.Error as error:
            raise SqlError(error_frame(error, severity="FATAL")) from error
        except BackendError as error:
            fallback = messages.error_response("08006", str(error), severity="FATAL")
            raise SqlError(fallback if error.frame is None else error.frame.encode()) from error
        self._last_number += 1
        key = (self._last_number, secrets.randbits(32))
        session = self._sessions[key] = ClientSession(client, catalog, backend, visitor, self._bounds)
        session.has_set_options = sets_options
        session.reads_overview = any(names_overview(value.encode()) for value in parameters.values())
        try:
            self._welcome(client[1], backend, key)
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


def _has_more(reader: asyncio.StreamReader) -> bool:
    """Whether something has come that was not read yet. Readers have no public way to tell."""
    return bool(getattr(reader, "_buffer", b""))
