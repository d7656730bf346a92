"""Sessions over a DB-API driver: transactions, catalogues, settings, lost connections and errors in our words."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError, TransientWarehouseError, WarehouseError
from airflow_atscale_aggs.engine.model.datasets import TableKey
from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.session_settings import Reach
from airflow_atscale_aggs.engine.warehouse.base import RowBounds
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession, DbApiWarehouse
from airflow_atscale_aggs.engine.warehouse.drivers import Driver, Failure
from airflow_atscale_aggs.engine.warehouse.information_schema import InformationSchema
from airflow_atscale_aggs.engine.warehouse.setting_values import SharedSettings

_DUCKDB = find_dialect("duckdb")
_SQLITE = Dialect(name="sqlite", sqlglot_name="sqlite", schemes=("sqlite",))


def _driver(database: duckdb.DuckDBPyConnection) -> Driver:
    """A driver whose connections are cursors on one DuckDB database."""
    return Driver(
        connect=database.cursor,
        catalog=InformationSchema(),
        errors=(duckdb.Error,),
        is_transient=lambda error: isinstance(error, duckdb.TransactionException),
        rows_written=lambda _: None,
        interrupt=lambda connection: connection.interrupt(),
        cursors_are_connections=True,
    )


def _sqlite_driver(**more: Any) -> Driver:
    """A driver of which each connection has an empty database of its own."""
    parts: dict[str, Any] = {
        "connect": lambda: sqlite3.connect(":memory:", isolation_level=None),
        "catalog": InformationSchema(),
        "errors": (sqlite3.Error,),
        "is_transient": lambda error: "lost" in str(error),
        "rows_written": lambda cursor: cursor.rowcount if cursor.rowcount >= 0 else None,
        "interrupt": lambda connection: connection.interrupt(),
    }
    return Driver(**parts | more)


@pytest.fixture
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty DuckDB database in memory."""
    with duckdb.connect(config={"threads": 1}) as connection:
        yield connection


@pytest.fixture
def session(database: duckdb.DuckDBPyConnection) -> DbApiSession:
    """A session on the database."""
    return DbApiSession(_driver(database), _DUCKDB)


def test_results_come_as_tuples_with_names_and_types(session: DbApiSession) -> None:
    query = "SELECT 1::INTEGER AS a, 2.5::DECIMAL(9,2) AS b UNION ALL SELECT 2, NULL ORDER BY a"

    assert session.fetch_all("SELECT 1, 'x'") == [(1, "x")]
    names, rows = session.fetch_with_names(query)
    assert (names, [(a, str(b)) for a, b in rows]) == (("a", "b"), [(1, "2.50"), (2, "None")])
    assert session.result_types(query) == ("INTEGER", "DECIMAL(9,2)")


def test_a_driver_may_tell_how_many_rows_were_written_and_no_types() -> None:
    session = DbApiSession(_sqlite_driver(), _SQLITE)

    assert session.execute("CREATE TABLE t (a INTEGER)") is None
    assert session.execute("INSERT INTO t VALUES (1), (2)") == 2
    assert session.result_types("SELECT a FROM t") == ("",)
    assert session.fetch_with_names("SELECT a AS b FROM t") == (("b",), [(1,), (2,)])


@pytest.mark.parametrize(
    ("bounds", "rows", "is_cut"),
    [
        (RowBounds(5, 10**6), 5, False),
        (RowBounds(4, 10**6), 4, True),
        (RowBounds(0, 10**6), 0, True),
        (RowBounds(5, 100_000), 2, True),
        (RowBounds(5, 300_000), 5, False),
    ],
)
def test_the_first_rows_are_read_up_to_a_number_and_a_size(bounds: RowBounds, rows: int, *, is_cut: bool) -> None:
    """Five rows of 50,000 characters each."""
    session = DbApiSession(_sqlite_driver(), _SQLITE)
    query = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i, printf('%50000d', i)"

    first = session.fetch_first(f"{query} AS text FROM n", bounds)

    assert (first.names, [row[0] for row in first.rows]) == (("i", "text"), list(range(1, rows + 1)))
    assert first.is_cut is is_cut


def test_a_transaction_takes_effect_as_a_whole_or_not_at_all(session: DbApiSession) -> None:
    """Tables and views included."""
    session.execute("CREATE TABLE before AS SELECT 1 AS a")
    with pytest.raises(PermanentWarehouseError, match="nowhere"), session.transaction():
        session.execute("CREATE TABLE after AS SELECT 1 AS a")
        session.execute("DROP TABLE before")
        session.execute("SELECT a FROM nowhere")
    assert session.tables("main") == {"before"}

    with session.transaction():
        session.execute("CREATE TABLE after AS SELECT 1 AS a")
        session.execute("DROP TABLE before")
    assert session.tables("main") == {"after"}


