"""Connections as Airflow people have them: extras of other tools, passwords in odd places, nonsense."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
from airflow.sdk.definitions.connection import Connection
from airflow.sdk.exceptions import AirflowFailException

from airflow_atscale_aggs.hooks.aggregates import AggregatesHook
from airflow_atscale_aggs.hooks.postgres_urls import libpq_url
from airflow_atscale_aggs.hooks.secrets import secrets_of_url, with_password

pytestmark = pytest.mark.airflow

_EXTRAS = {
    "keepalives": True,
    "keepalives_idle": 30,
    "connect_timeout": "10",
    "application_name": "nightly etl",
    "options": "-c statement_timeout=60000 -c search_path=public",
    "cursor": "realdictcursor",
    "iam": False,
    "enable_log_db_messages": True,
    "redshift": "false",
    "nested": {"a": [1, {"b": None}]},
    "sslcert": None,
}


def _connect(monkeypatch: pytest.MonkeyPatch, conn_id: str, **fields: object) -> None:
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields))


def _parts(url: str) -> dict[str, object]:
    """The fields of an Airflow connection to the server behind a URL."""
    info = psycopg.conninfo.conninfo_to_dict(url.replace("+psycopg", "", 1))
    return {
        "conn_type": "postgres",
        "host": info.get("host"),
        "login": info.get("user"),
        "password": info.get("password"),
        "port": int(str(info["port"])) if info.get("port") else None,
        "schema": info.get("dbname"),
    }


@pytest.mark.postgres
@pytest.mark.parametrize("extras", [{}, _EXTRAS, {"keepalives_idle": 30}, {"cursor": "dictcursor"}])
def test_a_postgres_connection_with_extras_of_other_tools_works(
    monkeypatch: pytest.MonkeyPatch, postgres_url: str, extras: Mapping[str, object]
) -> None:
    _connect(monkeypatch, "pg", **_parts(postgres_url), extra=extras)
    _connect(
        monkeypatch,
        "aggs",
        conn_type="atscale_aggs",
        extra={"registry_conn_id": "pg", "warehouse_conn_id": "pg", "aggregate_schema": "aggs"},
    )
    hook = AggregatesHook("aggs")
    assert hook.test_connection() == (True, "Registry and warehouse answer.")
    with hook.get_conn() as workspace, workspace.warehouse.session() as session:
        if extras is _EXTRAS:
            assert session.fetch_all("SHOW statement_timeout") == [("1min",)]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"host": "db", "login": "me", "password": "a b+c@d/e%", "port": 5433, "schema": "dw"},
            {"host": "db", "user": "me", "password": "a b+c@d/e%", "port": "5433", "dbname": "dw"},
        ),
        ({"host": "::1", "schema": "dw"}, {"host": "::1", "dbname": "dw"}),
        ({"host": "/var/run/pg", "port": 5433}, {"host": "/var/run/pg", "port": "5433"}),
        ({"host": "a,b", "port": None, "schema": "dw"}, {"host": "a,b", "dbname": "dw"}),
        ({"host": "db", "extra": {"options": "-c a=b c+d"}}, {"host": "db", "options": "-c a=b c+d"}),
        ({"host": "db", "extra": {"dbname": "other"}}, {"host": "db", "dbname": "other"}),
        ({"host": "db", "schema": "dw", "extra": {"dbname": "other"}}, {"host": "db", "dbname": "dw"}),
    ],
)
def test_a_url_says_what_the_connection_says(fields: dict[str, Any], expected: dict[str, str]) -> None:
    extra = json.dumps(fields.pop("extra", {}))
    url = libpq_url(Connection(conn_id="pg", conn_type="postgres", extra=extra, **fields))
    read = psycopg.conninfo.conninfo_to_dict(url.replace("+psycopg", "", 1))
    assert {key: str(value) for key, value in read.items()} == expected


def test_an_option_of_libpq_without_a_plain_value_is_refused_by_name() -> None:
    connection = Connection(conn_id="pg", conn_type="postgres", host="db", extra='{"sslmode": {"a": 1}}')
    with pytest.raises(AirflowFailException, match="`pg`: the extra `sslmode`"):
        libpq_url(connection)


def test_a_token_of_a_cloud_needs_the_provider_that_fetches_it() -> None:
    connection = Connection(conn_id="pg", conn_type="postgres", host="db", extra='{"iam": true}')
    with pytest.raises(AirflowFailException, match="apache-airflow-providers-postgres"):
        libpq_url(connection)


_BROKEN = {
    "nothing": {},
    "no scheme": {"registry_url": "registry.sqlite", "warehouse_url": "duckdb://"},
    "unknown scheme": {"registry_url": "sqlite://", "warehouse_url": "nonsense://x"},
    "unknown registry": {"registry_url": "nonsense://x", "warehouse_url": "duckdb://"},
    "a number": {"registry_url": 5, "warehouse_url": "duckdb://"},
    "a list": {"registry_url": "sqlite://", "warehouse_url": ["duckdb://"]},
    "schema is an object": {"registry_url": "sqlite://", "warehouse_url": "duckdb://", "aggregate_schema": {}},
    "a port that is none": {"registry_url": "sqlite://", "warehouse_url": "postgresql+psycopg://u:hidden1@h:abc/db"},
    "an option that is none": {
        "registry_url": "sqlite://",
        "warehouse_url": "postgresql+psycopg://u:hidden1@h/db?nix=1",
    },
    "a bracket": {"registry_url": "sqlite://", "warehouse_url": "postgresql+psycopg://u:hidden1@[h/db"},
    "registry with a port that is none": {
        "registry_url": "postgresql+psycopg://u:hidden1@h:abc/db",
        "warehouse_url": "duckdb://",
    },
    "nobody listens": {
        "registry_url": "postgresql+psycopg://u:hidden1@127.0.0.1:1/db?connect_timeout=2",
        "warehouse_url": "duckdb://",
    },
    "no such folder": {"registry_url": "sqlite:////no/such/folder/r.sqlite", "warehouse_url": "duckdb://"},
    "no such warehouse folder": {"registry_url": "sqlite://", "warehouse_url": "duckdb:////no/such/folder/w.duckdb"},
    "an unknown connection": {"registry_conn_id": "nowhere", "warehouse_url": "duckdb://"},
    "a warehouse without driver": {"registry_url": "sqlite://", "warehouse_url": "trino://u:hidden1@host/db"},
}


@pytest.mark.parametrize("extra", _BROKEN.values(), ids=_BROKEN)
def test_the_test_button_answers_with_a_sentence(monkeypatch: pytest.MonkeyPatch, extra: Mapping[str, object]) -> None:
    """The answer is never an exception, and never shows a password."""
    _connect(monkeypatch, "aggs", conn_type="atscale_aggs", extra=extra)
    is_well, sentence = AggregatesHook("aggs").test_connection()
    assert not is_well
    assert sentence
    assert "hidden1" not in sentence
    assert "Traceback" not in sentence


@pytest.mark.parametrize(
    "fields",
    [
        {"conn_type": "generic", "host": "x"},
        {"conn_type": "fs"},
        {"conn_type": "oracle"},
        {"host": "x"},
        {"conn_type": "postgres", "host": "x", "extra": "[1]"},
    ],
)
def test_a_warehouse_connection_that_runs_no_sql_is_refused_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fields: Mapping[str, object]
) -> None:
    """The error is a sentence with the connection's name, and the task is not retried."""
    _connect(monkeypatch, "somewhere", **fields)
    extra = {"registry_url": f"sqlite:///{tmp_path}/r.sqlite", "warehouse_conn_id": "somewhere"}
    _connect(monkeypatch, "aggs", conn_type="atscale_aggs", extra=extra)

    with pytest.raises(AirflowFailException, match="`somewhere`"):
        AggregatesHook("aggs").get_conn()


