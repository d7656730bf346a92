"""Texts as SQL says them, without the SQL library that a build does without."""

from __future__ import annotations


def text_literal(text: str) -> str:
    """A text in quotes.

    >>> text_literal("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"
