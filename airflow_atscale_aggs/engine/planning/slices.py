"""Decides which settled segments are made anew because a slice of them was named as changed.

Segments are made anew whole: nobody can take some fact rows out of a minimum. All others stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from airflow_atscale_aggs.engine.aggregates.indicator import RowRange
from airflow_atscale_aggs.engine.aggregates.segment import Segment
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Reach:
    """What named slices reach.

    Attributes:
        kept: settled segments that no slice reaches, in order.
        anew: settled segments that some slice reaches, in order.
        is_window_named: a slice reaches beyond the settled segments.
    """

    kept: tuple[Segment, ...]
    anew: tuple[Segment, ...]
    is_window_named: bool


def find_reach(settled: Sequence[Segment], slices: Sequence[tuple[int, int]]) -> Reach:
    """Tell the settled segments that slices reach from the others.

    Args:
        settled: in order, at least one.
        slices: as (after, through].
    """
    anew = tuple(segment for segment in settled if any(_overlaps(segment, after, through) for after, through in slices))
    return Reach(
        kept=tuple(segment for segment in settled if segment not in anew),
        anew=anew,
        is_window_named=any(through > settled[-1].through for _, through in slices),
    )


def _overlaps(segment: Segment, after: int, through: int) -> bool:
    return after < segment.through and (segment.after is None or segment.after < through)


def is_within(part: Segment | RowRange, rows: RowRange) -> bool:
    """Whether a segment or a range lies in a range."""
    is_after = rows.after is None or (part.after is not None and part.after >= rows.after)
    return is_after and (rows.through is None or (part.through is not None and part.through <= rows.through))


def range_of(segment: Segment, window: RowRange) -> RowRange:
    """The fact rows of a segment; ``window`` names the indicator."""
    return replace(window, after=segment.after, through=segment.through)


def join_ranges(ranges: Iterable[RowRange]) -> tuple[RowRange, ...]:
    """Ranges of one indicator with those that touch made into one, in order."""
    joined: list[RowRange] = []
    for rows in sorted(ranges, key=lambda rows: (rows.after is not None, rows.after or 0)):
        if joined and joined[-1].through == rows.after:
            joined[-1] = replace(joined[-1], through=rows.through)
        else:
            joined.append(rows)
    return tuple(joined)


def newest_run(segments: Sequence[Segment], start: int) -> tuple[Segment, ...]:
    """The newest of some segments that touch each other and end at a bound: others lie between older ones."""
    run: list[Segment] = []
    for segment in reversed(segments):
        if segment.through != start:
            break
        run.append(segment)
        if segment.after is None:
            break
        start = segment.after
    return tuple(reversed(run))
