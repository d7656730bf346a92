"""What only DuckDB needs: one process holds the file, its threads share the database.

The package ``duckdb`` is the extension ``_duckdb``, and relations around it, whose import takes twice as long. Only
the extension is imported here. Its errors and connections are those of the package.
"""

from __future__ import annotations

import contextlib
import importlib
import re
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.text_literals import text_literal
from airflow_atscale_aggs.engine.warehouse.base import Row, RowMessages, WireFormat
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiWarehouse
from airflow_atscale_aggs.engine.warehouse.drivers import Driver, Failure, fetch_rows, one_line
from airflow_atscale_aggs.engine.warehouse.duckdb_wire import FEW_ROWS, message_query, read_rows
from airflow_atscale_aggs.engine.warehouse.information_schema import InformationSchema

if TYPE_CHECKING:
    import duckdb
else:
    try:
        import _duckdb as duckdb
    except ImportError:  # a version whose extension has another name
        import duckdb

DEFAULT_LOCK_TIMEOUT_SECONDS = 30.0

_SETTINGS = {"python_enable_replacements": "false"}
"""Names in FROM mean tables, never variables of this program."""

_LOG_SIZE = ("checkpoint_threshold", "wal_autocheckpoint")
"""Names of the setting that says how long the write-ahead log gets before it is merged into the file."""

_LONG_LOG = {_LOG_SIZE[0]: "128MB"}
"""Each merge writes what is known of every table of the file, and a batch makes many small tables, one commit each."""

_SETTINGS_OF_SESSIONS = {"max_expression_depth": "2000"}
"""A thousand nested conditions are not too many. Older versions take it of a connection only."""

_TRANSIENT = (
    duckdb.IOException,
    duckdb.TransactionException,
    duckdb.InterruptException,
    duckdb.ConnectionException,
    duckdb.OutOfMemoryException,
)


_ABSENT = re.compile(r"""with name ("?)(?P<name>.+?)\1 does not exist""", re.DOTALL)
"""A message about a table that is not there, in lower case. The name is qualified where the statement qualifies it."""


class _Database:
    """The file, opened when the first session asks for it; sessions are cursors on it."""

    def __init__(self, path: str, config: Mapping[str, str], lock_timeout: float) -> None:
        self._path, self._lock_timeout = path, lock_timeout
        session_settings = find_dialect("duckdb").session_settings
        of_sessions = (
            {"schema", *_SETTINGS_OF_SESSIONS, *(name.casefold() for name in session_settings.reach)}
            if session_settings is not None
            else {"schema", *_SETTINGS_OF_SESSIONS}
        )
        own = {name: value for name, value in config.items() if name.casefold() not in of_sessions}
        has_log_size = any(name.casefold() in _LOG_SIZE for name in own)
        self._config: dict[str, Any] = {**_SETTINGS, **({} if has_log_size else _LONG_LOG), **own}
        # Some belong to extensions that are loaded after the file is opened, and some to connections.
        given = {name.casefold(): value for name, value in config.items() if name.casefold() in of_sessions}
        self._of_sessions = {**_SETTINGS_OF_SESSIONS, **given}
        self._connection: Any = None
        self._lock = threading.Lock()
        self._opening: threading.Thread | None = None
        self._opening_error: Exception | None = None
        self._is_closing = threading.Event()

    def open_ahead(self) -> None:
        """Open the file in a thread. The first session waits for it, and is told what went wrong."""
        self._opening = threading.Thread(target=self._open_quietly, daemon=True)
        self._opening.start()

    def connect(self) -> Any:
        """A cursor of its own transaction context."""
        with self._lock:
            error, self._opening_error = self._opening_error, None
            if error is not None:
                raise error
            if self._connection is None:
                self._connection = self._open()
            cursor = self._connection.cursor()
        for name, value in self._of_sessions.items():
            cursor.execute(f"SET {name} = {text_literal(value)}")
        return cursor

    def close(self) -> None:
        """Release the file for other processes."""
        self._is_closing.set()
        if self._opening is not None:
            self._opening.join()
        with self._lock:
            connection, self._connection = self._connection, None
            self._opening_error = None
        self._is_closing.clear()
        if connection is not None:
            connection.close()

    def _open_quietly(self) -> None:
        with self._lock:
            if self._connection is not None or self._is_closing.is_set():
                return
            try:
                self._connection = self._open()
            except Exception as error:
                # Whatever it is, it is raised where the file is asked for.
                self._opening_error = error

    def _open(self) -> Any:
        """Open the file; wait a while for another process that holds it."""
        folder = Path(self._path).parent
        if not folder.is_dir():
            message = f"the folder {folder} of DuckDB file {self._path} does not exist"
            raise duckdb.CatalogException(message)
        deadline = time.monotonic() + self._lock_timeout
        pause = 0.01
        while True:
            try:
                return duckdb.connect(self._path, config=self._config)
            except duckdb.IOException as error:
                if "lock" not in str(error).casefold():
                    raise
                if time.monotonic() + pause > deadline or self._is_closing.is_set():
                    message = (
                        f"another process holds DuckDB file {self._path}, as a build does; ask again later. {error}"
                    )
                    raise duckdb.IOException(message) from error
            self._is_closing.wait(pause)
            pause = min(pause * 1.5, 0.25)


