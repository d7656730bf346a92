"""The registry's database: engines for SQLite and PostgreSQL, schema version, errors in our own words."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Hashable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import sqlalchemy
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.util import LRUCache

from airflow_atscale_aggs.engine.errors import RegistryUnavailableError, RegistryVersionError
from airflow_atscale_aggs.engine.registry.first_schema import make_first_schema, tables_without_version
from airflow_atscale_aggs.engine.registry.tables import SCHEMA_VERSION, VERSION_TABLE

UPGRADE_COMMAND = "atscale-aggs registry upgrade"
_BUSY_SECONDS = 30

_MOST_STATEMENTS = 500
"""SQLAlchemy's own limit for an engine."""

POOL_SECONDS = 10
"""How long a thread waits for a connection of a pool that has a size."""


class _WrittenStatements:
    """The SQL of statements as SQLAlchemy has written it, for all SQLite registries of this process.

    SQLAlchemy keeps it for each engine, and writes it anew for the next one. What it writes depends on SQLite's
    version, which a process has one of; not so with PostgreSQL, whose engines keep their own.
    """

    def __init__(self) -> None:
        self._written: LRUCache[Hashable, Any] = LRUCache(_MOST_STATEMENTS)

    def get(self, key: tuple[Hashable, ...]) -> Any:
        """What was written for a key, which begins with the engine's dialect; None: nothing yet."""
        return self._written.get(key[1:])

    def __setitem__(self, key: tuple[Hashable, ...], written: Any) -> None:
        self._written[key[1:]] = written


_SQLITE_STATEMENTS = _WrittenStatements()


