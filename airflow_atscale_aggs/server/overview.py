"""Keeps the tables about models as the registry is, while somebody reads them.

They are real tables beside the wire, so that every statement on them works. Readers take no notice of a refresh: it is
one transaction, which changes only rows that differ, and their snapshot shows what was there before.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence

import psycopg
from psycopg import sql

from airflow_atscale_aggs.engine.errors import RegistryError
from airflow_atscale_aggs.engine.lifecycle.query.model_tables import ModelTable
from airflow_atscale_aggs.engine.registry.records import ModelRecord
from airflow_atscale_aggs.engine.registry.registry import RegistryReader
from airflow_atscale_aggs.engine.warehouse.drivers import one_line
from airflow_atscale_aggs.server.miss_reasons import MissReasons
from airflow_atscale_aggs.server.model_shells import Connection
from airflow_atscale_aggs.server.overview_rows import Row, overview_rows
from airflow_atscale_aggs.server.overview_tables import SCHEMA, TABLES
from airflow_atscale_aggs.server.session_options import NAMES

_SECONDS = 1.0
"""How old the rows may be."""

_SHARE = 4
"""A refresh that takes long is made more seldom: it takes no more than one part in so many of the time."""

_TAKE_TURN = """
UPDATE atscale_aggs.refreshed SET at = clock_timestamp() WHERE at < clock_timestamp() - %s::interval
"""
_TOLD = re.compile(rf"\b{SCHEMA}\b(?!\"?\s*\.\s*\"?(?:{'|'.join(NAMES)})\b)".encode(), re.IGNORECASE)

_log = logging.getLogger(__name__)


def names_overview(statement: bytes) -> bool:
    """Whether a statement names the schema; settings of a session have its name before them as well.

    >>> names_overview(b'TABLE "atscale_aggs".queries'), names_overview(b"SET search_path = atscale_aggs")
    (True, True)
    >>> names_overview(b"SET atscale_aggs.notices = on"), names_overview(b"SELECT 1")
    (False, False)
    """
    return _TOLD.search(statement) is not None


class Overview:
    """The tables in one database. Safe to share between threads.

    Args:
        conninfo: of the database.
        sees: which models are seen there.
        write_log: writes down queries that the log has not got yet.

    Attributes:
        tables: the models as tables, as they are deployed.
        reasons: why no aggregate answered queries.
    """

    def __init__(
        self,
        conninfo: str,
        read: RegistryReader,
        sees: Callable[[ModelRecord], bool],
        write_log: Callable[[], None],
    ) -> None:
        self._conninfo, self._read, self._sees, self._write_log = conninfo, read, sees, write_log
        self.tables: Sequence[ModelTable] = ()
        self.reasons = MissReasons()
        self._connection: Connection | None = None
        self._lock = threading.Lock()
        self._next = 0.0

    @property
    def is_old(self) -> bool:
        """Whether the rows may be older than they should."""
        return time.monotonic() >= self._next

    def refresh(self) -> None:
        """Bring the rows up to date, unless that was just done. Where it fails, they stay as they are."""
        with self._lock:
            if not self.is_old:
                return
            began = time.monotonic()
            try:
                self._refresh()
            except (psycopg.Error, RegistryError) as error:
                _log.warning("The tables of `%s` are not refreshed: %s", SCHEMA, one_line(error))
                self._disconnect()
            took = time.monotonic() - began
            self._next = time.monotonic() + max(_SECONDS, took * (_SHARE - 1))

    def close(self) -> None:
        """End the session on the server."""
        with self._lock:
            self._disconnect()

    def _refresh(self) -> None:
        self._write_log()
        if self._connection is None:
            self._connection = psycopg.connect(self._conninfo, autocommit=True)
        with self._connection.transaction():
            self._connection.execute("SET LOCAL lock_timeout = '2s'")
            # Other processes wait for the row, and then find it done.
            if self._connection.execute(_TAKE_TURN, [f"{_SECONDS} s"]).rowcount:
                records = [record for record in self._read.models.current() if self._sees(record)]
                _write_rows(self._connection, overview_rows(self._read, records, self.tables, self.reasons))

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _write_rows(own: Connection, rows_by_table: Mapping[str, list[Row]]) -> None:
    """Delete and insert what differs."""
    for name, rows in rows_by_table.items():
        table, key = sql.Identifier(SCHEMA, name), TABLES[name].key
        is_it = sql.SQL(" AND ").join(
            sql.SQL("new.{} = old.{}").format(sql.Identifier(part), sql.Identifier(part)) for part in key
        )
        given = sql.SQL("jsonb_populate_recordset(NULL::{}, {}::jsonb)").format(table, _json(rows))
        own.execute(
            sql.SQL(
                "WITH new AS MATERIALIZED (SELECT * FROM {}) DELETE FROM {} AS old "
                "WHERE NOT EXISTS (SELECT FROM new WHERE {} AND ROW(new.*) IS NOT DISTINCT FROM ROW(old.*))"
            ).format(given, table, is_it)
        )
        own.execute(sql.SQL("INSERT INTO {} SELECT * FROM {} ON CONFLICT DO NOTHING").format(table, given))


def _json(rows: Sequence[Row]) -> sql.Literal:
    """Rows as JSON; PostgreSQL has no NUL in texts."""
    text = json.dumps(rows, ensure_ascii=False).replace("\\u0000", "\ufffd")
    return sql.Literal(text.encode(errors="replace").decode())
