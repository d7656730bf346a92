"""Aggregates and windows around a model's answer: PostgreSQL's values over rows with NULLs, duplicates and ties."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.support.translated import answer_of_all, answers_by_row, refusal, sql_of, type_of

_ROWS = [
    (1, "b", 5, "2.50", True),
    (2, "a", 5, "-1.00", False),
    (3, None, None, None, None),
    (4, "b", 3, "0.00", True),
    (5, "a", 10, "2.50", True),
]
_COLUMNS = "i t s n p"


@pytest.mark.parametrize(
    ("expression", "sql"),
    [
        ("COUNT(*)", "COUNT(*)"),
        ("COUNT(DISTINCT t)", "COUNT(DISTINCT t)"),
        ("SUM(i)", "SUM(i)"),
        ("BOOL_AND(p)", "BOOL_AND(p)"),
        ("STRING_AGG(t, ',' ORDER BY i)", "LISTAGG(t, ',' ORDER BY i)"),
        ("SUM(i) FILTER (WHERE p)", "SUM(i) FILTER(WHERE p)"),
        ("RANK() OVER (PARTITION BY t ORDER BY i DESC)", "RANK() OVER (PARTITION BY t ORDER BY i DESC NULLS FIRST)"),
        ("PERCENTILE_CONT(0.25) WITHIN GROUP (ORDER BY x DESC)", "QUANTILE_CONT(CAST(x AS DOUBLE), 0.75)"),
    ],
)
def test_an_aggregate_in_the_words_of_duckdb(expression: str, sql: str) -> None:
    """NULLs come first where PostgreSQL has them first."""
    assert sql_of(expression) == sql


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("COUNT(*)", 5),
        ("COUNT(t)", 4),
        ("COUNT(DISTINCT t)", 2),
        ("SUM(s)", 23),
        ("SUM(DISTINCT s)", 18),
        ("SUM(n)", Decimal("4.00")),
        ("AVG(s)", 5.75),
        ("AVG(n)", 1.0),
        ("MIN(t)", "a"),
        ("MAX(n)", Decimal("2.50")),
        ("SUM(s) / COUNT(*)", 4),
        ("SUM(n) / COUNT(*)", 0.8),
        ("ROUND(AVG(n), 2)", Decimal("1.00")),
        ("BOOL_AND(p)", False),
        ("BOOL_OR(p)", True),
        ("SUM(s) FILTER (WHERE p)", 18),
        ("SUM(CASE WHEN p THEN n END)", Decimal("5.00")),
        ("STRING_AGG(t, ',' ORDER BY i)", "b,a,b,a"),
        ("STRING_AGG(t, '-' ORDER BY t DESC, i)", "b-b-a-a"),
        ("STRING_AGG(DISTINCT t, ',' ORDER BY t)", "a,b"),
        ("VAR_POP(s)", 6.6875),
        ("VAR_SAMP(s)", 8.916666666666666),
        ("STDDEV_POP(n)", 1.541103500742244),
        ("PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY s)", 5.0),
        ("PERCENTILE_CONT(0.25) WITHIN GROUP (ORDER BY s)", 4.5),
        ("PERCENTILE_CONT(0.25) WITHIN GROUP (ORDER BY s DESC)", 6.25),
        ("PERCENTILE_CONT(1) WITHIN GROUP (ORDER BY n)", 2.5),
    ],
)
def test_an_aggregate_over_rows_with_nulls(expression: str, value: Any) -> None:
    answer = answer_of_all(expression, _COLUMNS, _ROWS)

    assert answer == (pytest.approx(value, rel=1e-14) if isinstance(value, float) else value)


@pytest.mark.parametrize(
    ("expression", "value"),
    [("COUNT(*)", 0), ("SUM(s)", None), ("MAX(t)", None), ("BOOL_AND(p)", None), ("STRING_AGG(t, ',')", None)],
)
def test_an_aggregate_over_no_rows(expression: str, value: Any) -> None:
    assert answer_of_all(f"{expression} FILTER (WHERE i < 0)", _COLUMNS, _ROWS) == value


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("ROW_NUMBER() OVER (ORDER BY i)", [1, 2, 3, 4, 5]),
        ("RANK() OVER (ORDER BY s)", [2, 2, 5, 1, 4]),
        ("DENSE_RANK() OVER (ORDER BY s)", [2, 2, 4, 1, 3]),
        ("RANK() OVER (ORDER BY s DESC)", [3, 3, 1, 5, 2]),
        ("PERCENT_RANK() OVER (ORDER BY i)", [0, 0.25, 0.5, 0.75, 1]),
        ("CUME_DIST() OVER (ORDER BY s)", [0.6, 0.6, 1, 0.2, 0.8]),
        ("NTILE(2) OVER (ORDER BY i)", [1, 1, 1, 2, 2]),
        ("LAG(t) OVER (ORDER BY i)", [None, "b", "a", None, "b"]),
        ("LEAD(s, 2, 0) OVER (ORDER BY i)", [None, 3, 10, 0, 0]),
        ("LEAD(s, 2, 0.5) OVER (ORDER BY i)", [None, 3, 10, Decimal("0.5"), Decimal("0.5")]),
        ("LEAD(n, 4, 0.125) OVER (ORDER BY i)", [Decimal("2.5"), *[Decimal("0.125")] * 4]),
        ("LEAD(n, 4, n / 3) OVER (ORDER BY i)", [2.5, -1 / 3, None, 0, 2.5 / 3]),
        ("FIRST_VALUE(t) OVER (ORDER BY i)", ["b"] * 5),
        ("LAST_VALUE(s) OVER (ORDER BY i)", [5, 5, None, 3, 10]),
        ("NTH_VALUE(t, 2) OVER (ORDER BY i)", [None, "a", "a", "a", "a"]),
        ("SUM(s) OVER (ORDER BY i)", [5, 10, 10, 13, 23]),
        ("SUM(s) OVER (ORDER BY i ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)", [5, 10, 5, 3, 13]),
        ("COUNT(*) OVER (PARTITION BY t)", [2, 2, 1, 2, 2]),
        ("SUM(s) OVER (PARTITION BY p ORDER BY UPPER(t), i DESC)", [18, 5, None, 13, 10]),
    ],
)
def test_a_window_shows_a_value_in_each_row(expression: str, values: list[Any]) -> None:
    """Rows that tie share a rank; NULLs are the greatest."""
    assert answers_by_row(expression, _COLUMNS, _ROWS) == values


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("COUNT(*)", "bigint"),
        ("SUM(s)", "bigint"),
        ("SUM(i)", "bigint"),
        ("SUM(l)", "numeric 0"),
        ("SUM(n)", "numeric 2"),
        ("SUM(x)", "double precision"),
        ("AVG(i)", "numeric in double precision"),
        ("AVG(r)", "double precision"),
        ("STDDEV(n)", "numeric in double precision"),
        ("MIN(d)", "date"),
        ("BOOL_OR(p)", "boolean"),
        ("STRING_AGG(t, ',')", "text"),
        ("PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY n)", "double precision"),
        ("RANK() OVER (ORDER BY i)", "bigint"),
        ("NTILE(2) OVER (ORDER BY i)", "integer"),
        ("LEAD(i, 1, 0.5) OVER (ORDER BY i)", "numeric"),
        ("LEAD(d, 1, ts) OVER (ORDER BY i)", "timestamp"),
        ("LAG(t) OVER (ORDER BY i)", "text"),
        ("CUME_DIST() OVER (ORDER BY i)", "double precision"),
    ],
)
def test_the_type_is_that_of_postgresql(expression: str, kind: str) -> None:
    assert type_of(expression) == kind


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("SUM(t)", "it takes a number in PostgreSQL, and an argument is text"),
        ("AVG(d)", "it takes a number in PostgreSQL, and an argument is date"),
        ("MAX(p)", "it takes a value that has an order in PostgreSQL, and an argument is boolean"),
        ("MAX(i, j)", "it takes one value"),
        ("COUNT(DISTINCT i, j)", "DISTINCT of several values is not translated"),
        ("BOOL_AND(i)", "a condition has to be boolean in PostgreSQL"),
        ("SUM(i) FILTER (WHERE j)", "a condition has to be boolean in PostgreSQL"),
        ("PERCENTILE_DISC(0.5) WITHIN GROUP (ORDER BY i)", "only PERCENTILE_CONT is translated here"),
        (
            "PERCENTILE_CONT(1.5) WITHIN GROUP (ORDER BY i)",
            "its share has to stand in the query as a number from 0 to 1",
        ),
        ("PERCENTILE_CONT(x) WITHIN GROUP (ORDER BY i)", "its share has to stand in the query"),
        ("LEAD(i, 1, 'a') OVER (ORDER BY i)", "PostgreSQL reads no integer in it"),
    ],
)
def test_what_is_not_the_same_is_refused(expression: str, reason: str) -> None:
    assert reason in refusal(expression)
