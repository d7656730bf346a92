"""Text literals mean the text that they were made of."""

from __future__ import annotations

import duckdb
import pytest

from airflow_atscale_aggs.engine.sql.text_literals import text_literal


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "'plain'"),
        ("", "''"),
        ("it's", "'it''s'"),
        ("''", "''''''"),
        ('a "name"', "'a \"name\"'"),
        ("back\\slash", "'back\\slash'"),
        ("two\nlines", "'two\nlines'"),
        ("'; DROP TABLE t; --", "'''; DROP TABLE t; --'"),
    ],
)
def test_a_literal_reads_back_as_the_text(text: str, expected: str) -> None:
    assert text_literal(text) == expected
    assert duckdb.connect().execute(f"SELECT {expected}").fetchall() == [(text,)]
