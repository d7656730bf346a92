"""Any other warehouse, through its SQLAlchemy dialect's driver."""

from __future__ import annotations

import sqlalchemy

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError
from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiWarehouse
from airflow_atscale_aggs.engine.warehouse.other_drivers import open_hook


def open_url(url: str, dialect: Dialect, *, aggregate_schema: str) -> DbApiWarehouse:
    """A warehouse over the DB-API driver that SQLAlchemy finds for the URL, in autocommit mode.

    Raises:
        PermanentWarehouseError: the driver or its SQLAlchemy dialect is not installed, or the URL cannot be read.
    """
    try:
        # Without an isolation level: several dialects refuse it, and connections that are taken from the pool as the
        # driver made them do not have it.
        engine = sqlalchemy.create_engine(url)
    except (sqlalchemy.exc.ArgumentError, ModuleNotFoundError, ValueError) as error:
        raise PermanentWarehouseError(
            dialect.name, "", f"{error}; install the SQLAlchemy dialect of {dialect.name}, or correct the URL"
        ) from error
    return open_engine(engine, dialect, aggregate_schema=aggregate_schema)


def open_engine(engine: sqlalchemy.Engine, dialect: Dialect, *, aggregate_schema: str) -> DbApiWarehouse:
    """The same over an engine that somebody else made, such as an Airflow connection's."""
    module = engine.dialect.dbapi
    errors = (Exception,) if module is None else (module.Error,)
    return open_hook(
        engine.raw_connection, dialect, aggregate_schema=aggregate_schema, errors=errors, close=engine.dispose
    )
