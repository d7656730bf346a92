"""Serve all catalogs of a workspace on the PostgreSQL protocol."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import field

import psycopg

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.registry.users import UserRecord
from airflow_atscale_aggs.server.answering import AnswerPool
from airflow_atscale_aggs.server.catalog_server import CatalogServer
from airflow_atscale_aggs.server.client_bounds import Bounds
from airflow_atscale_aggs.server.listener import Listener, ListenOptions
from airflow_atscale_aggs.server.served_catalogs import ServedCatalogs

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
        star_tables: who sees all models may read the tables that these read, where the warehouse is PostgreSQL.
        bounds: what clients may take from each other.
    """

    host: str = "127.0.0.1"
    port: int = 6543
    without_password: bool = False
    queries: int = 8
    certificate: str = ""
    key: str = ""
    star_tables: bool = True
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


class Server:
    """Serves until it is closed.

    Args:
        catalog_server: where databases for catalogs are made, see `shells`.

    Raises ServerRefusedError.
    """

    def __init__(self, workspace: Workspace, catalog_server: CatalogServer, options: ServerOptions) -> None:
        self._workspace, self._options = workspace, options
        workspace.warehouse.kept_sessions = options.queries
        self._pool = AnswerPool(workspace, size=options.queries)
        self._catalogs = ServedCatalogs(workspace, catalog_server, self._pool, with_star_tables=options.star_tables)
        self._listener = Listener(self._catalogs.find, self._user, options.listen_options())
        self._server: asyncio.Server | None = None

    @property
    def databases(self) -> tuple[str, ...]:
        """The catalogs that are served, sorted."""
        return self._catalogs.names

    async def start(self) -> tuple[str, int]:
        """Make the empty tables, and listen. Returns address and port.

        Raises:
            ServerRefusedError: the port is taken, or the catalog server refuses.
        """
        try:
            await self._catalogs.start()
            self._server = await self._listener.serve(self._options.host, self._options.port)
        except (OSError, psycopg.Error) as error:
            await asyncio.to_thread(self._pool.close)
            message = f"It cannot serve on {self._options.host}:{self._options.port}: {' '.join(str(error).split())}"
            raise ServerRefusedError(message) from error
        host, port = self._server.sockets[0].getsockname()[:2]
        return str(host), int(port)

    async def close(self) -> None:
        """Stop listening, and end what runs."""
        if self._server is not None:
            self._server.close()
        await self._listener.close()
        await asyncio.to_thread(self._pool.close)
        self._catalogs.close()

    async def _user(self, name: str) -> UserRecord | None:
        return await self._pool.run(lambda: self._workspace.read.users.find(name))
