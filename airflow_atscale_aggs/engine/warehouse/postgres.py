"""What only PostgreSQL needs: psycopg 3, error classes by SQLSTATE, cancelling."""

from __future__ import annotations

import contextlib
import re
import select
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import psycopg
from psycopg import capabilities
from psycopg.generators import execute
from psycopg.pq import ExecStatus

from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.warehouse.base import Row
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiWarehouse
from airflow_atscale_aggs.engine.warehouse.drivers import Driver, Failure, one_line
from airflow_atscale_aggs.engine.warehouse.information_schema import InformationSchema
from airflow_atscale_aggs.engine.warehouse.postgres_wire import PostgresWire

_TRANSIENT_CLASSES = ("08", "40", "53", "57", "58")
"""SQLSTATE classes: connection, rollback (deadlock, serialization), resources, operator intervention, system error."""

_TRANSIENT_STATES = frozenset({"55P03"})
"""lock_not_available."""

_MEANINGS = (
    ("42501", "the connection's role lacks a privilege: grant it, or connect as a role that has it"),
    ("42P01", "the table or view is not there, or not in a schema that the session looks in"),
    ("3F000", "the schema is not there"),
    ("57014", "the statement was cancelled, by somebody or by statement_timeout"),
    ("55P03", "somebody else holds a lock on it"),
    (
        "25006",
        "the server or the session is read-only: a standby, or default_transaction_read_only; build on the primary",
    ),
    ("25P02", "an earlier statement of the transaction failed"),
    ("08", "the connection was lost"),
    ("57P", "the connection was lost: the server was stopped, or somebody ended the session"),
    ("53", "the server is short of connections, memory or disk"),
    ("40", "it got in the way of another transaction"),
)
"""What classes of SQLSTATE mean to a user, in half a sentence; the first one that fits."""

_WRONG_CONNECTION = re.compile(
    r'database "[^"]*" does not exist|role "[^"]*" does not exist|authentication failed|no pg_hba\.conf entry|'
    r"is not permitted to log in|permission denied for database|invalid connection option|no password supplied"
)
"""libpq gives no SQLSTATE of a connection that was refused; other languages than English count as lost connections."""


_CANCEL_SECONDS = 10.0


def open_postgres(dsn: str, *, aggregate_schema: str) -> DbApiWarehouse:
    """A PostgreSQL database as a warehouse.

    Args:
        dsn: ``postgresql://user:password@host/database?…`` as libpq reads it.
    """

    def connect() -> Any:
        return psycopg.connect(dsn, autocommit=True, application_name="atscale-aggs")

    driver = Driver(
        connect=connect,
        catalog=InformationSchema(),
        errors=(psycopg.Error,),
        is_transient=is_transient,
        rows_written=lambda cursor: cursor.rowcount if cursor.rowcount >= 0 else None,
        # The older `cancel` lets no other thread run until the server has answered.
        interrupt=lambda connection: connection.cancel_safe(timeout=_CANCEL_SECONDS),
        is_lost=is_lost,
        failure=failure_of,
        reason=reason_of,
        read_query=_read_query,
        read_messages=PostgresWire().read,
        is_alive=_is_alive,
    )
    return DbApiWarehouse(driver, find_dialect("postgres"), aggregate_schema=aggregate_schema)


def _is_alive(connection: Any) -> bool:
    """A server says nothing on an idle connection, unless it ends it."""
    if connection.closed:
        return False
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return not poll.poll(0)


_AT_ONCE = 1000
"""Rows that the server sends together."""


@contextlib.contextmanager
def _read_query(connection: Any, sql: str) -> Iterator[tuple[tuple[str, ...], Iterator[Row]]]:
    """One query in a transaction that may not write.

    The server prepares the text, which it does for single statements only. Rows come as they are read, from a plan for
    all of them: one for a server-side cursor would use one process, and be made for the first rows.
    """
    with connection.cursor() as cursor:
        cursor.execute("BEGIN TRANSACTION READ ONLY")
        try:
            names = _names_of_columns(connection, sql)
            with contextlib.closing(
                cursor.stream(sql, size=_AT_ONCE if capabilities.has_stream_chunked() else 1)
            ) as rows:
                yield names, rows
        finally:
            with contextlib.suppress(psycopg.Error):
                cursor.execute("ROLLBACK")


def _names_of_columns(connection: Any, sql: str) -> tuple[str, ...]:
    """Names of the columns of a query, which is prepared and not run.

    Raises:
        psycopg.Error: it is several statements, or one that answers no rows.
    """
    encoding = connection.info.encoding
    prepare = partial(connection.pgconn.send_prepare, b"", sql.encode(encoding))
    prepared = _wait_for(connection, prepare)
    if prepared.status != ExecStatus.COMMAND_OK:
        raise psycopg.errors.error_from_result(prepared, encoding)
    described = _wait_for(connection, partial(connection.pgconn.send_describe_prepared, b""))
    if not described.nfields:
        message = "this is no query, and nothing else is run here"
        raise psycopg.ProgrammingError(message)
    return tuple(described.fname(number).decode(encoding) for number in range(described.nfields))


def _wait_for(connection: Any, send: Callable[[], None]) -> Any:
    """The answer to something that is sent.

    libpq's own functions that send and wait let no other thread of the process run; a table that somebody has locked
    would stop all of them, also the one that wants to cancel.
    """
    send()
    return connection.wait(execute(connection.pgconn))[0]


def is_transient(error: BaseException) -> bool:
    """Whether the same SQL may succeed later, by SQLSTATE; without one the connection itself failed."""
    state: str | None = getattr(error, "sqlstate", None)
    if state is None:
        if _WRONG_CONNECTION.search(str(error)):
            return False
        return isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError))
    return state in _TRANSIENT_STATES or state.startswith(_TRANSIENT_CLASSES)


def is_lost(error: BaseException) -> bool:
    """Whether the connection is gone; one whose statement was cancelled, or waited too long for a lock, is not."""
    state: str | None = getattr(error, "sqlstate", None)
    if state is None:
        return isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError))
    return state.startswith(("08", "57P"))


_FAILURES = (
    ("42P01", Failure.ABSENT),
    ("3F000", Failure.ABSENT),
    ("3D000", Failure.NO_DATABASE),
    ("42501", Failure.NO_RIGHT),
    ("08", Failure.NO_CONNECTION),
    ("57P", Failure.NO_CONNECTION),
)
"""What classes of SQLSTATE mean for what a statement names; the first one that fits."""


def failure_of(error: BaseException, _name: str = "") -> Failure:
    """What an error means for the tables that its statement names, by SQLSTATE."""
    state: str | None = getattr(error, "sqlstate", None)
    if state is None:
        return Failure.NO_CONNECTION if is_lost(error) else Failure.OTHER
    return next((failure for start, failure in _FAILURES if state.startswith(start)), Failure.OTHER)


def reason_of(error: BaseException) -> str:
    """What the server says, and what that means."""
    message = one_line(error)
    state: str | None = getattr(error, "sqlstate", None)
    if state is None:
        if _WRONG_CONNECTION.search(message):
            return f"{message} (correct the connection)"
        is_lost = isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError))
        return f"{message} (the connection was lost, or cannot be made)" if is_lost else message
    meaning = next((meaning for start, meaning in _MEANINGS if state.startswith(start)), "")
    return f"{message} ({meaning})" if meaning else message
