"""Sessions over Spark Connect, on a real server of it (Sail)."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sail_server import shared_session

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError, TransientWarehouseError
from airflow_atscale_aggs.engine.warehouse import spark_connect
from airflow_atscale_aggs.engine.warehouse.base import RowBounds
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession
from airflow_atscale_aggs.engine.warehouse.spark_client import SQL, SparkSession
from airflow_atscale_aggs.engine.warehouse.spark_connect import split_options

_ZONE = "spark.sql.session.timeZone"


def test_values_come_as_python_has_them(sail_session: DbApiSession) -> None:
    """An instant comes with its zone, and NULL as None."""
    query = (
        "SELECT CAST(2.50 AS DECIMAL(7, 2)) AS d, DATE '2026-01-02' AS day, "
        "TIMESTAMP '2026-01-02 03:04:05.123456' AS at, CAST(NULL AS STRING) AS nothing, TRUE AS yes, 'é' AS text"
    )

    names, rows = sail_session.fetch_with_names(query)

    assert names == ("d", "day", "at", "nothing", "yes", "text")
    at = datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)
    assert rows == [(Decimal("2.50"), date(2026, 1, 2), at, None, True, "é")]
    assert sail_session.result_types(query) == ("decimal(7,2)", "date", "timestamp", "string", "boolean", "string")
    assert sail_session.fetch_all("SELECT 1 WHERE FALSE") == []


def test_no_more_rows_are_read_than_asked_for(sail_session: DbApiSession) -> None:
    first = sail_session.fetch_first("SELECT id FROM RANGE(100000) ORDER BY id", RowBounds(3, 10**6))

    assert (first.names, first.rows, first.is_cut) == (("id",), [(0,), (1,), (2,)], True)


def test_a_view_is_altered_also_where_the_server_has_no_alter_view(sail_session: DbApiSession) -> None:
    sail_session.execute("CREATE VIEW v AS SELECT 1 AS a")

    sail_session.execute("ALTER VIEW v AS SELECT 2 AS a, 3 AS b")

    assert sail_session.fetch_all("SELECT * FROM v") == [(2, 3)]


def test_a_server_without_alter_view_is_asked_for_it_once(sail_address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By all sessions of a warehouse."""
    sent: list[str] = []
    send = spark_connect._Cursor._send

    def noted(cursor: spark_connect._Cursor, statement: SQL) -> None:
        sent.append(statement._query)
        send(cursor, statement)

    monkeypatch.setattr(spark_connect._Cursor, "_send", noted)
    warehouse = open_warehouse(shared_session(sail_address))
    for name in ("v", "w"):
        with warehouse.session() as session:
            session.execute(f"CREATE VIEW {name} AS SELECT 1 AS a")
            session.execute(f"ALTER VIEW {name} AS SELECT 2 AS a")
            assert session.fetch_all(f"SELECT a FROM {name}") == [(2,)]
    warehouse.close()

    assert [sql for sql in sent if "ALTER" in sql] == ["ALTER VIEW v AS SELECT 2 AS a"]


def test_the_settings_of_a_block_are_given_back(sail_session: DbApiSession) -> None:
    before = sail_session.settings()

    with sail_session.apply_settings({_ZONE: "Asia/Tokyo"}):
        assert sail_session.settings()[_ZONE] == "Asia/Tokyo"

    assert sail_session.settings() == before
    assert before[_ZONE]


def test_instants_come_in_one_zone_whatever_that_of_the_session(sail_session: DbApiSession) -> None:
    with sail_session.apply_settings({_ZONE: "Asia/Tokyo"}):
        ((at,),) = sail_session.fetch_all("SELECT TIMESTAMP '2026-01-02 03:04:05' AS at")

    assert at == datetime(2026, 1, 1, 18, 4, 5, tzinfo=UTC)
    assert at.utcoffset() == timedelta(0)


