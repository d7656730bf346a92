"""URLs of Spark's thrift server, and what is said where it is not reached.

What it answers is shown in `tests/integration/spark`.
"""

from __future__ import annotations

import socket
from typing import Any

import pytest

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError, TransientWarehouseError
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse
from airflow_atscale_aggs.engine.warehouse.spark_thrift import connect_arguments


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("hive://me@host", {"host": "host", "port": None, "username": "me", "database": "default", "auth": None}),
        (
            "hive://me:p%40ss@host:10001/sales",
            {"port": 10001, "password": "p@ss", "auth": "LDAP", "database": "sales"},
        ),
        (
            "hive://host/?auth=KERBEROS&kerberos_service_name=hive&spark.sql.ansi.enabled=true",
            {"auth": "KERBEROS", "kerberos_service_name": "hive", "configuration": {"spark.sql.ansi.enabled": "true"}},
        ),
        ("hive://me:pw@host/s?auth=CUSTOM&scheme=https", {"auth": "CUSTOM", "scheme": "https", "configuration": {}}),
    ],
)
def test_a_url_becomes_arguments_of_the_driver(url: str, expected: dict[str, Any]) -> None:
    arguments = connect_arguments(url)

    assert {name: arguments[name] for name in expected} == expected


def test_a_url_without_a_host_is_refused() -> None:
    with pytest.raises(PermanentWarehouseError, match="names no host; write `hive://user@host:10000/schema`"):
        open_warehouse("hive:///default")


def test_a_server_that_does_not_answer_may_answer_later() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    warehouse = open_warehouse(f"hive://me:secret@127.0.0.1:{port}/default")

    with (
        pytest.raises(TransientWarehouseError, match="Could not connect to any of") as raised,
        warehouse.session() as session,
    ):
        session.fetch_all("SELECT 1")

    assert "secret" not in str(raised.value)


def test_arguments_that_the_driver_refuses_are_told() -> None:
    warehouse = open_warehouse("hive://me@127.0.0.1:1/default?auth=NIX")

    with (
        pytest.raises(PermanentWarehouseError, match="Only NONE, NOSASL, LDAP, KERBEROS, CUSTOM"),
        warehouse.session() as session,
    ):
        session.fetch_all("SELECT 1")
