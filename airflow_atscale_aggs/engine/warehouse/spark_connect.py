"""Spark, Sail or Databricks over Spark Connect, with the client alone: no Java and no Spark on this machine.

The client is no DB-API driver. A connection here is a session of the server, and a cursor runs one statement in it.
"""

from __future__ import annotations

import contextlib
import logging
import re
import threading
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pyarrow as pa
from tenacity import retry, retry_if_exception, stop_after_attempt

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.warehouse.base import Row
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiWarehouse
from airflow_atscale_aggs.engine.warehouse.drivers import Driver
from airflow_atscale_aggs.engine.warehouse.spark_catalog import SparkCatalog, look_at
from airflow_atscale_aggs.engine.warehouse.spark_client import (
    SQL,
    CachedRelation,
    ConfigRequest,
    DataFrame,
    DefaultPolicy,
    Limit,
    LogicalPlan,
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
from airflow_atscale_aggs.engine.warehouse.spark_files import list_files
from airflow_atscale_aggs.engine.warehouse.spark_versions import version_clause

_READ_AT_ONCE = 10_000
"""Rows of a result that are made into Python's values together."""

_MOST_ROWS = 10_000_001
"""One more than anybody reads of an answer."""

_MOST_IDLE = 600.0
"""Seconds without a statement, after which a session is not used again. Servers end those that are idle for an hour."""

_RETRIES = 4
"""Of a call that did not reach the server, over some five seconds. Whoever builds tries again later."""

_ALTER_VIEW = "ALTER VIEW "

_LOOKS = ("SHOW ", "DESCRIBE ")
"""How commands begin that change nothing, and may be sent twice, as queries may."""

_IS_QUERY = re.compile(r"[\s(]*(SELECT|WITH|VALUES)\b", re.IGNORECASE)
"""How a statement begins that may wait until its rows are asked for. Anything else is sent at once."""

# The client says twice what it raises: it logs each error of the server with its Java stack, and warns of lost calls.
warnings.filterwarnings("ignore", message=r"\[RETRIES_EXCEEDED\]")
logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)


def _never_arrived(error: BaseException) -> bool:
    return isinstance(error, PySparkException) and "operation not found" in str(error).casefold()


# A call that did not arrive is asked for by the client under its name, which the server then does not know. The client
# understands that answer of Spark and sends the call again. Sail words it otherwise.
_once_it_arrives = retry(retry=retry_if_exception(_never_arrived), stop=stop_after_attempt(_RETRIES), reraise=True)


@dataclass(slots=True)
class _Server:
    """What is known of a server.

    Attributes:
        alters_views: it knows ALTER VIEW, as far as is known.
    """

    alters_views: bool = True


class _Cursor:
    """Runs a statement. A query is run when its rows are asked for, anything else at once.

    Either takes one call of the server. The client's frames take three for a query, and each of them makes the server
    look up the tables and analyze the query anew: one tells that it is a query, one the types of its columns, and one
    its rows.
    """

    def __init__(self, spark: SparkSession, server: _Server) -> None:
        self._spark, self._server = spark, server
        self._plan: Any = None
        self._answer: Any = None
        self._schema: Any = None

    def execute(self, sql: str) -> None:
        """Send a statement; keep a query."""
        self.close()
        self._plan = SQL(sql)
        if _IS_QUERY.match(sql):
            return
        if sql.startswith(_ALTER_VIEW):
            self._alter_view(sql)
        else:
            _once_it_arrives(self._send)(self._plan) if sql.startswith(_LOOKS) else self._send(self._plan)

    @property
    def description(self) -> list[tuple[Any, ...]]:
        """Name and type of each column of the result, as DB-API has them.

        Before the rows are read, the server is asked for them alone.
        """
        if self._schema is None:
            self._schema = DataFrame(self._plan, self._spark).schema
        return [(field.name, field.dataType.simpleString(), *[None] * 5) for field in self._schema.fields]

    def fetchall(self) -> list[Row]:
        """All rows."""
        return list(_rows_of(self._fetch(self._plan) if self._answer is None else self._answer))

    def fetch_first(self, number: int) -> Iterator[Row]:
        """The first rows; the server does not send the others."""
        return _rows_of(self._fetch(Limit(self._plan, number)))

    def close(self) -> None:
        """Forget the result."""
        self._plan = self._answer = self._schema = None

    def _alter_view(self, sql: str) -> None:
        """Sail has no ALTER VIEW. Its CREATE OR REPLACE VIEW leaves no gap for readers, which Spark's does."""
        if self._server.alters_views:
            try:
                self._send(SQL(sql))
            except UnsupportedOperationException:
                self._server.alters_views = False
            else:
                return
        self._send(SQL(f"CREATE OR REPLACE VIEW {sql.removeprefix(_ALTER_VIEW)}"))

    def _send(self, statement: SQL) -> None:
        """Run a statement. The server answers with a plan for its rows: these themselves, unless it knows better."""
        client = self._spark.client
        _, properties, _ = client.execute_command(statement.command(client))
        answer = properties.get("sql_command_result")
        if answer is None:
            return
        self._plan = CachedRelation(answer)
        if answer.HasField("local_relation") and answer.local_relation.data:
            with pa.ipc.open_stream(answer.local_relation.data) as reader:
                self._answer = reader.read_all()

    @_once_it_arrives
    def _fetch(self, plan: LogicalPlan) -> pa.Table:
        client = self._spark.client
        table, self._schema, _ = client.to_table(plan.to_proto(client), {})
        return table


