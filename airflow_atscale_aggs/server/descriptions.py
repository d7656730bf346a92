"""What a statement on models takes and gives, in PostgreSQL's types: PostgreSQL says it, of the empty tables."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict

import psycopg
from psycopg.pq import ExecStatus

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.server.messages import ResultColumn

_MOST = 2000
"""Descriptions that are kept."""


@dataclass(frozen=True, slots=True)
class Description:
    """Types of the parameters, and the columns of the answer."""

    parameter_oids: tuple[int, ...]
    columns: tuple[ResultColumn, ...]


class Describer:
    """Describes statements in the database of one catalog. Safe to share between threads.

    Args:
        conninfo: of the database.
    """

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._connection: psycopg.Connection[tuple[object, ...]] | None = None
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, tuple[int, ...]], Description] = OrderedDict()

    def describe(self, sql: str, parameter_oids: tuple[int, ...]) -> Description:
        """What a statement takes and gives.

        Args:
            parameter_oids: types that the client has told; 0, or none: not told.

        Raises:
            psycopg.Error: PostgreSQL refuses the statement.
        """
        key = (sql, parameter_oids)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = self._ask(sql, parameter_oids)
                if len(self._kept) > _MOST:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            return self._kept[key]

    def find(self, sql: str, parameter_oids: tuple[int, ...]) -> Description | None:
        """What is remembered of a statement. Never waits."""
        return self._kept.get((sql, parameter_oids))

    def is_there(self) -> bool:
        """Whether the database is there and answers. Connects where there is no connection any more."""
        with self._lock:
            for _ in range(2):
                # The first connection may be one that the server has ended.
                with contextlib.suppress(psycopg.Error):
                    self._connected().execute("SELECT 1")
                    return True
            return False

    def forget(self) -> None:
        """Forget all descriptions: the tables have changed."""
        with self._lock:
            self._kept.clear()

    def close(self) -> None:
        """End the session."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _ask(self, sql: str, parameter_oids: tuple[int, ...]) -> Description:
        connection = self._connected()
        asked = connection.pgconn.prepare(b"", sql.encode(), list(parameter_oids) or None)
        if asked.status != ExecStatus.COMMAND_OK:
            raise psycopg.errors.error_from_result(asked, "utf-8")
        told = connection.pgconn.describe_prepared(b"")
        if told.status != ExecStatus.COMMAND_OK:
            raise psycopg.errors.error_from_result(told, "utf-8")
        columns = tuple(
            ResultColumn(
                name=(told.fname(number) or b"").decode(),
                type_oid=told.ftype(number),
                type_size=told.fsize(number),
                type_modifier=told.fmod(number),
                table_oid=told.ftable(number),
                number=told.ftablecol(number),
            )
            for number in range(told.nfields)
        )
        return Description(tuple(told.param_type(number) for number in range(told.nparams)), columns)

    def _connected(self) -> psycopg.Connection[tuple[object, ...]]:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self._conninfo, autocommit=True)
        return self._connection
