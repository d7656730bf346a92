"""A warehouse over any DB-API driver. What differs between drivers is a few functions, see `drivers.Driver`."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError, TransientWarehouseError, WarehouseError
from airflow_atscale_aggs.engine.model.datasets import ExistingTables, TableKey
from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.sql.text_literals import text_literal
from airflow_atscale_aggs.engine.warehouse.base import FirstRows, Row, RowBounds, RowMessages, SeenRelation, WireFormat
from airflow_atscale_aggs.engine.warehouse.drivers import Driver, Failure, type_of_column
from airflow_atscale_aggs.engine.warehouse.first_contact import FirstContact
from airflow_atscale_aggs.engine.warehouse.kept_sessions import KeptSessions
from airflow_atscale_aggs.engine.warehouse.setting_values import KnownSettings, SharedSettings, read_settings


class DbApiSession:
    """One connection of one thread. See `base.WarehouseSession`."""

    def __init__(
        self,
        driver: Driver,
        dialect: Dialect,
        shared: SharedSettings | None = None,
        prepare: Callable[[DbApiSession], None] = lambda _: None,
    ) -> None:
        """Connects when it is first used.

        Args:
            shared: what the sessions of a warehouse know of their settings.
            prepare: what is done in each new connection before anything else.
        """
        self.dialect = dialect
        self._driver, self._prepare = driver, prepare
        self._shared = SharedSettings() if shared is None else shared
        self._connection: Any = None
        self._is_in_transaction = self._is_prepared = self.was_canceled = False
        self._versions: Mapping[tuple[str, ...], str] = {}
        self._known_settings = KnownSettings()

    def execute(self, sql: str) -> int | None:
        """Run one statement; rows written where the driver tells."""
        sql = self._as_of(sql)
        with self._cursor(sql) as cursor:
            cursor.execute(sql)
            written = self._driver.rows_written(cursor)
            if self._driver.commits and not self._is_in_transaction:
                self._connection.commit()
            return written

    def fetch_all(self, sql: str) -> list[Row]:
        """Run a query and read its result."""
        sql = self._as_of(sql)
        with self._cursor(sql) as cursor:
            cursor.execute(sql)
            return self._rows(cursor)

    def fetch_with_names(self, sql: str) -> tuple[tuple[str, ...], list[Row]]:
        """Run a query and read its result with the names of its columns."""
        with self._cursor(sql) as cursor:
            cursor.execute(sql)
            names = tuple(str(column[0]) for column in cursor.description or ())
            return names, self._rows(cursor)

    def fetch_first(self, sql: str, bounds: RowBounds) -> FirstRows:
        """Run one query that changes nothing, and read its first rows. See `base.WarehouseSession.fetch_first`."""
        with self._cursor(sql), self._driver.read(self._connection, sql) as (names, rows):
            kept: list[Row] = []
            size = 0
            for row in rows:
                if len(kept) >= bounds.rows or size >= bounds.size_bytes:
                    return FirstRows(names, kept, is_cut=True)
                kept.append(row)
                size += sum(map(sys.getsizeof, row))
            return FirstRows(names, kept, is_cut=False)

    @contextlib.contextmanager
    def stream(self, sql: str) -> Iterator[tuple[tuple[str, ...], Iterator[Row]]]:
        """Run one query that changes nothing: names of columns, and the rows as they come."""
        with self._cursor(sql), self._driver.read(self._connection, sql) as answer:
            yield answer

    @contextlib.contextmanager
    def stream_messages(
        self, sql: str, wire: WireFormat
    ) -> Iterator[tuple[tuple[str, ...], Iterator[RowMessages]] | None]:
        """Run one query, whose rows come as messages. See `base.WarehouseSession.stream_messages`."""
        if self._driver.read_messages is None:
            yield None
            return
        with self._cursor(sql), self._driver.read_messages(self._connection, sql, wire) as answer:
            yield answer

    def result_types(self, sql: str) -> tuple[str, ...]:
        """Types of the columns of a query's result, as the driver tells them."""
        return tuple(kind for _, kind in self.result_columns(sql))

    def result_columns(self, sql: str) -> tuple[tuple[str, str], ...]:
        """Names and types of the columns of a query's result, as the driver tells them."""
        with self._cursor(sql) as cursor:
            cursor.execute(sql)
            return tuple((str(column[0]), type_of_column(column)) for column in cursor.description or ())

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All statements of the block, or none; only where the dialect has transactional DDL."""
        if not self.dialect.transactional_ddl:
            yield
            return
        with self._open_transaction("BEGIN"):
            yield

    @contextlib.contextmanager
    def snapshot(self, reading: Sequence[str] = ()) -> Iterator[bool]:
        """The block sees the data of one moment, and is told whether it does. See `base.WarehouseSession.snapshot`."""
        if self.dialect.begin_snapshot is None:
            with self._at_versions(reading) as is_one_moment:
                yield is_one_moment
            return
        with self._open_transaction(self.dialect.begin_snapshot):
            yield True

    @contextlib.contextmanager
    def _at_versions(self, reading: Sequence[str]) -> Iterator[bool]:
        """The block reads the tables of some statements as of their versions now; told whether all of them have one."""
        if self._driver.version_clause is None or not reading:
            yield False
            return
        # Only warehouses with versions need an SQL library here.
        from airflow_atscale_aggs.engine.sql.table_versions import places_read  # noqa: PLC0415

        places = frozenset().union(*(places_read(sql, self.dialect.sqlglot_name) for sql in reading))
        clauses = {place: self._driver.version_clause(self, place) for place in sorted(places)}
        self._versions = {place: clause for place, clause in clauses.items() if clause}
        try:
            yield len(self._versions) == len(places)
        finally:
            self._versions = {}

    def _as_of(self, sql: str) -> str:
        """The statement, which reads the tables as of their versions in a block of `_at_versions`."""
        if not self._versions:
            return sql
        from airflow_atscale_aggs.engine.sql.table_versions import with_versions  # noqa: PLC0415

        return with_versions(sql, self._versions, self.dialect.sqlglot_name)

    @contextlib.contextmanager
    def _open_transaction(self, begin: str) -> Iterator[None]:
        """COMMIT at the end of the block, ROLLBACK when it raises."""
        with self._cursor(begin) as cursor:
            cursor.execute(begin)
        self._is_in_transaction = True
        try:
            yield
        except BaseException:
            self._is_in_transaction = False
            with contextlib.suppress(WarehouseError):
                self.execute("ROLLBACK")
            raise
        self._is_in_transaction = False
        self.execute("COMMIT")

    def columns(self, tables: Sequence[TableKey]) -> ExistingTables:
        """Columns and types of the tables that exist. See `base.WarehouseSession.columns`."""
        return self._driver.catalog.columns(self, tables) if tables else ExistingTables({}, {})

    def look_at(self, schema: str, names: Collection[str]) -> Mapping[str, SeenRelation] | None:
        """What bears the names in a schema. See `base.WarehouseSession.look_at`."""
        return None if self._driver.look_at is None else self._driver.look_at(self, schema, names)

    def list_files(self, tables: Sequence[TableKey]) -> Mapping[TableKey, str]:
        """What tells whether the files of tables have changed. See `base.WarehouseSession.list_files`."""
        if self._driver.list_files is None:
            return {}
        with self._cursor(""):
            return self._driver.list_files(self._connection, tables)

    def own_place(self) -> tuple[str, str]:
        """The session's own database and schema. See `base.WarehouseSession.own_place`."""
        return self._driver.catalog.own_place(self)

    def has_schema(self, schema: str) -> bool:
        """Whether a schema is there."""
        return self._driver.catalog.has_schema(self, schema)

    def make_schema(self, schema: str) -> None:
        """Make a schema, unless it is there."""
        self._driver.catalog.make_schema(self, schema)

    def failure_of(self, error: WarehouseError, name: str = "") -> Failure:
        """What an error of this session means for what bears a name."""
        return Failure.OTHER if error.__cause__ is None else self._driver.failure(error.__cause__, name)

    def has_lost(self, error: WarehouseError) -> bool:
        """Whether an error means a lost connection. Drivers that take every passing error for one cannot tell."""
        can_tell = self._driver.is_lost is not self._driver.is_transient
        return can_tell and error.__cause__ is not None and self._driver.is_lost(error.__cause__)

    def find_readable(self, tables: Sequence[TableKey]) -> frozenset[TableKey]:
        """Those of the names under which a query of this session finds something.

        See `base.WarehouseSession.find_readable`.
        """
        if self.dialect.find_relations is None:
            return frozenset(key for key in tables if self._is_readable(key))
        names = ", ".join(
            f"({place}, {text_literal(key[0] or '')}, {text_literal(_quote_name(key))})"
            for place, key in enumerate(tables)
        )
        try:
            rows = self.fetch_all(self.dialect.find_relations.format(names=names))
        except PermanentWarehouseError:
            # This user may not look into the schema of a name. A query that reads the name says so.
            return (
                frozenset(tables)
                if len(tables) == 1
                else frozenset().union(*(self.find_readable([key]) for key in tables))
            )
        return frozenset(tables[row[0]] for row in rows)

    def _is_readable(self, key: TableKey) -> bool:
        # An SQL library that a build does without.
        from sqlglot import exp  # noqa: PLC0415

        from airflow_atscale_aggs.engine.sql.statements import render  # noqa: PLC0415

        parts = [exp.Identifier(this=part, quoted=True) if part else None for part in key]
        table = exp.Table(this=parts[2], db=parts[1], catalog=parts[0])
        probe = exp.select("*").from_(table, copy=False).where(exp.false(), copy=False)
        try:
            self.fetch_all(render(probe, self.dialect))
        except WarehouseError as error:
            # What nobody shows to this user cannot be read by him, so the name may mean something else.
            if self.failure_of(error, key[2]) in {Failure.ABSENT, Failure.UNSEEN}:
                return False
            if error.is_transient:
                raise
        return True

    def tables(self, schema: str) -> frozenset[str]:
        """Names of the tables and views in a schema (empty: the default schema)."""
        return self._driver.catalog.tables(self, schema)

    def settings(self, names: Collection[str] = ()) -> Mapping[str, str]:
        """The settings of this session that decide what a value is. See `base.WarehouseSession.settings`."""
        session_settings = self.dialect.session_settings
        if session_settings is None:
            return {}
        if self._driver.settings is not None:
            with self._cursor(""):
                return dict(self._driver.settings.read(self._connection, list(session_settings.reach)))
        return read_settings(self, session_settings, self._shared, names)

    @contextlib.contextmanager
    def wait_briefly(self) -> Iterator[None]:
        """The block waits for locks for a short while only. See `base.WarehouseSession.wait_briefly`."""
        if self.dialect.hurry is None:
            yield
            return
        begin, end = self.dialect.hurry
        self.execute(begin)
        try:
            yield
        finally:
            with contextlib.suppress(WarehouseError):
                self.execute(end)

    @contextlib.contextmanager
    def apply_settings(self, settings: Mapping[str, str]) -> Iterator[None]:
        """The block runs under these settings. See `base.WarehouseSession.apply_settings`."""
        session_settings = self.dialect.session_settings
        if session_settings is None or not settings:
            yield
            return
        changes = self._shared.changes
        before = self._known_settings.find(settings, changes)
        if before is None:
            before = self.settings(settings)
            if self._driver.settings_are_ours:
                self._known_settings.add(before, changes)
        other = {name: value for name, value in settings.items() if before.get(name, "") != value}
        stuck = sorted(name for name in other if name in session_settings.fixed or not session_settings.write)
        if stuck:
            differences = ", ".join(f"{name} is `{before.get(name, '')}` and was `{other[name]}`" for name in stuck)
            reason = (
                f"this session is not as the one that planned: {differences}. Plan and build with the same connection"
            )
            raise PermanentWarehouseError(self.dialect.name, "", reason)
        self._set(other)
        try:
            yield
        finally:
            # A connection may be pooled: whoever gets it next has its own settings.
            with contextlib.suppress(WarehouseError):
                self._set({name: before.get(name, "") for name in other})

    def _set(self, settings: Mapping[str, str]) -> None:
        if not settings:
            return
        session_settings = self.dialect.session_settings
        assert session_settings is not None  # noqa: S101 - there are settings to set
        self._shared.changes += 1
        for name, value in settings.items():
            if self._driver.settings is not None:
                with self._cursor(""):
                    self._driver.settings.write(self._connection, name, value)
                continue
            statement = session_settings.write.replace("{word}", name).replace("{name}", text_literal(name))
            self.execute(statement.replace("{value}", text_literal(value)).replace("{plain}", value))

    def cancel(self) -> None:
        """Interrupt what another thread runs here."""
        if self._connection is not None:
            self.was_canceled = True
            with contextlib.suppress(*self._driver.errors):
                self._driver.interrupt(self._connection)

    def is_alive(self) -> bool:
        """Whether it is connected, in no transaction, and the driver can tell that the server has not ended it.

        One that was canceled is not: the request may yet reach the next statement.
        """
        is_idle = self._connection is not None and not self._is_in_transaction and not self.was_canceled
        return is_idle and self._driver.is_alive(self._connection)

    def close(self) -> None:
        """Give the connection back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.close()

    def _rows(self, cursor: Any) -> list[Row]:
        """All rows of a result, as Python's values."""
        rows = [tuple(row) for row in cursor.fetchall()]
        return rows if self._driver.decode is None else self._driver.decode(cursor.description, rows)

    @contextlib.contextmanager
    def _cursor(self, sql: str) -> Iterator[Any]:
        if self._connection is None:
            self._connect()
        # Without a cursor no statement was sent, and none has anything to do with an error.
        with self._translated(""):
            cursor = self._connection if self._driver.cursors_are_connections else self._connection.cursor()
        try:
            with self._translated(sql):
                yield cursor
        finally:
            if not self._driver.cursors_are_connections:
                with contextlib.suppress(*self._driver.errors):
                    cursor.close()

    def _connect(self) -> None:
        self._known_settings = KnownSettings()
        with self._translated(""):
            self._connection = self._driver.connect()
        try:
            self._set(self.dialect.settings_at_start)
            if not self._is_prepared:
                # A connection that is lost meanwhile is made anew, and not prepared again by what prepares this one.
                self._is_prepared = True
                self._prepare(self)
        except BaseException:
            self.close()
            self._is_prepared = False
            raise

    @contextlib.contextmanager
    def _translated(self, sql: str) -> Iterator[None]:
        """The driver's errors in the block are raised as ours."""
        try:
            yield
        except WarehouseError:
            # Of a driver whose errors are not known, every error counts as one of them.
            raise
        except self._driver.errors as error:
            if self._driver.is_lost(error) and not self._is_in_transaction:
                self.close()
            kind = TransientWarehouseError if self._driver.is_transient(error) else PermanentWarehouseError
            raise kind(self.dialect.name, sql, self._driver.describe(error)) from error
        except RuntimeError as error:
            if self._driver.hides_signal(error):
                raise KeyboardInterrupt from error
            raise


