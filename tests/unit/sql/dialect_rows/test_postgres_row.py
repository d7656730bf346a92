"""PostgreSQL does what its row says."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from airflow_atscale_aggs.engine.sql.dialect_rows.postgres_row import POSTGRES
from tests.conftest import PostgresDatabase

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def connection(postgres_database: PostgresDatabase) -> Iterator[psycopg.Connection]:
    """A database of its own."""
    with postgres_database("postgres_row") as url, psycopg.connect(url.replace("+psycopg", "")) as opened:
        yield opened


@pytest.mark.parametrize(
    ("field", "query", "expected"),
    [
        ("widens_integer_sums", "SELECT SUM(x) FROM (VALUES (2147483647), (1)) AS t(x)", 2147483648),
        ("has_boolean_aggregate", "SELECT BOOL_AND(x) FROM (VALUES (TRUE), (NULL), (FALSE)) AS t(x)", False),
        ("bigint_sums_widen", "SELECT PG_TYPEOF(SUM(x))::text FROM (SELECT CAST(1 AS BIGINT) AS x) t", "numeric"),
        ("adds_singles_as_they_are", "SELECT PG_TYPEOF(SUM(x))::text FROM (SELECT CAST(1 AS REAL) AS x) t", "real"),
    ],
)
def test_what_the_row_claims_is_so(connection: psycopg.Connection, field: str, query: str, expected: object) -> None:
    assert getattr(POSTGRES, field) is True
    assert connection.execute(query.encode()).fetchall() == [(expected,)]


def test_a_product_that_cannot_be_told_from_zero_is_refused(connection: psycopg.Connection) -> None:
    assert POSTGRES.refuses_underflow
    with pytest.raises(psycopg.errors.NumericValueOutOfRange, match="underflow"):
        connection.execute("SELECT CAST('1e-300' AS DOUBLE PRECISION) * CAST('1e-300' AS DOUBLE PRECISION)")
    connection.rollback()


def test_a_transaction_around_ddl_takes_effect_as_a_whole(connection: psycopg.Connection) -> None:
    assert POSTGRES.transactional_ddl
    connection.execute("CREATE TABLE t (x INTEGER)")
    connection.rollback()

    assert connection.execute("SELECT TO_REGCLASS('t')").fetchall() == [(None,)]
