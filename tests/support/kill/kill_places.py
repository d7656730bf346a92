"""Places that can be copied: a registry and a warehouse as they were before the batch that is killed."""

from __future__ import annotations

import contextlib
import itertools
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import psycopg


@dataclass(frozen=True)
class Place:
    """URLs of a registry and a warehouse."""

    registry: str
    warehouse: str


class Places(Protocol):
    """An original and its copies."""

    def base(self) -> contextlib.AbstractContextManager[Place]:
        """The original, emptied of its registry; nobody may hold it open after the block."""

    def copy(self) -> contextlib.AbstractContextManager[Place]:
        """A copy, thrown away after the block."""

    def empty(self) -> contextlib.AbstractContextManager[Place]:
        """A place with nothing in it, thrown away after the block."""


@dataclass
class FilePlaces:
    """A SQLite registry and a DuckDB warehouse in a folder."""

    folder: Path
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @classmethod
    def make(cls, folder: Path) -> FilePlaces:
        """In an empty folder."""
        return cls(folder)

    def __str__(self) -> str:
        return "SQLite and DuckDB"

    @contextlib.contextmanager
    def base(self) -> Iterator[Place]:
        """See `Places.base`."""
        original = self.folder / "original"
        shutil.rmtree(original, ignore_errors=True)
        original.mkdir()
        yield self._place(original)

    @contextlib.contextmanager
    def copy(self) -> Iterator[Place]:
        """See `Places.copy`."""
        folder = self.folder / f"copy_{next(self._numbers)}"
        shutil.copytree(self.folder / "original", folder)
        yield self._place(folder)
        shutil.rmtree(folder)

    @contextlib.contextmanager
    def empty(self) -> Iterator[Place]:
        """See `Places.empty`."""
        folder = self.folder / f"empty_{next(self._numbers)}"
        folder.mkdir()
        yield self._place(folder)
        shutil.rmtree(folder)

    @staticmethod
    def _place(folder: Path) -> Place:
        return Place(f"sqlite:///{folder / 'registry.sqlite'}", f"duckdb:///{folder / 'warehouse.duckdb'}?threads=1")


@dataclass
class PostgresPlaces:
    """A PostgreSQL database that holds both the registry and the warehouse; copies are made of it as a template."""

    server: str
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @classmethod
    @contextlib.contextmanager
    def make(cls, server: str) -> Iterator[PostgresPlaces]:
        """On the server of a ``postgresql://`` URL, whatever database it names."""
        places = cls(server)
        yield places
        places._run(*(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)" for name in (_ORIGINAL, _KEPT)))

    def __str__(self) -> str:
        return "PostgreSQL"

    @contextlib.contextmanager
    def base(self) -> Iterator[Place]:
        """See `Places.base`."""
        self._run(*(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)" for name in (_ORIGINAL, _KEPT)))
        self._run(f"CREATE DATABASE {_ORIGINAL}")
        yield self._place(_ORIGINAL)
        self._run(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{_ORIGINAL}'",
            f"ALTER DATABASE {_ORIGINAL} RENAME TO {_KEPT}",
        )

    @contextlib.contextmanager
    def copy(self) -> Iterator[Place]:
        """See `Places.copy`."""
        with self._database(_ORIGINAL, f"TEMPLATE {_KEPT}") as place:
            yield place

    @contextlib.contextmanager
    def empty(self) -> Iterator[Place]:
        """See `Places.empty`."""
        with self._database(f"kill_empty_{next(self._numbers)}", "") as place:
            yield place

    @contextlib.contextmanager
    def _database(self, name: str, template: str) -> Iterator[Place]:
        self._run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"CREATE DATABASE {name} {template}")
        try:
            yield self._place(name)
        finally:
            self._run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _place(self, database: str) -> Place:
        parts = urlsplit(self.server)
        url = parts._replace(scheme="postgresql+psycopg", path=f"/{database}").geturl()
        return Place(url, url)

    def _run(self, *statements: str) -> None:
        plain = urlsplit(self.server)._replace(scheme="postgresql").geturl()
        with psycopg.connect(plain, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)


_ORIGINAL = "kill_original"
"""Also the name of each copy: what is built in a database of one name is not what is built in another."""

_KEPT = "kill_kept"
