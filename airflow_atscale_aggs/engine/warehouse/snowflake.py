"""What only Snowflake needs: its connector, which speaks HTTP, and the meaning of its errors."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import snowflake.connector
from snowflake.connector.errors import Error, ProgrammingError

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError
from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiWarehouse
from airflow_atscale_aggs.engine.warehouse.drivers import Driver, one_line
from airflow_atscale_aggs.engine.warehouse.snowflake_catalog import SnowflakeCatalog
from airflow_atscale_aggs.engine.warehouse.snowflake_errors import describe, failure_of, is_lost, is_transient

_WRITTEN = "number of rows "
"""How Snowflake names the column that tells what INSERT, UPDATE, DELETE and MERGE have done."""

_PATH_PARTS = 2
_APPLICATION = "atscale_aggs"
"""By this name the account's history of sessions shows who was there."""


def open_snowflake(url: str, dialect: Dialect, *, aggregate_schema: str) -> DbApiWarehouse:
    """A Snowflake account as a warehouse.

    Args:
        url: ``snowflake://user:password@account/database/schema?warehouse=NAME&role=NAME``, see `connect_arguments`.

    Raises:
        PermanentWarehouseError: the URL names no account.
    """
    arguments = connect_arguments(url)
    if not arguments.get("account"):
        reason = "its URL names no account; write `snowflake://user:password@account/database?warehouse=NAME`"
        raise PermanentWarehouseError(dialect.name, "", reason)
    # Said at the login, autocommit costs no statement of its own.
    told = {"application": _APPLICATION, **arguments, "autocommit": True}
    return _warehouse(lambda: snowflake.connector.connect(**told), dialect, aggregate_schema)


def open_hook(connect: Callable[[], Any], dialect: Dialect, *, aggregate_schema: str) -> DbApiWarehouse:
    """A warehouse over connections of the connector that somebody else opens, such as an Airflow hook."""

    def autocommitted() -> Any:
        connection = connect()
        connection.autocommit(True)
        return connection

    return _warehouse(autocommitted, dialect, aggregate_schema)


def _warehouse(connect: Callable[[], Any], dialect: Dialect, aggregate_schema: str) -> DbApiWarehouse:
    driver = Driver(
        connect=lambda: _opened(connect),
        catalog=SnowflakeCatalog(),
        errors=(Error,),
        is_transient=is_transient,
        rows_written=rows_written,
        interrupt=_interrupt,
        is_lost=is_lost,
        failure=failure_of,
        reason=describe,
    )
    return DbApiWarehouse(driver, dialect, aggregate_schema=aggregate_schema)


def connect_arguments(url: str) -> dict[str, Any]:
    """What the connector's ``connect`` gets.

    Parameters of the URL are arguments of ``connect``, such as ``warehouse``, ``role``, ``authenticator``,
    ``private_key_file``, ``host``, ``port`` and ``protocol``; those in capitals are parameters of each session.

    >>> connect_arguments("snowflake://me:p%40ss@acme-eu/SALES/PUBLIC?warehouse=WH&port=8080&TIMEZONE=UTC") == {
    ...     "account": "acme-eu", "user": "me", "password": "p@ss", "database": "SALES", "schema": "PUBLIC",
    ...     "warehouse": "WH", "port": 8080, "session_parameters": {"TIMEZONE": "UTC"}}
    True
    """
    parts = urlsplit(url)
    path = [unquote(part) for part in parts.path.strip("/").split("/", _PATH_PARTS - 1)]
    named = {
        "account": parts.hostname,
        "user": None if parts.username is None else unquote(parts.username),
        "password": None if parts.password is None else unquote(parts.password),
        "port": parts.port,
        **dict(zip(("database", "schema"), path, strict=False)),
    }
    parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
    of_sessions = {name: _value(text) for name, text in parameters.items() if name.isupper()}
    others = {name: _value(text) for name, text in parameters.items() if not name.isupper()}
    arguments = {name: value for name, value in named.items() if value} | others
    return arguments | ({"session_parameters": of_sessions} if of_sessions else {})


def rows_written(cursor: Any) -> int | None:
    """Rows that a statement has written. CREATE TABLE AS answers with a sentence, which is a row as well."""
    description = cursor.description
    if not description or not str(description[0][0]).casefold().startswith(_WRITTEN):
        return None
    return cursor.rowcount if cursor.rowcount is not None and cursor.rowcount >= 0 else None


_WORDS: Mapping[str, bool] = {"true": True, "false": False}


def _value(text: str) -> str | int | bool:
    """A parameter as the connector wants it, which refuses texts for numbers and for yes and no."""
    if text.isdecimal():
        return int(text)
    return _WORDS.get(text.casefold(), text)


def _opened(connect: Callable[[], Any]) -> Any:
    """A connection.

    Raises:
        snowflake.connector.errors.Error: it cannot be opened. An argument that cannot be read is such an error, too.
    """
    try:
        return connect()
    except (ValueError, TypeError, OSError, AttributeError) as error:
        # The connector, and hooks that call it, raise these for keys, files and numbers that they cannot read.
        raise ProgrammingError(msg=f"{one_line(error)} (correct the connection: Snowflake was not asked)") from error


def _interrupt(connection: Any) -> None:
    """End the statements of a session, by another statement of it: its cursors can be used side by side."""
    if connection.session_id is None:
        return
    with contextlib.suppress(Error), contextlib.closing(connection.cursor()) as cursor:
        cursor.execute(f"SELECT SYSTEM$CANCEL_ALL_QUERIES({int(connection.session_id)})")
