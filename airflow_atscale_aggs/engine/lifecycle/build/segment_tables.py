"""Build the new segments of one attempt, and the view of all segments of the aggregate."""

from __future__ import annotations

import time

from airflow_atscale_aggs.engine.aggregates.build_step import SourceOption
from airflow_atscale_aggs.engine.aggregates.provenance import SourceState, read_identities, replaced_table
from airflow_atscale_aggs.engine.aggregates.segment import BuiltSegment, Increment, NewSegment, SegmentKey
from airflow_atscale_aggs.engine.aggregates.verification import first_disagreement
from airflow_atscale_aggs.engine.aggregates.whole_numbers import nearest_whole
from airflow_atscale_aggs.engine.errors import PermanentWarehouseError, WarehouseError
from airflow_atscale_aggs.engine.lifecycle.build.compare import Comparison, UndecidedError, compare, take_totals
from airflow_atscale_aggs.engine.lifecycle.build.events import EventSender
from airflow_atscale_aggs.engine.registry.records import BuiltParts, Claim
from airflow_atscale_aggs.engine.settings import VerificationLevel
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession


class NotComparableError(Exception):
    """The warehouse cannot tell whether something has changed. Never leaves the life cycle."""


def reuse_segments(session: WarehouseSession, claim: Claim, tell: EventSender) -> BuiltParts | None:
    """Reuse all segments when the last one still holds what its facts say; None when it does not.

    Nothing is made but the view.

    Raises:
        NotComparableError: the warehouse cannot compare the groups, and the transaction around this is spoilt.
    """
    increment = claim.instance.step.increment
    if increment is None or increment.unchanged is None:
        return None
    try:
        if session.fetch_all(increment.unchanged.sql):
            return None
    except PermanentWarehouseError as error:
        # Groups that cannot be compared are made anew.
        raise NotComparableError(error.reason) from error
    _check_tables(session, increment)
    session.execute(increment.unchanged_view_sql)
    tell("segment", rows=0, text="nothing has changed: no segment is made")
    return BuiltParts(rows=increment.last_rows, uses=increment.last)


def fill_segments(
    session: WarehouseSession,
    claim: Claim,
    increment: Increment,
    source: SourceOption,
    source_attempt: int | None,
    tell: EventSender,
) -> BuiltParts:
    """Make the new segments and the view of all. To be called inside a transaction, where there are such.

    Raises:
        WarehouseError: the warehouse refused, or the fact is not the table any more that the segments which stay were
            made from.
    """
    step = claim.instance.step
    *segment_sqls, view_sql = step.create_statements(source, source_attempt)
    built = [
        _fill_segment(session, segment, sql, tell) for segment, sql in zip(increment.new, segment_sqls, strict=True)
    ]
    tell("sql", text=view_sql)
    session.execute(view_sql)
    _check_tables(session, increment)
    new_keys = tuple(SegmentKey(step.instance_id, claim.attempt, segment.number) for segment in increment.new)
    return BuiltParts(
        rows=increment.kept_rows + sum(segment.rows for segment in built),
        segments=tuple(built),
        uses=(*increment.kept, *new_keys),
    )


def find_replaced_table(session: WarehouseSession, increment: Increment) -> str:
    """The table behind the remaining segments that was replaced after the increment was planned; empty for none."""
    if not increment.identities_sql or increment.sources is None or not (increment.kept or increment.last):
        return ""
    (now,) = read_identities(session.fetch_all(increment.identities_sql)).values() or ({},)
    return replaced_table(increment.sources, SourceState(tables=now)) or ""


def _check_tables(session: WarehouseSession, increment: Increment) -> None:
    """Refuse to go on when somebody replaced a table that the remaining segments were made from.

    Call it after everything is read: nobody can replace a table that a transaction has read before the transaction
    ends.
    """
    replaced = find_replaced_table(session, increment)
    if replaced:
        reason = (
            f"table `{replaced}` was replaced, truncated or written anew after this increment was planned, so that old "
            "rows and new ones would be mixed. Begin a new batch; it reads all rows"
        )
        raise PermanentWarehouseError(session.dialect.name, "", reason)


def compare_merged_segments(session: WarehouseSession, claim: Claim, built: BuiltParts) -> tuple[str, ...]:
    """Compare merged segments with those that they replace; what could not be decided, for people.

    Not to be called inside a transaction, which would not survive a comparison that the warehouse cannot make.

    Raises:
        VerificationError: one does not agree.
    """
    increment = claim.instance.step.increment
    undecided: list[str] = []
    numbers = {segment.number for segment in built.segments}
    for segment in increment.new if increment is not None else ():
        if segment.verification is None or segment.number not in numbers:
            continue
        comparison = Comparison(
            aggregate=claim.instance.step.aggregate,
            verification=segment.verification,
            level=VerificationLevel.TOTALS,
            earlier_totals=None,
            is_derived=False,
            # Segments do not change.
            is_snapshot=True,
        )
        try:
            undecided += compare(session, comparison).undecided
        except UndecidedError as error:
            undecided.append(f"merged segments: {error}")
    return tuple(undecided)


def find_unchanged_ranges(session: WarehouseSession, claim: Claim, tell: EventSender) -> tuple[str, ...]:
    """Sentences about ranges that were named as changed and have the totals of before.

    What has changed in the others is an event. Not to be called inside a transaction, as `compare_merged_segments`.
    """
    step = claim.instance.step
    unchanged = []
    for remade in step.increment.remade if step.increment is not None else ():
        try:
            before, now = (take_totals(session, query) for query in (remade.comparison.facts, remade.comparison.table))
        except (UndecidedError, WarehouseError):
            # It is told for people: the segments are right without it.
            continue
        if measure := first_disagreement(remade.comparison, before, now):
            tell("segment", text=f"{remade.rows} has changed: {measure} was {before[measure]} and is {now[measure]}")
        else:
            what = f"totals of the segments of {remade.rows}, which were named as changed, are what they were"
            unchanged.append(f"`{step.aggregate}`: the {what}.")
    return tuple(unchanged)


def _fill_segment(session: WarehouseSession, segment: NewSegment, sql: str, tell: EventSender) -> BuiltSegment:
    """Make one segment. Returns its rows, and the fact rows behind them."""
    tell("sql", text=sql)
    started = time.monotonic()
    counted = session.fetch_all(segment.fact_rows_sql)[0][0] if segment.fact_rows_sql else None
    session.execute(sql)
    rows, fact_rows, *marks = session.fetch_all(segment.count_sql)[0]
    fact_rows = counted if fact_rows is None else fact_rows
    built = BuiltSegment(
        number=segment.number,
        rows=nearest_whole(rows),
        fact_rows=None if fact_rows is None else nearest_whole(fact_rows),
        mark="" if not marks or marks[0] is None else str(marks[0]),
    )
    tell("segment", rows=built.rows, seconds=time.monotonic() - started, text=_describe_segment(segment, built))
    return built


def _describe_segment(segment: NewSegment, built: BuiltSegment) -> str:
    rows_read = "fact rows not counted" if built.fact_rows is None else f"{built.fact_rows:,} fact rows"
    kind = f"merged from {len(segment.merges)}" if segment.merges else "settled" if segment.is_settled else "unsettled"
    return f"segment {segment.number} {segment.rows} {kind}: read {rows_read}, wrote {built.rows:,} rows"
