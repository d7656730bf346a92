"""Small pieces of DuckDB's SQL, as text."""

from __future__ import annotations

import duckdb
import pytest
from sqlglot import exp

from airflow_atscale_aggs.engine.sql.functions.writing import (
    binary,
    call,
    cast,
    choose,
    join_texts,
    number,
    raise_error,
    text,
)

_A, _B = exp.column("a"), exp.column("b")


@pytest.mark.parametrize(
    ("piece", "sql"),
    [
        (call("F"), "F()"),
        (call("F", _A, "it's", 2, -3), "F(a, 'it''s', 2, (-3))"),
        (text(""), "''"),
        (number(0), "0"),
        (number(-1), "(-1)"),
        (cast(_A, "decimal(38, 2)"), "CAST(a AS DECIMAL(38, 2))"),
        (cast(_A, "double"), "CAST(a AS DOUBLE)"),
        (join_texts(_A), "a"),
        (join_texts(_A, text("-"), _B), "(a || '-' || b)"),
        (binary(exp.Add, _A, _B), "(a + b)"),
        (binary(exp.Mul, exp.Add(this=_A, expression=_B), exp.Neg(this=_A)), "((a + b) * (-a))"),
        (choose((_A, _B), default=text("x")), "CASE WHEN a THEN b ELSE 'x' END"),
        (raise_error("no"), "ERROR('no')"),
    ],
)
def test_a_piece_of_sql(piece: exp.Expr, sql: str) -> None:
    assert piece.sql(dialect="duckdb") == sql


@pytest.mark.parametrize(
    ("value", "message"),
    [("'a'", 'wrong: "a"'), ("5", 'wrong: "5"'), ("CAST(NULL AS INT)", 'wrong: "NULL"')],
)
def test_an_error_shows_the_value_that_it_is_about(value: str, message: str) -> None:
    error = raise_error("wrong", exp.maybe_parse(value, dialect="duckdb"))

    with pytest.raises(duckdb.Error, match=message):
        duckdb.connect().execute(f"SELECT {error.sql(dialect='duckdb')}")
