"""Whole statements around a SELECT, and texts read and written by the parser."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace

import pytest
import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, UnsupportedError

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError
from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.quoting import column_of
from airflow_atscale_aggs.engine.sql.statements import (
    PARSER_ERRORS,
    RenderedOnce,
    all_of,
    analyze_table,
    any_of,
    count_rows,
    create_table_as,
    create_view,
    drop_table,
    drop_view,
    find_source_names,
    find_source_tables,
    format_sql,
    parse_text,
    render,
    render_last,
    sqlglot_dialect,
    table,
    view_statements,
)
from tests.support.stars.small_star import CITY, part

DUCKDB = find_dialect("duckdb")
_TARGET = table("t 1", "aggs")
_SELECT = sqlglot.parse_one("SELECT a FROM f")


@pytest.mark.parametrize(
    ("statement", "dialect", "expected"),
    [
        (table("t"), "duckdb", '"t"'),
        (table("t", "s"), "databricks", "`s`.`t`"),
        (create_table_as(_TARGET, _SELECT, DUCKDB), "duckdb", 'CREATE TABLE "aggs"."t 1" AS SELECT "a" FROM "f"'),
        (drop_table(_TARGET), "postgres", 'DROP TABLE IF EXISTS "aggs"."t 1"'),
        (drop_view(_TARGET), "snowflake", 'DROP VIEW IF EXISTS "aggs"."t 1"'),
        (analyze_table(_TARGET), "postgres", 'ANALYZE "aggs"."t 1"'),
        (count_rows(_TARGET), "duckdb", 'SELECT COUNT(*) FROM "aggs"."t 1"'),
        (count_rows(_TARGET), "tsql", "SELECT COUNT_BIG(*) FROM [aggs].[t 1]"),
        (create_view(_TARGET, _SELECT), "duckdb", 'CREATE VIEW "aggs"."t 1" AS SELECT "a" FROM "f"'),
    ],
    ids=str,
)
def test_how_a_statement_is_said(statement: exp.Expr, dialect: str, expected: str) -> None:
    assert render(statement, find_dialect(dialect)) == expected


def test_sql_server_selects_into_a_new_table() -> None:
    tsql = find_dialect("tsql")

    created = create_table_as(_TARGET, _SELECT, tsql)

    assert render(created, tsql) == "SELECT [a] INTO [aggs].[t 1] FROM [f]"
    assert _SELECT.args.get("into") is None


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        ("duckdb", ['CREATE OR REPLACE VIEW "v" AS SELECT {} FROM "aggs"."t 1"']),
        ("snowflake", ['CREATE OR REPLACE VIEW "v" COPY GRANTS AS SELECT {} FROM "aggs"."t 1"']),
        ("redshift", ['DROP VIEW IF EXISTS "v"', 'CREATE VIEW "v" AS SELECT {} FROM "aggs"."t 1"']),
    ],
)
def test_a_stable_view_names_its_columns_and_is_replaced_as_the_dialect_can(dialect: str, expected: list[str]) -> None:
    columns = '"city", "shop_matched", "row_count", "sum_amount"'
    row = find_dialect(dialect)

    statements = view_statements(table("v"), _TARGET, part(CITY), row)

    assert [render(statement, row) for statement in statements] == [text.format(columns) for text in expected]


def test_a_stable_view_shows_a_query_where_one_is_given() -> None:
    (statement,) = view_statements(table("v"), _TARGET, part(CITY), DUCKDB, _SELECT)

    assert render(statement, DUCKDB) == 'CREATE OR REPLACE VIEW "v" AS SELECT "a" FROM "f"'


@pytest.mark.parametrize(
    ("conditions", "both", "either"),
    [
        (["a = 1"], "a = 1", "a = 1"),
        (["a = 1", "b = 2"], "a = 1 AND b = 2", "a = 1 OR b = 2"),
        (["a OR b", "c"], "(a OR b) AND c", "(a OR b) OR c"),
        (["a AND b", "c OR d"], "(a AND b) AND (c OR d)", "(a AND b) OR (c OR d)"),
        (["(SELECT b)", "c"], "((SELECT b)) AND c", "((SELECT b)) OR c"),
    ],
)
def test_conditions_hold_together_or_one_of_them(conditions: list[str], both: str, either: str) -> None:
    """A subquery may be a condition, which the parser's own functions refuse."""
    assert all_of(map(sqlglot.parse_one, conditions)).sql() == both
    assert any_of(map(sqlglot.parse_one, conditions)).sql() == either