def test_an_error_of_the_program_undoes_a_transaction_as_well(session: DbApiSession) -> None:
    with pytest.raises(KeyboardInterrupt), session.transaction():
        session.execute("CREATE TABLE t (a INTEGER)")
        raise KeyboardInterrupt

    assert session.tables("main") == frozenset()


def test_without_transactional_ddl_statements_commit_one_by_one(database: duckdb.DuckDBPyConnection) -> None:
    session = DbApiSession(_driver(database), replace(_DUCKDB, transactional_ddl=False))

    with pytest.raises(WarehouseError), session.transaction():
        session.execute("CREATE TABLE t (a INTEGER)")
        session.execute("SELECT a FROM nowhere")

    assert session.tables("main") == {"t"}


def test_a_snapshot_sees_the_data_of_one_moment(database: duckdb.DuckDBPyConnection) -> None:
    reader, writer = (DbApiSession(_driver(database), _DUCKDB) for _ in range(2))
    writer.execute("CREATE TABLE t AS SELECT 1 AS a")

    with reader.snapshot() as is_one_moment:
        counts = [reader.fetch_all("SELECT COUNT(*) FROM t")]
        writer.execute("INSERT INTO t VALUES (2)")
        counts.append(reader.fetch_all("SELECT COUNT(*) FROM t"))
    counts.append(reader.fetch_all("SELECT COUNT(*) FROM t"))

    assert is_one_moment
    assert counts == [[(1,)], [(1,)], [(2,)]]


def test_where_there_is_no_snapshot_the_block_is_told() -> None:
    with DbApiSession(_sqlite_driver(), _SQLITE).snapshot() as is_one_moment:
        assert not is_one_moment


def test_columns_are_found_with_the_reasons_why_others_are_not(session: DbApiSession) -> None:
    """One round trip for many tables."""
    session.execute("CREATE SCHEMA aggs")
    session.execute('CREATE TABLE aggs."Mixed" ("Key" INTEGER, name VARCHAR)')
    session.execute("CREATE TABLE plain (a INTEGER)")
    session.execute("CREATE VIEW seen AS SELECT a FROM plain")
    keys: list[TableKey] = [
        (None, "aggs", "mixed"),
        (None, None, "PLAIN"),
        (None, "main", "seen"),
        (None, None, "mixed"),
        ("other", None, "plain"),
        (None, None, "it's gone"),
    ]

    tables = session.columns(keys)

    assert {key: dict(columns) for key, columns in tables.items()} == {
        (None, "aggs", "mixed"): {"Key": "INTEGER", "name": "VARCHAR"},
        (None, None, "PLAIN"): {"a": "INTEGER"},
        (None, "main", "seen"): {"a": "INTEGER"},
    }
    assert tables[None, "main", "seen"].kind == "view"
    assert tables.reasons == {
        (None, None, "mixed"): "is not in the schemas that this session looks in, but there is one in `aggs`",
        ("other", None, "plain"): "is in another database: the connection is to `memory`, the model names `other`",
        (None, None, "it's gone"): "",
    }
    assert ("memory", "aggs", "Mixed") in tables.places


def test_of_no_tables_nothing_is_asked() -> None:
    assert DbApiSession(_sqlite_driver(connect=lambda: 1 / 0), _SQLITE).columns([]) == {}


def test_tables_and_views_of_a_schema(session: DbApiSession) -> None:
    session.execute("""CREATE SCHEMA "it's" """)
    session.execute("""CREATE TABLE "it's".t (a INTEGER)""")
    session.execute("CREATE TABLE plain (a INTEGER)")
    session.execute("CREATE VIEW seen AS SELECT a FROM plain")

    assert session.tables("it's") == {"t"}
    assert session.tables("") == {"plain", "seen"}
    assert session.tables("gone") == frozenset()


def test_names_that_can_be_read_are_tried_where_the_warehouse_is_not_asked() -> None:
    session = DbApiSession(_sqlite_driver(), _SQLITE)
    session.execute('CREATE TABLE "a b" (a INTEGER)')
    keys: list[TableKey] = [(None, None, "a b"), (None, "main", "a b")]

    assert session.find_readable(keys) == set(keys)


