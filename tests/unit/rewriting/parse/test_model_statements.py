"""A statement is parsed, the SELECTs on models in it are found, and what stands around them stays as it is."""

from __future__ import annotations

import pytest
from sqlglot import exp

from airflow_atscale_aggs.engine.errors import UnreadableQueryError, UnsupportedQueryError
from airflow_atscale_aggs.engine.rewriting.parse.model_statements import (
    first_word,
    only_reads,
    parse_query,
    parse_with_tables,
    read_statement,
)


@pytest.mark.parametrize(
    ("sql", "dialect", "folded"),
    [
        ('SELECT City, "City" FROM Shop AS S', "postgres", 'SELECT city, "City" FROM shop AS s'),
        ('SELECT City, "City" FROM Shop', "snowflake", 'SELECT CITY, "City" FROM SHOP'),
        ('SELECT City AS C, "City" FROM Shop', "duckdb", 'SELECT city AS c, "city" FROM shop'),
        ("SELECT N'x', $$it's$$", "postgres", "SELECT 'x', 'it''s'"),
        ("SELECT (a AND (b AND c)) AND (d OR (e OR f))", "postgres", "SELECT a AND b AND c AND (d OR e OR f)"),
        ("SELECT a /* so */ FROM t; -- the end", "postgres", "SELECT a /* so */ FROM t"),
    ],
)
def test_a_text_has_one_spelling_once_it_is_parsed(sql: str, dialect: str, folded: str) -> None:
    """Names are folded as the dialect folds them. Conditions in parentheses that mean nothing are not nested."""
    assert parse_query(sql, dialect=dialect).sql(dialect=dialect) == folded


def test_aliases_may_keep_their_spelling() -> None:
    query = parse_query("SELECT City AS Town FROM Shop", dialect="duckdb", keeps_aliases=True)

    assert query.sql("duckdb") == "SELECT city AS Town FROM shop"


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("SELECT * FROM a JOIN s.b ON TRUE WHERE x IN (SELECT x FROM c)", ["a", "s.b", "c"]),
        ("WITH a AS (SELECT * FROM b) SELECT * FROM a, c", ["b", "c"]),
        ("SELECT * FROM generate_series(1, 2)", []),
    ],
)
def test_tables_that_are_not_the_statements_own_come_with_it(sql: str, tables: list[str]) -> None:
    _, named = parse_with_tables(sql, dialect="postgres")

    assert [table.sql() for table in named] == tables


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("INSERT INTO t SELECT 1", "`INSERT` is not a query, and only queries are answered"),
        ("-- so\n/* and so */ drop TABLE t", "`DROP` is not a query"),
        ("WITH d AS (DELETE FROM t RETURNING a) SELECT * FROM d", "`DELETE` is not a query"),
        ("SELECT a INTO t FROM s", "`INTO` is not a query"),
        ("SET a = 1", "`SET` is not a query"),
        ("VACUUM t", "`VACUUM` is not a query"),
        ("SELECT 1; SELECT 2", "it is 2 statements, not one"),
        ("", "it is 0 statements, not one"),
        ("SELECT FROM WHERE", "Expected"),
        ("SELECT 'open", "Error tokenizing"),
    ],
)
def test_only_one_query_is_read(sql: str, reason: str) -> None:
    with pytest.raises(UnreadableQueryError) as error:
        parse_query(sql, dialect="postgres")

    assert reason in error.value.reason
    assert error.value.sql == sql
    assert "\x1b" not in error.value.reason


@pytest.mark.parametrize(("sql", "parameter"), [("SELECT ?", "?"), ("SELECT a FROM t WHERE b = $1", "$1")])
def test_a_parameter_without_a_value_is_refused(sql: str, parameter: str) -> None:
    with pytest.raises(UnsupportedQueryError, match="the query has a parameter without a value") as error:
        parse_query(sql, dialect="postgres")

    assert error.value.clause == parameter