def test_conditions_are_not_copied() -> None:
    condition = column_of("a")

    assert all_of([condition, column_of("b")]).this is condition
    assert any_of([condition, column_of("b")]).this is condition


def test_what_cannot_be_said_is_never_translated_by_guess() -> None:
    ordered = sqlglot.parse_one("SELECT ARRAY_AGG(a ORDER BY b) FROM t", read="postgres")

    for rendering in (render, render_last):
        with pytest.raises(UnsupportedError, match="NULLS LAST"):
            rendering(ordered, find_dialect("bigquery"))


def test_rendering_for_the_last_time_gives_the_same_text() -> None:
    tsql = find_dialect("tsql")
    text = render(_SELECT, tsql)

    assert render_last(_SELECT.copy(), tsql) == text == "SELECT [a] FROM [f]"


@pytest.mark.parametrize(
    ("sql", "dialect", "expected"),
    [
        ("SELECT 1; SELECT 2", "postgres", ["SELECT 1", "SELECT 2"]),
        ("", "duckdb", []),
        ("SELECT TO_CHAR(d, 'FMQ')", "postgres", ["SELECT TO_CHAR(d, 'FMQ')"]),
        ("SELECT TO_HEX(a)", "postgres", ["SELECT TO_HEX(a)"]),
        ("SELECT `a` FROM t", "databricks", ["SELECT `a` FROM t"]),
        ("SELECT a # b FROM t", "postgres", ["SELECT a # b FROM t"]),
    ],
)
def test_a_text_is_read_statement_by_statement_and_its_formats_stay(
    sql: str, dialect: str, expected: list[str]
) -> None:
    statements = [statement for statement in parse_text(sql, dialect) if statement is not None]

    assert [statement.sql(dialect) for statement in statements] == expected


@pytest.mark.parametrize(
    ("sql", "dialect"),
    [
        ("SELECT (", "duckdb"),
        ("SELECT FROM WHERE GROUP", "postgres"),
        ("SELECT INTERVAL '1 day 02:03:04'", "postgres"),
        ("SELECT 'open", "postgres"),
        ("SELECT TO_CHAR(d, '%Y')", "postgres"),
    ],
)
def test_a_text_that_cannot_be_read_is_refused(sql: str, dialect: str) -> None:
    """Among them an interval of which the parser would read the first unit only, and a format of another language."""
    with pytest.raises(PARSER_ERRORS) as refusal:
        parse_text(sql, dialect)

    assert str(refusal.value)


def test_a_text_is_read_after_one_that_could_not_be_read() -> None:
    with pytest.raises(ParseError):
        parse_text("SELECT (", "duckdb")

    (statement,) = parse_text("SELECT 1", "duckdb")

    assert statement == sqlglot.parse_one("SELECT 1")


