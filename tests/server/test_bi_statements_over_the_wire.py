"""Statements as BI tools send them, over the wire, are answered like the same question on the tables."""

from __future__ import annotations

import psycopg
import pytest

from tests.server.conftest import Served
from tests.support.bi_statements import ANSWERED
from tests.support.oracles.query_oracle import same_rows

_IN_POSTGRESQL = {name: case for name, case in ANSWERED.items() if len(case) == 2}


@pytest.mark.parametrize("is_binary", [False, True], ids=["text", "binary"])
@pytest.mark.parametrize("name", _IN_POSTGRESQL)
def test_it_is_answered(served: Served, name: str, is_binary: bool) -> None:
    sql, equals = _IN_POSTGRESQL[name]
    with served.workspace.warehouse.session() as session:
        wanted = session.fetch_all(equals)

    with psycopg.connect(served.conninfo) as connection:
        rows = connection.cursor(binary=is_binary).execute(sql).fetchall()

    assert same_rows(rows, wanted) == "", sql


@pytest.mark.parametrize(
    "sql", ["SELECT CITY, amount FROM tiny_sales", 'SELECT "City", "Amount" FROM tiny_sales GROUP BY 1']
)
def test_what_the_engine_understands_and_postgresql_does_not(served: Served, sql: str) -> None:
    with psycopg.connect(served.conninfo) as connection:
        rows = connection.execute(sql).fetchall()
        expected = connection.execute('SELECT "City", "Amount" FROM tiny_sales').fetchall()

    assert sorted(rows, key=str) == sorted(expected, key=str)
