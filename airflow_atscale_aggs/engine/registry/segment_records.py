"""Segments of incremental aggregates.

Written down before they exist, used by instances, dropped when no instance is left.

A segment outlives the instance that it was made for: later ones consist of it too, until it is merged or made anew.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, insert, or_, select, update

from airflow_atscale_aggs.engine.aggregates.build_step import BuildStep
from airflow_atscale_aggs.engine.aggregates.instance import AttemptStatus, BatchStatus, InstanceStatus
from airflow_atscale_aggs.engine.aggregates.segment import Segment, SegmentKey
from airflow_atscale_aggs.engine.registry import documents
from airflow_atscale_aggs.engine.registry.reader import RegistryReader
from airflow_atscale_aggs.engine.registry.records import BuiltParts, Claim, UnneededSegment
from airflow_atscale_aggs.engine.registry.tables import attempts, batches, instances, segment_uses, segments

_SERVING = (InstanceStatus.DONE, InstanceStatus.ACTIVE)


def record_planned_segments(connection: Connection, step: BuildStep, attempt: int) -> None:
    """Record the segments that an attempt may make, in the transaction that claims it; the step is the attempt's."""
    for segment in step.increment.new if step.increment is not None else ():
        connection.execute(
            insert(segments).values(
                instance_id=step.instance_id,
                attempt=attempt,
                number=segment.number,
                table=segment.table,
                drop_sql=segment.drop_sql,
                after=None if segment.rows.after is None else str(segment.rows.after),
                through=str(segment.rows.through),
                is_settled=segment.is_settled,
                checksum=None if segment.checksum is None else documents.encode_checksum(segment.checksum),
            )
        )


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
    for position, key in enumerate(built.uses):
        connection.execute(
            insert(segment_uses).values(
                instance_id=instance_id,
                position=position,
                made_by=key.instance_id,
                made_attempt=key.attempt,
                made_number=key.number,
            )
        )


class SegmentMemory(RegistryReader):
    """What is known about segments."""

    __slots__ = ()

    def segments_of(self, instance_id: str) -> tuple[Segment, ...]:
        """The segments that an instance consists of, in order of their ranges; none where it is one table."""
        query = (
            select(segments)
            .join(segment_uses, _is_used())
            .where(segment_uses.c.instance_id == instance_id)
            .order_by(segment_uses.c.position)
        )
        return tuple(_segment(row) for row in self._rows(query))

    def segments_to_drop(self, now: datetime) -> tuple[UnneededSegment, ...]:
        """Tables of segments that may exist and that no instance needs, with the reason.

        Needed are those that DONE and ACTIVE instances consist of, and SUPERSEDED ones whose delay is not over; and
        those that an attempt is making.
        """
        users = instances.alias("users")
        is_kept = and_(
            users.c.status == InstanceStatus.SUPERSEDED, or_(users.c.drop_after.is_(None), users.c.drop_after > now)
        )
        is_used = (
            select(segment_uses.c.instance_id)
            .join(users, users.c.id == segment_uses.c.instance_id)
            .where(_is_used(), or_(users.c.status.in_(_SERVING), is_kept))
            .exists()
        )
        is_winner = attempts.c.number == instances.c.attempt
        is_over = instances.c.status.in_((InstanceStatus.CANCELLED, InstanceStatus.DELETED, InstanceStatus.SUPERSEDED))
        is_lost = or_(
            attempts.c.status.in_((AttemptStatus.FAILED, AttemptStatus.INTERRUPTED)),
            ~is_winner,
            is_over,
            # Its instance was superseded in one breath with its use, or merged it away.
            attempts.c.status == AttemptStatus.DONE,
        )
        is_idle = or_(batches.c.status != BatchStatus.IN_PROGRESS, batches.c.lease_until <= now, ~is_winner)
        return self._unneeded_segments(and_(segments.c.dropped_at.is_(None), ~is_used, is_lost, is_idle))

    def segments_that_came_back(self, existing: AbstractSet[str]) -> tuple[UnneededSegment, ...]:
        """Tables of segments that were dropped, or found absent, and are there again; see `tables_that_came_back`."""
        dropped = segments.c.dropped_at.is_not(None)
        back = [row[0] for row in self._rows(select(segments.c.table).where(dropped)) if row[0] in existing]
        return self._unneeded_segments(and_(dropped, segments.c.table.in_(back))) if back else ()

    def record_segment_drop(self, key: SegmentKey, now: datetime) -> None:
        """Note that a segment's table is gone."""
        with self.database.writing() as connection:
            connection.execute(
                update(segments)
                .where(
                    segments.c.instance_id == key.instance_id,
                    segments.c.attempt == key.attempt,
                    segments.c.number == key.number,
                )
                .values(dropped_at=now)
            )

    def _unneeded_segments(self, where: ColumnElement[bool]) -> tuple[UnneededSegment, ...]:
        query: Select[Any] = (
            select(segments, attempts.c.status, instances.c.status, instances.c.step, batches.c.schema)
            .join(
                attempts,
                and_(attempts.c.instance_id == segments.c.instance_id, attempts.c.number == segments.c.attempt),
            )
            .join(instances, instances.c.id == segments.c.instance_id)
            .join(batches, batches.c.id == instances.c.batch_id)
            .where(where)
            .order_by(segments.c.table)
        )
        return tuple(_unneeded_segment(row) for row in self._rows(query))


def _is_used() -> ColumnElement[bool]:
    return and_(
        segment_uses.c.made_by == segments.c.instance_id,
        segment_uses.c.made_attempt == segments.c.attempt,
        segment_uses.c.made_number == segments.c.number,
    )


def _segment(row: Any) -> Segment:
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


def _unneeded_segment(row: Any) -> UnneededSegment:
    attempt, instance, step, schema = row[-4:]
    is_lost = attempt in {AttemptStatus.FAILED, AttemptStatus.INTERRUPTED}
    return UnneededSegment(
        key=SegmentKey(row.instance_id, row.attempt, row.number),
        table=row.table,
        drop_sql=row.drop_sql,
        schema=schema,
        aggregate=documents.decode_step(step).aggregate,
        why=f"attempt {row.attempt} was {attempt}" if is_lost else f"no instance consists of it, its own is {instance}",
    )
