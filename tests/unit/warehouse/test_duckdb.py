"""DuckDB as a warehouse: errors told apart, missing tables, counts of written rows, and who holds the file."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import duckdb
import pytest

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError, TransientWarehouseError
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession
from airflow_atscale_aggs.engine.warehouse.duckdb import open_duckdb

_SLOW = "SELECT COUNT(*) FROM range(100000) a, range(100000) b WHERE (a.range * b.range) % 7 = 3"


@pytest.fixture
def session() -> Iterator[DbApiSession]:
    """A session on an empty database in memory."""
    warehouse = open_duckdb(":memory:", config={}, lock_timeout=0, aggregate_schema="")
    with warehouse.session() as opened:
        yield opened
    warehouse.close()


@pytest.mark.parametrize(
    ("statement", "count"),
    [
        ("CREATE TABLE u AS SELECT 1 AS a UNION ALL SELECT 2", 2),
        ("INSERT INTO t VALUES (1), (2), (3)", 3),
        ("DELETE FROM t WHERE a > 100", 0),
        ("CREATE TABLE u (a INTEGER)", None),
        ("DROP TABLE t", None),
        ("SELECT 5 AS n", None),
    ],
)
def test_rows_written_are_told_by_statements_that_write(
    session: DbApiSession, statement: str, count: int | None
) -> None:
    session.execute("CREATE TABLE t (a INTEGER)")

    assert session.execute(statement) == count


@pytest.mark.parametrize(
    "statement",
    [
        "SELEC 1",
        "SELECT a FROM nowhere",
        "SELECT nothing FROM t",
        "SELECT CAST('x' AS INTEGER)",
        "INSERT INTO t VALUES (NULL)",
        "SELECT ERROR('no')",
        "SELECT 1; SELECT",
    ],
)
def test_what_will_fail_again_is_permanent_and_carries_the_statement(session: DbApiSession, statement: str) -> None:
    session.execute("CREATE TABLE t (a INTEGER NOT NULL)")

    with pytest.raises(PermanentWarehouseError) as caught:
        session.execute(statement)

    assert (caught.value.dialect, caught.value.sql) == ("duckdb", statement)
    assert isinstance(caught.value.__cause__, duckdb.Error)
    assert "\n" not in caught.value.reason


def test_a_conflict_of_two_transactions_is_transient() -> None:
    warehouse = open_duckdb(":memory:", config={}, lock_timeout=0, aggregate_schema="")
    with warehouse.session() as first, warehouse.session() as second:
        first.execute("CREATE TABLE t AS SELECT 1 AS a")
        with first.transaction():
            first.execute("UPDATE t SET a = 2")
            with pytest.raises(TransientWarehouseError, match=r"[Cc]onflict"):
                second.execute("UPDATE t SET a = 3")
        assert second.fetch_all("SELECT a FROM t") == [(2,)]
    warehouse.close()


def test_another_thread_interrupts_a_statement_and_that_is_transient() -> None:
    warehouse = open_duckdb(":memory:", config={}, lock_timeout=0, aggregate_schema="")

    def count() -> None:
        with warehouse.session() as session:
            session.fetch_all(_SLOW)

    with ThreadPoolExecutor() as pool:
        counting = pool.submit(count)
        while not wait([counting], timeout=0.01).done:
            warehouse.cancel_all()
    warehouse.close()

    assert isinstance(counting.exception(), TransientWarehouseError)


@pytest.mark.parametrize(
    ("schema", "name", "is_there"),
    [
        (None, "mine", True),
        (None, "broken", True),
        ("main", "broken", True),
        (None, "b", False),
        (None, "base", False),
        ("main", "base", False),
        ("main", "BASE", False),
        ("nowhere", "broken", False),
        (None, 'odd "name"', False),
        (None, "odd.name", False),
        (None, "odd name", True),
    ],
)
def test_a_name_is_there_when_something_bears_it(
    session: DbApiSession, schema: str | None, name: str, *, is_there: bool
) -> None:
    """A view on a table that is gone is there, though it cannot be read, and though the message names it."""
    session.execute("CREATE TABLE base AS SELECT 1 AS a")
    session.execute("CREATE VIEW broken AS SELECT a FROM base")
    session.execute('CREATE VIEW "odd name" AS SELECT a FROM base')
    session.execute("DROP TABLE base")
    session.execute("CREATE TEMP TABLE mine AS SELECT 1 AS a")
    key = (None, schema, name)

    assert session.find_readable([key]) == ({key} if is_there else set())


def test_files_are_there_and_databases_that_are_not_attached_are_not(session: DbApiSession, tmp_path: Path) -> None:
    rows, gone = str(tmp_path / "rows.csv"), str(tmp_path / "gone.csv")
    Path(rows).write_text("a\n1\n")
    session.execute("CREATE TABLE t AS SELECT 1 AS a")
    keys = [(None, None, rows), (None, None, gone), ("nowhere", "main", "t"), ("memory", "main", "t")]

    assert session.find_readable(keys) == {(None, None, rows), ("memory", "main", "t")}


def test_a_variable_of_the_program_is_no_table(session: DbApiSession) -> None:
    rows = duckdb.sql("SELECT 1 AS a")
    assert rows is not None

    with pytest.raises(PermanentWarehouseError, match="rows"):
        session.fetch_all("SELECT * FROM rows")
    rows.close()


def test_settings_of_connections_hold_in_each_session_and_others_for_the_file() -> None:
    """A session may change its own; the next one begins as the first did."""
    config = {"timezone": "Asia/Kolkata", "schema": "main", "threads": "1"}
    warehouse = open_duckdb(":memory:", config=config, lock_timeout=0, aggregate_schema="")
    for _ in range(2):
        with warehouse.session() as session:
            settings = session.fetch_all("SELECT CURRENT_SETTING('TimeZone'), CURRENT_SETTING('threads')")
            assert settings == [("Asia/Kolkata", 1)]
            session.execute("SET TimeZone = 'UTC'")
    warehouse.close()


def test_a_file_in_a_folder_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "gone" / "w.duckdb"
    warehouse = open_duckdb(str(path), config={}, lock_timeout=0, aggregate_schema="")

    with warehouse.session() as session, pytest.raises(PermanentWarehouseError, match="gone of DuckDB file") as caught:
        session.execute("SELECT 1")

    assert caught.value.sql == ""


def _holder_of(file: Path) -> subprocess.Popen[bytes]:
    """A process that holds a DuckDB file until its input ends."""
    code = f"import duckdb, sys; c = duckdb.connect({str(file)!r}); print(1, flush=True); sys.stdin.read()"
    holder = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    holder.stdout.readline()
    return holder


def test_a_file_that_another_process_holds_is_waited_for(tmp_path: Path) -> None:
    """Then it is said; the file is free again when the other one ends."""
    file = tmp_path / "w.duckdb"
    holder = _holder_of(file)
    warehouse = open_duckdb(str(file), config={}, lock_timeout=0.05, aggregate_schema="")
    with warehouse.session() as session:
        with pytest.raises(TransientWarehouseError, match="lock"):
            session.execute("SELECT 1")
        holder.communicate()
        assert session.fetch_all("SELECT 1") == [(1,)]
    warehouse.close()


def test_a_file_that_is_opened_ahead_is_the_one_of_the_sessions(tmp_path: Path) -> None:
    """Also of the next ones after it was closed. Closed without a session, it is free."""
    file = tmp_path / "w.duckdb"
    warehouse = open_duckdb(str(file), config={}, lock_timeout=0, aggregate_schema="")
    for number in range(3):
        warehouse.open_ahead()
        if number:
            with warehouse.session() as session:
                session.execute(f"CREATE TABLE t{number} AS SELECT {number} AS a")
        warehouse.close()

        with duckdb.connect(str(file), config={"access_mode": "read_only"}) as connection:
            assert connection.execute("SELECT COUNT(*) FROM duckdb_tables()").fetchall() == [(number,)]


def test_what_goes_wrong_ahead_is_told_by_the_first_session(tmp_path: Path) -> None:
    """Once; the next one tries again."""
    folder = tmp_path / "later"
    warehouse = open_duckdb(str(folder / "w.duckdb"), config={}, lock_timeout=0, aggregate_schema="")
    warehouse.open_ahead()
    with warehouse.session() as session, pytest.raises(PermanentWarehouseError, match="does not exist"):
        session.execute("SELECT 1")
    folder.mkdir()
    with warehouse.session() as session:
        assert session.fetch_all("SELECT 1") == [(1,)]
    warehouse.close()


def test_who_needs_no_session_after_all_does_not_wait_for_the_file(tmp_path: Path) -> None:
    file = tmp_path / "w.duckdb"
    holder = _holder_of(file)
    warehouse = open_duckdb(str(file), config={}, lock_timeout=60, aggregate_schema="")
    warehouse.open_ahead()

    before = time.monotonic()
    warehouse.close()
    assert time.monotonic() - before < 20
    holder.communicate()
    duckdb.connect(str(file)).close()


def test_the_file_is_released_when_the_warehouse_is_closed(tmp_path: Path) -> None:
    file = tmp_path / "w.duckdb"
    warehouse = open_duckdb(str(file), config={}, lock_timeout=0, aggregate_schema="")
    with warehouse.session() as session:
        session.execute("CREATE TABLE t AS SELECT 1 AS a")
    warehouse.close()

    with duckdb.connect(str(file), config={"access_mode": "read_only"}) as connection:
        assert connection.execute("SELECT a FROM t").fetchall() == [(1,)]


@pytest.mark.parametrize(("config", "depth"), [({}, 2000), ({"MAX_EXPRESSION_DEPTH": "3000"}, 3000)])
def test_conditions_may_be_nested_as_deep_as_somebody_says(tmp_path: Path, config: dict[str, str], depth: int) -> None:
    warehouse = open_duckdb(str(tmp_path / "w.duckdb"), config=config, lock_timeout=1, aggregate_schema="")
    with warehouse.session() as session:
        assert session.fetch_all("SELECT CURRENT_SETTING('max_expression_depth')") == [(depth,)]
    warehouse.close()


@pytest.mark.parametrize(
    ("config", "size"),
    [({}, "122.0 MiB"), ({"checkpoint_threshold": "32MiB"}, "32.0 MiB"), ({"WAL_autocheckpoint": "1MiB"}, "1.0 MiB")],
    ids=["ours", "given", "given by its other name"],
)
def test_the_log_gets_long_unless_the_url_says_otherwise(tmp_path: Path, config: dict[str, str], size: str) -> None:
    """And it is gone when the file is closed."""
    file = tmp_path / "w.duckdb"
    warehouse = open_duckdb(str(file), config=config, lock_timeout=1, aggregate_schema="")
    with contextlib.closing(warehouse), warehouse.session() as session:
        session.execute("CREATE TABLE t AS SELECT 1 AS a")
        assert session.fetch_all("SELECT current_setting('checkpoint_threshold')") == [(size,)]
        assert file.with_name("w.duckdb.wal").exists()

    assert not file.with_name("w.duckdb.wal").exists()


_WITHOUT_THE_PACKAGE = """
import sys
from airflow_atscale_aggs.engine.warehouse.base import WireFormat
from airflow_atscale_aggs.engine.warehouse.duckdb import open_duckdb

