"""How good an aggregate is: one score, and the parts that it is the product of.

    part          from 0 to 1
    payback       what it saved / (what it saved + what its builds took): 0.5 when it just paid for itself
    recency       halves with every 30 days without a use; 0 while it never was used
    compression   1 - its rows / the rows of its facts

The score is 100 times the product, so a part that is bad is never made up for by another. Seconds are compared where they are
known, rows otherwise: those that queries did not read against those that builds did.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

HALF_LIFE = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityFigures:
    """What is known of a definition; see `registry.records.EvaluationRecord`."""

    last_used_at: datetime | None
    rows: int | None
    fact_rows: int | None
    rows_saved: int | None
    seconds_saved: float | None
    builds: int
    build_seconds: float


def judge(found: QualityFigures, *, now: datetime) -> tuple[float, Mapping[str, float]]:
    """(score from 0 to 100, its parts); a part that nothing is known about is left out."""
    parts: dict[str, float] = {}
    payback = _payback(found)
    if payback is not None:
        parts["payback"] = payback
    idle = now - found.last_used_at if found.last_used_at else None
    parts["recency"] = 0.0 if idle is None else 0.5 ** (max(idle, timedelta(0)) / HALF_LIFE)
    if found.rows is not None and found.fact_rows:
        parts["compression"] = max(0.0, 1 - found.rows / found.fact_rows)
    score = 100.0
    for part in parts.values():
        score *= part
    return score, parts


def _payback(found: QualityFigures) -> float | None:
    if found.seconds_saved is not None:
        return _share(found.seconds_saved, found.build_seconds)
    if found.rows_saved is not None and found.fact_rows is not None:
        return _share(found.rows_saved, found.fact_rows * found.builds)
    return None


def _share(saved: float, spent: float) -> float:
    """0 when nothing was saved, also when it made queries slower.

    >>> _share(3, 1), _share(-1, 1), _share(1, 0)
    (0.75, 0.0, 1.0)
    """
    gained = max(0.0, saved)
    return gained / (gained + spent) if gained else 0.0
