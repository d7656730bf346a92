"""Defines segments: the tables of an incremental aggregate. Each holds the fact rows of one range of the indicator.

    ─────────── settled ──────────┬──────── settled ────────┬──── unsettled ────
    (-∞, b1]                      (b1, b2]                  (b2, greatest]
    never read again by increments                          made anew by the next build, in two: what no late row can
                                                            reach any more is settled, the rest is not

No indicator is stored in a row: whole segments are replaced. The aggregate is the union of its segments, whose rows of
one group are combined by whoever reads them.

Source: AtScale, "About Incremental Rebuilds": an incremental aggregate is a view over incrementally built tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import accumulate

from airflow_atscale_aggs.engine.aggregates.indicator import Indicator, RowRange
from airflow_atscale_aggs.engine.aggregates.provenance import Checksum, SourceState
from airflow_atscale_aggs.engine.aggregates.verification import GroupsQuery, Verification
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True, order=True)
class SegmentKey:
    """The attempt that made a segment, and the segment's number within it."""

    instance_id: str
    attempt: int
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A segment that was built.

    Attributes:
        table: its physical table, unquoted.
        is_settled: no row that is late by no more than the grace period belongs to it any more.
        rows: of its table.
        fact_rows: fact rows that it was made from; None where that is not known, as in what older versions have made.
        mark: tells its table from others of the same name; empty where nothing does, or nobody noted it.
        checksum: of the fact rows that it was made from; None where nobody noted one.
    """

    key: SegmentKey
    table: str
    after: int | None
    through: int
    is_settled: bool
    rows: int
    fact_rows: int | None
    mark: str = ""
    checksum: Checksum | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSegment:
    """A segment that a step makes.

    Attributes:
        number: within the attempt.
        table: its physical table, unquoted, with the attempt token; statements have it too.
        rows: the fact rows that it holds.
        merges: keys of the segments that it is made of, in order; empty: it is made of its source.
        create_sql: for a merging one: the whole statement; the others' stand in the step's sources.
        count_sql: one row: rows of the table, fact rows where they can be told, and the table's mark.
        fact_rows_sql: counts the fact rows of the range, where the table cannot tell them: with many-to-many
            attributes. To be run before the table is made: what comes or goes between the two is then told as late, or
            rebuilt, never overlooked.
        verification: for a merging one: it is compared with the segments that it replaces.
        checksum: of the fact rows of the range when the batch was planned; None for unsettled ones, or where it cannot
            be made.
    """

    number: int
    table: str
    rows: RowRange
    is_settled: bool
    drop_sql: str
    count_sql: str
    fact_rows_sql: str = ""
    analyze_sql: str = ""
    merges: tuple[SegmentKey, ...] = ()
    create_sql: str = ""
    verification: Verification | None = None
    checksum: Checksum | None = None

    def replace_text(self, token: str, text: str) -> NewSegment:
        """The same with a token of the table's name put in."""
        return replace(
            self,
            table=self.table.replace(token, text),
            drop_sql=self.drop_sql.replace(token, text),
            count_sql=self.count_sql.replace(token, text),
            analyze_sql=self.analyze_sql.replace(token, text),
            create_sql=self.create_sql.replace(token, text),
            verification=self.verification and self.verification.replace_text(token, text),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RemadeRange:
    """Segments that a step makes in place of others, because their range was named as changed.

    Attributes:
        comparison: of the totals of the new segments with those of the segments that they replace. A difference is what
            has changed.
    """

    rows: RowRange
    comparison: Verification


@dataclass(frozen=True, slots=True, kw_only=True)
class Increment:
    """What a step adds to, or puts in place of, the segments of its aggregate.

    Attributes:
        grace_period: in force, as written.
        full_reason: why all segments are made anew; empty for an increment.
        full_at: when the batch was begun that made all segments anew for the last time.
        kept: segments that stay as they are, in order of their ranges; ``kept_rows``: of all their tables.
        new: segments to be made, in order of their ranges; merging ones replace older ones.
        create_view_sql: the view of all segments, kept and new, under the name of the instance's table.
        unchanged: finds out, when nothing seems to have changed, that the last unsettled segment still holds what the
            facts say; then no segment is made.
        last: keys of all segments as they were, for that case; ``last_rows``: of all their tables.
        unchanged_view_sql: the view for that case.
        newest: greatest indicator that was not in the future when the batch was begun; None where there was none, or
            nobody noted it.
        identities_sql: asks for the identities of the tables that the fact's rows come from; empty where the catalog
            has none.
        sources: what the segments were made from; None in steps of versions that did not note it.
        late: fact rows below what is read that were not there when it was built; None when nobody counted.
        remade: ranges that were named as changed, where nothing but totals tells whether they have.
    """

    indicator: Indicator
    grace_period: str
    full_reason: str
    full_at: datetime
    kept: tuple[SegmentKey, ...]
    new: tuple[NewSegment, ...]
    create_view_sql: str
    kept_rows: int = 0
    unchanged: GroupsQuery | None = None
    last: tuple[SegmentKey, ...] = ()
    last_rows: int = 0
    unchanged_view_sql: str = ""
    newest: int | None = None
    sources: SourceState | None = None
    identities_sql: str = ""
    late: int | None = None
    remade: tuple[RemadeRange, ...] = ()

    def replace_text(self, token: str, text: str) -> Increment:
        """The same with a token of the tables' names put in."""
        return replace(
            self,
            new=tuple(segment.replace_text(token, text) for segment in self.new),
            create_view_sql=self.create_view_sql.replace(token, text),
            unchanged_view_sql=self.unchanged_view_sql.replace(token, text),
            remade=tuple(
                replace(remade, comparison=remade.comparison.replace_text(token, text)) for remade in self.remade
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltSegment:
    """What became of a new segment.

    Rows of its table, the fact rows behind them where they can be told, the table's mark.
    """

    number: int
    rows: int
    fact_rows: int | None
    mark: str = ""


def run_to_merge(settled: Sequence[Segment], most: int, small_rows: int = 0) -> int:
    """How many of the newest settled segments are to be merged; 0 for none.

    After the merge and with one more there are at most ``most``.

    Beginning with the two newest, an older one is taken along while it is at most twice as large as what is merged
    already. So a row is rewritten a number of times that grows with the logarithm of the number of builds.

    Segments that are small together are merged earlier. A query pays for each table that it opens, and rewriting so few
    rows costs no more than one such query.

    Args:
        settled: in order of their ranges.
        most: at least 2.
        small_rows: the newest segments are merged whenever there are no more rows in them together; 0: never. The
            oldest stays as it is: a longer grace period that reached into it would read all facts.
    """
    small = _count_small(settled[1:], small_rows)
    if len(settled) + 1 <= most:
        return small
    count = max(2, len(settled) + 2 - most, small)
    size = sum(segment.rows for segment in settled[-count:])
    while count < len(settled) and settled[-count - 1].rows <= 2 * size:
        count += 1
        size += settled[-count].rows
    return count


def _count_small(settled: Sequence[Segment], small_rows: int) -> int:
    """How many of the newest segments have no more than so many rows together; 0 where that is one or none."""
    sizes = accumulate(segment.rows for segment in reversed(settled))
    count = sum(1 for size in sizes if size <= small_rows) if small_rows else 0
    return count if count > 1 else 0
