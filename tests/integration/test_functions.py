"""Functions of the SQL surface on PostgreSQL as it stands, and translated on every other warehouse: one answer, or a
refusal.

`docs/functions.md` is written by this test: ``ATSCALE_AGGS_WRITE_DOCS=1 pytest tests/integration/test_functions.py``.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
import psycopg
import pytest
from sqlglot import ParseError, exp

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.functions.surfaces import translator_of
from airflow_atscale_aggs.engine.sql.functions.types import find_type
from airflow_atscale_aggs.engine.sql.statements import parse_text, render
from tests.support.oracles.function_grid import COLUMNS, ERROR, Comparison, answers, compare_answers, grid
from tests.support.oracles.function_surface import AGGREGATES, SURFACE

PAGE = Path(__file__).parents[2] / "docs" / "functions.md"
_OTHER_SPELLINGS = {"Year", "Month", "Day", "Quarter"}
"""Functions of other dialects that the parser knows, as it knows YEAR(x): read as EXTRACT, which is tried."""
_TYPES = {name: find_type(kind.casefold()) for name, kind in COLUMNS.items()}


@dataclass(frozen=True)
class Engine:
    """A warehouse that is compared: the name of its dialect, how it is asked, what it raises."""

    dialect: str
    fetch: Callable[[str], list[tuple[Any, ...]]]
    errors: tuple[type[BaseException], ...]


def _fill_grid(execute: Callable[..., Any], mark: str) -> None:
    execute(f"CREATE TABLE grid ({', '.join(f'{name} {kind}' for name, kind in COLUMNS.items())})")
    for row in grid():
        execute(f"INSERT INTO grid VALUES ({', '.join([mark] * len(row))})", list(row.values()))


@pytest.fixture(scope="module")
def truth(postgres_database: Any) -> Iterator[Engine]:
    """PostgreSQL as it stands."""
    with postgres_database(f"functions_{os.getpid()}") as url:
        plain = urlsplit(url)._replace(scheme="postgresql").geturl()
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute("SET TIME ZONE 'UTC'")
            _fill_grid(connection.execute, "%s")
            yield Engine("postgres", lambda sql: connection.execute(sql.encode()).fetchall(), (psycopg.Error,))


@pytest.fixture(scope="module")
def others(truth: Engine) -> Iterator[dict[str, Engine]]:
    """The other warehouses, by name. PostgreSQL itself is asked through the parser and printer."""
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("SET TimeZone = 'UTC'")
    _fill_grid(connection.execute, "?")
    yield {
        "duckdb": Engine("duckdb", lambda sql: connection.execute(sql).fetchall(), (duckdb.Error,)),
        "postgres": truth,
    }
    connection.close()


def translate(expression: str, dialect: str) -> str:
    """An expression as a query on a model would have it on a warehouse."""
    row = find_dialect(dialect)
    (statement,) = parse_text(f"SELECT {expression}", "postgres")
    assert statement is not None
    node = statement.expressions[0]
    translator = translator_of("postgres", row)
    if translator is None:
        return render(node, row)
    value = translator.translate(
        node, lambda part: _TYPES[part.name] if isinstance(part, exp.Column) and part.name in _TYPES else None
    )
    return render(value.sql, row)


@pytest.fixture(scope="module")
def comparisons_by_function(
    truth: Engine, others: Mapping[str, Engine]
) -> dict[tuple[str, str, str], list[Comparison]]:
    """How the expressions of a function fare, by section, function and warehouse."""
    by_function: dict[tuple[str, str, str], list[Comparison]] = {}
    for section, functions in SURFACE.items():
        for function, expressions in functions.items():
            of_all = function in AGGREGATES
            for expression in expressions:
                true = answers(truth.fetch, truth.errors, expression, "grid", of_all=of_all)
                for name, engine in others.items():
                    comparison = _compare(expression, true, engine, of_all=of_all)
                    by_function.setdefault((section, function, name), []).append(comparison)
    return by_function


def _compare(expression: str, true: list[Any], engine: Engine, *, of_all: bool) -> Comparison:
    try:
        sql = translate(expression, engine.dialect)
    except (UnsupportedQueryError, ParseError) as error:
        reason = error.reason if isinstance(error, UnsupportedQueryError) else str(error)
        is_error = all(value == ERROR for value in true)
        return Comparison(expression, "an error in PostgreSQL" if is_error else "refused", reason)
    return compare_answers(expression, true, answers(engine.fetch, engine.errors, sql, "grid", of_all=of_all))


@pytest.mark.postgres
def test_no_function_has_another_value_on_another_warehouse(
    comparisons_by_function: dict[Any, list[Comparison]],
) -> None:
    """It is the same, or refused by name. Where PostgreSQL answers, a row may be an error, but never another value."""
    wrong = {"different", "never"}
    different = [
        comparison
        for comparisons in comparisons_by_function.values()
        for comparison in comparisons
        if comparison.outcome in wrong
    ]

    assert not different
    assert sum(len(comparisons) for comparisons in comparisons_by_function.values()) > 1500


@pytest.mark.postgres
def test_through_parser_and_printer_postgresql_stays_itself(
    comparisons_by_function: dict[Any, list[Comparison]],
) -> None:
    """What is asked on PostgreSQL reaches it with the meaning that it was written with."""
    changed = [
        comparison
        for key, comparisons in comparisons_by_function.items()
        if key[2] == "postgres"
        for comparison in comparisons
    ]
    changed = [comparison for comparison in changed if comparison.outcome not in {"same", "refused"}]

    assert not changed


def test_everything_that_is_translated_is_compared() -> None:
    """A function that no expression of the surface tries is not passed on to a warehouse."""
    translator = translator_of("postgres", find_dialect("duckdb"))
    assert translator is not None
    tried: set[str] = set()
    for functions in SURFACE.values():
        for expressions in functions.values():
            for expression in expressions:
                with contextlib.suppress(ParseError):
                    tried |= _nodes(expression)

    assert sorted(translator.supported_names - tried - _OTHER_SPELLINGS) == []


def _nodes(expression: str) -> set[str]:
    (statement,) = parse_text(f"SELECT {expression}", "postgres")
    assert statement is not None
    nodes = statement.walk()
    return {str(node.name).casefold() if isinstance(node, exp.Anonymous) else type(node).__name__ for node in nodes}


@pytest.mark.postgres
def test_the_page_on_functions_is_current(
    comparisons_by_function: dict[tuple[str, str, str], list[Comparison]],
) -> None:
    """The table in the docs is what was compared just now."""
    page = _page(comparisons_by_function)
    if os.environ.get("ATSCALE_AGGS_WRITE_DOCS"):
        PAGE.write_text(page)

    assert PAGE.read_text() == page, "docs/functions.md is out of date: run this test with ATSCALE_AGGS_WRITE_DOCS=1"


def _page(comparisons_by_function: Mapping[tuple[str, str, str], list[Comparison]]) -> str:
    lines = [_HEAD]
    for section, functions in SURFACE.items():
        lines += [f"## {section}", "", "| function | tried | DuckDB |", "|---|---|---|"]
        for function in functions:
            comparisons = comparisons_by_function[section, function, "duckdb"]
            lines.append(f"| {_cell(function)} | {len(comparisons)} | {_verdict(comparisons)} |")
        lines.append("")
    return "\n".join(lines)


def _verdict(comparisons: list[Comparison]) -> str:
    refused = [
        f"`{_cell(comparison.expression)}`: {_cell(comparison.reason)}"
        for comparison in comparisons
        if comparison.outcome == "refused"
    ]
    stricter = [f"`{_cell(comparison.expression)}`" for comparison in comparisons if comparison.outcome == "stricter"]
    is_any = any(comparison.outcome in {"same", "stricter"} for comparison in comparisons)
    parts = ["same"] if is_any else []
    if stricter:
        parts.append(f"an error in some rows that PostgreSQL answers: {', '.join(stricter)}")
    if refused:
        parts.append(f"refused: {'; '.join(refused)}")
    return ". ".join(parts) or "refused, as by PostgreSQL"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


_HEAD = """\
# Functions

