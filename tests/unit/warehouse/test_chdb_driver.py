"""ClickHouse in this process, by chDB. A process has one folder open at a time, so each test closes its own."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError, TransientWarehouseError
from airflow_atscale_aggs.engine.warehouse.base import RowBounds
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession, DbApiWarehouse

_MANY = RowBounds(3, 10**6)


@contextlib.contextmanager
def _opened(url: str) -> Iterator[DbApiWarehouse]:
    warehouse = open_warehouse(url)
    try:
        yield warehouse
    finally:
        warehouse.close()


def test_values_come_as_python_has_them(clickhouse: DbApiSession) -> None:
    """With all their digits, NULL as None; a time whose type names a zone knows it."""
    query = (
        "SELECT toDecimal64('2.50', 2) AS d, toDate32('1950-01-02') AS day, "
        "toDateTime64('2026-01-02 03:04:05.123456', 6) AS at, "
        "toDateTime64('2026-01-02 03:04:05', 0, 'Asia/Tokyo') AS zoned, "
        "toLowCardinality('é') AS text, toInt64(9223372036854775807) AS big, toInt256(5) AS wide, true AS yes, "
        "toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0') AS id, CAST(NULL AS Nullable(Int8)) AS nothing, 1e300 AS e"
    )

    names, rows = clickhouse.fetch_with_names(query)

    assert names[:4] == ("d", "day", "at", "zoned")
    assert [str(value) for value in rows[0][:1]] == ["2.50"]
    assert rows == [
        (
            Decimal("2.50"),
            date(1950, 1, 2),
            datetime(2026, 1, 2, 3, 4, 5, 123456),
            datetime(2026, 1, 2, 3, 4, 5, tzinfo=ZoneInfo("Asia/Tokyo")),
            "é",
            9223372036854775807,
            5,
            True,
            UUID("61f0c404-5cb3-11e7-907b-a6006ad3dba0"),
            None,
            1e300,
        )
    ]
    assert clickhouse.result_types(query)[:2] == ("Decimal(18, 2)", "Date32")
    assert clickhouse.fetch_all("SELECT 1 WHERE 0") == []
    assert [str(value) for value in clickhouse.fetch_all("SELECT nan, -inf")[0]] == ["nan", "-inf"]


def test_bytes_that_are_no_text_are_an_error(clickhouse: DbApiSession) -> None:
    with pytest.raises(PermanentWarehouseError, match="not in UTF-8"):
        clickhouse.fetch_all("SELECT unhex('ff')")


def test_no_more_rows_are_read_than_asked_for(clickhouse: DbApiSession) -> None:
    """Types come also where there are no rows, and the session goes on."""
    first = clickhouse.fetch_first("SELECT number AS n FROM numbers(100000000) -- all", _MANY)

    assert (first.names, first.rows, first.is_cut) == (("n",), [(0,), (1,), (2,)], True)
    assert clickhouse.fetch_first("SELECT toDecimal64(1, 2) AS d WHERE 0", _MANY).names == ("d",)
    assert clickhouse.fetch_all("SELECT 5") == [(5,)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1; SELECT 2",
        "SELECT 1 FORMAT CSV",
        "SELECT 1 INTO OUTFILE '/tmp/never.csv'",
        "INSERT INTO FUNCTION file('/tmp/never.csv') SELECT 1",
        "CREATE TABLE never AS SELECT 1 AS a",
        "SET max_threads = 1",
        "SELEC 1",
    ],
)
def test_what_is_no_single_query_is_not_read(clickhouse: DbApiSession, sql: str) -> None:
    with pytest.raises(PermanentWarehouseError):
        clickhouse.fetch_first(sql, _MANY)

    assert clickhouse.tables("") == frozenset()
    assert not Path("/tmp/never.csv").exists()


def test_sessions_share_tables_and_no_settings(tmp_path: Path) -> None:
    url = f"chdb://{tmp_path}/data?session_timezone=Asia/Tokyo"
    with _opened(url) as warehouse, warehouse.session() as one, warehouse.session() as other:
        one.make_schema("s")
        one.execute("CREATE TABLE s.t AS SELECT 1 AS a")
        one.execute("SET max_block_size = 7")
        query = "SELECT a, getSetting('max_block_size') = 7 FROM s.t"
        assert one.fetch_all(query) == [(1, True)]
        assert other.fetch_all(query) == [(1, False)]
        assert other.settings()["session_timezone"] == "Asia/Tokyo"
        with other.apply_settings({**other.settings(), "session_timezone": "UTC"}):
            assert other.settings()["session_timezone"] == "UTC"
        assert other.settings()["session_timezone"] == "Asia/Tokyo"
    with _opened(f"chdb://{tmp_path}/data") as warehouse, warehouse.session() as later:
        assert later.fetch_all("SELECT a FROM s.t") == [(1,)]


def test_what_is_in_memory_lives_as_long_as_its_warehouse() -> None:
    for _ in range(2):
        with _opened("chdb://") as warehouse:
            with warehouse.session() as session:
                session.execute("CREATE TABLE t AS SELECT 1 AS a")
            with warehouse.session() as session:
                assert session.fetch_all("SELECT a FROM t") == [(1,)]


def test_a_process_has_one_folder_open(tmp_path: Path) -> None:
    with (
        _opened(f"chdb://{tmp_path}/one") as warehouse,
        _opened(f"chdb://{tmp_path}/two") as second,
        warehouse.session() as session,
        second.session() as other,
    ):
        session.execute("SELECT 1")
        with pytest.raises(PermanentWarehouseError, match=r"has chDB's folder .*one open, and chDB opens one in"):
            other.execute("SELECT 1")


def test_a_folder_has_one_process(tmp_path: Path) -> None:
    """Others wait for it, and then say so."""
    program = (
        "import sys\nfrom airflow_atscale_aggs.engine.warehouse.connect import open_warehouse\n"
        f"w = open_warehouse('chdb://{tmp_path}/data')\n"
        "with w.session() as s:\n  s.execute('SELECT 1')\n  print('open', flush=True)\n  sys.stdin.read()\nw.close()\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "open\n"
    with (
        _opened(f"chdb://{tmp_path}/data?lock_timeout=0.2") as warehouse,
        warehouse.session() as session,
        pytest.raises(TransientWarehouseError, match="another process holds chDB's folder"),
    ):
        session.execute("SELECT 1")
    with _opened(f"chdb://{tmp_path}/data?lock_timeout=60") as warehouse, warehouse.session() as session:
        threading.Timer(0.5, holder.communicate).start()
        assert session.fetch_all("SELECT 1") == [(1,)]
    assert holder.wait(timeout=60) == 0


def test_a_folder_that_cannot_be_made_is_told() -> None:
    with (
        _opened("chdb:///proc/no/folder?lock_timeout=0.1") as warehouse,
        warehouse.session() as session,
        pytest.raises(PermanentWarehouseError, match="/proc/no/folder cannot be made, or is not writable"),
    ):
        session.execute("SELECT 1")


def test_a_statement_is_stopped_by_another_thread() -> None:
    """And it alone."""
    with _opened("chdb://") as warehouse, warehouse.session() as session, warehouse.session() as other:
        assert other.fetch_all("SELECT 1") == [(1,)]
        session.execute("SELECT 1")
        started = time.monotonic()
        threading.Timer(0.5, session.cancel).start()
        with pytest.raises(TransientWarehouseError, match="cancelled"):
            session.fetch_all("SELECT sum(sipHash64(number)) FROM numbers(1000000000000)")
        assert time.monotonic() - started < 30
        assert session.fetch_all("SELECT 2") == [(2,)]
        assert other.fetch_all("SELECT 3") == [(3,)]


@pytest.mark.parametrize("is_streamed", [False, True])
def test_what_a_failed_statement_has_written_is_in_no_other_answer(clickhouse: DbApiSession, is_streamed: bool) -> None:
    """It fails after some of its rows."""
    sql = "SELECT number, throwIf(number = 300000) FROM numbers(400000)"
    with pytest.raises(PermanentWarehouseError, match="throwIf"):
        if is_streamed:
            clickhouse.fetch_first(sql, RowBounds(10**8, 10**12))
        else:
            clickhouse.fetch_all(sql)

    assert clickhouse.fetch_all("SELECT 1 AS a") == [(1,)]
    assert clickhouse.fetch_first("SELECT 2 AS b", _MANY).rows == [(2,)]


def test_ctrl_c_ends_a_program(tmp_path: Path) -> None:
    program = (
        # A program that a shell has started in the background ignores Ctrl-C otherwise.
        "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse\n"
        f"w = open_warehouse('chdb://{tmp_path}/data')\n"
        "try:\n  with w.session() as s:\n    s.execute('SELECT 1')\n    print('open', flush=True)\n"
        "    for _ in range(1000): s.execute('SELECT sleep(0.1)')\n"
        "except KeyboardInterrupt:\n  print('interrupted')\n"
        "finally:\n  w.close()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    process.send_signal(signal.SIGINT)

    out, _ = process.communicate(timeout=60)

    assert out == "interrupted\n"
