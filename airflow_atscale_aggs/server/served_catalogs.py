"""The catalogs that are served, and their databases: made when they are first asked for, and when models change."""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Sequence

import psycopg

from airflow_atscale_aggs.engine.errors import RegistryError
from airflow_atscale_aggs.engine.lifecycle.query.model_tables import ModelTable, read_model_tables
from airflow_atscale_aggs.engine.lifecycle.query.star_tables import StarTable, read_star_tables, written_names
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, utc_now
from airflow_atscale_aggs.engine.registry.records import ModelRecord
from airflow_atscale_aggs.engine.warehouse.drivers import one_line
from airflow_atscale_aggs.server.answering import AnswerPool, Visitor
from airflow_atscale_aggs.server.backend import BackendAddress
from airflow_atscale_aggs.server.catalog_server import CatalogServer
from airflow_atscale_aggs.server.descriptions import Describer
from airflow_atscale_aggs.server.overview import Overview
from airflow_atscale_aggs.server.served_catalog import ServedCatalog
from airflow_atscale_aggs.server.shells import Shells, ShellsKey, drop_unneeded_shells, make_own_role, make_shells

_LOOK_SECONDS = 2.0
"""After which a new connection makes us look for new deployments."""

_CLEAN_SECONDS = 600.0
"""After which a new connection makes us look for databases that nobody needs."""

_log = logging.getLogger(__name__)


