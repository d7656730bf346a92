"""A driver of which nothing is known but that it follows DB-API 2 (PEP 249): what it can do is asked of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiWarehouse
from airflow_atscale_aggs.engine.warehouse.drivers import Driver, Failure
from airflow_atscale_aggs.engine.warehouse.information_schema import InformationSchema
from airflow_atscale_aggs.engine.warehouse.spark_catalog import SparkCatalog, look_at
from airflow_atscale_aggs.engine.warehouse.spark_errors import spark_failure
from airflow_atscale_aggs.engine.warehouse.spark_values import decode_dates

_FAILURES = (
    (Failure.NO_RIGHT, re.compile(r"permission|privilege|authorized|access denied|insufficient|forbidden")),
    (Failure.NO_DATABASE, re.compile(r"\b(database|catalog|project)\b.*(does not exist|not found|unknown)")),
    (Failure.ABSENT, re.compile(r"does not exist|not found|no such (table|view|schema)|invalid object name")),
)
"""What messages of warehouses say, in lower case; the first one that fits.

A right comes first: "does not exist or not authorized", as Snowflake says, must not be taken for absence.
"""

_OF_OPERATION = frozenset({"OperationalError", "InterfaceError"})
"""DB-API's names of errors that may pass."""


def open_hook(
    connect: Callable[[], Any],
    dialect: Dialect,
    *,
    aggregate_schema: str,
    errors: tuple[type[BaseException], ...] = (Exception,),
    close: Callable[[], None] = lambda: None,
) -> DbApiWarehouse:
    """A warehouse over connections that somebody else opens, such as an Airflow hook.

    Args:
        connect: opens one. It is told to commit each statement by itself.
        errors: the driver's; where they are not known, every error counts as one of the driver's.
        close: gives back what connections share.
    """

    def autocommitted() -> Any:
        connection = connect()
        commit_each_statement(connection)
        return connection

    driver = Driver(
        connect=autocommitted,
        catalog=InformationSchema() if dialect.has_information_schema else SparkCatalog(),
        errors=errors,
        is_transient=is_transient,
        rows_written=lambda cursor: cursor.rowcount if cursor.rowcount >= 0 else None,
        interrupt=_interrupt,
        is_lost=is_transient,
        failure=failure_of if dialect.has_information_schema else spark_failure,
        decode=None if dialect.has_information_schema else decode_dates,
        look_at=None if dialect.has_information_schema else look_at,
        commits=True,
    )
    return DbApiWarehouse(driver, dialect, aggregate_schema=aggregate_schema, close=close)


def commit_each_statement(connection: Any) -> None:
    """Switch a connection's transactions off, in whichever way it offers.

    Where it offers none, `drivers.Driver.commits` has each statement followed by a commit.
    """
    # SQLAlchemy's pool wraps the driver's connection, and passes on what is read but not what is set.
    own = getattr(connection, "driver_connection", connection)
    autocommit = getattr(own, "autocommit", None)
    if callable(autocommit):
        autocommit(True)
    elif autocommit is not None and autocommit is not True:
        own.autocommit = True


def failure_of(error: BaseException, _name: str = "") -> Failure:
    """What an error means for what its statement names, by its text."""
    text = str(error).casefold()
    found = next((failure for failure, pattern in _FAILURES if pattern.search(text)), None)
    if found is not None:
        return found
    return Failure.NO_CONNECTION if _is_of_operation(error) else Failure.OTHER


def is_transient(error: BaseException) -> bool:
    """Whether the same SQL may succeed later: an error of operation that says of no table or right what is wrong."""
    return _is_of_operation(error) and failure_of(error) is Failure.NO_CONNECTION


def _is_of_operation(error: BaseException) -> bool:
    return any(kind.__name__ in _OF_OPERATION for kind in type(error).__mro__)


def _interrupt(connection: Any) -> None:
    cancel = getattr(connection, "cancel", None)
    if cancel is not None:
        cancel()