Queries on a model are PostgreSQL's SQL on every warehouse. Each function below was run on PostgreSQL and, \
translated, on every other warehouse, over rows with
NULLs, empty texts, edges of numbers, dates before 1970 and leap days. This page is written by \
`tests/integration/test_functions.py`, which fails when it is out of date.

* *same*: every expression that was tried had the same value in every row, numbers to 15 digits, or was an error in \
both.
* *an error*: the warehouse refuses some rows that PostgreSQL answers. It never has another value.
* *refused*: the query is refused by name before it runs. So is every function that does not stand here.

What is refused may differ by the values that stand in the query, such as a format or a pattern: they have to stand \
in it as texts. Types of columns are those of the warehouse. Where a type is not known, CAST it.
Texts are compared and sorted by their bytes, as PostgreSQL does with the collation C; UPPER and LOWER know the \
letters that the warehouse knows. Quotients and averages of decimals are computed in double
precision on DuckDB and rounded from 15 digits. A TIMESTAMP of DATE_TRUNC of a date is an instant on PostgreSQL and \
has no zone elsewhere.
Calculated columns and queries in SML are in the warehouse's own SQL and are not translated. Neither is SQL on tables.

Warehouses other than DuckDB and PostgreSQL have not been tried: there only comparisons, arithmetic, CASE, COALESCE, \
UPPER, LOWER, EXTRACT, DATE_TRUNC and plain aggregates are passed on.
"""