def test_a_name_that_may_not_be_read_counts_as_there_and_a_lost_connection_as_an_error() -> None:
    """The driver knows which error means that there is none of the name."""
    driver = _sqlite_driver(
        failure=lambda error, name: Failure.ABSENT if str(error) == f"no such table: {name}" else Failure.OTHER
    )
    session = DbApiSession(driver, _SQLITE)
    session.execute("CREATE VIEW broken AS SELECT 1 FROM gone")

    assert session.find_readable([(None, None, "broken"), (None, None, "gone")]) == {(None, None, "broken")}
    with pytest.raises(TransientWarehouseError, match="lost"):
        DbApiSession(replace(driver, failure=lambda _error, _name: Failure.NO_RIGHT), _SQLITE).find_readable(
            [(None, None, "lost")]
        )


@pytest.mark.parametrize(("failure", "is_there"), [(Failure.UNSEEN, False), (Failure.NO_RIGHT, True)])
def test_a_name_that_the_warehouse_does_not_show_means_nothing_to_this_user(failure: Failure, is_there: bool) -> None:
    """Snowflake says of such a name what it says of one that is not there, so a model may bear it."""
    session = DbApiSession(_sqlite_driver(failure=lambda _error, _name: failure), _SQLITE)

    assert bool(session.find_readable([(None, None, "hidden")])) is is_there


def test_names_that_can_be_read_are_asked_for_where_the_warehouse_tells(database: duckdb.DuckDBPyConnection) -> None:
    query = (
        "SELECT n.number FROM (VALUES {names}) AS n (number, base, name) "
        "JOIN duckdb_tables() AS t ON n.name IN ('\"' || t.table_name || '\"', '\"main\".\"' || t.table_name || '\"')"
    )
    session = DbApiSession(_driver(database), replace(_DUCKDB, find_relations=query))
    session.execute("CREATE TABLE t (a INTEGER)")
    keys: list[TableKey] = [(None, None, "t"), (None, "main", "t"), (None, None, "u"), (None, "other", "t")]

    assert session.find_readable(keys) == {(None, None, "t"), (None, "main", "t")}


def test_a_question_that_is_refused_for_one_name_is_asked_for_each(database: duckdb.DuckDBPyConnection) -> None:
    """What may not be looked at counts as there."""
    query = (
        "SELECT n.number FROM (VALUES {names}) AS n (number, base, name) "
        "WHERE CASE WHEN n.name = '\"secret\"' THEN ERROR('permission denied') ELSE n.name = '\"t\"' END"
    )
    session = DbApiSession(_driver(database), replace(_DUCKDB, find_relations=query))
    keys: list[TableKey] = [(None, None, "t"), (None, None, "secret"), (None, None, "u")]

    assert session.find_readable(keys) == {(None, None, "t"), (None, None, "secret")}


def test_settings_are_the_same_however_they_are_read(database: duckdb.DuckDBPyConnection) -> None:
    """The first session that finds all of them notes their names; later ones ask for these."""
    assert _DUCKDB.session_settings is not None
    reach = {name: _DUCKDB.session_settings.reach[name] for name in ("TimeZone", "default_null_order")}
    dialect = replace(_DUCKDB, session_settings=replace(_DUCKDB.session_settings, reach=reach))
    shared = SharedSettings()
    first, second = (DbApiSession(_driver(database), dialect, shared) for _ in range(2))
    first.execute("SET TimeZone = 'UTC'")
    second.execute("SET TimeZone = 'UTC'")

    settings = first.settings()

    assert (settings, sorted(shared.names)) == ({"TimeZone": "UTC", "default_null_order": "NULLS_LAST"}, sorted(reach))
    assert second.settings() == settings


def test_a_few_settings_are_read_by_themselves_once_their_names_are_noted(database: duckdb.DuckDBPyConnection) -> None:
    """A name that this version of the warehouse has not, and no extension brings, does not hinder it."""
    assert _DUCKDB.session_settings is not None
    reach = {**_DUCKDB.session_settings.reach, "of no version": Reach.CALCULATIONS}
    dialect = replace(_DUCKDB, session_settings=replace(_DUCKDB.session_settings, reach=reach))
    session = DbApiSession(_driver(database), dialect)
    session.execute("SET TimeZone = 'UTC'")

    everything = session.settings(["TimeZone"])

    assert len(everything) > 1
    assert session.settings(["TimeZone"]) == {"TimeZone": "UTC"}
    assert session.settings(["TimeZone", "of no version"]) == session.settings() == everything