class RegistryDatabase:
    """One database with connections for reading and for writing.

    SQLite is opened in WAL mode, writers take their lock at the beginning of a transaction and wait for each other.

    Args:
        connect_seconds: how long to wait for a server that does not answer, unless the URL says it; None: as long as
            the driver waits by itself, which may be for ever.
        pool_size: how many connections it holds at most, for all threads together; who comes when all are in use waits
            for one, `POOL_SECONDS` long. None: a few, and more where threads ask for them at once.

    Attributes:
        leaves_log: when it is closed, what was written stays in SQLite's log beside the file, which every process
            reads. Otherwise whoever closes the file last merges the log, and waits for the disk three times.
    """

    def __init__(self, url: str, *, connect_seconds: int | None = None, pool_size: int | None = None) -> None:
        self.url, self.leaves_log = _parse_url(url), False
        bounds = {} if pool_size is None else {"pool_size": pool_size, "max_overflow": 0, "pool_timeout": POOL_SECONDS}
        self.engine = _engine(self.url, connect_seconds, bounds)

    @property
    def name(self) -> str:
        """The URL without its password, for messages."""
        return self.url.render_as_string(hide_password=True)

    @property
    def place(self) -> str:
        """Where the registry is, for others.

        Its file or its server and database, without user, password and parameters.

        >>> RegistryDatabase("postgresql+psycopg://me:secret@host/registry?connect_timeout=5").place
        'postgresql+psycopg://host/registry'
        """
        name = self.url.database
        if self.url.get_backend_name() == "sqlite" and name and name != ":memory:":
            name = str(Path(name).absolute())
        return URL.create(self.url.drivername, host=self.url.host, port=self.url.port, database=name).render_as_string()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection whose statements see committed data."""
        with self._translate_errors(), self.engine.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self, *, patience: timedelta | None = None) -> Iterator[Connection]:
        """A transaction: committed at the end of the block, rolled back on any error.

        Args:
            patience: how long to wait for each lock that another writer holds; None: as long as the database waits by
                itself, which is `_BUSY_SECONDS` for SQLite, and for ever for PostgreSQL.

        Raises:
            RegistryUnavailableError: the database cannot be reached, or a lock was not free in time.
        """
        with (
            self._translate_errors(),
            self.engine.connect() as connection,
            self._waiting_at_most(connection, patience),
        ):
            if self.url.get_backend_name() == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            connection.commit()

    @contextlib.contextmanager
    def _waiting_at_most(self, connection: Connection, patience: timedelta | None) -> Iterator[None]:
        """Bound the waits for locks, for the length of the block.

        SQLite keeps its bound for a connection, which is pooled.
        """
        if patience is None:
            yield
            return
        milliseconds = int(patience.total_seconds() * 1000)
        if self.url.get_backend_name() != "sqlite":
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {milliseconds}")
            yield
            return
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {milliseconds}")
        try:
            yield
        finally:
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {_BUSY_SECONDS * 1000}")

    def check_version(self) -> bool:
        """True when the schema is this program's, False when the database holds no registry yet.

        Raises:
            RegistryVersionError: it holds another version's.
        """
        with self.reading() as connection:
            version = _stored_version(connection)
        if version not in {None, SCHEMA_VERSION}:
            raise self.version_error(str(version))
        return version is not None

    def version_error(self, found: str, *, is_known: bool = True) -> RegistryVersionError:
        """What to tell about a schema of another version.

        Args:
            found: the version of the schema.
            is_known: whether this program can upgrade from it, as far as is known.
        """
        if found > SCHEMA_VERSION:
            advice = "A newer release has upgraded it: use that release here, or a copy of the registry from before."
        elif is_known:
            advice = f"Run: {UPGRADE_COMMAND} --registry {self.name}"
        else:
            advice = "No release has that version: use a copy of the registry that a release has written."
        return RegistryVersionError(self.name, found, SCHEMA_VERSION, advice)

    def dispose(self) -> None:
        """Close all connections."""
        with _reading_meanwhile(self.url) if self.leaves_log else contextlib.nullcontext():
            self.engine.dispose()

    @contextlib.contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlalchemy.exc.TimeoutError as error:
            reason = f"all of the connections that this process may hold are in use for {POOL_SECONDS} s; try again"
            raise RegistryUnavailableError(self.name, reason) from error
        except (sqlalchemy.exc.OperationalError, sqlalchemy.exc.InterfaceError) as error:
            raise RegistryUnavailableError(self.name, str(error.orig).strip()) from error
        except sqlalchemy.exc.DatabaseError as error:
            # SQLite's plain one: the file is no database, or is damaged. One without a statement: there was no
            # connection yet. Broken constraints are for the callers.
            if type(error) is not sqlalchemy.exc.DatabaseError and error.statement is not None:
                raise
            raise RegistryUnavailableError(self.name, str(error.orig).strip()) from error


@contextlib.contextmanager
def _reading_meanwhile(url: URL) -> Iterator[None]:
    """Hold the file of an SQLite database by a connection that only reads, which therefore merges no log at its end.

    What the log holds is on the disk then, as after a merge. SQLite merges it by itself when it has a thousand pages.
    Where the file cannot be held, it is merged now.
    """
    if url.get_backend_name() != "sqlite" or not url.database or not Path(url.database).is_file():
        yield
        return
    with contextlib.ExitStack() as held:
        with contextlib.suppress(sqlite3.Error, OSError):
            reader = sqlite3.connect(f"{Path(url.database).absolute().as_uri()}?mode=ro", uri=True)
            held.callback(reader.close)
            # It holds the file once it has read of it.
            reader.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
            with Path(f"{url.database}-wal").open("rb+") as log:
                os.fsync(log.fileno())
        yield


def upgrade_registry(url: str) -> str:
    """Make or upgrade the schema; the version it has now. Safe to run from several processes at once.

    Raises:
        RegistryUnavailableError: the database cannot be reached.
        RegistryVersionError: a newer release has upgraded it, or no release has its version; nothing was changed.
    """
    database = RegistryDatabase(url)
    try:
        with database.writing() as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7248102)")
            found = _stored_version(connection)
            if found is None:
                _make_anew(database, connection)
            elif found != SCHEMA_VERSION:
                _migrate(database, connection, found)
    finally:
        database.dispose()
    return SCHEMA_VERSION


def _make_anew(database: RegistryDatabase, connection: Connection) -> None:
    names = tables_without_version(connection)
    if names:
        advice = (
            f"It has `{names[0]}`, but not `{VERSION_TABLE}`, which tells the version: use a copy of the registry that "
            "has both, or name another database."
        )
        raise RegistryVersionError(database.name, "unknown", SCHEMA_VERSION, advice)
    make_first_schema(connection)


def _migrate(database: RegistryDatabase, connection: Connection, found: str) -> None:
    # Alembic costs a fifth of a second to import and is needed only when a registry is older than the program.
    from airflow_atscale_aggs.engine.registry.migrations.run import known_versions, run_migrations  # noqa: PLC0415

    if found not in known_versions():
        raise database.version_error(found, is_known=False)
    run_migrations(connection)


def _stored_version(connection: Connection) -> str | None:
    """The version of the schema that is there; None: there is no registry yet."""
    if not sqlalchemy.inspect(connection).has_table(VERSION_TABLE):
        return None
    version = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar()
    return None if version is None else str(version)


def _parse_url(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (sqlalchemy.exc.ArgumentError, ValueError):
        raise RegistryUnavailableError(
            "?", "the registry URL is not of the form sqlite:///FILE or postgresql+psycopg://…"
        ) from None
    if parsed.drivername == "postgres":
        # As libpq and Airflow write it; SQLAlchemy does not know that name.
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() not in {"sqlite", "postgresql"}:
        reason = "a registry lives in SQLite or PostgreSQL"
        raise RegistryUnavailableError(parsed.render_as_string(hide_password=True), reason)
    if parsed.get_backend_name() == "sqlite" and parsed.database and parsed.database != ":memory:":
        folder = Path(parsed.database).parent
        if not folder.is_dir():
            raise RegistryUnavailableError(str(parsed), f"the folder {folder} does not exist")
    return parsed


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Change the journal mode. SQLite does not wait for its busy timeout while others open the file just now."""
    try:
        _change_journal(connection)
    except sqlite3.OperationalError as error:
        if "database is locked" not in str(error):
            raise
        # Imported where something is tried again, which is seldom.
        import tenacity  # noqa: PLC0415

        tenacity.Retrying(
            retry=tenacity.retry_if_exception_message(match="database is locked"),
            wait=tenacity.wait_random(0.01, 0.1),
            stop=tenacity.stop_after_delay(_BUSY_SECONDS),
            reraise=True,
        )(_change_journal, connection)


