"""Segments of incremental aggregates.

Written down before they exist, used by instances, dropped when no instance is left.

A segment outlives the instance that it was made for: later ones consist of it too, until it is merged or made anew.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, update

from airflow_atscale_aggs.engine.aggregates.build_step import BuildStep
from airflow_atscale_aggs.engine.aggregates.segment import Segment, SegmentKey
from airflow_atscale_aggs.engine.registry import documents
from airflow_atscale_aggs.engine.registry.records import BuiltParts, Claim
from airflow_atscale_aggs.engine.registry.tables import segment_uses, segments


def record_planned_segments(connection: Connection, step: BuildStep, attempt: int) -> None:
    """Record the segments that an attempt may make, in the transaction that claims it; the step is the attempt's."""
    rows = [
        {
            "instance_id": step.instance_id,
            "attempt": attempt,
            "number": segment.number,
            "table": segment.table,
            "drop_sql": segment.drop_sql,
            "after": None if segment.rows.after is None else str(segment.rows.after),
            "through": str(segment.rows.through),
            "is_settled": segment.is_settled,
            "checksum": None if segment.checksum is None else documents.encode_checksum(segment.checksum),
        }
        for segment in (step.increment.new if step.increment is not None else ())
    ]
    if rows:
        connection.execute(insert(segments), rows)


def record_parts(connection: Connection, claim: Claim, built: BuiltParts, now: datetime) -> None:
    """Record what a winning attempt has made and consists of, in the transaction that makes it DONE."""
    if claim.instance.step.increment is None:
        return
    instance_id = claim.instance.id
    numbers = [segment.number for segment in built.segments]
    connection.execute(
        update(segments)
        .where(
            segments.c.instance_id == instance_id,
            segments.c.attempt == claim.attempt,
            segments.c.number.not_in(numbers),
        )
        .values(dropped_at=now)
    )
    for segment in built.segments:
        connection.execute(
            update(segments)
            .where(
                segments.c.instance_id == instance_id,
                segments.c.attempt == claim.attempt,
                segments.c.number == segment.number,
            )
            .values(rows=segment.rows, fact_rows=segment.fact_rows, mark=segment.mark)
        )
    connection.execute(delete(segment_uses).where(segment_uses.c.instance_id == instance_id))
    uses = [
        {
            "instance_id": instance_id,
            "position": position,
            "made_by": key.instance_id,
            "made_attempt": key.attempt,
            "made_number": key.number,
        }
        for position, key in enumerate(built.uses)
    ]
    if uses:
        connection.execute(insert(segment_uses), uses)


def is_used() -> ColumnElement[bool]:
    """The condition that a row of segment uses means a row of segments."""
    return and_(
        segment_uses.c.made_by == segments.c.instance_id,
        segment_uses.c.made_attempt == segments.c.attempt,
        segment_uses.c.made_number == segments.c.number,
    )


def segment_record(row: Any) -> Segment:
    """A row of segments as a value."""
    return Segment(
        key=SegmentKey(row.instance_id, row.attempt, row.number),
        table=row.table,
        after=None if row.after is None else int(row.after),
        through=int(row.through),
        is_settled=row.is_settled,
        rows=row.rows or 0,
        fact_rows=row.fact_rows,
        mark=row.mark or "",
        checksum=None if row.checksum is None else documents.decode_checksum(row.checksum),
    )
