"""Parses numbers of bytes as people write them."""

from __future__ import annotations

import re
from typing import Any

import click

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


# Click 8.1 knows no type parameter here.
class ByteSize(click.ParamType):  # type: ignore[type-arg]
    """``500MB``, ``1.5 GiB`` or a bare number of bytes; at least one byte.

    >>> ByteSize().convert("1.5 kB", None, None), ByteSize().convert("1KiB", None, None)
    (1500, 1024)
    """

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number of bytes."""
        if isinstance(value, int):
            return value
        match = _SIZE.fullmatch(str(value).strip())
        size = 0
        if match is not None:
            number, unit, is_binary = match.groups()
            size = int(float(number) * (1024 if is_binary else 1000) ** _POWERS[unit.casefold()])
        if size < 1:
            self.fail(f"`{value}` is no number of bytes; write 500MB, 2GiB or 1000000.", param, ctx)
        return size
