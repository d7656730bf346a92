"""Any other warehouse, through its SQLAlchemy dialect's driver."""

from __future__ import annotations

from typing import Any

import sqlalchemy

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError
from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiWarehouse, Driver


def open_url(url: str, dialect: Dialect, *, aggregate_schema: str) -> DbApiWarehouse:
    """A warehouse over the DB-API driver that SQLAlchemy finds for the URL, in autocommit mode.

    Raises:
        PermanentWarehouseError: the driver or its SQLAlchemy dialect is not installed, or the URL cannot be read.
    """
    try:
        engine = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT")
    except (sqlalchemy.exc.ArgumentError, ModuleNotFoundError, ValueError) as error:
        raise PermanentWarehouseError(
            dialect.name, "", f"{error}; install the SQLAlchemy dialect of {dialect.name}, or correct the URL"
        ) from error
    return open_engine(engine, dialect, aggregate_schema=aggregate_schema)


def open_engine(engine: sqlalchemy.Engine, dialect: Dialect, *, aggregate_schema: str) -> DbApiWarehouse:
    """The same over an engine that somebody else made, such as an Airflow connection's."""
    module = engine.dialect.dbapi
    errors = (module.Error,) if module is not None else (Exception,)

    def interrupt(connection: Any) -> None:
        cancel = getattr(connection, "cancel", None)
        if cancel is not None:
            cancel()

    def is_transient(error: BaseException) -> bool:
        kinds = (getattr(module, "OperationalError", ()), getattr(module, "InterfaceError", ()))
        return isinstance(error, tuple(kind for kind in kinds if kind))

    driver = Driver(
        connect=engine.raw_connection,
        errors=errors,
        is_transient=is_transient,
        rows_written=lambda cursor: cursor.rowcount if cursor.rowcount >= 0 else None,
        interrupt=interrupt,
        is_lost=is_transient,
    )
    return DbApiWarehouse(driver, dialect, aggregate_schema=aggregate_schema, close=engine.dispose)
