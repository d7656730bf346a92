"""Rows that DuckDB has written: of which queries, in which batches. That they are right: tests/server/."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError, WarehouseError
from airflow_atscale_aggs.engine.warehouse.base import RowMessages, WireFormat
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession
from airflow_atscale_aggs.engine.warehouse.duckdb import open_duckdb
from airflow_atscale_aggs.engine.warehouse.duckdb_wire import FEW_ROWS

_BOOL, _INT4, _INT8, _NUMERIC, _TEXT, _FLOAT8, _DATE = 16, 23, 20, 1700, 25, 701, 1082


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DbApiSession]:
    path = str(tmp_path_factory.mktemp("wire") / "w.duckdb")
    warehouse = open_duckdb(path, config={}, lock_timeout=5, aggregate_schema="")
    with warehouse.session() as opened:
        opened.execute("CREATE TABLE numbers AS SELECT range AS i, 'n' || range AS s FROM range(50000)")
        yield opened
    warehouse.close()


def _wire(*type_oids: int, binary: bool = False, most_rows: int | None = None) -> WireFormat:
    formats = (int(binary),) * len(type_oids)
    return WireFormat(type_oids=type_oids, formats=formats, zone="UTC", longest=1 << 20, most_rows=most_rows)


def _read(session: DbApiSession, sql: str, wire: WireFormat) -> list[RowMessages] | None:
    with session.stream_messages(sql, wire) as answer:
        return None if answer is None else list(answer[1])


def test_rows_are_messages_in_their_order_many_together(session: DbApiSession) -> None:
    batches = _read(session, "SELECT i, s FROM numbers", _wire(_INT8, _TEXT))

    assert batches is not None
    expected = []
    for number in range(50_000):
        values = [str(number).encode(), f"n{number}".encode()]
        data = b"".join(len(value).to_bytes(4, "big") + value for value in values)
        expected.append(b"D" + (len(data) + 6).to_bytes(4, "big") + b"\0\2" + data)
    assert b"".join(batch.data for batch in batches) == b"".join(expected)
    assert sum(batch.count for batch in batches) == 50_000
    assert max(batch.longest for batch in batches) == max(map(len, expected)) - 7
    assert len(batches) < 100
    assert session.fetch_all("SELECT 1") == [(1,)]


def test_names_are_those_of_the_query_and_may_be_the_same(session: DbApiSession) -> None:
    with session.stream_messages('SELECT i AS "a b", s AS "a b" FROM numbers -- all', _wire(_INT8, _TEXT)) as answer:
        assert answer is not None
        assert answer[0] == ("a b", "a b")
        assert next(answer[1]).count > 0


@pytest.mark.parametrize(
    ("sql", "wire"),
    [
        ("SELECT i, s FROM numbers ORDER BY i", _wire(_INT8, _TEXT)),
        ("SELECT i FROM numbers", _wire(_INT4)),
        ("SELECT i FROM numbers", _wire(_INT8, most_rows=FEW_ROWS)),
        ("SELECT i FROM numbers", _wire(_INT8, _INT8)),
        ("SELECT i FROM numbers;", _wire(_INT8)),
        ("SELECT i FROM numbers", _wire(_TEXT)),
        ("SELECT 0.5::DECIMAL(4, 4)", _wire(_NUMERIC)),
        ("SELECT 0.5::DECIMAL(8, 4)", _wire(_NUMERIC, binary=True)),
        ("SELECT 0.5::FLOAT", _wire(_FLOAT8)),
        ("SELECT TIMESTAMPTZ '2025-01-01 00:00+00'", _wire(1184)),
        ("SELECT [1]", _wire(_TEXT)),
        ("SELECT UUID()", _wire(2950)),
        ("SELECT DATE '2025-01-01'", _wire(_TEXT)),
    ],
)
def test_what_is_better_read_as_values_is_not_run(session: DbApiSession, sql: str, wire: WireFormat) -> None:
    assert _read(session, sql, wire) is None
    assert session.fetch_all("SELECT 1") == [(1,)]


def test_more_rows_than_a_few_are_written_by_duckdb(session: DbApiSession) -> None:
    assert _read(session, "SELECT i FROM numbers", _wire(_INT8, most_rows=FEW_ROWS + 1)) is not None


@pytest.mark.parametrize("sql", ["DROP TABLE numbers", "SELECT 1; SELECT 2", "SELECT nothing FROM numbers", "SELEC"])
def test_what_is_no_query_is_refused(session: DbApiSession, sql: str) -> None:
    with pytest.raises(PermanentWarehouseError):
        _read(session, sql, _wire(_INT8))
    assert session.fetch_all("SELECT COUNT(*) FROM numbers") == [(50_000,)]


def test_an_error_among_the_rows_is_raised_and_the_session_goes_on(session: DbApiSession) -> None:
    sql = "SELECT CASE WHEN i = 40000 THEN ERROR('at last') ELSE i END FROM numbers"
    with pytest.raises(WarehouseError, match="at last"):
        _read(session, f"SELECT CAST(x AS BIGINT) FROM ({sql}) AS a(x)", _wire(_INT8))
    assert session.fetch_all("SELECT 1") == [(1,)]


def test_it_is_canceled_from_another_thread(session: DbApiSession) -> None:
    timer = threading.Timer(0.2, session.cancel)
    timer.start()
    with pytest.raises(WarehouseError):
        _read(session, "SELECT i FROM RANGE(1000000000000) AS r(i) WHERE i < 0", _wire(_INT8))
    timer.join()


def test_long_rows_go_in_small_batches(session: DbApiSession) -> None:
    batches = _read(session, "SELECT REPEAT(s, 20000) FROM numbers LIMIT 60", _wire(_TEXT))

    assert batches is not None
    assert sum(batch.count for batch in batches) == 60
    assert {batch.count for batch in batches[1:]} == {1}


def test_columns_may_have_any_names(session: DbApiSession) -> None:
    """Columns of the inner query are named anew, whatever their names are."""
    batches = _read(session, "SELECT i AS c1, s AS c0, i IS NULL AS r FROM numbers LIMIT 1", _wire(_INT8, _TEXT, _BOOL))

    assert batches is not None
    assert batches[0].data.endswith(b"\0\0\0\1" + b"0" + b"\0\0\0\2n0" + b"\0\0\0\1f")
