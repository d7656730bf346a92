"""Random expressions of the surface over random values: PostgreSQL's answer on DuckDB, or an error, never another
value.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any
from urllib.parse import urlsplit

import duckdb
import psycopg
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from sqlglot import exp

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.functions.surfaces import translator_of
from airflow_atscale_aggs.engine.sql.functions.types import find_type
from airflow_atscale_aggs.engine.sql.statements import parse_text, render
from tests.support.oracles.function_grid import ERROR, is_same

pytestmark = pytest.mark.postgres

_KINDS = {
    "t": "TEXT",
    "u": "TEXT",
    "i": "INTEGER",
    "j": "INTEGER",
    "n": "DECIMAL(12,2)",
    "d": "DATE",
    "ts": "TIMESTAMP",
    "p": "BOOLEAN",
}
_TYPES = {name: find_type(kind.casefold()) for name, kind in _KINDS.items()}
_DUCKDB = find_dialect("duckdb")

_LETTERS = st.text("abAB %_\\.é1-", max_size=6)
_VALUES = st.fixed_dictionaries(
    {
        "t": st.none() | _LETTERS,
        "u": st.none() | _LETTERS,
        "i": st.none() | st.integers(-1000, 1000),
        "j": st.none() | st.integers(-5, 5),
        "n": st.none() | st.decimals(-10_000, 10_000, places=2),
        "d": st.none() | st.dates(date(100, 1, 1), date(9000, 12, 31)),
        "ts": st.none() | st.datetimes(datetime(100, 1, 1), datetime(9000, 12, 31)),
        "p": st.none() | st.booleans(),
    }
)


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _fill(pattern: str, *parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map(lambda texts: pattern.format(*texts))


def _any_of(patterns: str, *parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """One of the patterns, one a line, with its places filled."""
    lines = [line.strip() for line in patterns.strip().splitlines()]
    return st.one_of([_fill(line, *parts) for line in lines])


def _expressions(depth: int) -> dict[str, st.SearchStrategy[str]]:
    """Expressions of each type, of at most so many functions around each other."""
    small = st.integers(-3, 9).map(str)
    if depth == 0:
        days = st.dates(date(1000, 1, 1), date(3000, 1, 1)).map(lambda day: f"DATE '{day.isoformat()}'")
        return {
            "text": st.sampled_from(["t", "u"]) | _LETTERS.map(lambda text: f"CAST({_quote(text)} AS TEXT)"),
            "whole": st.sampled_from(["i", "j"]) | small.map(lambda number: f"({number})"),
            "decimal": st.just("n") | st.decimals(-99, 99, places=2).map(lambda number: f"({number})"),
            "day": st.just("d") | days,
            "moment": st.just("ts"),
            "truth": st.just("p"),
        }
    below = _expressions(depth - 1)
    text, whole, decimal, day, moment, truth = (
        below[name] for name in ("text", "whole", "decimal", "day", "moment", "truth")
    )
    forms = st.lists(st.sampled_from(_PATTERNS), min_size=1, max_size=4).map(" ".join)
    return {
        "text": text
        | _any_of("UPPER({0})\nLOWER({0})\nREVERSE({0})\nTRIM({0})\nINITCAP({0})\nMD5({0})", text)
        | _any_of(
            "LEFT({0}, {1})\nRIGHT({0}, {1})\nSUBSTR({0}, {1})\nLPAD({0}, {1}, 'xy')\nRPAD({0}, {1})\nREPEAT({0}, {1})",
            text,
            small,
        )
        | _any_of("SUBSTR({0}, {1}, ABS({2}))\nSPLIT_PART({0}, 'a', 1 + ABS({1} + 0 * {2}))", text, small, small)
        | _any_of(
            (
                "{0} || {1}\nCONCAT({0}, {1})\nREPLACE({0}, {1}, 'z')\nCOALESCE({0}, {1})\nNULLIF({0}, {1})\nTRIM({1} "
                "FROM {0})\nTRANSLATE({0}, 'ab', {1})"
            ),
            text,
            text,
        )
        | _fill("CAST({0} AS TEXT)", whole | decimal | truth | day)
        | _any_of("CAST({0} AS VARCHAR(3))\nCAST(CAST({0} AS CHAR(4)) AS TEXT)", text)
        | _fill("TO_CHAR({0}, '{1}')", day | moment, forms)
        | _fill("CASE WHEN {0} THEN {1} ELSE {2} END", truth, text, text),
        "whole": whole
        | _any_of("LENGTH({0})\nSTRPOS({0}, 'a')\nASCII({0})\nOCTET_LENGTH({0})", text)
        | _any_of(
            "({0} + {1})\n({0} - {1})\n({0} / {1})\n({0} % {1})\nGREATEST({0}, {1})\nCOALESCE({0}, {1})\n({0} & {1})",
            whole,
            whole,
        )
        | _fill("CAST({0} AS INTEGER)", decimal | truth)
        | _fill("({0} - {1})", day, day)
        | _fill("CASE WHEN {0} THEN {1} ELSE {2} END", truth, whole, whole),
        "decimal": decimal
        | _any_of(
            (
                "({0} + {1})\n({0} - {1})\nROUND({0}, 1)\nTRUNC({0}, "
                "0)\nCEIL({0})\nFLOOR({0})\nABS({0})\nROUND({0})\nNULLIF({0}, {1})"
            ),
            decimal,
            decimal,
        )
        | _any_of("ROUND({0} / {1}, 2)\n({0} % {1})", decimal, whole)
        | _any_of(
            "EXTRACT({1} FROM {0})",
            day,
            st.sampled_from(
                [
                    "year",
                    "month",
                    "day",
                    "week",
                    "dow",
                    "isodow",
                    "doy",
                    "century",
                    "decade",
                    "quarter",
                    "isoyear",
                    "millennium",
                ]
            ),
        )
        | _fill("CAST({0} AS NUMERIC(12,1))", whole | decimal),
        "day": day
        | _any_of("({0} + {1})\n({0} - {1})\n({0} + ({1}))", day, small)
        | _fill("CAST({0} AS DATE)", moment)
        | _any_of("GREATEST({0}, {1})\nCOALESCE({0}, {1})", day, day),
        "moment": moment
        | _any_of(
            "DATE_TRUNC('{1}', {0})",
            moment | day,
            st.sampled_from(["day", "week", "month", "quarter", "year", "decade", "century", "hour"]),
        )
        | _any_of("({0} + INTERVAL '{1} month')\n({0} - INTERVAL '{1} day')", moment | day, small),
        "truth": truth
        | _any_of("{0} = {1}\n{0} < {1}\n{0} IS DISTINCT FROM {1}\n{0} IN ({1}, NULL)", whole, whole)
        | _any_of("{0} = {1}\n{0} <= {1}\n{0} LIKE {1} || '%'", text, text)
        | _fill("{0} BETWEEN SYMMETRIC {1} AND {2}", decimal, decimal, whole)
        | _fill("{0} LIKE {1}", text, _LETTERS.map(_quote))
        | _fill("{0} SIMILAR TO {1}", text, st.text("ab%_|", max_size=4).filter(_is_plain).map(_quote))
        | _any_of("({0} AND {1})\n({0} OR {1})\n(NOT {0})\n({0} IS NOT TRUE)", truth, truth)
        | _any_of("({0}, {1}) = ({1}, {2})\n({0}, {1}) < ({2}, {1})", whole, whole, whole)
        | _fill("{0} > {1}", day, moment),
    }


def _is_plain(pattern: str) -> bool:
    return not pattern.startswith("|") and not pattern.endswith("|") and "||" not in pattern


_PATTERNS = [
    "YYYY",
    "MM",
    "DD",
    "Mon",
    "MONTH",
    "FMMonth",
    "Day",
    "Dy",
    "D",
    "ID",
    "Q",
    "WW",
    "IW",
    "IYYY",
    "DDD",
    "J",
    "HH24",
    "HH12",
    "MI",
    "AM",
    "FMDD",
    "DDth",
    "RM",
    "CC",
    "YY",
    "W",
]
_ANY = st.one_of(list(_expressions(2).values()))


@pytest.fixture(scope="module")
def connections(postgres_server: str) -> Iterator[tuple[Any, Any]]:
    with psycopg.connect(urlsplit(postgres_server)._replace(scheme="postgresql").geturl(), autocommit=True) as server:
        server.execute("SET TIME ZONE 'UTC'")
        server.execute(f"CREATE TEMP TABLE one_row ({', '.join(f'{name} {kind}' for name, kind in _KINDS.items())})")
        local = duckdb.connect(config={"threads": 1})
        local.execute(f"CREATE TABLE one_row ({', '.join(f'{name} {kind}' for name, kind in _KINDS.items())})")
        yield server, local
        local.close()


@given(expression=_ANY, values=_VALUES)
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_an_expression_has_postgresqls_value(
    connections: tuple[Any, Any], expression: str, values: dict[str, Any]
) -> None:
    server, local = connections
    note(expression)
    sql = _translate(expression)
    if sql is None:
        return
    note(sql)
    on_postgres = _answer(server, psycopg.Error, "%s", f"SELECT {expression}", values)
    on_duckdb = _answer(local, duckdb.Error, "?", f"SELECT {sql}", values)

    # A text like the clock's or a number too long may be an error on one of them only.
    assert (
        on_duckdb == ERROR or is_same(on_postgres, on_duckdb) or (on_postgres == ERROR and _is_out_of_python(on_duckdb))
    ), (on_postgres, on_duckdb)


def _translate(expression: str) -> str | None:
    (statement,) = parse_text(f"SELECT {expression}", "postgres")
    assert statement is not None
    translator = translator_of("postgres", _DUCKDB)
    assert translator is not None
    try:
        value = translator.translate(
            statement.expressions[0], lambda part: _TYPES.get(part.name) if isinstance(part, exp.Column) else None
        )
    except UnsupportedQueryError:
        return None
    return render(value.sql, _DUCKDB)


def _answer(connection: Any, error: type[BaseException], mark: str, sql: str, values: dict[str, Any]) -> Any:
    connection.execute("DELETE FROM one_row")
    connection.execute(
        f"INSERT INTO one_row ({', '.join(values)}) VALUES ({', '.join([mark] * len(values))})", list(values.values())
    )
    try:
        text = f"{sql} AS v FROM one_row"
        return connection.execute(text.encode() if error is psycopg.Error else text).fetchall()[0][0]
    except error:
        return ERROR


def _is_out_of_python(value: Any) -> bool:
    """Dates that psycopg cannot read into Python."""
    return isinstance(value, str) and (value.endswith("(BC)") or "(BC)" in value)
