"""What is remembered of statements, so that the same one is not asked about twice."""

from __future__ import annotations

from typing import TypeVar

_K = TypeVar("_K")
_V = TypeVar("_V")


class Remembered(dict[_K, _V]):
    """A dict of at most so many keys: of more, the one that came first is forgotten. For one thread at a time.

    >>> squares = Remembered(2)
    >>> for number in (1, 2, 1, 3):
    ...     squares[number] = number**2
    >>> squares
    {2: 4, 3: 9}
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def __setitem__(self, key: _K, value: _V) -> None:
        super().__setitem__(key, value)
        if len(self) > self._most:
            del self[next(iter(self))]
