"""The surface of functions and operators, by section: what is compared on every warehouse, over the columns of
`function_grid`.

t u  texts      i j  integers   l  bigint   s  smallint   n m  decimals (12,2) and (10,4)
x y  doubles    d e  dates      ts us  timestamps         p q  booleans
"""

from __future__ import annotations

from tests.support.oracles.surface_of_dates import DATES
from tests.support.oracles.surface_of_texts import TEXTS
from tests.support.oracles.surface_of_values import VALUES

AGGREGATES = frozenset(
    {"COUNT, SUM, AVG, MIN, MAX", "STDDEV, VARIANCE", "BOOL_AND, BOOL_OR", "STRING_AGG", "PERCENTILE_CONT"}
)
"""Entries that are of all rows together."""

SURFACE: dict[str, dict[str, tuple[str, ...]]] = TEXTS | DATES | VALUES
