"""Snowflake's connector, as we use it. What it does on an emulator is seen by `tests/integration/snowflake`."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError, TransientWarehouseError
from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse

errors = pytest.importorskip("snowflake.connector.errors")

from airflow_atscale_aggs.engine.warehouse.snowflake import (  # noqa: E402 - it needs the connector
    connect_arguments,
    open_hook,
    rows_written,
)


@pytest.mark.parametrize(
    ("url", "arguments"),
    [
        ("snowflake://me@acme", {"account": "acme", "user": "me"}),
        (
            "snowflake://me:a%2Fb@acme/%22my db%22",
            {"account": "acme", "user": "me", "password": "a/b", "database": '"my db"'},
        ),
        (
            "snowflake://me@acme.eu-west-1/D/S?warehouse=WH&role=R",
            {"account": "acme.eu-west-1", "user": "me", "database": "D", "schema": "S", "warehouse": "WH", "role": "R"},
        ),
        (
            "snowflake://me@acme?host=h&port=80&protocol=http&insecure_mode=True&client_session_keep_alive=false",
            {"account": "acme", "user": "me", "host": "h", "port": 80, "protocol": "http"}
            | {"insecure_mode": True, "client_session_keep_alive": False},
        ),
        (
            "snowflake://me@acme?QUERY_TAG=aggregates&STATEMENT_TIMEOUT_IN_SECONDS=60",
            {"account": "acme", "user": "me"}
            | {"session_parameters": {"QUERY_TAG": "aggregates", "STATEMENT_TIMEOUT_IN_SECONDS": 60}},
        ),
    ],
    ids=["an account", "quoted texts", "a place", "options of the connector", "parameters of a session"],
)
def test_a_url_is_what_the_connector_takes(url: str, arguments: dict[str, Any]) -> None:
    assert connect_arguments(url) == arguments


def test_a_url_without_an_account_is_refused() -> None:
    with pytest.raises(PermanentWarehouseError, match="its URL names no account; write `snowflake://user:password@"):
        open_warehouse("snowflake:///db")


def test_a_server_that_does_not_answer_is_an_error_of_the_first_statement() -> None:
    """Nobody listens at port 1."""
    warehouse = open_warehouse("snowflake://me:pass1@acme/db?host=127.0.0.1&port=1&protocol=http&login_timeout=1")
    with warehouse.session() as session, pytest.raises(TransientWarehouseError) as caught:
        session.execute("SELECT 1")

    assert "the connection was lost, or cannot be made" in caught.value.reason
    assert "pass1" not in str(caught.value)


@pytest.mark.parametrize(
    "error", [ValueError("no key in it"), FileNotFoundError("no such file"), TypeError("no bytes")]
)
def test_a_key_that_cannot_be_read_is_a_wrong_connection(error: Exception) -> None:
    """The connector, and Airflow's hook, raise Python's errors for it."""

    def connect() -> Any:
        raise error

    warehouse = open_hook(connect, find_dialect("snowflake"), aggregate_schema="")
    with (
        warehouse.session() as session,
        pytest.raises(PermanentWarehouseError, match=f"{error} .correct the connection"),
    ):
        session.execute("SELECT 1")


@pytest.mark.parametrize(
    ("column", "count", "rows"),
    [
        ("status", 1, None),
        ("number of rows inserted", 7, 7),
        ("number of rows inserted", None, None),
        ("COUNT(*)", 1, None),
    ],
)
def test_only_statements_that_write_rows_tell_how_many(column: str, count: int | None, rows: int | None) -> None:
    """CREATE TABLE AS answers with a sentence."""
    assert rows_written(SimpleNamespace(description=[(column, 0)], rowcount=count)) == rows
    assert rows_written(SimpleNamespace(description=None, rowcount=count)) is None


class _Connection:
    """Keeps what it is asked for."""

    def __init__(self, session_id: int | None) -> None:
        self.session_id, self.statements, self.modes = session_id, list[str](), list[bool]()

    def autocommit(self, mode: bool) -> None:
        self.modes.append(mode)

    def cursor(self) -> Any:
        return SimpleNamespace(
            execute=self.statements.append, close=lambda: None, description=None, rowcount=None, fetchall=list
        )


@pytest.mark.parametrize(("session_id", "said"), [(17, ["SELECT SYSTEM$CANCEL_ALL_QUERIES(17)"]), (None, [])])
def test_a_statement_is_cancelled_by_its_session(session_id: int | None, said: list[str]) -> None:
    """Each statement commits by itself."""
    connection = _Connection(session_id)
    warehouse = open_hook(lambda: connection, find_dialect("snowflake"), aggregate_schema="")
    with warehouse.session() as session:
        session.execute("SELECT 1")
        warehouse.cancel_all()

    assert connection.modes == [True]
    assert connection.statements == ["SELECT 1", *said]
