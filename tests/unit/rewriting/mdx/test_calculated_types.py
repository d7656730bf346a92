"""Calculations that mix texts and numbers are found before a warehouse is asked."""

from __future__ import annotations

import pytest
import sqlglot

from airflow_atscale_aggs.engine.rewriting.mdx.calculated_types import find_type_problem


def _problem(sql: str) -> str:
    """Of an expression at its top; columns that begin with ``n`` are surely numbers."""
    return find_type_problem(sqlglot.parse_one(sql), lambda column: column.name.startswith("n"))


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("n + 'x'", "which calculates with a text"),
        ("('x') * 2", "which calculates with a text"),
        ("-'x'", "which calculates with a text"),
        ("ABS('x')", "which calculates with a text"),
        ("ROUND('x')", "which calculates with a text"),
        ("n / 'x'", "which calculates with a text"),
        ("n > 1 > 0", "which compares the result of a comparison"),
        ("1 = (2 < 3) = n", "which compares the result of a comparison"),
        ("n = 'x'", "which mixes texts and numbers"),
        ("'x' <> n + 1", "which mixes texts and numbers"),
        ("COALESCE(n, 'x')", "which mixes texts and numbers"),
        ("NULLIF('x', 1)", "which mixes texts and numbers"),
        ("IF(a > 1, 'x', 2)", "which mixes texts and numbers"),
        ("IF(a > 1, 'x', n)", "which mixes texts and numbers"),
        ("CASE WHEN a > 1 THEN n * 2 ELSE 'x' END", "which mixes texts and numbers"),
        ("CASE WHEN a > 1 THEN 'x' WHEN a > 2 THEN 1 END", "which mixes texts and numbers"),
        ("1e999", "which is no number"),
    ],
)
def test_texts_and_numbers_do_not_mix(sql: str, problem: str) -> None:
    assert _problem(sql) == problem


@pytest.mark.parametrize(
    "sql",
    [
        "n + 1",
        "a + 1",
        "a = 'x'",
        "a = n",
        "'x' = 'y'",
        "NOT n > 1",
        "n > 1 AND n < 2",
        "IF(a = 'x', 1, 2)",
        "IF(n > 1, 'x', 'y')",
        "IF(n > 1, 'x')",
        "IF(n > 1, NULL, 1)",
        "CASE WHEN a = 'x' THEN 1 END",
        "CASE a WHEN 'x' THEN 1 ELSE 2 END",
        "CASE WHEN n > 1 THEN a ELSE 2 END",
        "COALESCE(n, 0)",
        "COALESCE(a, 'x')",
        "1.5e3",
        "9" * 400,
    ],
)
def test_of_what_may_be_computed_nothing_is_said(sql: str) -> None:
    """A column that may be a text, or a number, is not spoken of."""
    assert _problem(sql) == ""
