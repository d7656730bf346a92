"""Spark, Sail or Databricks over Spark Connect, with the client alone: no Java and no Spark on this machine.

The client is no DB-API driver. A connection here is a session of the server, and a cursor runs one statement in it.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tenacity import retry, retry_if_exception, stop_after_attempt

from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.warehouse.base import Row
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiWarehouse
from airflow_atscale_aggs.engine.warehouse.drivers import Driver
from airflow_atscale_aggs.engine.warehouse.spark_catalog import SparkCatalog, look_at
from airflow_atscale_aggs.engine.warehouse.spark_client import (
    DefaultPolicy,
    PySparkException,
    SparkSession,
    UnsupportedOperationException,
    grpc,
)
from airflow_atscale_aggs.engine.warehouse.spark_errors import (
    describe_spark,
    is_lost,
    is_transient,
    spark_failure,
)
from airflow_atscale_aggs.engine.warehouse.spark_versions import version_clause

_READ_AT_ONCE = 10_000
"""Rows of a result that are made into Python's values together."""

_MOST_ROWS = 10_000_001
"""One more than anybody reads of an answer."""

_RETRIES = 4
"""Of a call that did not reach the server, over some five seconds. Whoever builds tries again later."""

_ALTER_VIEW = "ALTER VIEW "

# The client says twice what it raises: it logs each error of the server with its Java stack, and warns of lost calls.
warnings.filterwarnings("ignore", message=r"\[RETRIES_EXCEEDED\]")
logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)


_READS = ("SELECT", "WITH", "(", "SHOW", "DESCRIBE")
"""How statements begin that change nothing, and may be sent twice."""


def _never_arrived(error: BaseException) -> bool:
    return isinstance(error, PySparkException) and "operation not found" in str(error).casefold()


# A call that did not arrive is asked for by the client under its name, which the server then does not know. The client
# understands that answer of Spark and sends the call again. Sail words it otherwise.
_once_it_arrives = retry(retry=retry_if_exception(_never_arrived), stop=stop_after_attempt(_RETRIES), reraise=True)


class _Cursor:
    """Runs a statement. A query is run when its rows are asked for, anything else at once."""

    def __init__(self, spark: SparkSession) -> None:
        self._spark = spark
        self._frame: Any = None

    def execute(self, sql: str) -> None:
        """Send a statement."""
        try:
            self._frame = _send(self._spark, sql)
        except UnsupportedOperationException:
            # Sail has no ALTER VIEW. Its CREATE OR REPLACE VIEW leaves no gap for readers, which Spark's does.
            if not sql.startswith(_ALTER_VIEW):
                raise
            self._frame = self._spark.sql(f"CREATE OR REPLACE VIEW {sql.removeprefix(_ALTER_VIEW)}")

    @property
    def description(self) -> list[tuple[Any, ...]]:
        """Name and type of each column of the result, as DB-API has them."""
        return [(field.name, field.dataType.simpleString(), *[None] * 5) for field in self._frame.schema.fields]

    def fetchall(self) -> list[Row]:
        """All rows."""
        return list(_rows_of(_read(self._frame)))

    def fetch_first(self, number: int) -> Iterator[Row]:
        """The first rows; the server does not send the others."""
        return _rows_of(_read(self._frame.limit(number)))

    def close(self) -> None:
        """Forget the result."""
        self._frame = None


def _send(spark: SparkSession, sql: str) -> Any:
    return _once_it_arrives(spark.sql)(sql) if sql.lstrip().upper().startswith(_READS) else spark.sql(sql)


@_once_it_arrives
def _read(frame: Any) -> Any:
    return frame.toArrow()


def _rows_of(table: Any) -> Iterator[Row]:
    """The rows of an Arrow table. Timestamps with a zone come as such, whatever the zone of this machine."""
    for batch in table.to_batches(max_chunksize=_READ_AT_ONCE):
        columns = [column.to_pylist() for column in batch.columns]
        if columns:
            yield from zip(*columns, strict=True)


class _Connection:
    """A session of the server; given back to the pool when it is closed."""

    def __init__(self, pool: _Sessions, spark: SparkSession) -> None:
        self.spark = spark
        self._pool = pool

    def cursor(self) -> _Cursor:
        """One that runs statements in this session."""
        return _Cursor(self.spark)

    def close(self) -> None:
        """Give the session back."""
        self._pool.give_back(self.spark)