@pytest.mark.parametrize(
    ("sql", "selects"),
    [
        ('SELECT "a" FROM m', ['SELECT "a" FROM m']),
        ('SELECT "a" FROM c.M', ['SELECT "a" FROM c.m']),
        ('SELECT x FROM (SELECT "a" AS x FROM m GROUP BY 1) AS t', ['SELECT "a" AS x FROM m GROUP BY 1']),
        ('SELECT "a" FROM m UNION ALL SELECT "b" FROM m', ['SELECT "a" FROM m', 'SELECT "b" FROM m']),
        (
            'SELECT "a" FROM m WHERE "b" IN (SELECT "b" FROM m LIMIT 1)',
            ['SELECT "a" FROM m WHERE "b" IN (SELECT "b" FROM m LIMIT 1)', 'SELECT "b" FROM m LIMIT 1'],
        ),
        ('SELECT SUM("a") FROM t JOIN m ON t.b = m."b"', ['SELECT SUM("a") FROM m JOIN t ON t.b = m."b"']),
        ('SELECT SUM("a") FROM t CROSS JOIN u CROSS JOIN m', ['SELECT SUM("a") FROM m CROSS JOIN u CROSS JOIN t']),
        (
            'SELECT SUM("a") FROM t JOIN (SELECT * FROM m) AS v ON t.b = v."b"',
            ['SELECT SUM("a") FROM m AS v JOIN t ON t.b = "v"."b"'],
        ),
        ('SELECT SUM("a") FROM (SELECT * FROM m) AS v', ['SELECT SUM("a") FROM m AS v']),
        ("SELECT m.* FROM m LIMIT 0", ["SELECT * FROM m LIMIT 0"]),
        ("SELECT v.* FROM c.m AS v LIMIT 0", ["SELECT * FROM c.m AS v LIMIT 0"]),
        ('SELECT "a" FROM anything', ['SELECT "a" FROM anything']),
    ],
)
def test_the_selects_on_a_model_are_found_with_the_model_first(sql: str, selects: list[str]) -> None:
    """Where no relation has the model's name, everything that is named is the model."""
    statement = read_statement(sql, dialect="postgres", model="M")

    assert [select.sql() for select in statement.selects] == selects
    assert statement.models == (0,) * len(selects)


def test_qualify_of_a_select_on_a_model_becomes_a_condition_around_it() -> None:
    statement = read_statement('SELECT "a" FROM m QUALIFY RANK() OVER (ORDER BY "a") = 1', dialect="duckdb", model="m")

    assert statement.selects[0].find_ancestor(exp.Select) is statement.root
    assert not statement.is_plain


@pytest.mark.parametrize(
    ("sql", "clause", "reason"),
    [
        ("SELECT * FROM t LEFT JOIN m ON TRUE", "m", "a model is asked by a SELECT whose FROM begins with it"),
        ("SELECT * FROM m AS a, m AS b", "m AS b", "a model is asked by a SELECT whose FROM begins with it"),
        ("SELECT * FROM m AS v (x, y)", "m AS v(x, y)", "of a model all rows are asked, under its own names"),
        ("SELECT * FROM m TABLESAMPLE BERNOULLI (10)", "m TABLESAMPLE BERNOULLI (10)", "of a model all rows are asked"),
    ],
)
def test_a_model_that_stands_where_none_can_be_asked_is_refused(sql: str, clause: str, reason: str) -> None:
    with pytest.raises(UnsupportedQueryError) as error:
        read_statement(sql, dialect="postgres", model="m")

    assert error.value.clause == clause
    assert reason in error.value.reason


def test_a_model_under_a_lateral_view_is_refused() -> None:
    with pytest.raises(UnsupportedQueryError, match="a model is asked by a SELECT whose FROM begins with it"):
        read_statement("SELECT x FROM m LATERAL VIEW EXPLODE(a) t AS x", dialect="spark", model="m")


def test_a_statement_that_names_nothing_is_on_no_model() -> None:
    with pytest.raises(UnreadableQueryError, match="it names no model"):
        read_statement("SELECT 1", dialect="postgres", model="m")


@pytest.mark.parametrize(
    ("sql", "is_plain"),
    [
        ('SELECT "a" FROM m', True),
        ('WITH t AS (SELECT 1) SELECT "a" FROM m', False),
        ('SELECT * FROM (SELECT "a" FROM m LIMIT 1) AS t', False),
        ('SELECT "a" FROM m UNION SELECT "a" FROM m', False),
    ],
)
def test_a_plain_statement_is_one_select_alone(sql: str, is_plain: bool) -> None:
    assert read_statement(sql, dialect="postgres", model="m").is_plain is is_plain


