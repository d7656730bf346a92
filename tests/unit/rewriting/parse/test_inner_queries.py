"""Queries inside expressions stand by themselves, before the SELECT, under names that mean nothing else."""

from __future__ import annotations

import pytest
import sqlglot
from sqlglot import exp

from airflow_atscale_aggs.engine.rewriting.divisions import KIND, NumberKind
from airflow_atscale_aggs.engine.rewriting.parse.inner_queries import free_name, outer_column, rows_of, with_subqueries
from airflow_atscale_aggs.engine.rewriting.parse.joined_relations import COLUMNS
from tests.support.oracles.spelled_queries import read_query


def _query(sql: str, **columns: tuple[str, ...]) -> exp.Query:
    """A query in which columns of some tables are known."""
    query = sqlglot.parse_one(sql, read="postgres")
    assert isinstance(query, exp.Query)
    for table in query.find_all(exp.Table):
        if table.name in columns:
            table.meta[COLUMNS] = dict.fromkeys(columns[table.name], "int")
    return query


@pytest.mark.parametrize(
    ("sql", "outer"),
    [
        ("SELECT a FROM t WHERE t.b = m.city", "m.city"),
        ("SELECT a FROM t AS u WHERE t.b = 1", "t.b"),
        ("SELECT a FROM t WHERE b = city", "city"),
        ("SELECT a FROM t WHERE EXISTS (SELECT 1 FROM t AS u WHERE u.a = m.city)", "m.city"),
        ("SELECT city FROM (SELECT a FROM t) AS u", "city"),
        ("SELECT city FROM (SELECT a FROM t) AS u (b)", "city"),
        ("SELECT city", "city"),
        ("SELECT UPPER(city) AS city FROM t", "city"),
        ("SELECT a AS b FROM t ORDER BY city", "city"),
        ("SELECT (SELECT MAX(a) AS c FROM t WHERE b = city) AS city FROM t", "city"),
    ],
)
def test_a_column_of_the_select_around_is_found(sql: str, outer: str) -> None:
    """The SELECT around has a column `city`; the table has `a` and `b`."""
    column = outer_column(_query(sql, t=("a", "b")), lambda name: name == "city")

    assert column is not None
    assert column.sql() == outer


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a, b FROM t",
        "SELECT x FROM t",
        "SELECT t.city FROM t",
        "SELECT city FROM unknown",
        "SELECT city FROM t JOIN unknown ON TRUE",
        "SELECT city FROM (SELECT * FROM t) AS u",
        "SELECT city FROM (SELECT a AS city FROM t) AS u",
        "SELECT city FROM (SELECT a FROM t UNION SELECT b FROM t) AS u",
        "SELECT city FROM t AS u (city, c)",
        "SELECT a AS city FROM t ORDER BY city",
        "SELECT (SELECT MAX(a) FROM t WHERE b = city) FROM unknown",
        "WITH city AS (SELECT a FROM t) SELECT city.a FROM city",
    ],
)
def test_a_query_whose_own_relations_may_have_its_columns_stands_by_itself(sql: str) -> None:
    assert outer_column(_query(sql, t=("a", "b")), lambda name: name == "city") is None


@pytest.mark.parametrize(
    ("sql", "taken", "name"),
    [
        ("SELECT 1", [], "subquery 1"),
        ("SELECT 1", ["subquery 1", "subquery 2"], "subquery 3"),
        ('SELECT * FROM "Subquery 1"', [], "subquery 2"),
        ('WITH "SUBQUERY 1" AS (SELECT 1) SELECT 2', ["subquery 2"], "subquery 3"),
    ],
)
def test_a_name_is_free_of_what_it_means_inside_and_beside_the_query(sql: str, taken: list[str], name: str) -> None:
    assert free_name(_query(sql), taken) == name


def test_the_rows_of_a_query_bring_the_kind_of_its_number() -> None:
    query = _query("SELECT COUNT(*) FROM t")
    query.meta[KIND] = NumberKind.WIDE

    rows = rows_of("subquery 1", query)

    assert rows.sql() == '(SELECT * FROM "subquery 1")'
    assert rows.args[KIND] is NumberKind.WIDE


@pytest.mark.parametrize(
    ("select", "whole"),
    [
        ("SELECT 1", "WITH {} SELECT 1"),
        ('WITH a AS (SELECT * FROM "subquery 1") SELECT 1', 'WITH {}, a AS (SELECT * FROM "subquery 1") SELECT 1'),
    ],
)
def test_queries_that_expressions_read_stand_before_the_select(select: str, whole: str) -> None:
    query = read_query('SELECT COUNT(*) FROM shop_star WHERE "Year" = (SELECT 2) OR "Year" IN (SELECT 3)')
    tree = _query(select)
    assert isinstance(tree, exp.Select)

    assert with_subqueries(tree, query).sql() == whole.format('"subquery 1" AS (SELECT 2), "subquery 2" AS (SELECT 3)')


def test_a_select_without_inner_queries_stays_as_it_is() -> None:
    tree = _query("WITH a AS (SELECT 1) SELECT 2 FROM a")
    assert isinstance(tree, exp.Select)

    assert with_subqueries(tree, read_query("SELECT COUNT(*) FROM shop_star")).sql() == tree.sql()
