"""Every dialect can say every statement that the engine composes, and DuckDB does what its row says."""

from __future__ import annotations

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.build_step import TARGET_ATTEMPT
from airflow_atscale_aggs.engine.errors import UnsupportedOnDialectError
from airflow_atscale_aggs.engine.sql.dialects import DIALECTS, Dialect, dialect_of_url, find_dialect
from airflow_atscale_aggs.engine.sql.statements import render
from tests.support.oracles.composed_statements import comparisons, statements
from tests.support.stars.small_star import SmallStar

_EVERY_DIALECT = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)


@_EVERY_DIALECT
def test_what_is_composed_can_be_said_and_reads_back_as_it_was(dialect: Dialect) -> None:
    """Tree and text; every identifier is quoted; attempt tokens stand inside quoted names of tables."""
    for name, statement in statements(dialect).items():
        text = render(statement, dialect)

        tree = sqlglot.parse_one(text, read=dialect.sqlglot_name)

        again = render(tree, dialect)
        assert again == text, name
        assert sqlglot.parse_one(again, read=dialect.sqlglot_name) == tree, name
        assert [node.name for node in tree.find_all(exp.Identifier) if not node.quoted] == [], name
        if name.startswith(("from facts", "derived", "drop", "count")):
            assert _number_of_tokens(tree) == text.count(TARGET_ATTEMPT) > 0, name


@_EVERY_DIALECT
def test_comparisons_can_be_said_too(dialect: Dialect) -> None:
    """Rendered with the plan, read back as they were; every identifier quoted, the token in a table's name."""
    for name, text in comparisons(dialect).items():
        tree = sqlglot.parse_one(text, read=dialect.sqlglot_name)

        assert render(tree, dialect) == text, name
        assert [node.name for node in tree.find_all(exp.Identifier) if not node.quoted] == [], name
        assert _number_of_tokens(tree) == text.count(TARGET_ATTEMPT), name
        assert name.endswith("facts") or TARGET_ATTEMPT in text, name


def _number_of_tokens(tree: exp.Expr) -> int:
    """Tables whose names hold the token of the attempt."""
    return sum(TARGET_ATTEMPT in node.name for node in tree.find_all(exp.Table))


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_is_found_by_its_name(name: str) -> None:
    assert find_dialect(name).name == name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("postgre", "known: postgres$"),
        ("oracle", "known: duckdb, postgres, snowflake, bigquery, databricks, spark, redshift, trino, tsql"),
    ],
)
def test_an_unknown_dialect_is_refused_with_names_near_it_or_all_names(name: str, words: str) -> None:
    with pytest.raises(UnsupportedOnDialectError, match="no capability row") as refusal:
        find_dialect(name)

    assert refusal.match(words)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("duckdb:///file.duckdb", "duckdb"),
        ("postgres://host/db", "postgres"),
        ("PostgreSQL+psycopg://host/db", "postgres"),
        ("mssql+pyodbc://host/db", "tsql"),
        ("hive://host", "spark"),
    ],
)
def test_the_scheme_of_a_url_names_the_dialect(url: str, expected: str) -> None:
    assert dialect_of_url(url).name == expected


@pytest.mark.parametrize("url", ["oracle+cx://host/db", "no url", ""])
def test_an_unknown_scheme_is_refused_with_all_that_are_known(url: str) -> None:
    with pytest.raises(UnsupportedOnDialectError, match=r"no warehouse dialect has this URL scheme; known: duckdb, "):
        dialect_of_url(url)


def test_a_scheme_names_one_dialect() -> None:
    schemes = [scheme for row in DIALECTS.values() for scheme in row.schemes]

    assert sorted(set(schemes)) == sorted(schemes)


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
    assert getattr(find_dialect("duckdb"), field) is True
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
    assert getattr(find_dialect("duckdb"), field) is False
    assert star.rows(query) == [(expected,)]


def test_duckdb_hashes_columns_of_any_type_and_tells_nulls_apart(star: SmallStar) -> None:
    function = find_dialect("duckdb").hash_columns

    hashes = star.rows(
        f"SELECT DISTINCT {function}(a, b) FROM "
        "(VALUES ('x', NULL), (NULL, 'x'), (NULL, NULL), ('x', 'x'), ('x', 'x')) AS t(a, b)"
    )

    assert len(hashes) == 4


def test_duckdb_names_the_type_of_any_expression(star: SmallStar) -> None:
    function = find_dialect("duckdb").type_of

    assert star.rows(f"SELECT {function}(CAST(NULL AS DECIMAL(9, 2)))") == [("DECIMAL(9,2)",)]


def test_a_transaction_around_ddl_takes_effect_as_a_whole_on_duckdb() -> None:
    assert find_dialect("duckdb").transactional_ddl
    with duckdb.connect() as connection:
        connection.execute(find_dialect("duckdb").begin_snapshot or "")
        connection.execute("CREATE TABLE t (x INTEGER)").execute("ROLLBACK")

        assert connection.execute("SELECT COUNT(*) FROM duckdb_tables()").fetchall() == [(0,)]
