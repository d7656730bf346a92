"""What is asked for others reads and computes; everything that may do more is refused by name."""

from __future__ import annotations

import re

import pytest
from sqlglot import exp

from airflow_atscale_aggs.engine.errors import QueryError, UnsupportedQueryError
from airflow_atscale_aggs.engine.rewriting.parse import harmless_queries
from airflow_atscale_aggs.engine.rewriting.parse.harmless_queries import check_harmless, check_names
from airflow_atscale_aggs.engine.rewriting.parse.model_statements import parse_with_tables


def _check(sql: str, dialect: str = "postgres", *, with_catalog: bool = False) -> exp.Query:
    root, _ = parse_with_tables(sql, dialect=dialect)
    check_harmless(root, dialect, with_catalog=with_catalog)
    return root


@pytest.mark.parametrize(
    "sql",
    [
        'SELECT "Year", "Revenue" FROM retail.retail WHERE "State" IN (\'TN\', \'CA\') ORDER BY 2 DESC LIMIT 9',
        "SELECT a[1:2], ARRAY[1, 2], EXTRACT(year FROM d), d + INTERVAL '1 day', d AT TIME ZONE 'utc' FROM t",
        "SELECT string_agg(a, ',' ORDER BY b), count(*) FILTER (WHERE x) FROM t GROUP BY ROLLUP (a, b), CUBE (c)",
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY x DESC NULLS LAST) FROM t HAVING count(DISTINCT a) > 1",
        "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 9) SELECT i FROM n OFFSET 3",
        "SELECT rank() OVER (PARTITION BY a ORDER BY b ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) FROM t",
        "SELECT a FROM t INTERSECT SELECT a FROM u EXCEPT SELECT a FROM v",
        "SELECT CASE WHEN a ~ 'x' THEN a::numeric(10, 2) END, coalesce(a, b), nullif(a, 0), -a % 2 FROM t",
        "SELECT upper(trim(both from a)) || substring(b from 2 for 3), to_char(d, 'YYYY') FROM t",
        "SELECT (SELECT max(a) FROM u), a = ANY(ARRAY[1]), a IS DISTINCT FROM b FROM t, LATERAL (SELECT 1) AS l",
        "SELECT date_trunc('month', d), greatest(a, b) FROM t WHERE EXISTS (SELECT 1 FROM v)",
        "SELECT age(d), to_hex(1), octet_length(a), DATE '2020-01-01', CURRENT_DATE FROM t TABLESAMPLE BERNOULLI (10)",
        "SELECT * FROM (VALUES (1, 'a'), (2, NULL)) AS t(a, b)",
    ],
)
def test_queries_that_read_and_compute_are_taken(sql: str) -> None:
    _check(sql)