def test_a_setting_that_is_not_there_yet_is_looked_for_again(database: duckdb.DuckDBPyConnection) -> None:
    """It may belong to an extension that is loaded later."""
    assert _DUCKDB.session_settings is not None
    reach = {**_DUCKDB.session_settings.reach, "of an extension": Reach.CALCULATIONS}
    settings = replace(_DUCKDB.session_settings, reach=reach, of_extensions=frozenset({"of an extension"}))
    dialect = replace(_DUCKDB, session_settings=settings)
    shared = SharedSettings()

    assert "TimeZone" in DbApiSession(_driver(database), dialect, shared).settings()
    assert shared.names == []
    assert DbApiSession(_sqlite_driver(), _SQLITE).settings() == {}


def test_a_block_runs_under_the_settings_of_another_session(session: DbApiSession) -> None:
    session.execute("SET TimeZone = 'UTC'")
    with pytest.raises(ZeroDivisionError), session.apply_settings({"TimeZone": "Asia/Kolkata"}):
        assert session.settings()["TimeZone"] == "Asia/Kolkata"
        raise ZeroDivisionError

    assert session.settings()["TimeZone"] == "UTC"


@pytest.mark.parametrize("is_writable", [True, False])
def test_settings_that_differ_and_cannot_be_set_are_an_error(
    database: duckdb.DuckDBPyConnection, *, is_writable: bool
) -> None:
    assert _DUCKDB.session_settings is not None
    fixed = frozenset({"TimeZone"}) if is_writable else frozenset()
    write = _DUCKDB.session_settings.write if is_writable else ""
    settings = replace(_DUCKDB.session_settings, fixed=fixed, write=write)
    session = DbApiSession(_driver(database), replace(_DUCKDB, session_settings=settings))
    session.execute("SET TimeZone = 'UTC'")

    with session.apply_settings({"TimeZone": "UTC"}):
        pass
    with (
        pytest.raises(PermanentWarehouseError, match=r"TimeZone is `UTC` and was `Asia/Kolkata`\. Plan"),
        session.apply_settings({"TimeZone": "Asia/Kolkata"}),
    ):
        pass


def test_a_warehouse_without_settings_runs_any_block() -> None:
    with DbApiSession(_sqlite_driver(), _SQLITE).apply_settings({"TimeZone": "UTC"}):
        pass


def test_a_block_waits_briefly_between_two_statements(database: duckdb.DuckDBPyConnection) -> None:
    """The second one is run whatever happens; without such statements the block just runs."""
    hurry = ("CREATE TABLE hurried (a INTEGER)", "DROP TABLE hurried")
    session = DbApiSession(_driver(database), replace(_DUCKDB, hurry=hurry))

    with pytest.raises(ZeroDivisionError), session.wait_briefly():
        assert session.tables("") == {"hurried"}
        raise ZeroDivisionError
    assert session.tables("") == frozenset()
    with DbApiSession(_driver(database), replace(_DUCKDB, hurry=None)).wait_briefly():
        assert session.tables("") == frozenset()


def test_errors_carry_dialect_statement_and_cause(session: DbApiSession) -> None:
    with pytest.raises(PermanentWarehouseError, match=r"\[SQL: SELECT a FROM gone\]") as caught:
        session.execute("SELECT a FROM gone")

    assert (caught.value.dialect, caught.value.sql) == ("duckdb", "SELECT a FROM gone")
    assert isinstance(caught.value.__cause__, duckdb.CatalogException)
    assert "gone does not exist! Did you mean" in caught.value.reason


def test_an_error_of_connecting_has_nothing_to_do_with_the_statement() -> None:
    def connect() -> sqlite3.Connection:
        message = "unable to open"
        raise sqlite3.OperationalError(message)

    with pytest.raises(PermanentWarehouseError) as caught:
        DbApiSession(_sqlite_driver(connect=connect), _SQLITE).execute("SELECT 1")

    assert (caught.value.sql, caught.value.reason) == ("", "unable to open")


def test_after_a_lost_connection_the_next_statement_connects_again() -> None:
    """But not within a transaction, whose statements belong together."""
    driver = _sqlite_driver(is_lost=lambda error: "lost" in str(error))
    session = DbApiSession(driver, replace(_SQLITE, transactional_ddl=True, tables="SELECT name FROM sqlite_master"))
    session.execute("CREATE TABLE t (a INTEGER)")
    with pytest.raises(TransientWarehouseError), session.transaction():
        session.execute("SELECT lost")
    assert session.tables("") == {"t"}

    with pytest.raises(TransientWarehouseError):
        session.execute("SELECT lost")
    assert session.tables("") == frozenset()


