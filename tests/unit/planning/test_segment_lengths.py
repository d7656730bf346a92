"""Settled segments of bounded length: where they are cut, and which of them become one."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from airflow_atscale_aggs.engine.aggregates.indicator import IndicatorKind, IndicatorUnit, RowRange
from airflow_atscale_aggs.engine.planning.segment_lengths import MOST_PIECES, choose_merged, cut, steps_of_length
from airflow_atscale_aggs.engine.settings import Settings
from tests.support.increment_cases import increment_of, segment_of

_ROWS = RowRange(column="id", kind=IndicatorKind.INTEGER)


def _cut(after: int | None, through: int, length: int | None, least: int | None = None) -> list[tuple[int | None, int]]:
    pieces = cut(replace(_ROWS, after=after, through=through), length, least)
    return [(rows.after, rows.through or 0) for rows in pieces]


@pytest.mark.parametrize(
    ("length", "kind", "unit", "steps"),
    [
        ("", IndicatorKind.TIMESTAMP, IndicatorUnit.MICROSECONDS, None),
        ("1d", IndicatorKind.TIMESTAMP, IndicatorUnit.MICROSECONDS, 86400 * 10**6),
        ("60", IndicatorKind.INSTANT, IndicatorUnit.MICROSECONDS, 60 * 10**6),
        ("1h", IndicatorKind.INTEGER, IndicatorUnit.MILLISECONDS, 3_600_000),
        ("500", IndicatorKind.INTEGER, IndicatorUnit.MILLISECONDS, 500),
        ("500", IndicatorKind.INTEGER, IndicatorUnit.PLAIN, 500),
        ("1d", IndicatorKind.INTEGER, IndicatorUnit.PLAIN, None),
    ],
)
def test_a_length_is_so_many_steps(length: str, kind: IndicatorKind, unit: IndicatorUnit, steps: int | None) -> None:
    indicator = replace(increment_of().indicator, kind=kind, unit=unit)
    settings = Settings().with_values({"aggregate.incrementalUpdate.maxSegmentLength": length})

    assert steps_of_length(indicator, settings) == steps


@pytest.mark.parametrize(
    ("after", "through", "length", "least", "pieces"),
    [
        (None, 35, 10, 5, [(None, 9), (9, 19), (19, 29), (29, 35)]),
        (None, 39, 10, 10, [(None, 19), (19, 29), (29, 39)]),
        (None, 40, 10, 9, [(None, 9), (9, 19), (19, 29), (29, 39), (39, 40)]),
        (None, 35, 10, None, [(None, 35)]),
        (None, 35, None, 5, [(None, 35)]),
        (9, 19, 10, None, [(9, 19)]),
        (8, 19, 10, None, [(8, 9), (9, 19)]),
        (12, 14, 10, None, [(12, 14)]),
        (-25, -5, 10, None, [(-25, -21), (-21, -11), (-11, -5)]),
        (None, 5, 10, 7, [(None, 5)]),
    ],
)
def test_ranges_are_cut_at_multiples_of_the_length(
    after: int | None, through: int, length: int | None, least: int | None, pieces: list[tuple[int | None, int]]
) -> None:
    """A cut ends a segment one step before the multiple, which begins the next one."""
    assert _cut(after, through, length, least) == pieces


def test_a_mistyped_year_does_not_make_millions_of_segments() -> None:
    pieces = _cut(None, 10**9 + 5, 10, 0)

    assert len(pieces) == MOST_PIECES
    assert pieces[0] == (None, 10**9 - (MOST_PIECES - 2) * 10 - 1)
    assert pieces[-1] == (10**9 - 1, 10**9 + 5)


@pytest.mark.parametrize(
    ("bounds", "length", "merged"),
    [
        # No bound on the length: the newest small ones, without the oldest.
        ([None, 9, 12, 15, 18], None, [12, 15, 18]),
        # A period that is over becomes one; the newest one first.
        ([None, 9, 12, 19, 25, 29, 33], 10, [25, 29]),
        ([None, 9, 12, 19, 29, 33], 10, [12, 19]),
        # Within the period that is not over, by the same rule as without a bound.
        ([None, 9, 19, 22, 24, 26], 10, [24, 26]),
        ([None, 9, 19, 29, 33], 10, []),
    ],
)
def test_segments_are_merged_within_a_period(bounds: list[int | None], length: int | None, merged: list[int]) -> None:
    segments = [segment_of(number, after, through or 0, 5) for number, (after, through) in enumerate(pairwise(bounds))]

    chosen = choose_merged(segments, segments[-1].through, Settings(), length)

    assert [segment.through for segment in chosen] == merged
