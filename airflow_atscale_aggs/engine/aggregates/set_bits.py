"""Sets of numbers as the bits of one integer: small, quick to compare, and quick to go through."""

from __future__ import annotations

from collections.abc import Iterator


def places_of_bits(bits: int) -> Iterator[int]:
    """Places of the bits that are set, lowest first.

    >>> list(places_of_bits(0b10011))
    [0, 1, 4]
    """
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest
