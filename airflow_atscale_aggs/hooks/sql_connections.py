"""Warehouses behind other people's Airflow connections: which dialect each type speaks, and how it is opened.

The engine is imported inside functions: a DAG file that imports operators must not pay for SQL libraries.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from airflow_atscale_aggs.hooks.postgres_urls import POSTGRES_TYPES, extras_of

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from airflow_atscale_aggs.engine.sql.capabilities import Dialect
    from airflow_atscale_aggs.engine.warehouse.base import Warehouse


SPARK_CONNECT = "spark_connect"

_Hook = tuple[str, str, str, Mapping[str, Any]]
"""Module, class, name of the argument with the connection's id, and further arguments."""


@dataclass(frozen=True, slots=True)
class _ConnectionType:
    """A type of connection.

    Attributes:
        dialect: the capability row of the warehouse behind it.
        hook: the hook that runs SQL, where Airflow's own choice for the type runs none.
    """

    dialect: str
    hook: _Hook | None = None


_BIGQUERY: _Hook = (
    "airflow.providers.google.cloud.hooks.bigquery",
    "BigQueryHook",
    "gcp_conn_id",
    {"use_legacy_sql": False},
)
_DATABRICKS: _Hook = (
    "airflow.providers.databricks.hooks.databricks_sql",
    "DatabricksSqlHook",
    "databricks_conn_id",
    {},
)

_TYPES: Mapping[str, _ConnectionType] = {
    **dict.fromkeys(POSTGRES_TYPES, _ConnectionType("postgres")),
    SPARK_CONNECT: _ConnectionType("spark"),
    "databricks": _ConnectionType("databricks", _DATABRICKS),
    "gcpbigquery": _ConnectionType("bigquery", _BIGQUERY),
    "google_cloud_platform": _ConnectionType("bigquery", _BIGQUERY),
    "hiveserver2": _ConnectionType("spark"),
    "mssql": _ConnectionType("tsql"),
    "redshift": _ConnectionType("redshift"),
    "snowflake": _ConnectionType("snowflake"),
    "trino": _ConnectionType("trino"),
}
"""By Airflow's name of a type. Of other types, the SQLAlchemy dialect of their hook names the row."""

_OF_PROTOCOL = ("use_ssl", "session_id")
"""Extras of a Spark Connect connection that are parameters of its address."""


def open_connection(connection: Connection, *, aggregate_schema: str) -> Warehouse:
    """The warehouse behind a connection that is none of PostgreSQL's.

    With ``accept_unproven`` among its extras the engine runs on a warehouse that it was never run on. The extra
    ``table_options`` says how its tables are made, such as ``USING delta``.

    Raises:
        AirflowFailException: no installed provider runs SQL over it.
        UnsupportedOnDialectError: no capability row fits it.
    """
    from airflow_atscale_aggs.engine.warehouse.connect import TABLE_OPTIONS, open_hook, open_warehouse
    from airflow_atscale_aggs.engine.warehouse.first_contact import ACCEPT_UNPROVEN, FirstContact, is_yes, place_of

    if connection.conn_type == SPARK_CONNECT:
        return open_warehouse(spark_connect_url(connection), aggregate_schema=aggregate_schema)
    make_hook = _hook_maker(connection)
    options = str(extras_of(connection).get(TABLE_OPTIONS, ""))
    dialect = replace(dialect_of_connection(connection), table_options=options)
    # A hook may keep its connection for itself, and each session closes its own: so each gets a hook.
    warehouse = open_hook(lambda: make_hook().get_conn(), dialect, aggregate_schema=aggregate_schema)
    is_accepted = is_yes(extras_of(connection).get(ACCEPT_UNPROVEN, ""))
    warehouse.first_contact = FirstContact(place_of(connection.get_uri()), is_accepted)
    return warehouse


def spark_connect_url(connection: Connection) -> str:
    """The address of a Spark Connect connection, as the hook of Airflow's provider writes it.

    Its extras ``use_ssl`` and ``session_id`` are parameters of the address. Extras whose names begin with ``spark.``
    are settings of each session, and ``table_options`` says how tables are made.
    """
    host = (connection.host or "localhost").rpartition("://")[2]
    extras = extras_of(connection)
    given = {"user_id": connection.login, "token": connection.password}
    given |= {name: extras.get(name) for name in _OF_PROTOCOL}
    parameters = ";".join(f"{name}={quote(str(value))}" for name, value in given.items() if value not in {None, ""})
    options = "&".join(f"{name}={quote(str(value))}" for name, value in extras.items() if _is_option(name))
    port = f":{connection.port}" if connection.port else ""
    return f"sc://{host}{port}/" + (f";{parameters}" if parameters else "") + (f"?{options}" if options else "")


def _is_option(name: str) -> bool:
    return name.startswith("spark.") or name == "table_options"


def _hook_maker(connection: Connection) -> Callable[[], Any]:
    """Makes hooks with ``get_conn``. Raises AirflowFailException where there are none."""
    known = _TYPES.get(connection.conn_type or "")
    try:
        if known is not None and known.hook is not None:
            module, name, argument, more = known.hook
            hook_class = getattr(importlib.import_module(module), name)
            return lambda: hook_class(**{argument: connection.conn_id}, **more)
        hook = connection.get_hook()
    except (AirflowException, AttributeError, ImportError, TypeError) as error:
        raise _refusal(connection, str(error)) from error
    if not callable(getattr(hook, "get_sqlalchemy_engine", None)):
        raise _refusal(connection, f"its {type(hook).__name__} opens no connections for SQL")
    return connection.get_hook


def url_of(connection: Connection) -> str:
    """The connection as a URL, which may hold a password."""
    return spark_connect_url(connection) if connection.conn_type == SPARK_CONNECT else str(connection.get_uri())


def dialect_of_connection(connection: Connection) -> Dialect:
    """The capability row of the warehouse behind a connection of any type. Raises as `open_connection`."""
    from airflow_atscale_aggs.engine.sql.dialects import dialect_of_url, find_dialect

    known = _TYPES.get(connection.conn_type or "")
    if known is not None:
        return find_dialect(known.dialect)
    try:
        name = _hook_maker(connection)().get_sqlalchemy_engine().dialect.name
    except AirflowFailException:
        raise
    except Exception as error:  # other people's hooks raise anything
        raise _refusal(connection, str(error)) from error
    return dialect_of_url(f"{name}://")


def _refusal(connection: Connection, reason: str) -> AirflowFailException:
    kind = f"a {connection.conn_type} connection" if connection.conn_type else "a connection without a type"
    return AirflowFailException(
        f"Connection `{connection.conn_id}` is {kind}, with which no installed Airflow provider runs SQL ({reason}). "
        "Name a connection of the warehouse, and install its provider; for DuckDB fill in `warehouse_url`."
    )