def open_duckdb(path: str, *, config: Mapping[str, str], lock_timeout: float, aggregate_schema: str) -> DbApiWarehouse:
    """A DuckDB file as a warehouse.

    Args:
        path: of the file; ``:memory:`` for a database that lives as long as the warehouse.
        config: DuckDB's own settings (``threads``, ``memory_limit``, …).
        lock_timeout: seconds to wait while another process holds the file.
    """
    database = _Database(path, config, lock_timeout)
    driver = Driver(
        connect=database.connect,
        catalog=InformationSchema(),
        errors=(duckdb.Error,),
        is_transient=_is_transient,
        rows_written=_count_written_rows,
        interrupt=lambda connection: connection.interrupt(),
        failure=_failure,
        reason=one_line,
        hides_signal=lambda error: str(error) == "Query interrupted",
        read_query=_read_query,
        read_messages=_read_messages,
        # The database is in this process.
        is_alive=lambda _: True,
        settings_are_ours=True,
        cursors_are_connections=True,
    )
    return DbApiWarehouse(
        driver,
        find_dialect("duckdb"),
        aggregate_schema=aggregate_schema,
        close=database.close,
        open_ahead=database.open_ahead,
    )


def _is_transient(error: BaseException) -> bool:
    """Whether the same SQL may succeed later; a transaction that may not write never may."""
    return isinstance(error, _TRANSIENT) and "in read-only mode" not in str(error)


@contextlib.contextmanager
def _read_query(connection: Any, sql: str) -> Iterator[tuple[tuple[str, ...], Iterator[Row]]]:
    """One SELECT in a transaction that may not write. DuckDB itself says what a text is; rows come as they are read."""
    with _reading(connection, sql) as statement:
        connection.execute(statement)
        yield tuple(str(column[0]) for column in connection.description or ()), fetch_rows(connection)


@contextlib.contextmanager
def _read_messages(
    connection: Any, sql: str, wire: WireFormat
) -> Iterator[tuple[tuple[str, ...], Iterator[RowMessages]] | None]:
    """The same, whose rows DuckDB writes as messages; None: they are to be read as values."""
    if wire.most_rows is not None and wire.most_rows <= FEW_ROWS:
        yield None
        return
    importlib.import_module("duckdb")  # gives connections the method that makes a relation
    with _reading(connection, sql):
        relation = connection.sql(sql)
        written = message_query(sql, [str(kind) for kind in relation.types], wire)
        statement = None if written is None else _parsed(connection, written)
        if statement is None:
            yield None
            return
        connection.execute(statement)
        yield tuple(relation.columns), read_rows(connection)


def _parsed(connection: Any, sql: str) -> Any:
    """A statement as DuckDB reads it; None: it does not, such as one around another that ends with a semicolon."""
    try:
        return connection.extract_statements(sql)[0]
    except duckdb.Error:
        return None


@contextlib.contextmanager
def _reading(connection: Any, sql: str) -> Iterator[Any]:
    """A transaction that may not write, for one SELECT, as DuckDB reads it."""
    statements = connection.extract_statements(sql)
    if [statement.type for statement in statements] != [duckdb.StatementType.SELECT]:
        message = "this is not one single query, and nothing else is run here"
        raise duckdb.InvalidInputException(message)
    connection.execute("BEGIN TRANSACTION READ ONLY")
    try:
        yield statements[0]
    finally:
        with contextlib.suppress(duckdb.Error):
            connection.execute("ROLLBACK")


def _failure(error: BaseException, name: str) -> Failure:
    if _is_missing(error, name):
        return Failure.ABSENT
    return Failure.NO_CONNECTION if isinstance(error, duckdb.ConnectionException) else Failure.OTHER


def _is_missing(error: BaseException, name: str) -> bool:
    """Whether there is nothing of this name; a view on a table that is gone is there."""
    text = str(error).casefold()
    if isinstance(error, duckdb.IOException):
        return "no files found" in text
    if isinstance(error, duckdb.BinderException):
        return text.startswith("binder error: catalog") and "does not exist" in text
    # What follows names the statement and similar tables, so it may hold the name as well.
    absent = _ABSENT.search(text) if isinstance(error, duckdb.CatalogException) else None
    folded = name.casefold()
    return absent is not None and (absent["name"] == folded or absent["name"].endswith(f".{folded}"))


def _count_written_rows(cursor: Any) -> int | None:
    """CREATE TABLE AS and INSERT answer with one row that holds the count."""
    description = cursor.description
    if not description or description[0][0] != "Count":
        return None
    row = cursor.fetchone()
    return int(row[0]) if row else None
