"""A warehouse that is not ours alone: who owns what, how it is reached, and how another person's statement is run."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse

SCHEMA = "aggs"
"""Where the aggregates go."""


@dataclass
class Place:
    """One database with its registry.

    Attributes:
        kind: ``duckdb`` or ``postgres``.
        folder: of the registry, and of DuckDB's file.
        admin_url: of the superuser of PostgreSQL; empty on DuckDB.
        builder_url: as which the engine works: no superuser.
        roles: who may read, beside the builder; PostgreSQL only.
    """

    kind: str
    folder: Path
    admin_url: str = ""
    builder_url: str = ""
    roles: tuple[str, ...] = ()
    _file: threading.Lock = field(default_factory=threading.Lock)

    @property
    def registry(self) -> Path:
        """The file of the registry."""
        return self.folder / "registry.sqlite"

    @property
    def is_postgres(self) -> bool:
        """Whether there are roles, grants and locks."""
        return self.kind == "postgres"

    @contextlib.contextmanager
    def workspace(self) -> Iterator[Workspace]:
        """A workspace, opened as by a process of ours that begins, works and ends."""
        url = self.builder_url or f"duckdb:///{self.folder / 'w.duckdb'}"
        with open_workspace(registry=f"sqlite:///{self.registry}", warehouse=url, aggregate_schema=SCHEMA) as opened:
            yield opened

    def run(self, *statements: str, role: str = "") -> None:
        """Run statements as somebody else does, each by itself."""
        with self._connect() as connection:
            if role:
                connection.execute(f'SET ROLE "{role}"')
            for statement in statements:
                connection.execute(statement)

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows that somebody sees."""
        with self._connect() as connection:
            return list(connection.execute(sql).fetchall())

    @contextlib.contextmanager
    def _connect(self) -> Iterator[Any]:
        if self.is_postgres:
            with psycopg.connect(self.admin_url.replace("+psycopg", "", 1), autocommit=True) as connection:
                yield connection
            return
        # Connections of one process share the database, and must be configured alike.
        warehouse = open_warehouse(f"duckdb:///{self.folder / 'w.duckdb'}")
        with contextlib.closing(warehouse), warehouse.session() as session:
            yield _Cursor(session)


class _Cursor:
    """A session of the engine's driver, used as a DB-API cursor is."""

    def __init__(self, session: WarehouseSession) -> None:
        self._session = session
        self._rows: list[tuple[Any, ...]] = []

    def execute(self, sql: str) -> _Cursor:
        if sql.lstrip().upper().startswith("SELECT"):
            self._rows = self._session.fetch_all(sql)
        else:
            self._session.execute(sql)
        return self

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self._rows


@contextlib.contextmanager
def postgres_place(admin_url: str, folder: Path, name: str) -> Iterator[Place]:
    """A database whose tables belong to an ETL role.

    Its builder may read them and make aggregates, and others read.

    Args:
        admin_url: of an empty database.
        name: part of the names of the roles, which all databases of a server share.
    """
    builder, etl, readers = f"builder_{name}", f"etl_{name}", (f"reader_{name}", f"analyst_{name}")
    roles = (builder, etl, *readers)
    _, _, address = admin_url.partition("@") if "@" in admin_url else ("", "", admin_url.partition("://")[2])
    place = Place("postgres", folder, admin_url, f"postgresql+psycopg://{builder}@{address}", (*readers, etl))
    (database,) = place.fetch("SELECT current_database()")[0]
    _drop_roles(place, roles)
    place.run(
        *(f'CREATE ROLE "{role}" LOGIN' for role in roles),
        f'GRANT CREATE ON DATABASE "{database}" TO "{builder}"',
        f'GRANT ALL ON SCHEMA public TO "{etl}"',
        f'GRANT USAGE ON SCHEMA public TO "{builder}", "{readers[0]}", "{readers[1]}"',
        f'ALTER DEFAULT PRIVILEGES FOR ROLE "{etl}" IN SCHEMA public GRANT SELECT ON TABLES TO "{builder}"',
    )
    try:
        yield place
    finally:
        _drop_roles(place, roles)


def _drop_roles(place: Place, roles: tuple[str, ...]) -> None:
    for role in roles:
        if place.fetch(f"SELECT 1 FROM pg_roles WHERE rolname = '{role}'"):
            place.run(f'DROP OWNED BY "{role}" CASCADE', f'DROP ROLE "{role}"')
