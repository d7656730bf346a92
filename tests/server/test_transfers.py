"""Rows of models in tables of the client's session, and in COPY's formats, as PostgreSQL writes them itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from airflow_atscale_aggs.engine.lifecycle.query.router import answer
from tests.server.conftest import Served

_BY_CITY = 'SELECT "City", SUM("Amount") AS amount, SUM("Quantity") AS quantity FROM tiny_sales GROUP BY 1'
_ROWS = 'SELECT "Day", "City", "Shop", "Amount", "Quantity" FROM tiny_sales'


@pytest.fixture
def connection(served: Served) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(served.conninfo, autocommit=True) as opened:
        yield opened


def _in_order(rows: list[tuple[Any, ...]]) -> list[str]:
    return sorted(map(repr, rows))


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TEMP TABLE kept AS {}",
        "CREATE TEMPORARY TABLE IF NOT EXISTS kept AS ({}) WITH DATA;",
        "/* for later */ CREATE LOCAL TEMP TABLE kept ON COMMIT PRESERVE ROWS AS WITH x AS ({}) SELECT * FROM x",
        "SELECT * INTO TEMP kept FROM ({}) AS x",
    ],
)
@pytest.mark.parametrize("is_prepared", [False, True])
def test_a_table_is_made_of_a_query(connection: psycopg.Connection[Any], statement: str, is_prepared: bool) -> None:
    made = connection.execute(statement.format(_ROWS), prepare=is_prepared)
    expected = connection.execute(_ROWS).fetchall()

    assert made.statusmessage == f"SELECT {len(expected)}"
    assert _in_order(connection.execute("SELECT * FROM kept").fetchall()) == _in_order(expected)
    asked = connection.execute(_ROWS)
    kept = connection.execute("SELECT * FROM kept LIMIT 0")
    assert [column.type_code for column in kept.description or ()] == [
        column.type_code for column in asked.description or ()
    ]


def test_a_table_with_names_of_its_own_without_rows_or_that_is_there(connection: psycopg.Connection[Any]) -> None:
    none = connection.execute(f"CREATE TEMP TABLE kept (town, a, q) AS {_BY_CITY} WITH NO DATA")
    again = connection.execute(f"CREATE TEMP TABLE IF NOT EXISTS kept AS {_BY_CITY}")

    assert (none.statusmessage, again.statusmessage) == ("CREATE TABLE AS", "CREATE TABLE AS")
    assert connection.execute("SELECT town, a, q FROM kept").fetchall() == []
    with pytest.raises(psycopg.errors.DuplicateTable):
        connection.execute(f"CREATE TEMP TABLE kept AS {_BY_CITY}")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(f"CREATE TABLE public.kept AS {_BY_CITY}")


def test_rows_are_inserted_as_postgresql_inserts_them(connection: psycopg.Connection[Any]) -> None:
    connection.execute("CREATE TEMP TABLE kept (id int GENERATED ALWAYS AS IDENTITY, q numeric(9,1), town text UNIQUE)")
    with connection.transaction():
        first = connection.execute(
            'INSERT INTO kept (town, q) SELECT "City", SUM("Quantity") FROM tiny_sales GROUP BY 1'
        )
        second = connection.execute(
            'INSERT INTO kept (town) SELECT "City" FROM tiny_sales WHERE "City" = %s ON CONFLICT DO NOTHING', ["North"]
        )
    expected = connection.execute('SELECT "City", SUM("Quantity")::numeric(9,0) FROM tiny_sales GROUP BY 1').fetchall()

    assert (first.rowcount, second.rowcount) == (len(expected), 0)
    assert _in_order(connection.execute("SELECT town, q::numeric(9,0) FROM kept").fetchall()) == _in_order(expected)


def test_a_failed_transfer_leaves_nothing(connection: psycopg.Connection[Any]) -> None:
    connection.execute("CREATE TEMP TABLE kept (town text CHECK (town <> 'North'))")
    insert = 'INSERT INTO kept SELECT "City" FROM tiny_sales'
    with pytest.raises(psycopg.errors.CheckViolation):
        connection.execute(insert)
    with pytest.raises(psycopg.Error), connection.transaction():
        connection.execute("""INSERT INTO kept SELECT CAST("City" || 'x' AS INT)::text FROM tiny_sales""")
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        connection.execute(f"{insert} RETURNING town")
    with connection.transaction():
        connection.execute("CREATE TEMP TABLE other AS SELECT 1 AS one")
        with pytest.raises(psycopg.errors.CheckViolation), connection.transaction():
            connection.execute(insert)

    assert connection.execute("SELECT town FROM kept").fetchall() == []
    assert connection.execute("SELECT one FROM other").fetchall() == [(1,)]
    assert connection.execute("SELECT 1 FROM pg_class WHERE relname = 'atscale_aggs_rows'").fetchall() == []


_SPECIAL = "SELECT \"City\", CASE WHEN \"City\" = 'North' THEN '{}' ELSE '' END AS mark, \"Amount\" FROM tiny_sales"


@pytest.mark.parametrize(
    "options",
    [
        "", "(FORMAT text)", "(FORMAT csv)", "WITH CSV HEADER", "(FORMAT csv, DELIMITER ';', NULL 'none', HEADER true)",
        "DELIMITER AS '|' NULL AS ''", "(FORMAT csv, QUOTE '''', ESCAPE '!', FORCE_QUOTE *)", "(FORMAT binary)",
        "BINARY", "(FORMAT text, HEADER)",
    ],
)  # fmt: skip
@pytest.mark.parametrize("special", ["a,b;c|d", 'say "x"', "it''s!", "two\nlines\tand\rmore", "\\."])
def test_copies_are_those_of_postgresql(connection: psycopg.Connection[Any], options: str, special: str) -> None:
    sql = _SPECIAL.format(special)
    connection.execute(f"CREATE TEMP TABLE kept AS {sql}")

    assert _copied(connection, f"COPY ({sql}) TO STDOUT {options}") == _copied(
        connection, f"COPY kept TO STDOUT {options}"
    )


def _copied(connection: psycopg.Connection[Any], sql: str) -> list[bytes]:
    """The rows, in no order."""
    with connection.cursor().copy(sql) as copy:
        return sorted(bytes(data) for data in copy)


def test_a_copy_is_refused_by_the_name_of_its_option(connection: psycopg.Connection[Any]) -> None:
    for options in ("(FORMAT parquet)", "(FREEZE)", "(FORMAT csv, FORCE_QUOTE (a))", "(ENCODING latin1)"):
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            _copied(connection, f"COPY ({_BY_CITY}) TO STDOUT {options}")
    with pytest.raises(psycopg.errors.UndefinedColumn):
        _copied(connection, 'COPY (SELECT "Cit" FROM tiny_sales) TO STDOUT')

    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_copy_holds_the_rows_of_the_facts(served: Served, connection: psycopg.Connection[Any]) -> None:
    with connection.cursor().copy(f"COPY ({_BY_CITY}) TO STDOUT (FORMAT binary)") as copy:
        copy.set_types(["text", "numeric", "numeric"])
        rows = list(copy.rows())

    expected = answer(served.workspace, _BY_CITY, use_aggregates=False).rows
    assert [(town, float(amount), int(count)) for town, amount, count in sorted(rows, key=repr)] == [
        (town, float(amount), int(count)) for town, amount, count in sorted(expected, key=repr)
    ]
