"""Rows as whole numbers: NULLs are told apart, and the numbers can be added up."""

from __future__ import annotations

import pytest
from sqlglot import exp

from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.row_hashes import hash_columns, hash_row
from airflow_atscale_aggs.engine.sql.statements import render

COLUMNS = [exp.column("a"), exp.column("b")]


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        ("duckdb", 'HASH("a", "b")'),
        ("spark", "XXHASH64(`a`, `b`, `a` IS NULL, `b` IS NULL)"),
        ("postgres", None),
    ],
)
def test_which_columns_are_null_is_told_where_the_function_passes_over_them(dialect: str, expected: str | None) -> None:
    row = find_dialect(dialect)

    hashed = hash_columns(COLUMNS, row)

    assert (hashed and render(hashed, row)) == expected


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        ("duckdb", 'HASH("a")'),
        ("spark", "CAST(XXHASH64(`a`, `a` IS NULL) AS DECIMAL(38, 0))"),
        ("postgres", 'HASHTEXTEXTENDED(CAST(ROW("a") AS TEXT), 0)'),
    ],
)
def test_hashes_can_be_added_up_without_leaving_their_range(dialect: str, expected: str) -> None:
    row = find_dialect(dialect)

    hashed = hash_row(COLUMNS[:1], row)

    assert hashed is not None
    assert render(hashed, row) == expected
