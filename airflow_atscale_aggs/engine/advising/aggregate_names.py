"""Makes names and labels of system-defined aggregates. They are readable, and the same each time."""

from __future__ import annotations

import re

from airflow_atscale_aggs.engine.aggregates.definition import FactPart

_NOT_WORD = re.compile(r"\W+")
_LONGEST = 56
"""The longest name. It leaves room for digits that make it unique, within every dialect's limit for views."""


def aggregate_name(part: FactPart, suffix: str = "") -> str:
    """What an aggregate of a fact is called: ``sales_by_month_city``, ``sales_total`` without attributes.

    Args:
        suffix: stands instead of ``total``.
    """
    fact = _word(part.fact)
    if not part.attributes:
        return f"{fact[:_LONGEST]}_{suffix or 'total'}"
    words = [_word(bound.attribute.query_name) for bound in part.attributes]
    for shown in range(len(words), 0, -1):
        rest = f"_and_{len(words) - shown}_more" if shown < len(words) else ""
        name = f"{fact}_by_{'_'.join(words[:shown])}{rest}"
        if len(name.encode()) <= _LONGEST:
            return name
    return f"{fact[: _LONGEST // 2]}_by_{len(words)}_attributes"


def aggregate_label(part: FactPart) -> str:
    """For people: ``sales by Month, City``."""
    return f"{part.fact} by {attribute_names(part)}" if part.attributes else f"{part.fact}, all members"


def attribute_names(part: FactPart) -> str:
    """The attributes of a part, by their query names."""
    return ", ".join(bound.attribute.query_name for bound in part.attributes) or "nothing"


def times(count: float) -> str:
    """How often something was asked, for people.

    >>> times(1.0), times(2.49), times(1200)
    ('once', '2.5 times', '1,200 times')
    """
    shown = f"{count:,.1f}".removesuffix(".0")
    return "once" if shown == "1" else f"{shown} times"


def _word(name: str) -> str:
    return _NOT_WORD.sub("_", name).strip("_").casefold() or "x"
