"""What only PostgreSQL needs: psycopg 3, error classes by SQLSTATE, cancelling."""

from __future__ import annotations

from typing import Any

import psycopg

from airflow_atscale_aggs.engine.sql.dialects import dialect_named
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiWarehouse, Driver

_TRANSIENT_CLASSES = ("08", "40", "53", "57", "58")
"""SQLSTATE classes: connection, rollback (deadlock, serialization), resources, operator intervention, system error."""

_TRANSIENT_STATES = frozenset({"55P03"})
"""lock_not_available."""


def open_postgres(dsn: str, *, aggregate_schema: str) -> DbApiWarehouse:
    """A PostgreSQL database as a warehouse.

    Args:
        dsn: ``postgresql://user:password@host/database?…`` as libpq reads it.
    """

    def connect() -> Any:
        return psycopg.connect(dsn, autocommit=True, application_name="atscale-aggs")

    driver = Driver(
        connect=connect,
        errors=(psycopg.Error,),
        is_transient=is_transient,
        rows_written=lambda cursor: cursor.rowcount if cursor.rowcount >= 0 else None,
        interrupt=lambda connection: connection.cancel(),
        is_lost=lambda error: isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)),
    )
    return DbApiWarehouse(driver, dialect_named("postgres"), aggregate_schema=aggregate_schema)


def is_transient(error: BaseException) -> bool:
    """Whether the same SQL may succeed later, by SQLSTATE; without one the connection itself failed."""
    state = getattr(error, "sqlstate", None)
    if state is None:
        return isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError))
    return state in _TRANSIENT_STATES or state.startswith(_TRANSIENT_CLASSES)
