"""Quoted names and columns, made without a parser."""

from __future__ import annotations

import pytest
import sqlglot
from sqlglot import exp

from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.quoting import alias_as, column_of, fresh, identifier
from airflow_atscale_aggs.engine.sql.statements import render


@pytest.mark.parametrize(
    ("expression", "on_duckdb", "on_tsql"),
    [
        (identifier("Net Price"), '"Net Price"', "[Net Price]"),
        (identifier('a"b'), '"a""b"', '[a"b]'),
        (column_of("price"), '"price"', "[price]"),
        (column_of("select", "from"), '"from"."select"', "[from].[select]"),
        (alias_as(column_of("price", "t"), "as"), '"t"."price" AS "as"', "[t].[price] AS [as]"),
        (alias_as(exp.Literal.number(1), "one"), '1 AS "one"', "1 AS [one]"),
    ],
    ids=str,
)
def test_names_are_quoted_as_the_dialect_quotes(expression: exp.Expr, on_duckdb: str, on_tsql: str) -> None:
    assert render(expression, find_dialect("duckdb")) == on_duckdb
    assert render(expression, find_dialect("tsql")) == on_tsql


@pytest.mark.parametrize(
    "expression",
    [
        column_of("price"),
        column_of("price", "t"),
        sqlglot.parse_one('s.t."price"', into=exp.Column),
        sqlglot.parse_one('c.s.t."price"', into=exp.Column),
        sqlglot.parse_one("t.price", into=exp.Column),
        sqlglot.parse_one('t."price"', into=exp.Column),
        sqlglot.parse_one("t.*", into=exp.Column),
        exp.Add(this=column_of("a"), expression=exp.Literal.number(1)),
    ],
    ids=str,
)
def test_a_fresh_copy_says_the_same_and_changes_alone(expression: exp.Expr) -> None:
    """Also schemas, unquoted names and stars, which are not copied in the fast way."""
    before = expression.sql()

    copy = fresh(expression)

    assert copy == expression
    assert copy.sql() == before
    for name in copy.find_all(exp.Identifier):
        name.set("this", "other")
    assert expression.sql() == before