@pytest.mark.parametrize(
    ("dialect", "sql", "named"),
    [
        ("duckdb", "SELECT * FROM read_csv('/etc/passwd')", "READ_CSV('/etc/passwd')"),
        ("postgres", "SELECT * FROM read_csv('/etc/passwd')", "READ_CSV('/etc/passwd')"),
        ("duckdb", "SELECT * FROM read_parquet('/etc/passwd')", "READ_PARQUET('/etc/passwd')"),
        ("duckdb", "SELECT content FROM read_text('/etc/passwd')", "READ_TEXT('/etc/passwd')"),
        ("duckdb", "SELECT * FROM glob('/etc/*')", "GLOB('/etc/*')"),
        ("duckdb", "SELECT * FROM duckdb_secrets()", "DUCKDB_SECRETS()"),
        ("duckdb", "SELECT * FROM query('DROP TABLE t')", "QUERY('DROP TABLE t')"),
        ("duckdb", "SELECT * FROM range(10)", "RANGE(0, 10)"),
        ("duckdb", "SELECT getenv('HOME')", "GETENV('HOME')"),
        ("duckdb", "SELECT current_setting('s3_secret_access_key')", "CURRENT_SETTING('s3_secret_access_key')"),
        ("duckdb", "SELECT nextval('s')", "NEXTVAL('s')"),
        ("duckdb", "SELECT * FROM '/etc/passwd'", '"/etc/passwd"'),
        ("duckdb", 'SELECT * FROM "people.csv"', '"people.csv"'),
        ("duckdb", "SELECT * FROM 'https://example.com/x.parquet'", '"https://example.com/x.parquet"'),
        ("duckdb", 'SELECT * FROM "C:\\people"', '"c:\\people"'),
        ("duckdb", 'SELECT * FROM "md:people"', '"md:people"'),
        ("duckdb", 'SELECT * FROM "/tmp/other.db"."main"."t"', '"/tmp/other.db"."main"."t"'),
        ("postgres", "SELECT pg_read_file('/etc/passwd')", "PG_READ_FILE('/etc/passwd')"),
        ("postgres", "SELECT pg_catalog.pg_read_file('/etc/passwd')", "pg_catalog.pg_read_file('/etc/passwd')"),
        ("postgres", "SELECT \"pg_read_file\"('/etc/passwd')", "PG_READ_FILE"),
        ("postgres", 'SELECT "gcd"(1, 2)', '"GCD"(1, 2)'),
        ("postgres", "SELECT pg_ls_dir('/')", "PG_LS_DIR('/')"),
        ("postgres", "SELECT lo_import('/etc/passwd')", "LO_IMPORT('/etc/passwd')"),
        ("postgres", "SELECT pg_sleep(100)", "PG_SLEEP(100)"),
        ("postgres", "SELECT pg_terminate_backend(1)", "PG_TERMINATE_BACKEND(1)"),
        ("postgres", "SELECT set_config('a', 'b', false)", "SET_CONFIG('a', 'b', FALSE)"),
        ("postgres", "SELECT query_to_xml('SELECT 1', true, true, '')", "QUERY_TO_XML('SELECT 1', TRUE, TRUE, '')"),
        ("postgres", "SELECT * FROM dblink('host=x', 'SELECT 1') AS t(a int)", "DBLINK('host=x', 'SELECT 1')"),
        ("postgres", "SELECT a FROM t WHERE dblink_exec('DROP TABLE t') = 'x'", "DBLINK_EXEC('DROP TABLE t')"),
        ("postgres", "SELECT my_own.function_of_mine(1)", "my_own.function_of_mine(1)"),
        ("postgres", "SELECT * FROM t, LATERAL pg_read_file(t.a)", "PG_READ_FILE(t.a)"),
        ("postgres", "SELECT a FROM t ORDER BY pg_sleep(1)", "PG_SLEEP(1)"),
        ("postgres", "SELECT 'secret'::regclass", "REGCLASS"),
        ("postgres", "SELECT 'x'::my_own.kind", "my_own.kind"),
        ("postgres", "SELECT xmlelement(name a, 'b')", "XMLELEMENT"),
        ("postgres", "SELECT * FROM t FOR UPDATE", "FOR UPDATE"),
        ("postgres", "SELECT a OPERATOR(my_own.+) b FROM t", "OPERATOR(my_own.+)"),
        ("postgres", "SELECT generate_series(1, 1000000000)", "GENERATE_SERIES(1, 1000000000)"),
        ("postgres", "SELECT current_user", "CURRENT_USER"),
        ("postgres", "SELECT uuid_generate_v4(), random()", "UUID_GENERATE_V4()"),
        ("mysql", "SELECT LOAD_FILE('/etc/passwd')", "LOAD_FILE('/etc/passwd')"),
        ("mysql", "SELECT @@version", "@@version"),
        ("bigquery", "SELECT * FROM ML.PREDICT(MODEL m, TABLE t)", "PREDICT"),
        ("tsql", "SELECT * FROM OPENROWSET('x', 'y')", "OPENROWSET('x', 'y')"),
        ("tsql", "SELECT * FROM t OPTION (RECOMPILE)", "RECOMPILE"),
        ("clickhouse", "SELECT * FROM url('http://x')", "url('http://x')"),
        ("snowflake", "SELECT SYSTEM$ABORT_SESSION(1)", "SYSTEM$ABORT_SESSION(1)"),
        ("duckdb", "SELECT COLUMNS('.*') FROM t", "COLUMNS('.*')"),
    ],
)
def test_what_may_do_more_is_refused_by_name(dialect: str, sql: str, named: str) -> None:
    """Files, other servers, sequences, settings, other statements, functions of people: in whatever dialect."""
    with pytest.raises(QueryError, match=re.escape(named)):
        _check(sql, dialect)


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t VALUES (1)",
        "UPDATE t SET a = 1",
        "DELETE FROM t",
        "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE",
        "TRUNCATE t",
        "DROP TABLE t",
        "CREATE TABLE u AS SELECT * FROM t",
        "ALTER TABLE t ADD b INT",
        "COPY t TO '/tmp/x'",
        "COPY (SELECT 1) TO PROGRAM 'id'",
        "PRAGMA database_list",
        "ATTACH '/tmp/x.db' AS x",
        "SET search_path = x",
        "INSTALL httpfs",
        "LOAD httpfs",
        "CALL pragma_version()",
        "EXPLAIN ANALYZE SELECT 1",
        "VACUUM",
        "DO $$ BEGIN DROP TABLE t; END $$",
        "PREPARE p AS SELECT 1",
        "GRANT ALL ON t TO public",
        "SHOW TABLES",
        "SELECT 1; DROP TABLE t",
        "SELECT 1; -- and nothing\nDROP TABLE t",
        "SELECT 1 /* ; */ ; DELETE FROM t",
        "SELECT * INTO u FROM t",
        "WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone",
        "WITH more AS (INSERT INTO t VALUES (1) RETURNING *) SELECT * FROM more",
        "(DELETE FROM t RETURNING *)",
        "",
        ";",
        "/* nothing */",
    ],
)
@pytest.mark.parametrize("dialect", ["postgres", "duckdb"])
def test_nothing_but_one_query_is_taken(dialect: str, sql: str) -> None:
    with pytest.raises(QueryError):
        _check(sql, dialect)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT has_table_privilege('t', 'select'), pg_catalog.pg_table_is_visible(1), current_schema, current_user",
        "SELECT format_type(1, 2), to_regclass('t') FROM pg_catalog.pg_class",
    ],
)
def test_the_catalog_is_asked_by_those_who_may_see_it(sql: str) -> None:
    _check(sql, with_catalog=True)

    with pytest.raises(UnsupportedQueryError, match=r"may not|may be asked"):
        _check(sql)


