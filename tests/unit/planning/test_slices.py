"""Which settled segments named slices reach, and ranges that touch."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.aggregates.indicator import IndicatorKind, RowRange
from airflow_atscale_aggs.engine.planning.slices import find_reach, join_ranges, newest_run, range_of
from tests.support.increment_cases import segment_of

_SETTLED = (segment_of(1, None, 10, 1), segment_of(2, 10, 20, 1), segment_of(3, 20, 30, 1))
_WINDOW = RowRange(column="id", kind=IndicatorKind.INTEGER)


@pytest.mark.parametrize(
    ("slices", "anew", "is_window_named"),
    [
        ([], [], False),
        ([(-9, -5)], [10], False),
        ([(9, 10)], [10], False),
        ([(10, 11)], [20], False),
        ([(9, 11)], [10, 20], False),
        ([(19, 20), (0, 1)], [10, 20], False),
        ([(29, 31)], [30], True),
        ([(30, 31)], [], True),
        ([(-99, 99)], [10, 20, 30], True),
    ],
)
def test_a_slice_reaches_the_segments_that_hold_some_of_it(
    slices: list[tuple[int, int]],
    anew: list[int],
    is_window_named: bool,
) -> None:
    reach = find_reach(_SETTLED, slices)

    assert [segment.through for segment in reach.anew] == anew
    assert [segment.through for segment in reach.kept] == [end for end in (10, 20, 30) if end not in anew]
    assert reach.is_window_named is is_window_named


def test_ranges_that_touch_are_one() -> None:
    ranges = [range_of(segment, _WINDOW) for segment in _SETTLED]

    assert [(rows.after, rows.through) for rows in join_ranges(reversed(ranges))] == [(None, 30)]
    assert [(rows.after, rows.through) for rows in join_ranges([ranges[2], ranges[0]])] == [(None, 10), (20, 30)]
    assert join_ranges([]) == ()


@pytest.mark.parametrize(
    ("kept", "start", "run"),
    [
        (_SETTLED, 30, [10, 20, 30]),
        (_SETTLED[::2], 30, [30]),
        (_SETTLED[:2], 30, []),
        (_SETTLED[1:], 30, [20, 30]),
        ((), 30, []),
    ],
)
def test_only_segments_that_touch_are_merged(kept: tuple, start: int, run: list[int]) -> None:  # type: ignore[type-arg]
    assert [segment.through for segment in newest_run(kept, start)] == run