VALUES = (
    "SELECT 1.50::DECIMAL(9, 2), DATE '2024-02-29', TIMESTAMPTZ '2024-02-29 10:00+00', [1, NULL], {'a': 1}, "
    "INTERVAL 1 DAY, NULL, 'é', 'x'::BLOB, 1e300, 170141183460469231731687303715884105727::HUGEINT, "
    "'8e1a1b1c-0000-4000-8000-000000000001'::UUID, TIME '10:00:00', MAP {'k': 1}, 't'::BOOLEAN, '101'::BIT"
)
warehouse = open_duckdb(":memory:", config={}, lock_timeout=0, aggregate_schema="")
with warehouse.session() as session:
    alone = session.fetch_all(VALUES), session.result_columns(VALUES)
    for wrong in ("SELECT * FROM sys", "SELECT * FROM alone"):
        try:
            session.fetch_all(wrong)
        except Exception as error:
            print(type(error).__name__)
    print("duckdb" in sys.modules)
    wire = WireFormat(type_oids=(23,), formats=(0,), zone="UTC", longest=100, most_rows=None)
    with session.stream_messages("SELECT 7", wire) as answer:
        print([batch.count for batch in answer[1]])
    import duckdb
    print(alone == (session.fetch_all(VALUES), session.result_columns(VALUES)))
    print(alone[0] == duckdb.connect(":memory:").execute(VALUES).fetchall())
    print(isinstance(session.fetch_all("SELECT 1"), list), duckdb.sql("SELECT 8").fetchall())
"""


def test_values_are_read_by_the_extension_alone() -> None:
    """They are those of the package, and a name in FROM is no variable. The package is imported where it is needed."""
    read = subprocess.run([sys.executable, "-c", _WITHOUT_THE_PACKAGE], capture_output=True, text=True, check=True)

    assert read.stdout.splitlines() == [
        *("PermanentWarehouseError", "PermanentWarehouseError", "False", "[1]", "True", "True", "True [(8,)]")
    ]
