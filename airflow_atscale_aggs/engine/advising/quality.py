"""Judges how good an aggregate is: one score, which is the product of several parts.

    part          from 0 to 1
    payback       what it saved / (what it saved + what its builds took): 0.5 when it just paid for itself
    recency       halves with every 30 days without a use; 0 while it never was used
    compression   1 - its rows / the rows of its facts

The score is 100 times the product, so no part can make up for a bad one. Seconds are compared where they are known.
Otherwise the rows that queries did not have to read are compared with the rows that builds read.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

HALF_LIFE = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityFigures:
    """The figures of a definition; see `registry.records.EvaluationRecord`."""

    last_used_at: datetime | None
    rows: int | None
    fact_rows: int | None
    rows_saved: int | None
    seconds_saved: float | None
    builds: int
    build_seconds: float


def judge(figures: QualityFigures, *, now: datetime) -> tuple[float, Mapping[str, float]]:
    """(score from 0 to 100, its parts). Parts without figures are left out."""
    parts: dict[str, float] = {}
    payback = _payback(figures)
    if payback is not None:
        parts["payback"] = payback
    idle = now - figures.last_used_at if figures.last_used_at else None
    parts["recency"] = 0.0 if idle is None else 0.5 ** (max(idle, timedelta(0)) / HALF_LIFE)
    if figures.rows is not None and figures.fact_rows:
        parts["compression"] = max(0.0, 1 - figures.rows / figures.fact_rows)
    score = 100.0
    for part in parts.values():
        score *= part
    return score, parts


def _payback(figures: QualityFigures) -> float | None:
    if figures.seconds_saved is not None:
        return _share(figures.seconds_saved, figures.build_seconds)
    if figures.rows_saved is not None and figures.fact_rows is not None:
        return _share(figures.rows_saved, figures.fact_rows * figures.builds)
    return None


def _share(saved: float, spent: float) -> float:
    """0 when nothing was saved, also when it made queries slower.

    >>> _share(3, 1), _share(-1, 1), _share(1, 0)
    (0.75, 0.0, 1.0)
    """
    gained = max(0.0, saved)
    return gained / (gained + spent) if gained else 0.0