def test_an_unknown_connection_is_told_by_the_test_button() -> None:
    is_well, sentence = AggregatesHook("nowhere").test_connection()
    assert not is_well
    assert "nowhere" in sentence


def test_a_password_may_stand_beside_its_url(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its key is one that Airflow hides by itself."""
    extra = {
        "registry_url": f"sqlite:///{tmp_path / 'r.sqlite'}",
        "warehouse_url": "postgresql+psycopg://me@db/dw",
        "warehouse_password": "s@cret word",
    }
    _connect(monkeypatch, "aggs", conn_type="atscale_aggs", extra=extra)
    assert AggregatesHook("aggs").warehouse_url() == "postgresql+psycopg://me:s%40cret%20word@db/dw"


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        ("postgresql://me:plain@h/db", ("plain",)),
        ("postgresql://me:a%2Fb@h/db?sslpassword=key%201", ("a%2Fb", "a/b", "key 1")),
        ("postgresql://h/db?password=x1", ("x1",)),
        ("duckdb:///md:db?motherduck_token=abc", ("abc",)),
        ("sqlite:///r.sqlite", ()),
        ("postgresql://u:p@[h/db", ()),
    ],
)
def test_secrets_of_a_url(url: str, secrets: tuple[str, ...]) -> None:
    assert secrets_of_url(url) == secrets


def test_a_url_keeps_the_password_that_it_has() -> None:
    assert with_password("postgresql://me:own@h/db", "other") == "postgresql://me:own@h/db"
    assert with_password("sqlite:///r.sqlite", "other") == "sqlite:///r.sqlite"


def test_the_extras_are_looked_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each look is a message to Airflow's supervisor, which a task waits for."""
    looks: list[str] = []

    def look(connection: Connection) -> dict[str, Any]:
        looks.append(connection.conn_id)
        return dict(json.loads(connection.extra or "{}"))

    monkeypatch.setattr(Connection, "extra_dejson", property(look))
    extra = {"registry_url": f"sqlite:///{tmp_path / 'r.sqlite'}", "warehouse_url": "duckdb:///:memory:"}
    _connect(monkeypatch, "seen_once", conn_type="atscale_aggs", extra=extra)

    AggregatesHook.get_connection("seen_once")
    of_airflow = len(looks)

    with AggregatesHook("seen_once").get_conn():
        assert len(looks) == of_airflow + of_airflow + 1
