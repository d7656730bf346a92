"""Whole numbers as drivers give them: int, Decimal, float, or text of any of these.

Some warehouses add whole numbers up as floating ones, and some drivers give all numbers as decimals. A count is near
enough in each of these forms; a sum of hashes has to be exact.
"""

from __future__ import annotations

import math
from decimal import Decimal

_MOST_EXACT = 2**53
"""Beyond it, a floating number may stand for several whole ones."""


def exact_whole(value: object) -> int | None:
    """The whole number that a value is exactly; None where it is none, or where digits may have been lost.

    >>> from decimal import Decimal
    >>> exact_whole("61.0"), exact_whole(Decimal("1E+20")), exact_whole(1.5), exact_whole("1.3e19")
    (61, 100000000000000000000, None, None)
    """
    number = _decimal(value)
    if not number.is_finite() or number != number.to_integral_value():
        return None
    is_floating = isinstance(value, float) or (isinstance(value, str) and "e" in value.casefold())
    return None if is_floating and abs(number) > _MOST_EXACT else int(number)


def nearest_whole(value: object) -> int:
    """The whole number that is nearest to a count or an estimate.

    Raises:
        decimal.InvalidOperation: it is no number.

    >>> nearest_whole("61.0"), nearest_whole(2.0), nearest_whole("-1")
    (61, 2, -1)
    """
    number = _decimal(value)
    return int(number.to_integral_value()) if number.is_finite() else 0


def _decimal(value: object) -> Decimal:
    if isinstance(value, float) and not math.isfinite(value):
        return Decimal("NaN")
    return Decimal(str(value))
