"""Takes a text of several SQL statements apart. Semicolons in quotes and comments end nothing."""

from __future__ import annotations

from itertools import pairwise

from sqlglot import Token, TokenType, tokenize
from sqlglot.errors import SqlglotError

from airflow_atscale_aggs.engine.errors import UnreadableQueryError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a text, with the comments before it.

    Attributes:
        text: as it is written, without its semicolon.
        line: of its first word, from 1.
        end: where its semicolon stands in the text, from 0; None: it has none.
    """

    text: str
    line: int
    end: int | None


def split_statements(text: str, *, dialect: str) -> tuple[Statement, ...]:
    r"""The statements of a text, in order. Empty ones, and comments that no statement follows, are left out.

    >>> [statement.text for statement in split_statements("SELECT ';'; -- one\nSELECT 2", dialect="postgres")]
    ["SELECT ';'", '-- one\nSELECT 2']

    Raises:
        UnreadableQueryError: the text cannot be taken apart, or the dialect is not known. A text that ends in the
            middle of a quoted name, a string or a comment is such a one.
    """
    try:
        tokens = tokenize(text, read=dialect)
    except (SqlglotError, ValueError) as error:
        raise UnreadableQueryError(text, f"it cannot be taken apart into queries: {error}") from error
    ends = [token.start for token in tokens if token.token_type is TokenType.SEMICOLON]
    first_words = _first_words(tokens, ends)
    bounds = pairwise((-1, *ends, len(text)))
    return tuple(
        Statement(
            text[begin + 1 : end].strip(),
            text.count("\n", 0, first_words[number]) + 1,
            end if number < len(ends) else None,
        )
        for number, (begin, end) in enumerate(bounds)
        if number in first_words
    )


def _first_words(tokens: list[Token], ends: list[int]) -> dict[int, int]:
    """Where the first word of each statement that is not empty begins, by the number of the statement."""
    ended = iter((*ends, float("inf")))
    end, number = next(ended), 0
    found: dict[int, int] = {}
    for token in tokens:
        if token.start == end:
            end, number = next(ended), number + 1
        elif number not in found:
            found[number] = token.start
    return found