class _Sessions:
    """Sessions that are opened when they are needed, and kept for the next who asks: a new one takes long.

    Args:
        url: as Spark Connect reads it. One that names a ``session_id`` stands for that one session, which all share and
            nobody ends: so processes see each other's tables on a server that keeps its catalog in a session.
        options: settings of each session, by name.
    """

    def __init__(self, url: str, options: Mapping[str, str]) -> None:
        self._url, self._options = url, options
        self._is_shared = "session_id=" in url
        self._idle: list[SparkSession] = []
        self._lock = threading.Lock()

    def connect(self) -> _Connection:
        """A session that nobody else uses; the one that all share where the URL names it."""
        with self._lock:
            if self._is_shared:
                self._idle = self._idle or [self._open()]
                return _Connection(self, self._idle[0])
            spark = self._idle.pop() if self._idle else None
        return _Connection(self, spark or self._open())

    def give_back(self, spark: SparkSession) -> None:
        """Keep a session for the next who asks."""
        with self._lock:
            if not self._is_shared:
                self._idle.append(spark)

    def close(self) -> None:
        """End the sessions that are kept."""
        with self._lock:
            idle, self._idle = self._idle, []
        for spark in idle:
            with contextlib.suppress(Exception):
                spark.stop()

    def _open(self) -> SparkSession:
        spark = SparkSession.builder.remote(self._url).create()
        spark.client.set_retry_policies([DefaultPolicy(max_retries=_RETRIES)])
        for name, value in self._options.items():
            spark.conf.set(name, value)
        spark.release_session_on_close = not self._is_shared
        return spark


class _Settings:
    """Settings over the protocol itself, since SET cannot say every value."""

    def read(self, connection: Any, names: Sequence[str]) -> Mapping[str, str]:
        """See `drivers.SettingAccess`."""
        values: dict[str, str] = {}
        for name in names:
            # Sail knows fewer of them than Spark. With a default, what was not set would not be told.
            with contextlib.suppress(PySparkException):
                values[name] = str(connection.spark.conf.get(name))
        return values

    def write(self, connection: Any, name: str, value: str) -> None:
        """See `drivers.SettingAccess`."""
        connection.spark.conf.set(name, value)


def open_spark_connect(url: str, dialect: Dialect, *, aggregate_schema: str) -> DbApiWarehouse:
    """A server of Spark Connect as a warehouse.

    Args:
        url: ``sc://host:15002/;token=…;use_ssl=true`` as Spark Connect has it. Behind ``?`` may follow settings of the
            session, such as ``?spark.sql.session.timeZone=UTC``.
    """
    address, options = split_options(url)
    sessions = _Sessions(address, options)
    driver = Driver(
        connect=sessions.connect,
        catalog=SparkCatalog(),
        errors=(PySparkException, grpc.RpcError),
        is_transient=is_transient,
        rows_written=lambda _: None,
        interrupt=lambda connection: connection.spark.interruptAll(),
        is_lost=is_lost,
        failure=spark_failure,
        reason=describe_spark,
        read_query=_read_query,
        look_at=look_at,
        settings=_Settings(),
        version_clause=version_clause,
    )
    return DbApiWarehouse(driver, dialect, aggregate_schema=aggregate_schema, close=sessions.close)


@contextlib.contextmanager
def _read_query(connection: Any, sql: str) -> Iterator[tuple[tuple[str, ...], Iterator[Row]]]:
    cursor = connection.cursor()
    cursor.execute(sql)
    yield tuple(column[0] for column in cursor.description), cursor.fetch_first(_MOST_ROWS)


def split_options(url: str) -> tuple[str, dict[str, str]]:
    """The address as Spark Connect reads it, and what follows it.

    >>> split_options("sc://host:15002/;user_id=me?spark.sql.session.timeZone=UTC")
    ('sc://host:15002/;user_id=me', {'spark.sql.session.timeZone': 'UTC'})
    """
    parts = urlsplit(url)
    return parts._replace(query="").geturl(), dict(parse_qsl(parts.query))