def _change_journal(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode=WAL").close()


def make_private_file(database: str | None) -> None:
    """Make the file of a new SQLite database so that only its owner reads and writes it.

    It holds SQL, the values of conditions, and names of tables. The files that SQLite puts beside it take its rights. A
    file that is there keeps the rights that it has.

    Args:
        database: a path, a ``file:`` URI, ``:memory:``, or nothing.
    """
    path = unquote(urlsplit(database).path) if database and database.startswith("file:") else database
    if not path or path == ":memory:":
        return
    with contextlib.suppress(OSError):  # opening it tells better what is wrong, or finds it there
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _engine(url: URL, connect_seconds: int | None, pool: Mapping[str, int]) -> Engine:
    if url.get_backend_name() != "sqlite":
        is_bounded = connect_seconds is not None and "connect_timeout" not in url.query
        arguments = {"connect_timeout": connect_seconds} if is_bounded else {}
        try:
            return sqlalchemy.create_engine(url, pool_pre_ping=True, connect_args=arguments, **pool)
        except (sqlalchemy.exc.NoSuchModuleError, ModuleNotFoundError) as error:
            reason = f"{error}; the driver is psycopg: postgresql+psycopg://…"
            raise RegistryUnavailableError(url.render_as_string(hide_password=True), reason) from error
    # A database in memory has one connection for each thread.
    is_file = url.database not in {None, "", ":memory:"}
    engine = sqlalchemy.create_engine(
        url,
        connect_args={"timeout": _BUSY_SECONDS},
        execution_options={"compiled_cache": _SQLITE_STATEMENTS},
        **(pool if is_file else {}),
    )

    @event.listens_for(engine, "do_connect")
    def _make_file(dialect: object, record: object, arguments: Sequence[Any], options: Mapping[str, Any]) -> None:  # noqa: ARG001
        make_private_file(arguments[0] if arguments else options.get("database"))

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, record: object) -> None:  # noqa: ARG001
        # SQLAlchemy begins transactions itself where we ask for it; the driver must not.
        connection.isolation_level = None
        _write_ahead(connection)
        for pragma in ("synchronous=NORMAL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}").close()

    return engine