@pytest.mark.parametrize(
    ("sql", "shape"),
    [
        (
            "SELECT a FROM m WHERE b = 'x' AND c IN (1, 2) LIMIT 5",
            "SELECT a FROM m WHERE b = %s AND c IN (%s, %s) LIMIT 5",
        ),
        (
            "select A from M where B = 'y' and C in (3, 4) limit 5",
            "SELECT a FROM m WHERE b = %s AND c IN (%s, %s) LIMIT 5",
        ),
        ("SELECT a FROM m GROUP BY 1 ORDER BY 2 OFFSET 3", "SELECT a FROM m GROUP BY 1 ORDER BY 2 OFFSET 3"),
        ("SELECT COALESCE(a, 'none', 0) FROM m", "SELECT COALESCE(a, %s, %s) FROM m"),
    ],
)
def test_statements_that_differ_in_values_alone_have_one_shape(sql: str, shape: str) -> None:
    assert read_statement(sql, dialect="postgres").shape == shape


@pytest.mark.parametrize(
    ("sql", "answered"),
    [
        ('SELECT "a" FROM m', "SELECT 0"),
        ('SELECT x FROM (SELECT "a" AS x FROM m LIMIT 1) AS t', "SELECT x FROM (SELECT 0) AS t"),
        ('SELECT "a" FROM m UNION ALL SELECT "b" FROM m', "SELECT 0 UNION ALL SELECT 1"),
        ('WITH t AS (SELECT 9) SELECT "a" FROM m', "WITH t AS (SELECT 9) SELECT 0"),
    ],
)
def test_each_select_on_a_model_is_replaced_and_the_rest_stays(sql: str, answered: str) -> None:
    statement = read_statement(sql, dialect="postgres", model="m")
    before = statement.root.sql()

    answer = statement.replace_selects(lambda number, _: exp.select(str(number)))

    assert answer.sql() == answered
    assert statement.root.sql() == before


def test_a_select_inside_another_is_replaced_first() -> None:
    statement = read_statement('SELECT "a" FROM m WHERE "b" IN (SELECT "c" FROM m)', dialect="postgres", model="m")
    seen: list[str] = []

    def compose(number: int, select: exp.Select) -> exp.Query:
        seen.append(select.sql())
        return exp.select(str(number))

    statement.replace_selects(compose)

    assert seen == ['SELECT "c" FROM m', 'SELECT "a" FROM m WHERE "b" IN (SELECT 1)']


def test_ctes_of_an_answer_stand_behind_those_of_the_statement() -> None:
    statement = read_statement('WITH t AS (SELECT 1) SELECT "a" FROM m, t', dialect="postgres", model="m")

    answer = statement.replace_selects(lambda _number, _: exp.select("3").with_("s", as_="SELECT 2"))

    assert answer.sql() == "WITH t AS (SELECT 1), s AS (SELECT 2) SELECT 3"


@pytest.mark.parametrize(
    ("sql", "word"),
    [
        ("select 1", "SELECT"),
        ("  -- so\n /* and\nso */ Insert INTO t", "INSERT"),
        ("(SELECT 1)", ""),
        ("", ""),
        ("--", ""),
    ],
)
def test_the_first_word_says_what_a_statement_does(sql: str, word: str) -> None:
    assert first_word(sql) == word


@pytest.mark.parametrize(
    ("sql", "reads"),
    [
        ("SELECT 1", True),
        ("SELECT 1;", True),
        ("WITH a AS (SELECT 1) SELECT * FROM a", True),
        ("FROM t", True),
        ("SHOW TABLES", True),
        ("DESCRIBE t", True),
        ("EXPLAIN SELECT 1", True),
        ("SELECT 'DROP', \"UPDATE\", t.set, a AS call FROM t", True),
        ("UNPIVOT t ON a INTO NAME n VALUE v", True),
        ("SELECT 1; SELECT 2", False),
        ("SELECT 1; DROP TABLE t", False),
        ("SELECT a INTO t FROM s", False),
        ("WITH a AS (DELETE FROM t RETURNING b) SELECT * FROM a", False),
        ("EXPLAIN ANALYZE INSERT INTO t VALUES (1)", False),
        ("INSERT INTO t VALUES (1)", False),
        ("SELECT * FROM t FOR UPDATE", False),
        ("ATTACH 'file'", False),
        ("PRAGMA x", False),
        ("SELECT 'open", False),
        ("", False),
    ],
)
def test_a_text_that_only_shows_something_is_told_from_one_that_may_change_it(sql: str, reads: bool) -> None:
    assert only_reads(sql, "duckdb") is reads
