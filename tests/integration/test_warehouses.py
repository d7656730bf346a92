"""DuckDB and PostgreSQL behave alike: transactions, catalogues, errors in our words, locks, cancelling."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb
import psycopg
import pytest

from airflow_atscale_aggs.engine.errors import (
    PermanentWarehouseError,
    TransientWarehouseError,
    WarehouseError,
)
from airflow_atscale_aggs.engine.warehouse.base import FirstRows, RowBounds
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiWarehouse

_SLOW_SQL = {
    "duckdb": "SELECT COUNT(*) FROM range(100000) a, range(100000) b WHERE (a.range * b.range) % 7 = 3",
    "postgres": "SELECT pg_sleep(60)",
}


@pytest.fixture(params=["duckdb", pytest.param("postgres", marks=pytest.mark.postgres)])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DbApiWarehouse]:
    """An empty warehouse of either kind, with an aggregate schema."""
    url = (
        f"duckdb:///{tmp_path / 'w.duckdb'}"
        if request.param == "duckdb"
        else str(request.getfixturevalue("postgres_url"))
    )
    opened = open_warehouse(url, aggregate_schema="aggs")
    yield opened
    opened.close()


def test_rows_written_are_told(warehouse: DbApiWarehouse) -> None:
    """CREATE TABLE AS answers with its number of rows."""
    with warehouse.session() as session:
        assert session.execute("CREATE TABLE aggs.t AS SELECT 1 AS a UNION ALL SELECT 2") == 2
        assert session.fetch_all("SELECT SUM(a) FROM aggs.t") == [(3,)]


_TO_READ = RowBounds(2, 10**6)


def test_of_many_rows_the_first_ones_are_read(warehouse: DbApiWarehouse) -> None:
    """The others are not fetched: here are more than fit into memory."""
    series = {"postgres": "(SELECT generate_series(1, 10000000000) AS i)", "duckdb": "range(1, 10000000000)"}
    many = f"{series[warehouse.dialect.name]} AS s(i)"
    with warehouse.session() as session:
        first = session.fetch_first(f"SELECT i, i AS i FROM {many}", _TO_READ)
        nothing = session.fetch_first("SELECT 1 AS a, 'x' AS \"B\" WHERE 1 = 0", _TO_READ)
        all_of_them = session.fetch_first("VALUES (1), (2)", _TO_READ)
        afterwards = session.fetch_all("SELECT 5")

    assert first == FirstRows(("i", "i"), [(1, 1), (2, 2)], is_cut=True)
    assert nothing == FirstRows(("a", "B"), [], is_cut=False)
    assert (all_of_them.rows, all_of_them.is_cut, afterwards) == ([(1,), (2,)], False, [(5,)])


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE aggs.kept",
        "SELECT 1; DROP TABLE aggs.kept",
        "SELECT 1; COMMIT; DROP TABLE aggs.kept",
        "COMMIT; DROP TABLE aggs.kept; BEGIN",
        "DELETE FROM aggs.kept RETURNING a",
        "WITH gone AS (DELETE FROM aggs.kept RETURNING a) SELECT a FROM gone",
        "SELECT nextval('aggs.counter')",
        "CREATE TABLE aggs.other AS SELECT 1 AS a",
        "COPY aggs.kept TO '/dev/null'",
        "SET search_path = aggs",
        "",
        "-- nothing",
    ],
)
def test_the_warehouse_itself_refuses_what_is_no_single_query(warehouse: DbApiWarehouse, sql: str) -> None:
    with warehouse.session() as session:
        session.execute("CREATE TABLE aggs.kept AS SELECT 1 AS a")
        session.execute("CREATE SEQUENCE aggs.counter")
        with pytest.raises(PermanentWarehouseError):
            session.fetch_first(sql, _TO_READ)
        session.execute("INSERT INTO aggs.kept VALUES (2)")
        assert session.fetch_all("SELECT a FROM aggs.kept ORDER BY a") == [(1,), (2,)]
        assert session.tables("aggs") == {"kept"}
        assert session.fetch_all("SELECT nextval('aggs.counter')") == [(1,)]


def test_reading_the_first_rows_can_be_interrupted_at_any_time(warehouse: DbApiWarehouse) -> None:
    """While the warehouse computes the first row, and while rows are fetched."""
    name = warehouse.dialect.name
    few = {"duckdb": "SELECT i FROM range(100000000000) t(i)", "postgres": "SELECT pg_sleep(0.001), i FROM s"}[name]
    if name == "postgres":
        few = "WITH s AS (SELECT generate_series(1, 100000000) AS i) SELECT pg_sleep(0.0001), i FROM s"
    for sql in (_SLOW_SQL[name], few):
        done = threading.Event()

        def interrupt(done: threading.Event = done) -> None:
            while not done.wait(0.2):
                warehouse.cancel_all()

        thread = threading.Thread(target=interrupt)
        thread.start()
        try:
            with warehouse.session() as session, pytest.raises(TransientWarehouseError):
                session.fetch_first(sql, RowBounds(10**9, 10**12))
        finally:
            done.set()
            thread.join()


def test_a_transaction_is_all_or_nothing(warehouse: DbApiWarehouse) -> None:
    """This includes tables and views."""
    with warehouse.session() as session:
        session.execute("CREATE TABLE aggs.old AS SELECT 1 AS a")
        with pytest.raises(PermanentWarehouseError), session.transaction():
            session.execute("CREATE TABLE aggs.new AS SELECT 1 AS a")
            session.execute("DROP TABLE aggs.old")
            session.execute("SELECT nonsense FROM nowhere")
        assert session.tables("aggs") == {"old"}
        with session.transaction():
            session.execute("CREATE TABLE aggs.new AS SELECT 1 AS a")
            session.execute("DROP TABLE aggs.old")
        assert session.tables("aggs") == {"new"}


def test_other_sessions_see_only_what_is_committed(warehouse: DbApiWarehouse) -> None:
    """Sessions of one warehouse have transactions of their own."""
    with warehouse.session() as writer, warehouse.session() as reader:
        writer.execute("CREATE TABLE aggs.t (a INTEGER)")
        with writer.transaction():
            writer.execute("INSERT INTO aggs.t VALUES (1)")
            assert reader.fetch_all("SELECT COUNT(*) FROM aggs.t") == [(0,)]
        assert reader.fetch_all("SELECT COUNT(*) FROM aggs.t") == [(1,)]


def test_columns_are_found_exactly_then_without_case(warehouse: DbApiWarehouse) -> None:
    """One round trip for many tables; a table that is not there is absent."""
    default = "main" if warehouse.dialect.name == "duckdb" else "public"
    with warehouse.session() as session:
        session.execute('CREATE TABLE aggs."Mixed" ("Key" INTEGER, name VARCHAR(5))')
        session.execute("CREATE TABLE plain (a INTEGER)")
        columns_by_table = session.columns(
            [(None, "aggs", "mixed"), (None, None, "PLAIN"), (None, default, "plain"), (None, "aggs", "plain")]
        )

    assert {key: list(columns) for key, columns in columns_by_table.items()} == {
        (None, "aggs", "mixed"): ["Key", "name"],
        (None, None, "PLAIN"): ["a"],
        (None, default, "plain"): ["a"],
    }


def test_errors_carry_dialect_and_sql(warehouse: DbApiWarehouse) -> None:
    """The driver's error is the cause."""
    with warehouse.session() as session, pytest.raises(PermanentWarehouseError) as caught:
        session.execute("SELECT a FROM not_there")

    assert caught.value.sql == "SELECT a FROM not_there"
    assert "not_there" in caught.value.reason
    assert isinstance(caught.value.__cause__, (duckdb.Error, psycopg.Error))


