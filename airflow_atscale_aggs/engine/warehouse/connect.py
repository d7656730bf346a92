"""From a URL to a warehouse. Drivers are imported when they are needed."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, unquote_plus, urlsplit

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError
from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.sql.dialects import dialect_of_url
from airflow_atscale_aggs.engine.warehouse.first_contact import FirstContact, place_of, split_acceptance

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiWarehouse

_LOCK_TIMEOUT = "lock_timeout"
TABLE_OPTIONS = "table_options"
"""A parameter of a warehouse's URL, or an extra of its Airflow connection."""


def open_warehouse(url: str, *, aggregate_schema: str = "", lock_timeout: float | None = None) -> DbApiWarehouse:
    """The warehouse behind a URL; nothing is connected before the first session needs it.

    Args:
        url: ``duckdb:///relative/file``, ``duckdb:////absolute/file``, ``duckdb://`` (in memory); a DuckDB URL takes
            DuckDB's settings and ``lock_timeout`` (seconds) as parameters.
            ``postgresql+psycopg://user:password@host/db``. ``sc://host:15002``. ``hive://user@host:10000/schema``.
            ``snowflake://user:password@account/database?warehouse=NAME``. Any other SQLAlchemy URL whose dialect has a
            capability row. All but DuckDB's take ``table_options``, see `split_table_options`. With the parameter
            ``accept_unproven=true`` the engine runs on a warehouse that it was never run on.
        aggregate_schema: where aggregate tables go; made when it is not there.
        lock_timeout: seconds at most to wait while another process holds a DuckDB file, whatever its URL says.

    Raises:
        UnsupportedOnDialectError: no dialect has this scheme.
        PermanentWarehouseError: the driver is not installed; names what to install.
    """
    url, is_unproven_accepted = split_acceptance(url)
    warehouse = _open(url, aggregate_schema, math.inf if lock_timeout is None else lock_timeout)
    warehouse.first_contact = FirstContact(place_of(url), is_unproven_accepted)
    return warehouse


def _open(url: str, aggregate_schema: str, longest_wait: float) -> DbApiWarehouse:
    dialect = dialect_of_url(url)
    warehouse: DbApiWarehouse
    if dialect.name == "duckdb":
        return _duckdb(url, aggregate_schema, longest_wait)
    url, table_options = split_table_options(url)
    dialect = replace(dialect, table_options=table_options)
    if dialect.name == "postgres":
        scheme, _, rest = url.partition("://")
        dsn = f"{scheme.partition('+')[0]}://{rest}"
        warehouse = _driver_room("postgres").open_postgres(dsn, aggregate_schema=aggregate_schema)
    elif url.startswith("chdb:"):
        warehouse = _chdb(url, dialect, aggregate_schema, longest_wait)
    elif url.startswith("sc:"):
        room = _driver_room("spark_connect", extra="spark")
        warehouse = room.open_spark_connect(url, dialect, aggregate_schema=aggregate_schema)
    elif url.startswith("hive:"):
        room = _driver_room("spark_thrift", extra="spark-thrift")
        warehouse = room.open_spark_thrift(url, dialect, aggregate_schema=aggregate_schema)
    elif dialect.name == "snowflake":
        warehouse = _driver_room("snowflake").open_snowflake(url, dialect, aggregate_schema=aggregate_schema)
    else:
        warehouse = _driver_room("sqlalchemy_urls").open_url(url, dialect, aggregate_schema=aggregate_schema)
    return warehouse


def open_hook(connect: Callable[[], Any], dialect: Dialect, *, aggregate_schema: str) -> DbApiWarehouse:
    """A warehouse over connections of a driver that somebody else opens, such as an Airflow hook.

    Raises:
        PermanentWarehouseError: the driver is not installed.
    """
    room = _driver_room("snowflake" if dialect.name == "snowflake" else "other_drivers")
    warehouse: DbApiWarehouse = room.open_hook(connect, dialect, aggregate_schema=aggregate_schema)
    return warehouse


def split_table_options(url: str) -> tuple[str, str]:
    """The URL without its parameter ``table_options``, and that: what stands in CREATE TABLE before the query.

    >>> split_table_options("sc://host:15002/;use_ssl=true?table_options=USING%20delta&spark.sql.ansi.enabled=true")
    ('sc://host:15002/;use_ssl=true?spark.sql.ansi.enabled=true', 'USING delta')
    """
    parts = urlsplit(url)
    own = [text for text in parts.query.split("&") if text.partition("=")[0] == TABLE_OPTIONS]
    if not own:
        return url, ""
    others = "&".join(text for text in parts.query.split("&") if text not in own)
    return parts._replace(query=others).geturl(), unquote_plus(own[-1].partition("=")[2])


def _duckdb(url: str, aggregate_schema: str, longest_wait: float) -> DbApiWarehouse:
    parts = urlsplit(url)
    path = unquote(parts.path)[1:] or ":memory:"
    config = dict(parse_qsl(parts.query, keep_blank_values=True))
    room = _driver_room("duckdb")
    lock_timeout = _lock_timeout("duckdb", config, room.DEFAULT_LOCK_TIMEOUT_SECONDS)
    warehouse: DbApiWarehouse = room.open_duckdb(
        path, config=config, lock_timeout=min(lock_timeout, longest_wait), aggregate_schema=aggregate_schema
    )
    return warehouse


def _chdb(url: str, dialect: Dialect, aggregate_schema: str, longest_wait: float) -> DbApiWarehouse:
    parts = urlsplit(url)
    room = _driver_room("chdb_driver", extra="chdb")
    path = unquote(parts.netloc + parts.path).rstrip("/") or room.IN_MEMORY
    settings = dict(parse_qsl(parts.query, keep_blank_values=True))
    lock_timeout = _lock_timeout("clickhouse", settings, room.DEFAULT_LOCK_TIMEOUT_SECONDS)
    warehouse: DbApiWarehouse = room.open_chdb(
        path,
        dialect,
        settings=settings,
        lock_timeout=min(lock_timeout, longest_wait),
        aggregate_schema=aggregate_schema,
    )
    return warehouse


def _lock_timeout(dialect: str, settings: dict[str, str], otherwise: float) -> float:
    """Seconds that a URL says to wait; they are taken out of its settings."""
    text = settings.pop(_LOCK_TIMEOUT, str(otherwise))
    try:
        return float(text)
    except ValueError as error:
        raise PermanentWarehouseError(
            dialect, "", f"`{_LOCK_TIMEOUT}={text}` in its URL is no number of seconds"
        ) from error


def _driver_room(name: str, *, extra: str = "") -> Any:
    """One of this room's files, with its driver.

    Args:
        extra: of the package, that installs the driver; empty: it is named like the file.
    """
    try:
        return importlib.import_module(f"airflow_atscale_aggs.engine.warehouse.{name}")
    except ModuleNotFoundError as error:
        what = "the driver" if name == "sqlalchemy_urls" else f"`pip install airflow-atscale-aggs[{extra or name}]`"
        raise PermanentWarehouseError(name, "", f"module {error.name} is not installed; install {what}") from error
