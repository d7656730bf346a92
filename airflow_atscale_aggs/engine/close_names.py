"""The names most like a mistyped one. Large models have hundreds, so few are compared in full."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

_ALIKE = 0.6
"""From here on a name may be meant."""

_VERY_ALIKE = 0.85
"""Names above this are found in a fifth of the time: most others are told apart by the letters that they have."""


def close_names(name: str, candidates: Mapping[str, str], most: int) -> tuple[str, ...]:
    """The values of the keys most similar to a name, the most similar first.

    >>> close_names("sale", {"sales": "Sales", "salt": "Salt", "item": "Item"}, 3)
    ('Sales', 'Salt')
    """
    near = difflib.get_close_matches(name, candidates, n=most, cutoff=_VERY_ALIKE)
    if len(near) < most:
        near = difflib.get_close_matches(name, candidates, n=most, cutoff=_ALIKE)
    return tuple(candidates[each] for each in near)