class ServedCatalogs:
    """The catalogs of a workspace, each once for all who see the same models of it.

    Args:
        server: where their databases are made.
        with_star_tables: who sees all models sees the tables that they read as well.
    """

    def __init__(
        self, workspace: Workspace, server: CatalogServer, pool: AnswerPool, *, with_star_tables: bool
    ) -> None:
        self._with_star_tables = with_star_tables
        self._workspace, self._server, self._pool = workspace, server, pool
        self._registry = workspace.read.ownership.registry_id()
        self._records: Sequence[ModelRecord] = ()
        self._served: dict[ShellsKey, ServedCatalog] = {}
        self._states: dict[ShellsKey, object] = {}
        self._checked: dict[ShellsKey, int] = {}
        self._looks = 0
        self._look_again = self._clean_again = 0.0
        self._lock = asyncio.Lock()

    @property
    def names(self) -> tuple[str, ...]:
        """Sorted."""
        return tuple(sorted({record.catalog for record in self._records}))

    async def start(self) -> None:
        """Make the databases of those who see all models. Raises psycopg.Error: the server refuses."""
        async with self._lock:
            await self._pool.run(self._look)
            for name in self.names:
                await self._pool.run(functools.partial(self._make, ShellsKey(self._registry, name, None)))

    async def find(self, name: str, visitor: Visitor) -> ServedCatalog | None:
        """A catalog as somebody sees it, with what was deployed meanwhile. None: he sees no model of one.

        Args:
            name: the catalog's, or its database's, which clients take from the list of databases.

        Raises:
            psycopg.Error: the server refuses.
        """
        if time.monotonic() >= self._look_again:
            async with self._lock:
                if time.monotonic() >= self._look_again:
                    await self._pool.run(self._look)
                    self._look_again = time.monotonic() + _LOOK_SECONDS
        key = self._key_by_name(name, visitor)
        if key is None:
            return None
        served = self._served.get(key)
        if served is None or self._checked.get(key) != self._looks:
            async with self._lock:
                await self._pool.run(functools.partial(self._make, key))
                served = self._served[key]
        return served

    def close(self) -> None:
        """End the sessions on the server."""
        for key in list(self._served):
            self._forget(key)

    def _key_by_name(self, name: str, visitor: Visitor) -> ShellsKey | None:
        keys = [key for catalog in self.names if (key := self._key(catalog, visitor)) is not None]
        databases = {key: served.shells for key in keys if (served := self._served.get(key)) is not None}
        by_catalog = next((key for key in keys if key.catalog == name), None)
        return by_catalog or next((key for key in keys if databases.get(key) == name), None)

    def _key(self, catalog: str, visitor: Visitor) -> ShellsKey | None:
        """What the database of a visitor stands for; None: he sees no model."""
        if visitor.model_ids is None:
            return ShellsKey(self._registry, catalog, None)
        ids = visitor.model_ids & {record.id for record in self._records if record.catalog == catalog}
        return ShellsKey(self._registry, catalog, ids) if ids else None

    def _look(self) -> None:
        """Look for changes. While the registry is away, everything is as it was."""
        try:
            self._read_models()
        except RegistryError as error:
            if not self._records:
                raise
            _log.warning("Models are taken to be unchanged: %s", one_line(error))
        else:
            self._looks += 1

    def _read_models(self) -> None:
        """Read which models there are; let go of catalogs that are gone, and of databases that nobody needs."""
        self._records = self._workspace.read.models.current()
        there = {(record.catalog, record.id) for record in self._records}
        catalogs = {catalog for catalog, _ in there}
        for key in list(self._served):
            if key.catalog not in catalogs or not all((key.catalog, each) in there for each in key.model_ids or ()):
                self._forget(key)
        if time.monotonic() >= self._clean_again:
            self._clean_again = time.monotonic() + _CLEAN_SECONDS
            self._clean()

    def _forget(self, key: ShellsKey) -> None:
        """Sessions that are open go on with what they have."""
        served = self._served.pop(key)
        served.describer.close()
        served.overview.close()
        self._states.pop(key)

    def _clean(self) -> None:
        """Drop the databases that no user needs."""
        visitors = [Visitor(user.name, user.model_ids) for user in self._workspace.read.users.all()]
        visitors.append(Visitor("", None))
        keys = {self._key(catalog, visitor) for catalog in self.names for visitor in visitors}
        for key in set(self._served) - keys:
            self._forget(key)
        needed = {key.digest for key in keys if key is not None}
        try:
            drop_unneeded_shells(self._server.conninfo(), self._registry, needed)
        except psycopg.Error as error:
            _log.warning("Databases that nobody needs could not be dropped: %s", one_line(error))

    def _make(self, key: ShellsKey) -> None:
        """Make a database, or make it anew where models have changed."""
        visitor = Visitor("", key.model_ids, key.catalog)
        ids = sorted(record.id for record in self._records if visitor.sees(record))
        state = [(identity, self._workspace.read.models.version(identity)) for identity in ids]
        old = self._served.get(key)
        if old is not None and self._states[key] == state and old.describer.is_there():
            self._checked[key] = self._looks
            return
        tables = read_model_tables(self._workspace, key.catalog, sees=visitor.sees, now=utc_now())
        # Who does not see all models of a table may not read the table.
        shows_stars = self._with_star_tables and key.model_ids is None
        stars = read_star_tables(self._workspace, key.catalog, sees=visitor.sees, now=utc_now()) if shows_stars else []
        try:
            shells = make_shells(self._server.conninfo(), key, tables, stars)
        except psycopg.errors.LockNotAvailable:
            if old is None:
                raise
            # The old tables serve until whoever looks at them ends their transaction. The next look tries again.
            self._checked[key] = self._looks
            return
        self._served[key] = self._serve(key, shells, tables, stars, old)
        self._states[key], self._checked[key] = state, self._looks

    def _serve(
        self,
        key: ShellsKey,
        shells: Shells,
        tables: Sequence[ModelTable],
        stars: Sequence[StarTable],
        old: ServedCatalog | None,
    ) -> ServedCatalog:
        """A catalog whose database is made. ``old``: as it was before."""
        visitor = Visitor("", key.model_ids, key.catalog)
        if old is None or old.shells != shells.database:
            conninfo, read = self._server.conninfo(shells.database), self._workspace.read
            describer, overview = Describer(conninfo), Overview(conninfo, read, visitor.sees, self._pool.write_log)
        else:
            describer, overview = old.describer, old.overview
        # While it is connected, no other process drops the database.
        describer.is_there()
        describer.forget()
        overview.tables = tables
        return ServedCatalog(
            key.catalog,
            key.model_ids,
            written_names(stars),
            self._address(shells),
            shells.database,
            self._pool,
            describer,
            overview,
            self._workspace.warehouse.dialect,
            functools.partial(self.find, key.catalog, visitor),
            lambda user: self._address(make_own_role(self._server.conninfo(), shells, user)),
        )

    def _address(self, shells: Shells) -> BackendAddress:
        server = self._server
        return BackendAddress(host=server.host, port=server.port, user=shells.role, password=shells.password)
