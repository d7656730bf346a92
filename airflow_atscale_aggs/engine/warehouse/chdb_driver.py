"""ClickHouse in this process, with chDB. A process reads one folder at a time, and a folder has one process.

chDB's own cursors read decimals and times as texts and local times. Here a connection is chDB's, and its answers are
read as JSON with the types that it tells.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from chdb.state import sqlitelike

from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.warehouse.base import Row
from airflow_atscale_aggs.engine.warehouse.clickhouse_catalog import ClickHouseCatalog, literal, look_at
from airflow_atscale_aggs.engine.warehouse.clickhouse_errors import (
    ClickHouseError,
    clickhouse_failure,
    describe_clickhouse,
    is_transient,
)
from airflow_atscale_aggs.engine.warehouse.clickhouse_values import decoders
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiWarehouse
from airflow_atscale_aggs.engine.warehouse.drivers import Driver

DEFAULT_LOCK_TIMEOUT_SECONDS = 30.0
IN_MEMORY = ":memory:"

_FORMAT = "JSONCompactEachRowWithNamesAndTypes"
_ROWS_ALONE = "JSONCompactEachRow"
_OUTPUT = {
    "output_format_json_quote_decimals": "1",
    "output_format_json_quote_denormals": "1",
    "output_format_json_quote_64bit_integers": "0",
    "output_format_decimal_trailing_zeros": "1",
}
"""So that each value can be read with all its digits."""

_OTHER_FOLDER = re.compile(r"already initialized with path '(?P<path>.*?)'")
_HELD = "Error initializing EmbeddedServer"
_TRIES = 3
_READS = "READ_ONLY"
"""chDB's name of statements that change nothing."""

_number = itertools.count(1)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Errors of chDB, which are RuntimeErrors, as errors of this driver."""
    try:
        yield
    except RuntimeError as error:
        raise ClickHouseError(str(error)) from error


class _Cursor:
    """Runs a statement and reads all of its answer."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        self._rows: list[Row] = []
        self.description: list[tuple[Any, ...]] | None = None

    def execute(self, sql: str) -> None:
        """Run a statement."""
        answer = self._connection.run(sql, _FORMAT)
        self._rows, self.description = [], None
        lines = answer.splitlines()
        if len(lines) > 1:
            names, types = _parse(lines[0]), _parse(lines[1])
            self.description = [(name, kind, *[None] * 5) for name, kind in zip(names, types, strict=True)]
            self._rows = list(_decoded(lines[2:], types))

    def fetchall(self) -> list[Row]:
        """All rows."""
        rows, self._rows = self._rows, []
        return rows

    def close(self) -> None:
        """Forget the answer."""
        self._rows = []


class _Connection:
    """One of chDB's connections, with settings of its own.

    Attributes:
        mark: tells its statements from others'.
    """

    def __init__(self, engine: Any, mark: str) -> None:
        self.engine, self.mark = engine, mark

    def run(self, sql: str, output_format: str) -> bytes:
        """All of the answer to a statement."""
        try:
            with _told():
                return bytes(self.engine.query(sql, output_format).bytes())
        except ClickHouseError:
            self.forget_answers()
            raise

    def forget_answers(self) -> None:
        """Throw away what a statement has left that failed or was stopped.

        chDB 4.4 keeps what such a statement had written of its answer, and puts it before the next one's.
        """
        for _ in range(_TRIES):
            with contextlib.suppress(RuntimeError):
                if bytes(self.engine.query("SELECT 1", "TSV").bytes()) == b"1\n":
                    return
        # Whatever comes next is an error, and no wrong answer.
        self.engine.close()

    def cursor(self) -> _Cursor:
        """One that runs statements here."""
        return _Cursor(self)

    def close(self) -> None:
        """Close the connection; the folder stays open."""
        self.engine.close()


