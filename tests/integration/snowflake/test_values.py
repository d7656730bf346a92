"""What the connector gives on an emulator of Snowflake: numbers, timestamps, types, errors."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError, TransientWarehouseError
from airflow_atscale_aggs.engine.warehouse.base import RowBounds
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession
from airflow_atscale_aggs.engine.warehouse.drivers import Failure

pytestmark = pytest.mark.snowflake


@pytest.fixture
def session(snowflake_url: str) -> Iterator[DbApiSession]:
    """A session in an empty database."""
    warehouse = open_warehouse(snowflake_url)
    with warehouse.session() as opened:
        yield opened
    warehouse.close()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("CAST(9007199254740993 AS NUMBER(38,0))", 9007199254740993),
        ("CAST('99999999999999999999999999999999999.25' AS NUMBER(37,2))", Decimal("9" * 35 + ".25")),
        ("CAST(0.1 AS NUMBER(9,2))", Decimal("0.10")),
        ("COUNT(*)", 1),
        ("CAST('2024-07-01 00:30:00.123456789' AS TIMESTAMP_NTZ(9))", datetime(2024, 7, 1, 0, 30, 0, 123456)),
        (
            "CAST('2024-07-01 00:30:00.123456+09:00' AS TIMESTAMP_TZ)",
            datetime(2024, 6, 30, 15, 30, 0, 123456, tzinfo=UTC),
        ),
        ("CAST('2024-07-01' AS DATE)", date(2024, 7, 1)),
        ("CAST('%s %' AS TEXT)", "%s %"),
    ],
)
def test_values_are_as_they_were(session: DbApiSession, value: str, expected: object) -> None:
    """Beyond microseconds a driver gives no digits."""
    ((found,),) = session.fetch_all(f"SELECT {value}")

    assert found == expected
    assert type(found) is type(expected) or isinstance(expected, datetime)


def test_the_catalog_tells_digits_with_types(session: DbApiSession) -> None:
    """A NUMBER with digits behind the point is no incremental indicator."""
    kinds = {
        "a": ("NUMBER(38,0)", "NUMBER(38,0)"),
        "b": ("NUMBER(9,2)", "NUMBER(9,2)"),
        "c": ("TIMESTAMP_NTZ", "TIMESTAMP_NTZ(9)"),
        "d": ("TIMESTAMP_TZ", "TIMESTAMP_TZ(9)"),
        "e": ("VARCHAR", "TEXT"),
        "f": ("DOUBLE", "FLOAT"),
        "g": ("DATE", "DATE"),
    }
    columns = ", ".join(f'"{name}" {kind}' for name, (kind, _) in kinds.items())
    session.execute(f'CREATE TABLE "Typed" ({columns})')
    database = session.own_place()[0]
    keys: list[Any] = [(None, None, "Typed"), (database.lower(), "public", "typed"), ("elsewhere", None, "typed")]

    found = session.columns(keys)

    assert set(found) == set(keys[:2])
    assert dict(found[keys[0]]) == dict(found[keys[1]]) == {name: kind for name, (_, kind) in kinds.items()}
    assert found.reasons[keys[2]].startswith("is in another database")


def test_what_is_not_there_may_be_hidden_and_the_sentence_says_so(session: DbApiSession) -> None:
    """A model may bear the name nevertheless."""
    with pytest.raises(PermanentWarehouseError, match="or the connection's role may not see it") as caught:
        session.fetch_all('SELECT * FROM "nowhere"')

    assert session.failure_of(caught.value) is Failure.UNSEEN
    session.execute('CREATE TABLE "t 1" AS SELECT 1 AS "a"')
    keys: list[Any] = [(None, None, "t 1"), (None, None, "nowhere"), (None, "nowhere", "t 1")]
    assert session.find_readable(keys) == {keys[0]}


def test_rows_that_are_written_are_counted_where_the_warehouse_tells(session: DbApiSession) -> None:
    """CREATE TABLE AS answers with a sentence."""
    assert session.execute('CREATE TABLE "t" AS SELECT 1 AS "a" UNION ALL SELECT 2') is None
    assert session.execute('INSERT INTO "t" SELECT * FROM "t"') == 2


def test_the_first_rows_of_an_answer(session: DbApiSession) -> None:
    session.execute('CREATE TABLE "t" AS SELECT 1 AS "a" UNION ALL SELECT 2 UNION ALL SELECT 3')
    first = session.fetch_first('SELECT "a" FROM "t" ORDER BY 1', RowBounds(2, 10**6))

    assert (first.names, first.rows, first.is_cut) == (("a",), [(1,), (2,)], True)


def test_a_table_of_one_session_is_there_in_the_next_one(snowflake_url: str) -> None:
    """Each statement commits by itself."""
    warehouse = open_warehouse(snowflake_url)
    with warehouse.session() as first, warehouse.session() as second:
        first.execute('CREATE TABLE "t" AS SELECT 1 AS "a"')
        assert second.fetch_all('SELECT "a" FROM "t"') == [(1,)]
    warehouse.close()


def test_a_session_that_is_over_is_lost_and_the_next_statement_opens_another(session: DbApiSession) -> None:
    """The server has forgotten it."""
    assert session.fetch_all("SELECT 1") == [(1,)]
    session._connection.rest.request("/session?delete=true", {})

    with pytest.raises(TransientWarehouseError, match="the connection was lost"):
        session.fetch_all("SELECT 1")
    assert session.fetch_all("SELECT 1") == [(1,)]


def test_a_schema_that_is_made_is_not_the_sessions_own_from_then_on(session: DbApiSession) -> None:
    """CREATE SCHEMA would make it so, and names without a schema would mean something else."""
    before = session.own_place()
    session.make_schema("made")

    assert session.has_schema("made")
    assert session.own_place() == before


def test_a_server_that_is_away_is_a_lost_connection(snowflake_url: str) -> None:
    port = urlsplit(snowflake_url).query.partition("port=")[2].partition("&")[0]
    warehouse = open_warehouse(snowflake_url.replace(f"port={port}", "port=1&login_timeout=1"))
    with warehouse.session() as session, pytest.raises(TransientWarehouseError, match="cannot be made"):
        session.fetch_all("SELECT 1")
    warehouse.close()
