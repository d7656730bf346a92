"""DuckDB does what its row says."""

from __future__ import annotations

import duckdb
import pytest

from airflow_atscale_aggs.engine.sql.dialect_rows.duckdb_row import DUCKDB
from tests.support.stars.small_star import SmallStar


@pytest.mark.parametrize(
    ("field", "query", "expected"),
    [
        ("widens_integer_sums", "SELECT SUM(x) FROM (VALUES (2147483647), (1)) AS t(x)", 2147483648),
        ("has_boolean_aggregate", "SELECT BOOL_AND(x) FROM (VALUES (TRUE), (NULL), (FALSE)) AS t(x)", False),
        ("deviation_of_one_is_zero", "SELECT VAR_POP(x) FROM (VALUES (CAST('inf' AS DOUBLE))) AS t(x)", 0.0),
        ("divides_whole_numbers", "SELECT -7 // 2", -3),
    ],
)
def test_what_the_row_of_duckdb_claims_is_so(star: SmallStar, field: str, query: str, expected: object) -> None:
    assert getattr(DUCKDB, field) is True
    assert star.rows(query) == [(expected,)]


@pytest.mark.parametrize(
    ("field", "query", "expected"),
    [
        ("adds_singles_as_they_are", "SELECT TYPEOF(SUM(x)) FROM (VALUES (CAST(1 AS REAL))) AS t(x)", "DOUBLE"),
        ("bigint_sums_widen", "SELECT TYPEOF(SUM(y)) FROM (SELECT SUM(x) AS y FROM (SELECT 1 AS x))", "HUGEINT"),
        ("refuses_underflow", "SELECT CAST('1e-300' AS DOUBLE) * CAST('1e-300' AS DOUBLE)", 0.0),
        ("timestamps_are_instants", "SELECT TYPEOF(CAST('2020-01-01' AS TIMESTAMP))", "TIMESTAMP"),
    ],
)
def test_what_the_row_of_duckdb_denies_is_not_so(star: SmallStar, field: str, query: str, expected: object) -> None:
    assert getattr(DUCKDB, field) is False
    assert star.rows(query) == [(expected,)]


def test_duckdb_hashes_columns_of_any_type_and_tells_nulls_apart(star: SmallStar) -> None:
    function = DUCKDB.hash_columns

    hashes = star.rows(
        f"SELECT DISTINCT {function}(a, b) FROM "
        "(VALUES ('x', NULL), (NULL, 'x'), (NULL, NULL), ('x', 'x'), ('x', 'x')) AS t(a, b)"
    )

    assert len(hashes) == 4


def test_duckdb_names_the_type_of_any_expression(star: SmallStar) -> None:
    function = DUCKDB.type_of

    assert star.rows(f"SELECT {function}(CAST(NULL AS DECIMAL(9, 2)))") == [("DECIMAL(9,2)",)]


def test_a_transaction_around_ddl_takes_effect_as_a_whole_on_duckdb() -> None:
    assert DUCKDB.transactional_ddl
    with duckdb.connect() as connection:
        connection.execute(DUCKDB.begin_snapshot or "")
        connection.execute("CREATE TABLE t (x INTEGER)").execute("ROLLBACK")

        assert connection.execute("SELECT COUNT(*) FROM duckdb_tables()").fetchall() == [(0,)]
