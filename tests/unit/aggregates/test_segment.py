"""How many settled segments are merged, and how a segment's table gets its name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_atscale_aggs.engine.aggregates.segment import Segment, SegmentKey, run_to_merge


def _settled(*sizes: int) -> list[Segment]:
    return [
        Segment(
            key=SegmentKey("i", 1, number),
            table="t",
            after=None,
            through=number,
            is_settled=True,
            rows=size,
            fact_rows=size,
        )
        for number, size in enumerate(sizes)
    ]


@pytest.mark.parametrize(
    ("sizes", "most", "run"),
    [
        ((), 2, 0),
        ((5, 1), 3, 0),
        ((5, 1), 2, 2),
        ((1000, 100, 1, 1), 4, 2),
        ((1000, 4, 2, 1), 4, 3),
        ((1000, 2, 1), 2, 3),
        ((4, 1, 1), 3, 3),
        ((5, 1, 1), 3, 2),
        ((1, 1, 1, 1), 4, 4),
        ((9, 9, 9, 9, 9), 2, 5),
    ],
)
def test_the_newest_segments_are_merged_and_older_ones_that_are_at_most_twice_as_large(
    sizes: tuple[int, ...], most: int, run: int
) -> None:
    """And always enough of them, so that there are no more than the most after one more."""
    assert run_to_merge(_settled(*sizes), most) == run


@pytest.mark.parametrize(
    ("sizes", "most", "small_rows", "run"),
    [
        ((), 10, 100, 0),
        ((5,), 10, 100, 0),
        ((1000, 5), 10, 100, 0),
        ((1000, 5, 5), 10, 100, 2),
        ((1000, 60, 30, 10), 10, 100, 3),
        ((1000, 61, 30, 10), 10, 100, 2),
        ((1000, 99, 2), 10, 100, 0),
        ((0, 0), 10, 100, 0),
        ((0, 0, 0), 10, 100, 2),
        ((1000, 5, 5), 10, 0, 0),
        ((1000, 40, 40, 1, 1), 4, 100, 4),
    ],
)
def test_segments_that_are_small_together_are_merged_before_there_are_too_many(
    sizes: tuple[int, ...], most: int, small_rows: int, run: int
) -> None:
    """However many there are; a segment that would make them larger than small stays."""
    assert run_to_merge(_settled(*sizes), most, small_rows) == run


@given(st.integers(1, 300), st.integers(1, 120))
def test_small_segments_are_never_many(rows: int, builds: int) -> None:
    """Two segments in a row are more than small together, so that few are as small as a build makes them."""
    settled: list[Segment] = _settled(10**6)
    for _ in range(builds):
        run = run_to_merge(settled, 1000, 1000)
        if run:
            settled = [*settled[:-run], *_settled(sum(segment.rows for segment in settled[-run:]))]
        settled += _settled(rows)
    assert len(settled) <= 3 + 2 * builds * rows // 1000


@given(st.integers(2, 12), st.integers(2, 120))
def test_merging_keeps_few_segments_and_rewrites_rows_seldom(most: int, builds: int) -> None:
    """With one row a build, a row is rewritten no more often than a logarithm and the limit allow."""
    settled: list[Segment] = []
    written = 0
    for _ in range(builds):
        run = run_to_merge(settled, most)
        if run:
            merged = sum(segment.rows for segment in settled[-run:])
            written += merged
            settled = [*settled[:-run], *_settled(merged)]
        settled += _settled(1)
        assert len(settled) <= most
    assert most < 6 or written <= builds * 8
