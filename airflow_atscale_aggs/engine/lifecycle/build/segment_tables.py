"""Built by increments: the segments of one attempt, and the view of all segments that the aggregate consists of."""

from __future__ import annotations

import time
from collections.abc import Callable

from airflow_atscale_aggs.engine.aggregates.build_step import SourceOption
from airflow_atscale_aggs.engine.aggregates.provenance import SourceState, read_identities, replaced_table
from airflow_atscale_aggs.engine.aggregates.segment import BuiltSegment, Increment, NewSegment, SegmentKey
from airflow_atscale_aggs.engine.errors import PermanentWarehouseError
from airflow_atscale_aggs.engine.lifecycle.build.compare import Comparison, UndecidedError, compare
from airflow_atscale_aggs.engine.registry.records import BuiltParts, Claim
from airflow_atscale_aggs.engine.settings import VerificationLevel
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession

Tell = Callable[..., None]


class NotComparableError(Exception):
    """The warehouse cannot tell whether something has changed. Never leaves the life cycle."""


def reuse_segments(session: WarehouseSession, claim: Claim, tell: Tell) -> BuiltParts | None:
    """All segments as they were, when the facts of the last one still are what it holds; None when they are not.

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
    tell: Tell,
) -> BuiltParts:
    """Make the new segments and the view of all. To be called inside a transaction, where there are such.

    Raises:
        WarehouseError: the warehouse refused, or the fact is not the table any more that the segments which stay were made from.
    """
    step = claim.instance.step
    *segment_sqls, view_sql = step.create_statements(source, source_attempt)
    built = [_filled(session, one, sql, tell) for one, sql in zip(increment.new, segment_sqls, strict=True)]
    tell("sql", text=view_sql)
    session.execute(view_sql)
    _check_tables(session, increment)
    made = tuple(SegmentKey(step.instance_id, claim.attempt, one.number) for one in increment.new)
    return BuiltParts(
        rows=increment.kept_rows + sum(one.rows for one in built), segments=tuple(built), uses=(*increment.kept, *made)
    )


def _check_tables(session: WarehouseSession, increment: Increment) -> None:
    """What was added to segments that stay comes from the tables that they came from; somebody may have replaced one.

    To be called when all is read: what a transaction has read, nobody replaces before it ends.
    """
    if not increment.identities_sql or increment.sources is None or not (increment.kept or increment.last):
        return
    (now,) = read_identities(session.fetch_all(increment.identities_sql)).values() or ({},)
    replaced = replaced_table(increment.sources, SourceState(tables=now))
    if replaced:
        reason = (
            f"table `{replaced}` was replaced, truncated or written anew after this increment was planned, so that old rows and "
            "new ones would be mixed. Begin a new batch; it reads all rows"
        )
        raise PermanentWarehouseError(session.dialect.name, "", reason)


def compare_merged(session: WarehouseSession, claim: Claim, built: BuiltParts) -> tuple[str, ...]:
    """Compare merged segments with those that they replace; what could not be decided, for people.

    Not to be called inside a transaction, which would not survive a comparison that the warehouse cannot make.

    Raises:
        VerificationError: one does not agree.
    """
    increment = claim.instance.step.increment
    undecided: list[str] = []
    made = {one.number for one in built.segments}
    for one in increment.new if increment is not None else ():
        if one.verification is None or one.number not in made:
            continue
        comparison = Comparison(
            aggregate=claim.instance.step.aggregate,
            verification=one.verification,
            level=VerificationLevel.TOTALS,
            known=None,
            is_derived=False,
            # Segments do not change.
            is_snapshot=True,
        )
        try:
            undecided += compare(session, comparison).undecided
        except UndecidedError as error:
            undecided.append(f"merged segments: {error}")
    return tuple(undecided)


def _filled(session: WarehouseSession, one: NewSegment, sql: str, tell: Tell) -> BuiltSegment:
    """Make one segment; its rows, and the fact rows behind them."""
    tell("sql", text=sql)
    started = time.monotonic()
    counted = session.fetch_all(one.fact_rows_sql)[0][0] if one.fact_rows_sql else None
    session.execute(sql)
    rows, fact_rows, *marks = session.fetch_all(one.count_sql)[0]
    fact_rows = counted if fact_rows is None else fact_rows
    built = BuiltSegment(
        number=one.number,
        rows=int(rows),
        fact_rows=None if fact_rows is None else int(fact_rows),
        mark="" if not marks or marks[0] is None else str(marks[0]),
    )
    tell("segment", rows=built.rows, seconds=time.monotonic() - started, text=_told(one, built))
    return built


def _told(one: NewSegment, built: BuiltSegment) -> str:
    read = "fact rows not counted" if built.fact_rows is None else f"{built.fact_rows:,} fact rows"
    kind = f"merged from {len(one.merges)}" if one.merges else "settled" if one.is_settled else "unsettled"
    return f"segment {one.number} {one.rows} {kind}: read {read}, wrote {built.rows:,} rows"