class _Folder:
    """A folder of data, held from the first session on until the warehouse is closed.

    Args:
        path: of the folder; ``:memory:`` for data that live as long as the warehouse.
        settings: of each session, by name.
    """

    def __init__(self, path: str, settings: Mapping[str, str], lock_timeout: float) -> None:
        self._path, self._lock_timeout = path, lock_timeout
        self._settings = {**settings, **_OUTPUT}
        self._holder: Any = None
        self._lock = threading.Lock()

    def connect(self) -> _Connection:
        """A connection of its own."""
        with self._lock:
            if self._holder is None:
                self._holder = self._open({})
        mark = f"atscale-aggs-{next(_number)}"
        return _Connection(self._open({**self._settings, "log_comment": mark}), mark)

    def interrupt(self, connection: _Connection) -> None:
        """Stop what runs on a connection."""
        with self._lock, _told():
            if self._holder is not None:
                self._holder.query(f"KILL QUERY WHERE Settings['log_comment'] = {literal(connection.mark)}", "Null")

    def close(self) -> None:
        """Release the folder for other processes."""
        with self._lock:
            holder, self._holder = self._holder, None
        if holder is not None:
            holder.close()

    def _open(self, settings: Mapping[str, str]) -> Any:
        """Open a connection; wait a while for another process that holds the folder."""
        address = f"file:{self._path}?" + "&".join(
            f"{name}={quote(value, safe='')}" for name, value in settings.items()
        )
        deadline, pause = time.monotonic() + self._lock_timeout, 0.05
        while True:
            try:
                return sqlitelike.Connection(address)
            except RuntimeError as error:
                other = _OTHER_FOLDER.search(str(error))
                if other is not None:
                    message = (
                        f"this process has chDB's folder {other['path']} open, and chDB opens one in each process. "
                        f"Close that warehouse first, or use {self._path} in another process"
                    )
                    raise ClickHouseError(message) from error
                if _HELD not in str(error):
                    raise ClickHouseError(str(error)) from error
                if time.monotonic() + pause > deadline:
                    raise ClickHouseError(self._why_not(), is_held=self._is_usable()) from error
            time.sleep(pause)
            pause = min(pause * 1.5, 0.5)

    def _is_usable(self) -> bool:
        return Path(self._path).is_dir() and os.access(self._path, os.W_OK)

    def _why_not(self) -> str:
        if not self._is_usable():
            return f"chDB's folder {self._path} cannot be made, or is not writable"
        return f"another process holds chDB's folder {self._path}, as a build does; ask again later"


def open_chdb(
    path: str, dialect: Dialect, *, settings: Mapping[str, str], lock_timeout: float, aggregate_schema: str
) -> DbApiWarehouse:
    """A folder of chDB's as a warehouse.

    Args:
        path: of the folder; ``:memory:`` for data that live as long as the warehouse.
        settings: ClickHouse's own, of each session.
        lock_timeout: seconds to wait while another process holds the folder.
    """
    folder = _Folder(path, settings, lock_timeout)
    driver = Driver(
        connect=folder.connect,
        catalog=ClickHouseCatalog(),
        errors=(ClickHouseError,),
        is_transient=is_transient,
        rows_written=lambda _: None,
        interrupt=folder.interrupt,
        failure=clickhouse_failure,
        reason=describe_clickhouse,
        read_query=_read_query,
        look_at=look_at,
    )
    return DbApiWarehouse(driver, dialect, aggregate_schema=aggregate_schema, close=folder.close)


@contextlib.contextmanager
def _read_query(connection: _Connection, sql: str) -> Iterator[tuple[tuple[str, ...], Iterator[Row]]]:
    """One query that changes nothing. ClickHouse itself says what a text is; rows come as they are read."""
    with _told():
        found = connection.engine._conn.classify_query(sql)  # noqa: SLF001 - chDB tells it nowhere else
    if found["statement_count"] != 1 or found["query_class"].name != _READS:
        message = "this is not one single query, and nothing else is run here"
        raise ClickHouseError(message)
    cursor = connection.cursor()
    # As a part of another query it has no format of its own, and writes no file.
    cursor.execute(f"DESCRIBE TABLE ({sql.rstrip().rstrip(';')}\n)")
    columns = cursor.fetchall()
    types = [str(column[1]) for column in columns]
    try:
        with _told():
            stream = connection.engine.send_query(sql, _ROWS_ALONE)
        try:
            yield tuple(str(column[0]) for column in columns), _streamed(stream, types)
        finally:
            with contextlib.suppress(RuntimeError):
                stream.close()
    finally:
        connection.forget_answers()


def _streamed(stream: Any, types: list[str]) -> Iterator[Row]:
    while True:
        with _told():
            chunk = stream.fetch()
        if chunk is None:
            return
        yield from _decoded(bytes(chunk.bytes()).splitlines(), types)


def _decoded(lines: list[bytes], types: list[str]) -> Iterator[Row]:
    decode = decoders(types)
    for line in lines:
        row = _parse(line)
        yield tuple(
            value if value is None or make is None else make(value) for value, make in zip(row, decode, strict=True)
        )


def _parse(line: bytes) -> list[Any]:
    try:
        values: list[Any] = json.loads(line)
    except UnicodeDecodeError as error:
        message = "a text is not in UTF-8, and cannot be read; leave its column out, or read hex(column)"
        raise ClickHouseError(message) from error
    return values
