"""Serve all catalogs of a workspace on the PostgreSQL protocol."""

from __future__ import annotations

import asyncio
import ssl
import time
from dataclasses import dataclass, field

import psycopg
from sqlalchemy.engine import URL, make_url

from airflow_atscale_aggs.engine.lifecycle.query.model_tables import read_model_tables
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, utc_now
from airflow_atscale_aggs.engine.registry.users import UserRecord
from airflow_atscale_aggs.server.answering import AnswerPool
from airflow_atscale_aggs.server.backend import BackendAddress
from airflow_atscale_aggs.server.client_bounds import Bounds
from airflow_atscale_aggs.server.descriptions import Describer
from airflow_atscale_aggs.server.listener import Listener, ListenOptions
from airflow_atscale_aggs.server.served_catalog import ServedCatalog
from airflow_atscale_aggs.server.shells import make_shells

_LOOK_SECONDS = 2.0
"""After which a new connection makes us look for new deployments."""

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class ServerRefusedError(Exception):
    """The server cannot be started as it is asked for. The command line tells it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """How to serve.

    Attributes:
        port: 0: any that is free.
        without_password: everybody who reaches the port may ask; only on an address of this machine.
        queries: how many queries run at the same time; each has a connection to the warehouse.
        certificate, key: files for TLS; without, there is none.
        bounds: what clients may take from each other.
    """

    host: str = "127.0.0.1"
    port: int = 6543
    without_password: bool = False
    queries: int = 8
    certificate: str = ""
    key: str = ""
    bounds: Bounds = field(default_factory=Bounds)

    def listen_options(self) -> ListenOptions:
        """How connections are taken.

        Raises:
            ServerRefusedError: everybody could read all models, or rows would go over a network as they are; or the
                certificate cannot be read.
        """
        is_local = self.host in _LOOPBACK
        if self.without_password and not is_local:
            message = (
                f"--no-password is taken on addresses of this machine only, and `{self.host}` is none: everybody "
                "who reaches it could read all models."
            )
            raise ServerRefusedError(message)
        if not self.certificate:
            if not is_local:
                message = (
                    f"`{self.host}` can be reached from other machines, so that connections need TLS: give "
                    "--certificate and --key."
                )
                raise ServerRefusedError(message)
            return ListenOptions(without_password=self.without_password, bounds=self.bounds)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self.certificate, self.key or None)
        except (OSError, ssl.SSLError) as error:
            message = f"The certificate {self.certificate} with its key cannot be read: {error}"
            raise ServerRefusedError(message) from error
        return ListenOptions(
            without_password=self.without_password, ssl_context=context, requires_tls=not is_local, bounds=self.bounds
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogServer:
    """A PostgreSQL server that keeps empty tables, one for each model, and answers what tools ask about tables."""

    host: str
    port: int
    user: str
    password: str = field(default="", repr=False)
    database: str = "postgres"

    def conninfo(self, database: str = "") -> str:
        """For psycopg. Without a name it leads to the server's own database."""
        query = {"host": self.host} if self.host.startswith("/") else {}
        url = URL.create(
            "postgresql",
            username=self.user,
            password=self.password or None,
            host=None if query else self.host,
            port=self.port,
            database=database or self.database,
            query=query,
        )
        return url.render_as_string(hide_password=False)


def catalog_server_of(url: str) -> CatalogServer:
    """The server behind a URL of PostgreSQL."""
    parsed = make_url(url)
    host = parsed.host or str(parsed.query.get("host", "127.0.0.1"))
    return CatalogServer(
        host=host,
        port=parsed.port or 5432,
        user=parsed.username or "postgres",
        password=parsed.password or "",
        database=parsed.database or "postgres",
    )


class Server:
    """Serves until it is closed.

    Args:
        catalog_server: where databases with the prefix `shells.PREFIX` are made.

    Raises ServerRefusedError.
    """

    def __init__(self, workspace: Workspace, catalog_server: CatalogServer, options: ServerOptions) -> None:
        self._workspace, self._catalog_server, self._options = workspace, catalog_server, options
        workspace.warehouse.kept_sessions = options.queries
        self._pool = AnswerPool(workspace, size=options.queries)
        self._catalogs: dict[str, ServedCatalog] = {}
        self._states: dict[str, object] = {}
        self._look_again = 0.0
        self._listener = Listener(self.catalog, self._user, options.listen_options())
        self._server: asyncio.Server | None = None

    @property
    def databases(self) -> tuple[str, ...]:
        """The catalogs that are served, sorted."""
        return tuple(sorted(self._catalogs))

    async def start(self) -> tuple[str, int]:
        """Make the empty tables, and listen. Returns address and port.

        Raises:
            ServerRefusedError: the port is taken, or the catalog server refuses.
        """
        try:
            await self._pool.run(self._refresh)
            self._server = await self._listener.serve(self._options.host, self._options.port)
        except (OSError, psycopg.Error) as error:
            await asyncio.to_thread(self._pool.close)
            message = f"It cannot serve on {self._options.host}:{self._options.port}: {' '.join(str(error).split())}"
            raise ServerRefusedError(message) from error
        host, port = self._server.sockets[0].getsockname()[:2]
        return str(host), int(port)

    async def catalog(self, name: str) -> ServedCatalog | None:
        """The catalog of a database's name; what was deployed meanwhile is seen. None: there is none."""
        if time.monotonic() >= self._look_again:
            self._look_again = time.monotonic() + _LOOK_SECONDS
            await self._pool.run(self._refresh)
        return self._catalogs.get(name)

    async def close(self) -> None:
        """Stop listening, and end what runs."""
        if self._server is not None:
            self._server.close()
        await self._listener.close()
        await asyncio.to_thread(self._pool.close)
        for catalog in self._catalogs.values():
            catalog.describer.close()

    async def _user(self, name: str) -> UserRecord | None:
        return await self._pool.run(lambda: self._workspace.read.users.find(name))

    def _refresh(self) -> None:
        """Make tables of catalogs whose models were deployed anew."""
        records = self._workspace.read.models.current()
        for catalog in sorted({record.catalog for record in records}):
            state = [(r.id, self._workspace.read.models.version(r.id)) for r in records if r.catalog == catalog]
            if self._states.get(catalog) != state:
                old = self._catalogs.get(catalog)
                try:
                    self._catalogs[catalog] = self._make_catalog(catalog)
                except psycopg.errors.LockNotAvailable:
                    if old is None:
                        raise
                    # The old tables serve until whoever looks at them ends their transaction.
                    continue
                self._states[catalog] = state
                if old is not None:
                    old.describer.close()
        for gone in set(self._catalogs) - {record.catalog for record in records}:
            self._catalogs.pop(gone).describer.close()

    def _make_catalog(self, catalog: str) -> ServedCatalog:
        tables = read_model_tables(self._workspace, catalog, now=utc_now())
        shells = make_shells(self._catalog_server.conninfo(), catalog, tables)
        address = BackendAddress(
            host=self._catalog_server.host,
            port=self._catalog_server.port,
            user=shells.role,
            password=shells.password,
        )
        describer = Describer(self._catalog_server.conninfo(shells.database))
        return ServedCatalog(
            catalog, address, shells.database, self._pool, describer, self._workspace.warehouse.dialect
        )
