"""Warehouses behind connections of other types than PostgreSQL, as Airflow's own hooks open them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import sqlalchemy
from airflow.providers.common.sql.hooks.sql import DbApiHook
from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowFailException
from sail_server import shared_session

from airflow_atscale_aggs.engine.errors import WarehouseError
from airflow_atscale_aggs.hooks.aggregates import AggregatesHook
from airflow_atscale_aggs.hooks.sql_connections import (
    dialect_of_connection,
    open_connection,
    spark_connect_url,
    url_of,
)
from tests.conftest import PostgresDatabase

pytestmark = pytest.mark.airflow


class _PsycopgHook(DbApiHook):
    """Opens connections as most providers do: each begins a transaction that somebody must commit."""

    conn_name_attr = "conn_id"
    url = ""

    def get_conn(self) -> Any:
        return psycopg.connect(self.url)

    def get_sqlalchemy_engine(self, engine_kwargs: Any = None) -> Any:
        return sqlalchemy.create_engine("postgresql+psycopg://", **(engine_kwargs or {}))


class _NowhereHook(DbApiHook):
    """Opens connections that run nothing."""

    conn_name_attr = "conn_id"

    def get_conn(self) -> Any:
        return self

    def cursor(self) -> Any:
        message = "nowhere to run it"
        raise psycopg.ProgrammingError(message)


def _connection(conn_id: str, **fields: Any) -> Connection:
    extra = fields.pop("extra", None)
    return Connection(conn_id=conn_id, extra=None if extra is None else json.dumps(extra), **fields)


def _connect(monkeypatch: pytest.MonkeyPatch, conn_id: str, **fields: Any) -> Connection:
    connection = _connection(conn_id, **fields)
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", connection.as_json())
    return connection


@pytest.mark.postgres
def test_a_table_made_in_one_session_is_there_in_the_next(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, postgres_database: PostgresDatabase
) -> None:
    """Of a type that nobody knows, the SQLAlchemy dialect of its hook names the row."""
    with postgres_database("generic") as url:
        monkeypatch.setattr(_PsycopgHook, "url", urlsplit(url)._replace(scheme="postgresql").geturl())
        monkeypatch.setattr(Connection, "get_hook", lambda _self: _PsycopgHook())
        _connect(monkeypatch, "generic", conn_type="generic", host="h")
        extra = {
            "registry_url": f"sqlite:///{tmp_path}/r.sqlite",
            "warehouse_conn_id": "generic",
            "aggregate_schema": "aggs",
        }
        _connect(monkeypatch, "aggs", conn_type="atscale_aggs", extra=extra)

        with AggregatesHook("aggs").get_conn() as workspace:
            with workspace.warehouse.session() as session:
                session.execute("CREATE TABLE aggs.t AS SELECT 1 AS a")
            with workspace.warehouse.session() as session:
                assert session.fetch_all("SELECT a FROM aggs.t") == [(1,)]
        with AggregatesHook("aggs").get_conn() as workspace, workspace.warehouse.session() as session:
            assert session.tables("aggs") == {"t"}
            assert workspace.warehouse.dialect.name == "postgres"


def test_a_warehouse_that_was_never_run_is_refused_unless_its_connection_asks_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is refused before a statement is sent. What is asked of it then is not in PostgreSQL's words."""
    monkeypatch.setattr(Connection, "get_hook", lambda _self: _NowhereHook())
    for extra, said in (({}, "nobody has run the engine on redshift"), ({"accept_unproven": True}, "nowhere")):
        connection = _connect(monkeypatch, "redshift", conn_type="redshift", host="h", extra=extra)
        with (
            open_connection(connection, aggregate_schema="").session() as session,
            pytest.raises(WarehouseError, match=said),
        ):
            session.fetch_all("SELECT 1")


def test_a_spark_connect_connection_needs_no_provider(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sail_address: str
) -> None:
    """A server that keeps its catalog in the session is shared by the session's id."""
    parts = urlsplit(shared_session(sail_address))
    extra = {"session_id": parts.path.partition("=")[2], "spark.sql.session.timeZone": "UTC"}
    spark = _connect(monkeypatch, "spark", conn_type="spark_connect", host=parts.hostname, port=parts.port, extra=extra)
    registry = f"sqlite:///{tmp_path}/r.sqlite"
    fields = {"registry_url": registry, "warehouse_conn_id": "spark", "aggregate_schema": "aggs"}
    _connect(monkeypatch, "aggs", conn_type="atscale_aggs", extra=fields)

    for number in (1, 2):
        with AggregatesHook("aggs").get_conn() as workspace, workspace.warehouse.session() as session:
            session.execute(f"CREATE TABLE aggs.t{number} AS SELECT 1 AS a")

    with AggregatesHook("aggs").get_conn() as workspace, workspace.warehouse.session() as session:
        assert session.tables("aggs") == {"t1", "t2"}
    assert AggregatesHook("aggs").test_connection() == (True, "Registry and warehouse answer.")
    assert AggregatesHook("aggs").warehouse_dialect().name == "spark"
    assert AggregatesHook("aggs").warehouse_url() == spark_connect_url(spark)


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"host": "h"}, "sc://h/"),
        ({"host": "sc://h", "port": 15002}, "sc://h:15002/"),
        (
            {"host": "h", "login": "me", "password": "a;b", "extra": {"use_ssl": True}},
            "sc://h/;user_id=me;token=a%3Bb;use_ssl=True",
        ),
        (
            {"host": "h", "extra": {"session_id": "x", "spark.sql.ansi.enabled": "true", "note": "n"}},
            "sc://h/;session_id=x?spark.sql.ansi.enabled=true",
        ),
        ({"host": "h", "extra": {"table_options": "USING delta"}}, "sc://h/?table_options=USING%20delta"),
    ],
)
def test_a_spark_connect_connection_is_written_as_its_client_reads_it(fields: Mapping[str, Any], url: str) -> None:
    assert spark_connect_url(_connection("s", conn_type="spark_connect", **fields)) == url


@pytest.mark.parametrize(
    ("conn_type", "dialect"),
    [
        ("postgres", "postgres"),
        ("databricks", "databricks"),
        ("gcpbigquery", "bigquery"),
        ("google_cloud_platform", "bigquery"),
        ("hiveserver2", "spark"),
        ("mssql", "tsql"),
        ("snowflake", "snowflake"),
        ("spark_connect", "spark"),
        ("trino", "trino"),
    ],
)
def test_the_type_of_a_connection_names_the_row_without_its_provider(conn_type: str, dialect: str) -> None:
    assert dialect_of_connection(Connection(conn_id="c", conn_type=conn_type, host="h")).name == dialect


def test_a_type_whose_provider_is_missing_is_refused_with_what_to_do() -> None:
    for conn_type in ("databricks", "snowflake", "oracle"):
        connection = Connection(conn_id="c", conn_type=conn_type, host="h")
        with pytest.raises(AirflowFailException, match=f"`c` is a {conn_type} connection.* install its provider"):
            open_connection(connection, aggregate_schema="")


def test_other_connections_are_written_as_airflow_writes_them() -> None:
    assert url_of(Connection(conn_id="c", conn_type="trino", host="h", login="u")) == "trino://u@h"
