"""Divisions around answered SELECTs keep the meaning of their dialect, by the kinds of the columns that they divide."""

from __future__ import annotations

import pytest
import sqlglot
from sqlglot import exp

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.rewriting.divisions import KINDS, NumberKind
from airflow_atscale_aggs.engine.rewriting.parse.joined_relations import COLUMNS
from airflow_atscale_aggs.engine.rewriting.parse.outer_divisions import translate_outer_divisions
from airflow_atscale_aggs.engine.sql.dialects import find_dialect

_KINDS = {"n": NumberKind.WIDE, "i": NumberKind.WHOLE, "a": NumberKind.OTHER, "c": NumberKind.UNKNOWN}
_TYPES = {"i": "integer", "d": "decimal(9,2)", "s": "varchar"}


def _parse(sql: str, written: str) -> exp.Expr:
    """A statement whose SELECTs from `m` are answered, and whose table `t` has known columns."""
    root = sqlglot.parse_one(sql, read=written)
    for table in root.find_all(exp.Table):
        if table.name == "t":
            table.meta[COLUMNS] = _TYPES
        select = table.parent_select
        if table.name == "m" and isinstance(select, exp.Select):
            select.meta[KINDS] = {name: _KINDS.get(name, NumberKind.UNKNOWN) for name in select.named_selects}
    return root


def _translate(sql: str, written: str = "postgres", warehouse: str = "duckdb") -> str:
    root = _parse(sql, written)
    translate_outer_divisions(root, written, find_dialect(warehouse))
    return root.sql("duckdb")


_N, _I, _A, _C = (f"(SELECT {name} FROM m)" for name in "niac")


@pytest.mark.parametrize(
    ("sql", "translated"),
    [
        (f"SELECT n / 2 FROM {_N} AS q", f"SELECT n // 2 FROM {_N} AS q"),
        (f"SELECT a / 2 FROM {_A} AS q", f"SELECT a / 2 FROM {_A} AS q"),
        (f"SELECT c / 2.5 FROM {_C} AS q", f"SELECT c / 2.5 FROM {_C} AS q"),
        (f"SELECT q.n / p.n FROM {_N} AS q, {_N} AS p", f"SELECT q.n // p.n FROM {_N} AS q, {_N} AS p"),
        (
            f"SELECT q.n / a FROM {_N} AS q JOIN {_A} AS p ON TRUE",
            f"SELECT q.n / a FROM {_N} AS q JOIN {_A} AS p ON TRUE",
        ),
        (f"SELECT x / 2 FROM {_N} AS q (x)", f"SELECT x // 2 FROM {_N} AS q(x)"),
        (f"WITH q AS {_N} SELECT n / 2 FROM q", f"WITH q AS {_N} SELECT n // 2 FROM q"),
        (f"WITH q (x) AS {_N} SELECT x / 2 FROM q AS p", f"WITH q(x) AS {_N} SELECT x // 2 FROM q AS p"),
        (f"SELECT {_N} / 2", f"SELECT {_N} // 2"),
        (
            "SELECT a / 2 FROM (SELECT MIN(i), AVG(i) FROM t) AS q (a, b)",
            "SELECT a // 2 FROM (SELECT MIN(i), AVG(i) FROM t) AS q(a, b)",
        ),
        (
            "SELECT a / 2, b / 2 FROM (SELECT i, d AS i FROM t) AS q (a, b)",
            "SELECT a // 2, b / 2 FROM (SELECT i, d AS i FROM t) AS q(a, b)",
        ),
        ("SELECT d / 2 FROM t AS q (x)", "SELECT d / 2 FROM t AS q(x)"),
        (f"SELECT 10 / {_A}", f"SELECT 10 / {_A}"),
        (f"SELECT n / 2 FROM (SELECT * FROM {_N} AS p) AS q", f"SELECT n // 2 FROM (SELECT * FROM {_N} AS p) AS q"),
        (
            f"SELECT n / 2 FROM (SELECT p.* FROM {_N} AS p, {_C} AS o) AS q",
            f"SELECT n // 2 FROM (SELECT p.* FROM {_N} AS p, {_C} AS o) AS q",
        ),
        (f"SELECT n / 2 FROM ({_N} UNION ALL {_N}) AS q", f"SELECT n // 2 FROM ({_N} UNION ALL {_N}) AS q"),
        ("SELECT i / 2, d / 2 FROM t", "SELECT i // 2, d / 2 FROM t"),
        ("SELECT i / 2 / 2.0 FROM t", "SELECT i // 2 / 2.0 FROM t"),
        ("SELECT i / i / i FROM t", "SELECT i // i // i FROM t"),
        ("SELECT x / 3 FROM (SELECT i / 2 AS x FROM t) AS q", "SELECT x // 3 FROM (SELECT i // 2 AS x FROM t) AS q"),
        ("SELECT SUM(i) / COUNT(*), AVG(i) / 2 FROM t", "SELECT SUM(i) // COUNT(*), AVG(i) / 2 FROM t"),
        (
            "SELECT RANK() OVER () / 2, AVG(i) OVER () / 2 FROM t",
            "SELECT RANK() OVER () // 2, AVG(i) OVER () / 2 FROM t",
        ),
        (f"SELECT SUM(n) / 2 FROM {_N} AS q", f"SELECT SUM(n) / 2 FROM {_N} AS q"),
        (
            f"SELECT 1 FROM {_N} AS q WHERE n / 2 > 1 ORDER BY n / 3",
            f"SELECT 1 FROM {_N} AS q WHERE n // 2 > 1 ORDER BY n // 3",
        ),
    ],
)
def test_whole_numbers_of_subqueries_ctes_and_tables_leave_the_remainder_out(sql: str, translated: str) -> None:
    assert _translate(sql).replace(" NULLS FIRST", "") == translated


