"""Bounds the length of settled segments, so that a named slice costs one short segment and not all that is settled.

A segment is cut where the indicator passes a multiple of the length, so that the day of a time begins a segment of its
own when the length is a day. What lies between two cuts is a *period*.

Source: the setting ``aggregate.incrementalUpdate.maxSegmentLength``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from airflow_atscale_aggs.engine.aggregates.indicator import (
    Indicator,
    IndicatorKind,
    IndicatorUnit,
    RowRange,
    parse_grace_period,
)
from airflow_atscale_aggs.engine.aggregates.segment import Segment, run_to_merge
from airflow_atscale_aggs.engine.planning.slices import newest_run
from airflow_atscale_aggs.engine.settings import Settings

MOST_PIECES = 400
"""A range is cut into no more segments. A mistyped year would make millions of them; the oldest one is longer then."""

_MICRO = 10**6


def steps_of_length(indicator: Indicator, settings: Settings) -> int | None:
    """The greatest length of a settled segment in steps of the indicator; None: there is no bound.

    A bare number is in steps of a numeric indicator, and in seconds of a timestamp. A time says nothing of plain
    numbers.
    """
    length = parse_grace_period(settings.max_segment_length)
    if length is None or not length.number:
        return None
    if indicator.kind is not IndicatorKind.INTEGER:
        return length.seconds * _MICRO
    if not length.suffix:
        return length.number
    return None if indicator.unit is IndicatorUnit.PLAIN else length.seconds * indicator.unit.per_second


def cut(rows: RowRange, length: int | None, least: int | None) -> tuple[RowRange, ...]:
    """A range with an end as ranges of at most that length, in order.

    Args:
        least: the least indicator in it, from which on it is cut when it has no beginning; None: nobody knows.
    """
    first = least if rows.after is None else rows.after + 1
    if length is None or first is None or rows.through is None:
        return (rows,)
    # The first and the last cut that lie inside of the range: a cut ends a segment.
    last_cut = rows.through // length * length - 1
    first_cut = max((first // length + 1) * length - 1, last_cut - (MOST_PIECES - 2) * length)
    ends = [*range(first_cut, min(last_cut, rows.through - 1) + 1, length), rows.through]
    starts = [rows.after, *ends[:-1]]
    return tuple(replace(rows, after=after, through=through) for after, through in zip(starts, ends, strict=True))


def choose_merged(kept: Sequence[Segment], start: int, settings: Settings, length: int | None) -> tuple[Segment, ...]:
    """The settled segments that become one: of a period that is over, all; else the newest, by `run_to_merge`.

    Args:
        kept: in order; others may lie between them.
        start: where the newest settled segment ends, whether it is kept or not.
        length: within which they are merged; None: any.
    """
    newest = newest_run(kept, start)
    if length is not None:
        for end in sorted({_period_end(segment, length) for segment in kept if segment.through <= start}, reverse=True):
            period = [segment for segment in kept if _is_in_period(segment, end, length)]
            if len(period) > 1 and end <= start and newest_run(period, period[-1].through) == tuple(period):
                return tuple(period)
        newest = tuple(segment for segment in newest if _is_in_period(segment, _period_end(newest[-1], length), length))
    run = run_to_merge(newest, settings.max_static_segments, settings.small_segments_rows)
    return newest[len(newest) - run :]


def _period_end(segment: Segment, length: int) -> int:
    return (segment.through // length + 1) * length - 1


def _is_in_period(segment: Segment, end: int, length: int) -> bool:
    return segment.after is not None and end - length <= segment.after and segment.through <= end
