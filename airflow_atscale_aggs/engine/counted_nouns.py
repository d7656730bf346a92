"""Numbers with the noun that they count, as sentences say them."""

from __future__ import annotations


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun, in the singular or in the plural.

    Args:
        one: the noun for one thing, with what comes after it.
        many: the same for several; ``one`` with an ``s`` when empty.

    >>> counted(1, "row"), counted(1200, "row"), counted(0, "query", "queries")
    ('1 row', '1,200 rows', '0 queries')
    """
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