def test_an_error_that_stands_for_a_signal_is_an_interrupt() -> None:
    """Ctrl-C while a query runs is no error of the warehouse; another error of the program is left alone."""

    def connect() -> Any:
        message = "Query interrupted"
        raise RuntimeError(message)

    driver = _sqlite_driver(connect=connect, hides_signal=lambda error: str(error) == "Query interrupted")
    with pytest.raises(KeyboardInterrupt):
        DbApiSession(driver, _SQLITE).execute("SELECT 1")
    with pytest.raises(RuntimeError, match="Query interrupted"):
        DbApiSession(_sqlite_driver(connect=connect), _SQLITE).execute("SELECT 1")


def test_a_session_that_never_connected_is_cancelled_and_closed_without_a_word() -> None:
    session = DbApiSession(_sqlite_driver(connect=lambda: 1 / 0), _SQLITE)

    session.cancel()
    session.close()
    session.close()


def test_a_schema_is_made_by_the_first_session_and_dropped_by_nobody(database: duckdb.DuckDBPyConnection) -> None:
    warehouse = DbApiWarehouse(_driver(database), _DUCKDB, aggregate_schema='the "aggs"')
    with warehouse.session() as session:
        session.execute('CREATE TABLE "the ""aggs""".t (a INTEGER)')
    warehouse.require_schema()

    with warehouse.session() as session:
        assert session.tables('the "aggs"') == {"t"}


def test_a_schema_that_may_not_be_made_is_an_error_only_where_it_is_required(tmp_path: Path) -> None:
    """Queries on the facts work without it."""
    path = str(tmp_path / "w.duckdb")
    duckdb.connect(path).close()
    with duckdb.connect(path, read_only=True) as database:
        warehouse = DbApiWarehouse(_driver(database), _DUCKDB, aggregate_schema="aggs")
        with warehouse.session() as session:
            assert session.fetch_all("SELECT 1") == [(1,)]
        with pytest.raises(PermanentWarehouseError) as caught:
            warehouse.require_schema()

    assert caught.value.reason.startswith("schema `aggs` is not there, or this role has no right on it")
    assert "read-only mode" in caught.value.reason
    assert "grant USAGE on it, and CREATE to the role that builds" in caught.value.reason


def test_closing_a_warehouse_closes_what_its_sessions_share() -> None:
    closed = threading.Event()
    warehouse = DbApiWarehouse(_sqlite_driver(), _SQLITE, close=closed.set)
    with warehouse.session() as session:
        session.fetch_all("SELECT 1")
    assert not closed.is_set()

    warehouse.close()
    assert closed.is_set()


def test_all_open_sessions_are_cancelled_and_no_closed_one() -> None:
    cancelled: list[Any] = []
    warehouse = DbApiWarehouse(_sqlite_driver(interrupt=cancelled.append), _SQLITE)
    with warehouse.session() as first, warehouse.session() as second:
        first.fetch_all("SELECT 1")
        second.fetch_all("SELECT 1")
        warehouse.cancel_all()
        assert len(set(cancelled)) == 2

    warehouse.cancel_all()
    assert len(cancelled) == 2


def test_each_connection_begins_with_the_settings_of_its_row(database: duckdb.DuckDBPyConnection) -> None:
    """Before anything else, also before what is made sure of in the first session."""
    row = replace(_DUCKDB, settings_at_start={"TimeZone": "Asia/Tokyo"})
    zones: list[object] = []

    def prepare(session: DbApiSession) -> None:
        zones.extend(session.fetch_all("SELECT CURRENT_SETTING('TimeZone')"))

    for _ in range(2):
        session = DbApiSession(_driver(database), row, prepare=prepare)
        zones.extend(session.fetch_all("SELECT CURRENT_SETTING('TimeZone')"))
        session.close()

    assert zones == [("Asia/Tokyo",)] * 4


def test_a_session_that_cannot_be_prepared_is_closed_and_tries_again(database: duckdb.DuckDBPyConnection) -> None:
    times: list[int] = []

    def prepare(session: DbApiSession) -> None:
        times.append(len(times))
        if len(times) == 1:
            session.execute("SELECT no_such_column")

    session = DbApiSession(_driver(database), _DUCKDB, prepare=prepare)
    with pytest.raises(PermanentWarehouseError, match="no_such_column"):
        session.fetch_all("SELECT 1")

    assert session.fetch_all("SELECT 1") == [(1,)]
    assert session.fetch_all("SELECT 2") == [(2,)]
    assert times == [0, 1]
