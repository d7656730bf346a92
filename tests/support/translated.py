"""Expressions of PostgreSQL's SQL as DuckDB says them: their text, their value for given columns, or the refusal.

t u  texts      i j  integers   l  bigint   s  smallint   n m  decimals (12,2) and (10,4)   k  a decimal without size
x y  doubles    r  real         d e  dates  ts us  timestamps   z  timestamp with time zone   c  time   v  interval
p q  booleans   o  a type that is not known
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from functools import cache
from typing import Any

import duckdb
import pytest
from sqlglot import exp

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.functions.surfaces import translator_of
from airflow_atscale_aggs.engine.sql.functions.types import Kind, SqlType, Value, find_type
from airflow_atscale_aggs.engine.sql.statements import parse_text, render

TYPES = {
    **dict.fromkeys("tu", "VARCHAR"),
    **dict.fromkeys("ij", "INTEGER"),
    "l": "BIGINT",
    "s": "SMALLINT",
    "n": "DECIMAL(12,2)",
    "m": "DECIMAL(10,4)",
    "k": "DECIMAL(18,3)",
    **dict.fromkeys("xy", "DOUBLE"),
    "r": "REAL",
    **dict.fromkeys("de", "DATE"),
    "ts": "TIMESTAMP",
    "us": "TIMESTAMP",
    "z": "TIMESTAMP WITH TIME ZONE",
    "c": "TIME",
    "v": "INTERVAL",
    **dict.fromkeys("pq", "BOOLEAN"),
    "o": "UUID",
}
"""The columns that expressions may name, with DuckDB's types."""

_KNOWN_TYPES = {name: find_type(kind) for name, kind in TYPES.items()} | {"k": SqlType(Kind.NUMERIC)}
_DUCKDB = find_dialect("duckdb")


def parsed(expression: str) -> exp.Expr:
    """The expression as queries on models are read."""
    (statement,) = parse_text(f"SELECT {expression}", "postgres")
    assert statement is not None
    node = statement.expressions[0]
    assert isinstance(node, exp.Expr)
    return node


def translated(expression: str) -> Value:
    """The expression for DuckDB, with its type in PostgreSQL."""
    translator = translator_of("postgres", _DUCKDB)
    assert translator is not None
    return translator.translate(
        parsed(expression), lambda node: _KNOWN_TYPES.get(node.name) if isinstance(node, exp.Column) else None
    )


def sql_of(expression: str) -> str:
    """The text of the expression for DuckDB, for people: columns without quotes."""
    return re.sub(r'"(\w+)"', r"\1", _sql(expression))


def type_of(expression: str) -> str:
    """PostgreSQL's type of the expression; of a decimal also what is known of it."""
    kind = translated(expression).type
    if kind.kind is not Kind.NUMERIC:
        return str(kind.kind)
    return (
        "numeric in double precision"
        if kind.is_double
        else f"numeric {'' if kind.scale is None else kind.scale}".strip()
    )


def answers(expression: str, inputs: Iterable[Any]) -> dict[Any, Any]:
    """The value of the expression for each input: the value of its column, or a tuple in the order of its columns."""
    sql = _sql(expression)
    names = list(dict.fromkeys(column.name for column in parsed(expression).find_all(exp.Column, bfs=False)))
    return {values: _value(sql, names, values if len(names) != 1 else (values,)) for values in inputs}


def answer(expression: str) -> Any:
    """The value of an expression without columns."""
    return _value(_sql(expression), [], ())


def error_of(expression: str, *values: Any) -> str:
    """What DuckDB says when the expression is an error for the values of its columns."""
    with pytest.raises(duckdb.Error) as caught:
        answers(expression, [values if len(values) != 1 else values[0]])
    return str(caught.value)


def answer_of_all(expression: str, columns: str, rows: Sequence[tuple[Any, ...]]) -> Any:
    """The value of an aggregate over rows of the columns, whose names are given with blanks between."""
    ((value,),) = _rows_of(f"SELECT {_sql(expression)} FROM {{rows}}", columns, rows)
    return value


def answers_by_row(expression: str, columns: str, rows: Sequence[tuple[Any, ...]]) -> list[Any]:
    """The values of a window in the order of the first column."""
    query = f"SELECT {_sql(expression)} FROM {{rows}} ORDER BY {columns.split(maxsplit=1)[0]}"
    return [value for (value,) in _rows_of(query, columns, rows)]


def refusal(expression: str) -> str:
    """The sentence that refuses the expression."""
    with pytest.raises(UnsupportedQueryError) as caught:
        translated(expression)
    return str(caught.value)


def _sql(expression: str) -> str:
    return render(translated(expression).sql, _DUCKDB)


def _rows_of(query: str, columns: str, rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    names = columns.split()
    places = ", ".join(f"({', '.join('?' for _ in names)})" for _ in rows)
    typed = ", ".join(f"CAST({name} AS {TYPES[name]}) AS {name}" for name in names)
    source = f"(SELECT {typed} FROM (VALUES {places}) AS given ({', '.join(names)}))"
    values = [value for row in rows for value in row]
    return _connection().execute(query.replace("{rows}", source), values).fetchall()


def _value(sql: str, names: list[str], values: tuple[Any, ...]) -> Any:
    columns = ", ".join(f"CAST(? AS {TYPES[name]}) AS {name}" for name in names) or "1 AS one"
    (row,) = _connection().execute(f"SELECT {sql} FROM (SELECT {columns})", list(values)).fetchall()
    return row[0]


@cache
def _connection() -> duckdb.DuckDBPyConnection:
    """One database for all expressions; nothing is stored in it."""
    connection = duckdb.connect(config={"threads": 1})
    return connection.execute("SET TimeZone = 'UTC'")


def day(text: str) -> date:
    """A date as ISO writes it."""
    return date.fromisoformat(text)


def moment(text: str) -> datetime:
    """A timestamp as ISO writes it."""
    return datetime.fromisoformat(text)
