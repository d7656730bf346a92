"""Who translates for which warehouse, which names are part of the surface, and what is passed on untried."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.functions.surfaces import (
    check_portable,
    is_known_name,
    known_names,
    translator_of,
)
from tests.support.translated import parsed


@pytest.mark.parametrize(
    ("written", "dialect", "is_translated"),
    [
        ("postgres", "duckdb", True),
        ("postgres", "postgres", False),
        ("postgres", "snowflake", False),
        ("duckdb", "duckdb", False),
    ],
    ids=["for DuckDB", "PostgreSQL itself", "never tried", "the warehouse's own SQL"],
)
def test_only_postgresqls_sql_for_another_proven_warehouse_is_translated(
    written: str, dialect: str, *, is_translated: bool
) -> None:
    assert (translator_of(written, find_dialect(dialect)) is not None) is is_translated


@pytest.mark.parametrize(
    ("name", "is_known"),
    [("GCD", True), ("make_date", True), ("Row", True), ("any", True), ("upper", False), ("pg_sleep", False)],
)
def test_names_that_the_parser_does_not_know_may_be_part_of_the_surface(name: str, *, is_known: bool) -> None:
    assert is_known_name(name) is is_known


def test_all_names_of_the_surface_are_in_lower_case() -> None:
    names = known_names()

    assert {"gcd", "upper", "split_part", "row_number"} <= names
    assert {name for name in names if name != name.lower()} == set()
    assert "add" not in names


@pytest.mark.parametrize(
    "expression",
    [
        "a + 1 > 2 AND NOT b IS NULL",
        "CASE WHEN a IN (1, 2) THEN UPPER(t) ELSE LOWER(t) END",
        "COALESCE(SUM(DISTINCT a), 0)",
        "EXTRACT(year FROM d)",
        "DATE_TRUNC('month', d)",
        "RANK() OVER (PARTITION BY a ORDER BY b)",
        "LAG(a) OVER (ORDER BY b)",
        "EXISTS (SELECT 1 FROM t WHERE t.a = b)",
        "t LIKE 'a%'",
        "CAST(a AS BIGINT)",
    ],
)
def test_what_means_the_same_everywhere_is_passed_on(expression: str) -> None:
    check_portable(parsed(expression), "postgres", find_dialect("snowflake"))


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        ("SPLIT_PART(t, ',', 1)", "SPLIT_PART"),
        ("1 + GCD(a, b)", "GCD"),
        ("t ~ 'a'", "REGEXP_LIKE"),
        ("a % 2", "MOD"),
        ("EXTRACT(dow FROM d)", "EXTRACT"),
    ],
)
def test_what_was_never_tried_on_a_warehouse_is_refused_there_and_nowhere_else(expression: str, name: str) -> None:
    with pytest.raises(UnsupportedQueryError, match=f"`{name}` is not proven to mean on snowflake what it means"):
        check_portable(parsed(expression), "postgres", find_dialect("snowflake"))

    check_portable(parsed(expression), "postgres", find_dialect("duckdb"))
    check_portable(parsed(expression), "snowflake", find_dialect("snowflake"))


@pytest.mark.parametrize(
    "expression", ["CAST(1 AS INT)", "COUNT(*)::bigint", "CAST(NULL AS INT)", "CAST(a AS DECIMAL(38, 0))"]
)
def test_casts_that_lose_no_digits_are_passed_on(expression: str) -> None:
    check_portable(parsed(expression), "postgres", find_dialect("spark"))


def test_a_cast_that_rounds_here_and_cuts_there_is_refused() -> None:
    """CAST(2.5 AS INT) is 3 in PostgreSQL and 2 on Spark."""
    with pytest.raises(UnsupportedQueryError, match="loses its digits on spark; PostgreSQL rounds it"):
        check_portable(parsed("1 + CAST(a / 2 AS BIGINT)"), "postgres", find_dialect("spark"))

    check_portable(parsed("CAST(a / 2 AS BIGINT)"), "postgres", find_dialect("snowflake"))
