"""Reads how old an aggregate may be that answers a query: ``90m``, ``12h``, ``7d``."""

from __future__ import annotations

import re
from datetime import timedelta

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError

_AGE = re.compile(r"(?P<number>[0-9]{1,7})(?P<unit>[smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LONGEST = timedelta(days=36_500)
"""A hundred years: longer ones lead to moments that no clock knows."""


def read_age(text: str) -> timedelta:
    """The age that a text means.

    Raises:
        UnsupportedQueryError: it means none.

    >>> read_age("12h")
    datetime.timedelta(seconds=43200)
    """
    match = _AGE.fullmatch(text)
    age = timedelta(**{_UNITS[match["unit"]]: int(match["number"])}) if match is not None else None
    if age is None or age > _LONGEST:
        raise UnsupportedQueryError(text, "it is no age", "Write a number and s, m, h or d, such as 12h.")
    return age
