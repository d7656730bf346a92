"""ClickHouse's values as Python's, from the texts and numbers that JSON has for them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

_AROUND = re.compile(r"(?:Nullable|LowCardinality)\((.*)\)")
_ZONE = re.compile(r"DateTime(?:64\(\d+, |\()'(?P<zone>[^']+)'\)")


def decoders(types: Sequence[str]) -> list[Callable[[Any], Any] | None]:
    """What makes a value of each type, NULL apart; None: it is right as JSON has it.

    A time whose type names a zone is aware of it; others are as clocks in the zone of the session show them.

    >>> [make and make("2024-02-29") for make in decoders(["Nullable(Date32)", "String"])]
    [datetime.date(2024, 2, 29), None]
    """
    return [_decoder(kind) for kind in types]


def _decoder(kind: str) -> Callable[[Any], Any] | None:
    while around := _AROUND.fullmatch(kind):
        kind = around[1]
    if kind.startswith("Decimal"):
        return Decimal
    if kind.startswith(("Float", "BFloat")):
        return float
    if kind.startswith("DateTime"):
        zone = _ZONE.fullmatch(kind)
        return datetime.fromisoformat if zone is None else _in_zone(zone["zone"])
    if kind in {"Date", "Date32"}:
        return date.fromisoformat
    return UUID if kind == "UUID" else None


def _in_zone(name: str) -> Callable[[str], datetime]:
    zone = ZoneInfo(name)
    return lambda text: datetime.fromisoformat(text).replace(tzinfo=zone)