class DbApiWarehouse:
    """Opens sessions on one database. See `base.Warehouse`.

    Attributes:
        first_contact: what is made sure of in the first session; None: nothing.
    """

    def __init__(
        self,
        driver: Driver,
        dialect: Dialect,
        *,
        aggregate_schema: str = "",
        close: Callable[[], None] = lambda: None,
        open_ahead: Callable[[], None] = lambda: None,
    ) -> None:
        self.dialect, self.aggregate_schema = dialect, aggregate_schema
        self._driver, self._close, self._open_ahead = driver, close, open_ahead
        self._sessions: set[DbApiSession] = set()
        self.first_contact: FirstContact | None = None
        self._settings, self._lock = SharedSettings(), threading.Lock()
        self._is_schema_tried = False
        self._kept = KeptSessions(remember_files=dialect.remembers_files)

    def open_ahead(self) -> None:
        """Begin to open what sessions share."""
        self._open_ahead()

    @property
    def kept_sessions(self) -> int:
        """How many that nobody uses are kept open."""
        return self._kept.count

    @kept_sessions.setter
    def kept_sessions(self, count: int) -> None:
        """Keep so many."""
        self._kept.count = count

    @contextlib.contextmanager
    def session(self, *, may_remember: bool = False) -> Iterator[DbApiSession]:
        """See `base.Warehouse`. The aggregate schema is made when it is not there and may be made."""
        kept, generation = self._kept, self._kept.generation
        session = kept.take(may_remember=may_remember)
        session = session or DbApiSession(self._driver, self.dialect, self._settings, self._prepare)
        with self._lock:
            self._sessions.add(session)
        try:
            if not self._is_schema_tried:
                self._is_schema_tried = True
                # Queries on the facts work without the schema. A batch calls `require_schema`.
                with contextlib.suppress(PermanentWarehouseError):
                    self._make_schema(session)
            yield session
        except BaseException:
            self._forget(session)
            kept.close_failed(session)
            raise
        self._forget(session)
        kept.give_back(session, generation, may_remember=may_remember)

    def _forget(self, session: DbApiSession) -> None:
        """It is not canceled any more."""
        with self._lock:
            self._sessions.discard(session)

    def require_schema(self) -> None:
        """See `base.Warehouse`."""
        with self.session() as session:
            self._make_schema(session)

    def cancel_all(self) -> None:
        """Interrupt the statements that run on all open sessions."""
        with self._lock:
            sessions = list(self._sessions)
        for session in sessions:
            session.cancel()

    def keep_sessions(self, count: int) -> contextlib.AbstractContextManager[None]:
        """See `base.Warehouse`."""
        return self._kept.keep(count)

    def close(self) -> None:
        """Close what sessions share."""
        self._kept.close_idle()
        self._close()

    def _prepare(self, session: DbApiSession) -> None:
        if self.first_contact is not None:
            self.first_contact.make(session)

    def _make_schema(self, session: DbApiSession) -> None:
        if not self.aggregate_schema or session.has_schema(self.aggregate_schema):
            return
        try:
            session.make_schema(self.aggregate_schema)
        except PermanentWarehouseError as error:
            reason = (
                f"schema `{self.aggregate_schema}` is not there, or this role has no right on it, and it cannot be "
                f"made ({error.reason}); make it, and grant USAGE on it, and CREATE to the role that builds"
            )
            raise PermanentWarehouseError(self.dialect.name, "", reason) from error


def _quote_name(key: TableKey) -> str:
    """Schema and name, quoted, as one text."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in key[1:] if part)
