"""How good an aggregate is: what it paid back, when it was used last, how much smaller than its facts it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_atscale_aggs.engine.advising.quality import QualityFigures, judge

_NOW = datetime(2026, 3, 1, tzinfo=UTC)


def _judged(**figures: Any) -> tuple[float, dict[str, float]]:
    """The score and its parts; what is not given is not known."""
    unknown: dict[str, Any] = dict.fromkeys(("last_used_at", "rows", "fact_rows", "rows_saved", "seconds_saved"))
    score, parts = judge(QualityFigures(**{**unknown, "builds": 0, "build_seconds": 0.0, **figures}), now=_NOW)
    return score, dict(parts)


@pytest.mark.parametrize(
    ("days_ago", "recency"), [(0, 1.0), (30, 0.5), (60, 0.25), (15, 0.5**0.5), (-3, 1.0), (None, 0.0)]
)
def test_recency_halves_with_every_thirty_days_without_a_use(days_ago: int | None, recency: float) -> None:
    """A use in the future is one of now; what never was used is worth nothing."""
    last = None if days_ago is None else _NOW - timedelta(days=days_ago)

    score, parts = _judged(last_used_at=last)

    assert parts == {"recency": pytest.approx(recency)}
    assert score == pytest.approx(100 * recency)


@pytest.mark.parametrize(
    ("figures", "payback"),
    [
        ({"seconds_saved": 30.0, "build_seconds": 10.0}, 0.75),
        ({"seconds_saved": 10.0, "build_seconds": 10.0}, 0.5),
        ({"seconds_saved": 5.0, "build_seconds": 0.0}, 1.0),
        ({"seconds_saved": -5.0, "build_seconds": 10.0}, 0.0),
        ({"seconds_saved": 0.0, "build_seconds": 0.0}, 0.0),
        ({"rows_saved": 600, "fact_rows": 100, "builds": 2}, 0.75),
        ({"rows_saved": 0, "fact_rows": 100, "builds": 2}, 0.0),
        ({"seconds_saved": 10.0, "build_seconds": 10.0, "rows_saved": 600, "fact_rows": 100, "builds": 2}, 0.5),
        ({"rows_saved": 600, "builds": 2}, None),
        ({}, None),
    ],
    ids=[
        *("more than it took", "it just paid", "built for nothing", "slower than the facts", "nothing at all"),
        *("rows where seconds are not known", "no rows saved", "seconds before rows", "no fact rows", "nothing known"),
    ],
)
def test_payback_is_the_share_of_what_was_saved(figures: dict[str, Any], payback: float | None) -> None:
    _, parts = _judged(**figures)

    assert parts.get("payback") == payback


@pytest.mark.parametrize(
    ("rows", "fact_rows", "compression"),
    [
        (10, 100, 0.9),
        (100, 100, 0.0),
        (150, 100, 0.0),
        (0, 100, 1.0),
        (None, 100, None),
        (10, 0, None),
        (10, None, None),
    ],
)
def test_compression_is_the_share_of_the_fact_rows_that_need_not_be_read(
    rows: int | None, fact_rows: int | None, compression: float | None
) -> None:
    _, parts = _judged(rows=rows, fact_rows=fact_rows)

    assert parts.get("compression") == (None if compression is None else pytest.approx(compression))


def test_no_part_makes_up_for_a_bad_one() -> None:
    good = {"last_used_at": _NOW, "rows": 10, "fact_rows": 100, "seconds_saved": 30.0, "build_seconds": 10.0}

    assert _judged(**good)[0] == pytest.approx(100 * 0.75 * 1.0 * 0.9)
    assert _judged(**{**good, "last_used_at": None})[0] == 0
    assert _judged(**{**good, "rows": 100})[0] == 0
    assert _judged(**{**good, "seconds_saved": -1.0})[0] == 0
