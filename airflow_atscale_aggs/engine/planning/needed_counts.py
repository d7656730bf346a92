"""What must be looked up in a fact before it can be decided how its aggregates are built.

Pure. Everything is for prospects of one fact, since the fact is asked once for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from airflow_atscale_aggs.engine.aggregates.indicator import RowRange
from airflow_atscale_aggs.engine.planning.increments import Prospect
from airflow_atscale_aggs.engine.settings import Settings


def edges(candidates: Sequence[Prospect]) -> tuple[int, ...]:
    """The bounds up to which rows must be counted, so that those of each range that stays or is made anew are known."""
    ranges = [
        rows
        for candidate in candidates
        if not candidate.is_narrow
        for rows in (*candidate.kept_ranges, *candidate.anew_ranges)
    ]
    return tuple(sorted({edge for rows in ranges for edge in (rows.after, rows.through) if edge is not None}))


def named_ranges(candidates: Sequence[Prospect]) -> tuple[RowRange, ...]:
    """The ranges whose rows are counted by themselves, because the rows around them are not looked at."""
    return tuple(
        dict.fromkeys(rows for candidate in candidates if candidate.is_narrow for rows in candidate.anew_ranges)
    )


def is_least_needed(candidates: Sequence[Prospect], settings: Settings) -> bool:
    """Whether the least indicator must be looked up: a range without a beginning is made, and is to be cut."""
    has_no_beginning = any(
        candidate.start is None or any(segment.after is None for segment in candidate.anew) for candidate in candidates
    )
    return bool(settings.max_segment_length) and has_no_beginning


def starts(candidates: Sequence[Prospect]) -> tuple[int, ...]:
    """The bounds that must be looked up for prospects of one fact."""
    return tuple(sorted({candidate.start for candidate in candidates if candidate.start is not None}))
