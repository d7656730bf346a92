"""Sets of numbers as the bits of one integer: small, quick to compare, and quick to go through."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def places_of_bits(bits: int) -> Iterator[int]:
    """Places of the bits that are set, lowest first.

    >>> list(places_of_bits(0b10011))
    [0, 1, 4]
    """
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest


def bits_of_places(places: Sequence[int]) -> int:
    """The set of some numbers, in ascending order.

    One integer is made of all: to set bit after bit copies a long integer each time.

    >>> bin(bits_of_places([0, 1, 4]))
    '0b10011'
    """
    octets = bytearray(places[-1] // 8 + 1 if places else 0)
    for place in places:
        octets[place >> 3] |= 1 << (place & 7)
    return int.from_bytes(octets, "little")