def test_the_parsers_warnings_are_heard_by_others_only(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement that the parser does not know is run as it stands, or refused with a message of our own."""
    unknown = "VACUUM FULL t"
    # Other tests run programs that disable loggers, or all of logging.
    monkeypatch.setattr(logging.getLogger("sqlglot"), "disabled", False)
    monkeypatch.setattr(logging.getLogger("sqlglot"), "propagate", True)
    monkeypatch.setattr(logging.root.manager, "disable", 0)
    with caplog.at_level(logging.WARNING, logger="sqlglot"):
        parse_text(unknown, "duckdb")
        parse_text(unknown, "postgres")
        assert caplog.records == []

        sqlglot.parse_one(unknown)
        assert len(caplog.records) == 1


def test_threads_read_at_the_same_time() -> None:
    texts: list[str] = []

    def read(number: int) -> None:
        for _ in range(20):
            (statement,) = parse_text(f"SELECT {number} + a FROM t{number}", "postgres")
            assert statement is not None
            texts.append(statement.sql())

    threads = [threading.Thread(target=read, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(texts) == sorted(f"SELECT {number} + a FROM t{number}" for number in range(4) for _ in range(20))


def test_a_dialect_of_the_parser_is_made_once() -> None:
    assert sqlglot_dialect("duckdb") is sqlglot_dialect("duckdb")
    with pytest.raises(ValueError, match="Unknown dialect 'nothing'"):
        sqlglot_dialect("nothing")


@pytest.mark.parametrize(
    ("sql", "dialect", "expected"),
    [
        ('CREATE TABLE "t" AS SELECT 1 FROM "s"."f" LEFT JOIN (SELECT 1 FROM d) AS x ON TRUE', "duckdb", ["d", "s.f"]),
        ("SELECT a INTO [s].[t] FROM [f]", "tsql", ["f"]),
        ("CREATE TABLE a AS SELECT 1 FROM f; CREATE TABLE b AS SELECT 1 FROM a", "duckdb", ["f"]),
        ("CREATE TABLE t (a INTEGER)", "duckdb", []),
        ("CREATE TABLE s.t (a) AS SELECT b FROM f", "duckdb", ["f"]),
        ("SELECT 1", "duckdb", []),
        (";", "duckdb", []),
    ],
)
def test_the_tables_that_statements_read_and_do_not_make(sql: str, dialect: str, expected: list[str]) -> None:
    assert find_source_tables(sql, dialect) == expected


@pytest.mark.parametrize(
    ("sql", "relations", "columns"),
    [
        ("CREATE VIEW v AS SELECT A, b FROM s.T JOIN u ON TRUE", {("s", "t"), ("", "u")}, {"a", "b"}),
        ("CREATE VIEW s.v AS SELECT * FROM s.t", {("s", "t")}, set()),
        ("SELECT a FROM t", {("", "t")}, {"a"}),
        (
            "CREATE VIEW v AS SELECT ( FROM T",
            {("", word) for word in ("create", "view", "v", "as", "select", "from", "t")},
            {"create", "view", "v", "as", "select", "from", "t"},
        ),
    ],
)
def test_what_a_view_reads(sql: str, relations: set[tuple[str, str]], columns: set[str]) -> None:
    """A star names no column. Of a text that cannot be read, each word is both, a relation and a column."""
    assert find_source_names(sql, "duckdb") == (frozenset(relations), frozenset(columns))


@pytest.mark.parametrize(
    ("sql", "shown"),
    [
        ("SELECT 'a\n  b' AS x; SELECT 1", "SELECT\n  'a\n  b' AS x;\nSELECT\n  1"),
        ("SELECT (", "SELECT ("),
        ("", ""),
    ],
)
def test_a_statement_is_formatted_where_it_can_be_read(sql: str, shown: str) -> None:
    assert format_sql(sql, "duckdb") == shown


def test_statements_that_people_read_are_rendered_on_several_lines() -> None:
    assert render(_SELECT, DUCKDB, pretty=True) == 'SELECT\n  "a"\nFROM "f"'


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", "CREATE TABLE `aggs`.`t 1` AS SELECT `a` FROM `f`"),
        ("USING delta", "CREATE TABLE `aggs`.`t 1` USING DELTA AS SELECT `a` FROM `f`"),
        (
            "USING iceberg TBLPROPERTIES ('format-version' = '2')",
            "CREATE TABLE `aggs`.`t 1` USING ICEBERG TBLPROPERTIES ('format-version'='2') AS SELECT `a` FROM `f`",
        ),
    ],
)
def test_a_connection_says_what_tables_are_made_of(options: str, expected: str) -> None:
    spark = replace(find_dialect("spark"), table_options=options)

    assert render(create_table_as(_TARGET, _SELECT, spark), spark) == expected


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("'delta'", "says nothing of a table; write it as between CREATE TABLE and AS"),
        ("AS t (", "cannot be read"),
        ("; DROP TABLE t; CREATE TABLE u USING delta", "says nothing of a table"),
        ("USING delta LOCATION 's3://b/t'", "all tables into one place.*make the aggregate schema with a LOCATION"),
    ],
)
def test_options_that_make_no_table_are_refused(options: str, words: str) -> None:
    spark = replace(find_dialect("spark"), table_options=options)

    with pytest.raises(PermanentWarehouseError, match=words):
        create_table_as(_TARGET, _SELECT, spark)


@pytest.mark.parametrize("name", ["as_agg_1", 'a "quoted" name'])
def test_a_statement_that_is_rendered_once_names_each_relation_as_if_it_was_rendered_for_it(name: str) -> None:
    """Names that stand in quotes otherwise than they are spelled are rendered each."""
    made: list[str] = []

    def count(relation: exp.Table) -> exp.Expr:
        made.append(relation.name)
        return count_rows(relation)

    rendered, names = RenderedOnce("aggs", DUCKDB), (name, name, f"{name}_2")

    said = [rendered.say("count", each, count) for each in names]

    assert said == [render(count_rows(table(each, "aggs")), DUCKDB) for each in names]
    assert len(made) == (1 if name.isidentifier() else 3)
    assert rendered.say("drop", name, drop_table) == render(drop_table(table(name, "aggs")), DUCKDB)
