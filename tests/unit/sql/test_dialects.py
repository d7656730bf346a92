"""A row of the capability table is found by its name, or by the scheme of a URL."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.errors import UnsupportedOnDialectError
from airflow_atscale_aggs.engine.sql.dialects import DIALECTS, dialect_of_url, find_dialect


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_is_found_by_its_name(name: str) -> None:
    assert find_dialect(name).name == name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("postgre", "known: postgres$"),
        (
            "oracle",
            "known: duckdb, postgres, clickhouse, snowflake, bigquery, databricks, spark, redshift, trino, tsql",
        ),
    ],
)
def test_an_unknown_dialect_is_refused_with_names_near_it_or_all_names(name: str, words: str) -> None:
    with pytest.raises(UnsupportedOnDialectError, match="no capability row") as refusal:
        find_dialect(name)

    assert refusal.match(words)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("duckdb:///file.duckdb", "duckdb"),
        ("postgres://host/db", "postgres"),
        ("PostgreSQL+psycopg://host/db", "postgres"),
        ("mssql+pyodbc://host/db", "tsql"),
        ("hive://host", "spark"),
    ],
)
def test_the_scheme_of_a_url_names_the_dialect(url: str, expected: str) -> None:
    assert dialect_of_url(url).name == expected


@pytest.mark.parametrize("url", ["oracle+cx://host/db", "no url", ""])
def test_an_unknown_scheme_is_refused_with_all_that_are_known(url: str) -> None:
    with pytest.raises(UnsupportedOnDialectError, match=r"no warehouse dialect has this URL scheme; known: duckdb, "):
        dialect_of_url(url)


def test_a_scheme_names_one_dialect() -> None:
    schemes = [scheme for row in DIALECTS.values() for scheme in row.schemes]

    assert sorted(set(schemes)) == sorted(schemes)