def _rows_of(table: pa.Table) -> Iterator[Row]:
    """The rows of an Arrow table. Timestamps with a zone come as such, whatever the zone of the session."""
    for number, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type) and field.type.tz:
            instants = table.column(number).cast(pa.timestamp(field.type.unit, tz="UTC"))
            table = table.set_column(number, field.name, instants)
    for batch in table.to_batches(max_chunksize=_READ_AT_ONCE):
        columns = [column.to_pylist() for column in batch.columns]
        if columns:
            yield from zip(*columns, strict=True)


class _Connection:
    """A session of the server; ended when it is closed, but for one that all share."""

    def __init__(self, spark: SparkSession, server: _Server, *, is_shared: bool) -> None:
        self.spark, self._server, self._is_shared = spark, server, is_shared
        self._last_used = time.monotonic()

    def cursor(self) -> _Cursor:
        """One that runs statements in this session."""
        self._last_used = time.monotonic()
        return _Cursor(self.spark, self._server)

    def is_alive(self) -> bool:
        """Whether the server has not had the time to end the session for being idle."""
        return time.monotonic() - self._last_used < _MOST_IDLE

    def close(self) -> None:
        """End the session."""
        if not self._is_shared:
            _stop(self.spark)


class _Sessions:
    """Opens sessions. Who keeps them knows that Spark lists the files of a table once in each, see `remembers_files`.

    Args:
        url: as Spark Connect reads it. One that names a ``session_id`` stands for that one session, which all share and
            nobody ends: so processes see each other's tables on a server that keeps its catalog in a session.
        options: settings of each session, by name.
    """

    def __init__(self, url: str, options: Mapping[str, str]) -> None:
        self._url, self._options = url, options
        self.is_shared = "session_id=" in url
        self._shared: SparkSession | None = None
        self._server = _Server()
        self._lock = threading.Lock()

    def connect(self) -> _Connection:
        """A session that nobody else uses; the one that all share where the URL names it."""
        if not self.is_shared:
            return _Connection(self._open(), self._server, is_shared=False)
        with self._lock:
            self._shared = self._shared or self._open()
            return _Connection(self._shared, self._server, is_shared=True)

    def close(self) -> None:
        """Leave the session that all share."""
        with self._lock:
            shared, self._shared = self._shared, None
        if shared is not None:
            _stop(shared)

    def _open(self) -> SparkSession:
        spark = SparkSession.builder.remote(self._url).create()
        spark.client.set_retry_policies([DefaultPolicy(max_retries=_RETRIES)])
        for name, value in self._options.items():
            spark.conf.set(name, value)
        spark.release_session_on_close = not self.is_shared
        return spark


def _stop(spark: SparkSession) -> None:
    with contextlib.suppress(Exception):
        spark.stop()


class _Settings:
    """Settings over the protocol itself, since SET cannot say every value."""

    def read(self, connection: Any, names: Sequence[str]) -> Mapping[str, str]:
        """See `drivers.SettingAccess`."""
        # Without a default, which would stand for a value that was not set. A server answers for those that it knows.
        operation = ConfigRequest.Operation(get_option=ConfigRequest.GetOption(keys=list(names)))
        pairs = connection.spark.client.config(operation).pairs
        return {name: str(value) for name, value in pairs if value is not None}

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
    catalog = SparkCatalog()
    driver = Driver(
        connect=sessions.connect,
        catalog=catalog,
        errors=(PySparkException, grpc.RpcError),
        is_transient=is_transient,
        rows_written=lambda _: None,
        interrupt=lambda connection: connection.spark.interruptAll(),
        is_lost=is_lost,
        failure=spark_failure,
        reason=describe_spark,
        read_query=_read_query,
        look_at=look_at,
        list_files=list_files,
        settings=_Settings(),
        is_alive=_Connection.is_alive,
        settings_are_ours=not sessions.is_shared,
        version_clause=partial(version_clause, catalog),
    )
    return DbApiWarehouse(driver, dialect, aggregate_schema=aggregate_schema, close=sessions.close)


@contextlib.contextmanager
def _read_query(connection: Any, sql: str) -> Iterator[tuple[tuple[str, ...], Iterator[Row]]]:
    cursor = connection.cursor()
    cursor.execute(sql)
    # The rows bring their names with them.
    rows = cursor.fetch_first(_MOST_ROWS)
    yield tuple(column[0] for column in cursor.description), rows


def split_options(url: str) -> tuple[str, dict[str, str]]:
    """The address as Spark Connect reads it, and what follows it.

    >>> split_options("sc://host:15002/;user_id=me?spark.sql.session.timeZone=UTC")
    ('sc://host:15002/;user_id=me', {'spark.sql.session.timeZone': 'UTC'})
    """
    parts = urlsplit(url)
    return parts._replace(query="").geturl(), dict(parse_qsl(parts.query))