def test_a_sum_of_64_bit_numbers_is_what_it_is_in_the_dialect_of_the_statement() -> None:
    assert _translate(f"SELECT SUM(n) / 2 FROM {_N} AS q", written="trino") == f"SELECT SUM(n) // 2 FROM {_N} AS q"


@pytest.mark.parametrize(
    ("sql", "clause"),
    [
        (f"SELECT c / 2 FROM {_C} AS q", "c / 2"),
        (f"SELECT x / 2 FROM {_N} AS q", "x / 2"),
        (f"SELECT p.n / 2 FROM {_N} AS q", "p.n / 2"),
        (f"SELECT n / 2 FROM {_N} AS q, {_N} AS p", "n / 2"),
        ("SELECT s / 2 FROM t", "s / 2"),
        ("SELECT x / 2 FROM unknown", "x / 2"),
        ("SELECT x / 2 FROM generate_series(1, 2) AS g (x)", "x / 2"),
        (f"SELECT n / 2 FROM ({_N} UNION ALL SELECT 1.5 AS n) AS q", "n / 2"),
        (f"SELECT n / 2 FROM ({_N} UNION ALL (SELECT n, c FROM m)) AS q", "n / 2"),
        ("SELECT n / 2 FROM (VALUES (1)) AS v (n)", "n / 2"),
        ("SELECT b / 2 FROM (SELECT * FROM unknown, t) AS q (a, b)", "b / 2"),
        ("SELECT i / 2 FROM (SELECT s, i FROM t UNION ALL SELECT *, i FROM unknown) AS q", "i / 2"),
        ("SELECT b / 2 FROM (SELECT * FROM unknown UNION ALL SELECT i FROM t) AS q (b)", "b / 2"),
    ],
)
def test_a_division_of_what_is_not_known_is_refused(sql: str, clause: str) -> None:
    with pytest.raises(UnsupportedQueryError, match="whether they are is not known here") as error:
        _translate(sql)

    assert error.value.clause == clause


def test_whole_numbers_are_not_divided_where_no_operator_is_proven() -> None:
    with pytest.raises(UnsupportedQueryError, match="as they are here, and no operator of snowflake is proven"):
        _translate("SELECT i / 2 FROM t", warehouse="snowflake")


@pytest.mark.parametrize(
    ("sql", "written", "warehouse"),
    [
        ("SELECT c / 2 FROM m", "postgres", "duckdb"),
        ("SELECT x / 2 FROM unknown", "duckdb", "duckdb"),
        ("SELECT x / 2 FROM unknown", "postgres", "postgres"),
    ],
)
def test_what_is_answered_already_or_means_the_same_is_left_alone(sql: str, written: str, warehouse: str) -> None:
    root = _parse(sql, written)
    translate_outer_divisions(root, written, find_dialect(warehouse))

    assert root == _parse(sql, written)


def test_the_divisions_of_one_select_may_be_left_to_its_reader() -> None:
    root = _parse(f"SELECT c / 2 FROM unknown WHERE d > (SELECT n / 2 FROM {_N} AS q)", "postgres")
    assert isinstance(root, exp.Select)

    translate_outer_divisions(root, "postgres", find_dialect("duckdb"), besides=root)

    divisions = [type(node) for node in root.find_all(exp.Div, exp.IntDiv)]
    assert divisions == [exp.Div, exp.IntDiv]
