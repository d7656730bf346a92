"""What is decided about one aggregate: it is built as one table, or in segments of some ranges."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from airflow_atscale_aggs.engine.aggregates.indicator import GracePeriod, Indicator, RowRange
from airflow_atscale_aggs.engine.aggregates.named_slice import NamedSlice
from airflow_atscale_aggs.engine.aggregates.provenance import Checksum, SourceState
from airflow_atscale_aggs.engine.aggregates.segment import Segment
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.planning.slices import join_ranges, range_of


@dataclass(frozen=True, slots=True, kw_only=True)
class FullTable:
    """The aggregate is built as one table; the reason. ``is_refused``: a setting forbids to build it at all."""

    reason: str
    is_refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Segmented:
    """The aggregate is built in segments.

    Attributes:
        full_reason: why all are made anew; empty for an increment.
        ranges: of the segments to be made from the facts, the unsettled one last; none where nothing but what was named
            is read, and the unsettled segment is among ``kept``.
        kept: settled segments that stay.
        merged: settled segments that become one.
        may_be_unchanged: as far as is known, the rows of the last unsettled segment have not changed.
        last: all segments of the last build.
        late: fact rows below what is read that were not there when it was built; None when nobody counted.
        is_first: it has never been built.
        newest: greatest indicator that is not in the future; None where there is none.
        sources: what its segments are made from; None when nobody looked.
        checksums: of the fact rows of each range of ``made``, None where there is none; none at all before they are
            asked for.
        anew: ranges of settled segments that are made anew.
        replaced: the segments in whose place they come.
        named: the slices for whose sake they are made anew.
        counts: fact rows of each range in ``anew`` that touches no other, now; None where nobody counted.
    """

    indicator: Indicator
    grace: GracePeriod
    full_reason: str
    full_at: datetime
    ranges: tuple[RowRange, ...]
    kept: tuple[Segment, ...] = ()
    merged: tuple[Segment, ...] = ()
    may_be_unchanged: bool = False
    last: tuple[Segment, ...] = ()
    late: int | None = None
    is_first: bool = False
    newest: int | None = None
    sources: SourceState | None = None
    checksums: tuple[Checksum | None, ...] = ()
    anew: tuple[RowRange, ...] = ()
    replaced: tuple[Segment, ...] = ()
    named: tuple[NamedSlice, ...] = ()
    counts: tuple[int | None, ...] = ()

    @property
    def made(self) -> tuple[RowRange, ...]:
        """The ranges of all segments to be made from the facts, the unsettled one last, where there is one."""
        return (*self.anew, *self.ranges)

    @property
    def covered(self) -> tuple[RowRange, ...]:
        """The ranges of the fact rows that are read; those that touch are one."""
        return join_ranges(self.made)

    @property
    def remade(self) -> tuple[RowRange, ...]:
        """The ranges that are made anew, without those of which checksums tell whether they have changed."""
        known = {rows for rows, checksum in zip(self.made, self.checksums, strict=False) if checksum is not None}
        is_told = all(rows in known for rows in self.anew) and all(segment.checksum for segment in self.replaced)
        hashed = [checksum for checksum in self.checksums if checksum is not None]
        return () if is_told and all(checksum.columns for checksum in hashed) else join_ranges(self.anew)

    @property
    def window(self) -> RowRange:
        """The range above the settled segments that an increment begins with; of a full build, all."""
        if self.ranges:
            return replace(self.ranges[-1], after=self.ranges[0].after)
        return range_of(self.last[-1], self.anew[-1])


Decision = FullTable | Segmented