def test_no_catalog_function_reads_more_than_the_catalog() -> None:
    for function in ("pg_read_file('x')", "pg_catalog.pg_read_file('x')", "current_setting('x')", "table_to_xml('t')"):
        with pytest.raises(UnsupportedQueryError, match="may be asked here"):
            _check(f"SELECT {function}", with_catalog=True)


@pytest.mark.parametrize("comment", ["/*+ Set(a b) */", "-- x */ DROP TABLE t", "/* a /* b */ c */"])
def test_comments_do_not_reach_the_warehouse(comment: str) -> None:
    """Where a comment ends, parsers may not agree; and some are hints."""
    root = _check(f"SELECT {comment}\n a, {comment}\n b FROM t {comment}\n")

    assert root.sql("postgres") == "SELECT a, b FROM t"


def test_names_that_may_be_files_are_refused_before_they_are_looked_up() -> None:
    _, tables = parse_with_tables("SELECT 1 FROM s.sales, \"a.csv\", 'b'", dialect="duckdb")

    check_names([table for table in tables if table.name != "a.csv"], "duckdb")
    with pytest.raises(UnsupportedQueryError, match=re.escape('"a.csv"')):
        check_names(tables, "duckdb")


def test_what_is_listed_exists_in_the_parser() -> None:
    """A misspelled name would refuse what it is meant to allow."""
    names = harmless_queries._CATALOG_PARTS

    assert {name for name in names if not hasattr(exp, name)} == set()
    assert {name for name in harmless_queries._KINDS if name not in exp.DataType.Type.__members__} == set()
    assert len(names) > 200
