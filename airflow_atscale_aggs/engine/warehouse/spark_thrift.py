"""Spark over its thrift server, which speaks HiveServer2's protocol, through PyHive."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from pyhive import hive
from pyhive.exc import Error, OperationalError
from TCLIService.ttypes import TOperationState
from thrift.Thrift import TException

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError
from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.warehouse.base import Row
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiWarehouse
from airflow_atscale_aggs.engine.warehouse.drivers import Driver
from airflow_atscale_aggs.engine.warehouse.spark_catalog import SparkCatalog, look_at
from airflow_atscale_aggs.engine.warehouse.spark_errors import (
    describe_spark,
    is_lost,
    is_transient,
    spark_failure,
)
from airflow_atscale_aggs.engine.warehouse.spark_values import decode_dates
from airflow_atscale_aggs.engine.warehouse.spark_versions import version_clause

_ARGUMENTS = ("auth", "kerberos_service_name", "scheme", "check_hostname", "ssl_cert")
"""Parameters of the URL that PyHive takes as they are; others are settings of the session."""

_UNSET = "<undefined>"
"""What the server says of a setting that is not there."""

_RUNNING = frozenset({TOperationState.INITIALIZED_STATE, TOperationState.RUNNING_STATE, TOperationState.PENDING_STATE})
_LONGEST_PAUSE = 0.2
"""Seconds between two looks at a statement that runs."""

_OF_ARGUMENTS = (ValueError, NotImplementedError, AssertionError)
"""What PyHive raises about its arguments, and where the server speaks another version of the protocol."""

_CLASS = re.compile(r"^\[[A-Z0-9_.]+\] [\w.$]+: (?=\[)")
"""The name of the condition and of its class, before both are said again."""


class _Connection:
    """A session of the server. Its transport belongs to one thread, so another one may only ask it to stop."""

    def __init__(self, own: Any) -> None:
        self.own = own
        self.is_to_stop = threading.Event()

    def cursor(self) -> _Cursor:
        """One that runs statements in this session."""
        return _Cursor(self)

    def close(self) -> None:
        """End the session."""
        self.own.close()


class _Cursor:
    """Runs one statement, and looks after it until it ends."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        self._own = connection.own.cursor()

    def execute(self, sql: str) -> None:
        """Run a statement.

        Raises:
            OperationalError: with the server's message alone; or it was stopped.
        """
        self._connection.is_to_stop.clear()
        try:
            self._own.execute(sql, async_=True)
            self._wait()
        except OperationalError as error:
            raise OperationalError(_message_of(error)) from error

    def _wait(self) -> None:
        pause = 0.001
        while (status := self._own.poll(get_progress_update=False)).operationState in _RUNNING:
            if self._connection.is_to_stop.is_set():
                self._own.cancel()
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)
        if status.operationState != TOperationState.FINISHED_STATE:
            raise OperationalError(status.errorMessage or "the statement was stopped")

    @property
    def description(self) -> Any:
        """As DB-API has it; None where the statement gives no rows."""
        return self._own.description

    def fetchall(self) -> list[Row]:
        """All rows; none of a statement that gives none."""
        return [tuple(row) for row in self._own.fetchall()] if self.description else []

    def fetchmany(self, number: int) -> list[Row]:
        """The next rows."""
        return [tuple(row) for row in self._own.fetchmany(number)]

    def close(self) -> None:
        """Forget the result."""
        with contextlib.suppress(Error, TException, OSError):
            self._own.close()


class _Settings:
    """Settings by SET, which takes a value as it is and not as a literal."""

    def read(self, connection: Any, names: Sequence[str]) -> Mapping[str, str]:
        """See `drivers.SettingAccess`."""
        values: dict[str, str] = {}
        for name in names:
            cursor = connection.cursor()
            cursor.execute(f"SET {name}")
            values |= {str(key): str(value) for key, value in cursor.fetchall() if value != _UNSET}
            cursor.close()
        return values

    def write(self, connection: Any, name: str, value: str) -> None:
        """See `drivers.SettingAccess`."""
        connection.cursor().execute(f"SET {name}={value}")


def open_spark_thrift(url: str, dialect: Dialect, *, aggregate_schema: str) -> DbApiWarehouse:
    """A thrift server as a warehouse.

    Args:
        url: ``hive://user:password@host:10000/schema``. Parameters: ``auth`` (NONE, NOSASL, LDAP, KERBEROS, CUSTOM;
            LDAP where there is a password), ``kerberos_service_name``, ``scheme`` (http or https), ``check_hostname``,
            ``ssl_cert``; others are settings of the session, such as ``spark.sql.session.timeZone=UTC``.

    Raises:
        PermanentWarehouseError: the URL names no host.
    """
    arguments = connect_arguments(url)
    if not arguments["host"]:
        raise PermanentWarehouseError(dialect.name, "", "its URL names no host; write `hive://user@host:10000/schema`")
    catalog = SparkCatalog()
    driver = Driver(
        connect=lambda: _Connection(hive.connect(**arguments)),
        catalog=catalog,
        errors=(Error, TException, OSError, EOFError, *_OF_ARGUMENTS),
        is_transient=lambda error: _is_lost(error) or is_transient(error),
        rows_written=lambda _: None,
        interrupt=lambda connection: connection.is_to_stop.set(),
        is_lost=_is_lost,
        failure=spark_failure,
        reason=lambda error: describe_spark(OperationalError(_message_of(error))),
        decode=decode_dates,
        look_at=look_at,
        settings=_Settings(),
        version_clause=partial(version_clause, catalog),
    )
    return DbApiWarehouse(driver, dialect, aggregate_schema=aggregate_schema, close=lambda: None)


def connect_arguments(url: str) -> dict[str, Any]:
    """What PyHive's ``connect`` gets.

    >>> connect_arguments("hive://me@host:10000/sales?spark.sql.ansi.enabled=true") == {
    ...     "host": "host", "port": 10000, "username": "me", "password": None, "database": "sales", "auth": None,
    ...     "configuration": {"spark.sql.ansi.enabled": "true"}}
    True
    """
    parts = urlsplit(url)
    parameters = dict(parse_qsl(parts.query))
    given = {name: parameters.pop(name) for name in _ARGUMENTS if name in parameters}
    password = unquote(parts.password) if parts.password else None
    return {
        "host": parts.hostname,
        "port": parts.port,
        "username": unquote(parts.username) if parts.username else None,
        "password": password,
        "database": parts.path.strip("/") or "default",
        "auth": "LDAP" if password else None,
        "configuration": parameters,
        **given,
    }


def _is_lost(error: BaseException) -> bool:
    return isinstance(error, (TException, OSError, EOFError)) or is_lost(error)


def _message_of(error: BaseException) -> str:
    """The sentence in an error of PyHive, which holds the server's whole answer."""
    answer = error.args[0] if error.args else ""
    status = getattr(answer, "status", None)
    text = getattr(status, "errorMessage", None) or getattr(answer, "errorMessage", None) or str(error)
    return _CLASS.sub("", str(text).rpartition("HiveSQLException: Error running query: ")[2])