def test_a_query_takes_one_call_of_the_server(sail_session: DbApiSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call would look up the tables and plan the query again."""
    sail_session.fetch_all("SELECT 1")
    # The client may be imported by way of our own module only: it ends a process whose main module has no file.
    client = sys.modules[SparkSession.__module__].SparkConnectClient
    calls: list[str] = []
    for name in ("to_table", "execute_command", "schema", "_analyze"):
        own = getattr(client, name)

        def counted(*arguments: object, _own: Any = own, _name: str = name, **named: object) -> Any:
            calls.append(_name)
            return _own(*arguments, **named)

        monkeypatch.setattr(client, name, counted)

    sail_session.fetch_all("SELECT 2 AS two")
    sail_session.fetch_first("SELECT 2 AS two", RowBounds(3, 10**6))
    sail_session.fetch_all("SHOW TABLES")

    assert calls == ["to_table", "to_table", "execute_command"]


def test_a_session_may_begin_with_settings(sail_address: str) -> None:
    warehouse = open_warehouse(f"{sail_address}/?{_ZONE}=Asia/Tokyo")
    with warehouse.session() as session:
        assert session.settings()[_ZONE] == "Asia/Tokyo"
    warehouse.close()


def test_a_session_is_used_twice_by_attempts_of_a_batch_alone(sail_address: str) -> None:
    """Spark lists the files of a table once in a session: in a kept one, what others load is never seen."""
    warehouse = open_warehouse(sail_address)
    warehouse.kept_sessions = 2

    def finds_view(*, may_remember: bool) -> bool:
        with warehouse.session(may_remember=may_remember) as session:
            return bool(session.fetch_all("SHOW TABLES LIKE 'of_this_session'"))

    with warehouse.keep_sessions(2):
        with warehouse.session(may_remember=True) as session:
            session.execute("CREATE TEMPORARY VIEW of_this_session AS SELECT 1 AS a")
        found = (finds_view(may_remember=False), finds_view(may_remember=True))
    after = finds_view(may_remember=True)
    warehouse.close()

    assert found == (False, True)
    assert not after


def test_a_session_that_was_idle_for_long_is_not_used_again(sail_address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server may have ended it."""
    warehouse = open_warehouse(sail_address)
    monkeypatch.setattr(spark_connect, "_MOST_IDLE", 0.0)
    with warehouse.keep_sessions(2):
        with warehouse.session(may_remember=True) as first:
            first.fetch_all("SELECT 1 AS one")
        with warehouse.session(may_remember=True) as second:
            assert second is not first
    warehouse.close()


def test_who_names_a_session_shares_its_tables_and_does_not_end_it(sail_address: str) -> None:
    url = shared_session(sail_address)
    first = open_warehouse(url, aggregate_schema="aggs")
    with first.session() as session:
        session.execute("CREATE TABLE aggs.t AS SELECT 1 AS a")
    first.close()

    second = open_warehouse(url)
    with second.session() as one, second.session() as other:
        assert one.fetch_all("SELECT a FROM aggs.t") == other.fetch_all("SELECT a FROM aggs.t") == [(1,)]
    second.close()


def test_what_is_wrong_for_good_is_told_in_one_line(sail_session: DbApiSession) -> None:
    with pytest.raises(PermanentWarehouseError, match="not there, or not where the session looks") as caught:
        sail_session.fetch_all("SELECT * FROM gone")

    assert "\n" not in caught.value.reason


def test_a_server_that_does_not_answer_may_do_so_later() -> None:
    """The port of nobody."""
    warehouse = open_warehouse("sc://127.0.0.1:9", aggregate_schema="aggs")

    with pytest.raises(TransientWarehouseError, match="connection was lost, or cannot be made"):
        warehouse.require_schema()


def test_settings_follow_the_address() -> None:
    assert split_options(f"sc://h:1/;token=t?{_ZONE}=UTC&a=b") == ("sc://h:1/;token=t", {_ZONE: "UTC", "a": "b"})
