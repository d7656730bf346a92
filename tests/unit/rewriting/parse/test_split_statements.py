"""Several statements in one text."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.errors import UnreadableQueryError
from airflow_atscale_aggs.engine.rewriting.parse.split_statements import Statement, split_statements


@pytest.mark.parametrize(
    ("text", "queries"),
    [
        ("SELECT 1; SELECT 2", ("SELECT 1", "SELECT 2")),
        ("SELECT ';'; SELECT 2;", ("SELECT ';'", "SELECT 2")),
        ("-- one; two\nSELECT 1", ("-- one; two\nSELECT 1",)),
        (' ;; \n SELECT ";" FROM t ; ', ('SELECT ";" FROM t',)),
        ("SELECT 1; -- the end", ("SELECT 1",)),
        ("SELECT $$;$$; /* ; */ SELECT 2", ("SELECT $$;$$", "/* ; */ SELECT 2")),
        ("-- nothing but a comment", ()),
        ("", ()),
    ],
)
def test_statements_are_separated_by_semicolons(text: str, queries: tuple[str, ...]) -> None:
    assert tuple(statement.text for statement in split_statements(text, dialect="postgres")) == queries


def test_a_statement_knows_its_line_and_its_semicolon() -> None:
    statements = split_statements("SELECT 1;\n\n-- why\nSELECT 2", dialect="postgres")

    assert statements == (Statement("SELECT 1", 1, 8), Statement("-- why\nSELECT 2", 4, None))


@pytest.mark.parametrize(
    ("text", "dialect"),
    [("SELECT 'open", "postgres"), ('SELECT "open', "postgres"), ("/* open", "postgres"), ("SELECT 1", "latin")],
)
def test_a_text_that_cannot_be_taken_apart_is_refused(text: str, dialect: str) -> None:
    with pytest.raises(UnreadableQueryError, match="it cannot be taken apart into queries"):
        split_statements(text, dialect=dialect)
