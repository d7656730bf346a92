"""Text literals of SQL. A build imports this module, and no SQL library with it."""

from __future__ import annotations


def text_literal(text: str) -> str:
    """A text in quotes.

    >>> text_literal("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"