def test_another_thread_can_cancel(warehouse: DbApiWarehouse) -> None:
    """cancel_all interrupts what runs; the interruption is transient."""
    started = threading.Event()
    errors: list[BaseException] = []

    def work() -> None:
        with warehouse.session() as session:
            session.fetch_all("SELECT 1")
            started.set()
            try:
                session.fetch_all(_SLOW_SQL[warehouse.dialect.name])
            except WarehouseError as error:
                errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    started.wait()
    while thread.is_alive():
        warehouse.cancel_all()
        thread.join(timeout=0.05)

    assert [type(error) for error in errors] == [TransientWarehouseError]


def test_a_signal_that_a_driver_hides_interrupts(warehouse: DbApiWarehouse) -> None:
    """Ctrl-C while a query runs is no error of the warehouse."""
    sent = threading.Timer(0.5, signal.raise_signal, [signal.SIGINT])
    # A process that was started in the background ignores it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with warehouse.session() as session:
            if warehouse.dialect.name == "duckdb":
                # With more threads DuckDB 2.0 looks for signals only when the one that waits is not given work itself.
                session.execute("SET threads = 1")
            session.fetch_all("SELECT 1")
            sent.start()
            with pytest.raises(KeyboardInterrupt):
                session.fetch_all(_SLOW_SQL[warehouse.dialect.name])
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.postgres
def test_a_lost_connection_is_transient_and_comes_back(postgres_url: str) -> None:
    """The session connects again for the next statement."""
    warehouse = open_warehouse(postgres_url)
    with warehouse.session() as session, warehouse.session() as killer:
        pid = session.fetch_all("SELECT pg_backend_pid()")[0][0]
        killer.execute(f"SELECT pg_terminate_backend({pid}, 5000)")
        with pytest.raises(TransientWarehouseError):
            session.fetch_all("SELECT 1")
        assert session.fetch_all("SELECT 1") == [(1,)]


@pytest.mark.postgres
def test_a_deadlock_is_transient(postgres_url: str) -> None:
    """One of two that wait for each other is told to try again."""
    warehouse = open_warehouse(postgres_url)
    errors: list[WarehouseError] = []
    with warehouse.session() as session:
        session.execute("CREATE TABLE t AS SELECT 1 AS id, 0 AS n UNION ALL SELECT 2, 0")
    barrier = threading.Barrier(2)

    def work(first: int, second: int) -> None:
        try:
            with warehouse.session() as session, session.transaction():
                session.execute(f"UPDATE t SET n = n + 1 WHERE id = {first}")
                barrier.wait()
                session.execute(f"UPDATE t SET n = n + 1 WHERE id = {second}")
        except WarehouseError as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=ids) for ids in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [type(error) for error in errors] == [TransientWarehouseError]


def test_settings_are_the_same_however_they_are_read(warehouse: DbApiWarehouse) -> None:
    """The first session finds out which there are; later ones ask for these by name."""
    with warehouse.session() as session:
        first, second = session.settings(), session.settings()
    assert first
    assert first == second
