"""Expressions for messages and logs."""

from __future__ import annotations

import pytest
import sqlglot
from sqlglot.errors import UnsupportedError

from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.spelling import render_for_people
from airflow_atscale_aggs.engine.sql.statements import render


@pytest.mark.parametrize(
    ("sql", "dialect", "expected"),
    [
        ("a + 1", "postgres", "a + 1"),
        ('"Net Price" > 1', "tsql", "[Net Price] > 1"),
        ("x::date", "duckdb", "CAST(x AS DATE)"),
    ],
)
def test_names_stay_as_they_were_written_and_nothing_is_refused(sql: str, dialect: str, expected: str) -> None:
    assert render_for_people(sqlglot.parse_one(sql, read="postgres"), dialect) == expected


def test_what_a_dialect_has_no_words_for_is_shown_to_people_only() -> None:
    """BigQuery's aggregates cannot say that NULLs are last."""
    expression = sqlglot.parse_one("ARRAY_AGG(a ORDER BY b)", read="postgres")

    with pytest.raises(UnsupportedError, match="NULLS LAST"):
        render(expression, find_dialect("bigquery"))

    assert render_for_people(expression, "bigquery") == "ARRAY_AGG(a ORDER BY b)"
