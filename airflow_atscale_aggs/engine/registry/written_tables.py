"""Tables that the registry has written down: which nothing needs any more, which came back, which are adopted."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, insert, or_, select, union_all, update

from airflow_atscale_aggs.engine.aggregates.instance import BUILT, AttemptStatus, BatchStatus, InstanceStatus
from airflow_atscale_aggs.engine.aggregates.segment import SegmentKey
from airflow_atscale_aggs.engine.registry import documents
from airflow_atscale_aggs.engine.registry.part import RegistryPart
from airflow_atscale_aggs.engine.registry.record_rows import attempt_record
from airflow_atscale_aggs.engine.registry.records import UnneededSegment, UnneededTable
from airflow_atscale_aggs.engine.registry.segment_records import is_used
from airflow_atscale_aggs.engine.registry.signal_records import chunk_values
from airflow_atscale_aggs.engine.registry.standings import refresh_standings
from airflow_atscale_aggs.engine.registry.tables import (
    adopted,
    attempts,
    batches,
    instances,
    models,
    segment_uses,
    segments,
    steps,
)

_BROKEN = (AttemptStatus.FAILED, AttemptStatus.INTERRUPTED)
_IS_WINNER = attempts.c.number == instances.c.attempt
"""The condition that an attempt is the one whose table its instance has."""


def _is_idle(now: datetime) -> ColumnElement[bool]:
    """The condition that no owner with a live lease may be writing an attempt's table."""
    return or_(batches.c.status != BatchStatus.IN_PROGRESS, batches.c.lease_until <= now, ~_IS_WINNER)


class WrittenTableReader(RegistryPart):
    """Reads about tables in the warehouse."""

    __slots__ = ()

    def names(self) -> frozenset[str]:
        """Names of all tables that this registry has ever written down, and of adopted ones."""
        query = union_all(select(attempts.c.table), select(segments.c.table), select(adopted.c.table))
        with self.database.reading() as connection:
            return frozenset(row[0] for row in connection.execute(query))

    def views(self) -> frozenset[str]:
        """Names of the stable views of instances that serve or have served and whose tables are still there."""
        statuses = (InstanceStatus.ACTIVE, InstanceStatus.SUPERSEDED)
        return self._views(instances.c.status.in_(statuses))

    def views_that_serve(self) -> frozenset[str]:
        """Names of the stable views of the instances that serve."""
        return self._views(instances.c.status == InstanceStatus.ACTIVE)

    def superseded_views(self, model_id: str) -> Mapping[tuple[str, str], str]:
        """The stable views of superseded instances, by schema and name, with the statement that drops each."""
        query = (
            select(batches.c.schema, steps.c.document)
            .join_from(instances, batches, batches.c.id == instances.c.batch_id)
            .join(steps, steps.c.instance_id == instances.c.id)
            .where(instances.c.model_id == model_id, instances.c.status == InstanceStatus.SUPERSEDED)
        )
        found = ((schema, *documents.decode_view(document)) for schema, document in self._rows(query))
        return {(schema, view): drop_sql for schema, view, drop_sql in found}

    def _views(self, condition: ColumnElement[bool]) -> frozenset[str]:
        # By model, as the index is.
        query = (
            select(steps.c.document)
            .join(instances, instances.c.id == steps.c.instance_id)
            .where(instances.c.model_id.in_(select(models.c.id)), condition)
        )
        return frozenset(documents.decode_outline(row[0]).view for row in self._rows(query))

    def to_drop(self, now: datetime) -> tuple[UnneededTable, ...]:
        """Tables that may exist in the warehouse and that nothing needs any more, with the reason.

        Never the winning table of a DONE or ACTIVE instance, never one that an owner with a live lease is writing.
        """
        lost = or_(attempts.c.status.in_(_BROKEN), ~_IS_WINNER)
        is_over = instances.c.status == InstanceStatus.CANCELLED
        is_superseded = and_(instances.c.status == InstanceStatus.SUPERSEDED, instances.c.drop_after <= now)
        is_needless = or_(lost, is_over, is_superseded)
        return self._unneeded_tables(and_(attempts.c.dropped_at.is_(None), is_needless, _is_idle(now)))

    def that_came_back(self, existing: AbstractSet[str]) -> tuple[UnneededTable, ...]:
        """Tables that were dropped, or found absent, and are there again.

        A database server goes on with a statement whose client was killed; what it creates may appear after the sweep.

        Args:
            existing: names of the tables in the warehouse now.
        """
        dropped = attempts.c.dropped_at.is_not(None)
        chunks = chunk_values(sorted(existing))
        return tuple(
            table for chunk in chunks for table in self._unneeded_tables(and_(dropped, attempts.c.table.in_(chunk)))
        )

    def segments_to_drop(self, now: datetime) -> tuple[UnneededSegment, ...]:
        """Tables of segments that may exist and that no instance needs, with the reason.

        Needed are those that DONE and ACTIVE instances consist of, and SUPERSEDED ones whose delay is not over; and
        those that an attempt is making.
        """
        users = instances.alias("users")
        is_kept = and_(
            users.c.status == InstanceStatus.SUPERSEDED, or_(users.c.drop_after.is_(None), users.c.drop_after > now)
        )
        is_needed = (
            select(segment_uses.c.instance_id)
            .join(users, users.c.id == segment_uses.c.instance_id)
            .where(is_used(), or_(users.c.status.in_(BUILT), is_kept))
            .exists()
        )
        is_over = instances.c.status.in_((InstanceStatus.CANCELLED, InstanceStatus.DELETED, InstanceStatus.SUPERSEDED))
        is_lost = or_(
            attempts.c.status.in_(_BROKEN),
            ~_IS_WINNER,
            is_over,
            # Its instance was superseded in one breath with its use, or merged it away.
            attempts.c.status == AttemptStatus.DONE,
        )
        return self._unneeded_segments(and_(segments.c.dropped_at.is_(None), ~is_needed, is_lost, _is_idle(now)))

    def segments_that_came_back(self, existing: AbstractSet[str]) -> tuple[UnneededSegment, ...]:
        """Tables of segments that were dropped, or found absent, and are there again; see `that_came_back`."""
        dropped = segments.c.dropped_at.is_not(None)
        chunks = chunk_values(sorted(existing))
        return tuple(
            item for chunk in chunks for item in self._unneeded_segments(and_(dropped, segments.c.table.in_(chunk)))
        )

    def _unneeded_tables(self, where: ColumnElement[bool]) -> tuple[UnneededTable, ...]:
        query: Select[Any] = (
            select(attempts, instances.c.status, steps.c.document, batches.c.schema)
            .join(instances, instances.c.id == attempts.c.instance_id)
            .join(steps, steps.c.instance_id == instances.c.id)
            .join(batches, batches.c.id == instances.c.batch_id)
            .where(where)
            .order_by(attempts.c.table)
        )
        return tuple(map(_unneeded_table, self._rows(query)))

    def _unneeded_segments(self, where: ColumnElement[bool]) -> tuple[UnneededSegment, ...]:
        query: Select[Any] = (
            select(segments, attempts.c.status, instances.c.status, steps.c.document, batches.c.schema)
            .join(
                attempts,
                and_(attempts.c.instance_id == segments.c.instance_id, attempts.c.number == segments.c.attempt),
            )
            .join(instances, instances.c.id == segments.c.instance_id)
            .join(steps, steps.c.instance_id == instances.c.id)
            .join(batches, batches.c.id == instances.c.batch_id)
            .where(where)
            .order_by(segments.c.table)
        )
        return tuple(_unneeded_segment(row) for row in self._rows(query))


class WrittenTableWriter(RegistryPart):
    """Writes about tables in the warehouse."""

    __slots__ = ()

    def record_drop(self, instance_id: str, number: int, now: datetime) -> None:
        """Note that an attempt's table is gone; an instance without its winning table is DELETED."""
        with self.database.writing() as connection:
            connection.execute(
                update(attempts)
                .where(attempts.c.instance_id == instance_id, attempts.c.number == number)
                .values(dropped_at=now)
            )
            connection.execute(
                update(instances)
                .where(
                    instances.c.id == instance_id,
                    instances.c.attempt == number,
                    instances.c.status.in_((InstanceStatus.SUPERSEDED, InstanceStatus.CANCELLED)),
                )
                .values(status=InstanceStatus.DELETED)
            )
            definition = select(instances.c.definition_id).where(instances.c.id == instance_id)
            refresh_standings(connection, list(connection.scalars(definition)))

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

    def adopt(self, schema: str, tables: Collection[str], *, now: datetime) -> None:
        """Write tables down that another registry has made."""
        with self.database.writing() as connection:
            adopted_tables = select(adopted.c.table).where(adopted.c.schema == schema)
            new = sorted(set(tables) - set(connection.scalars(adopted_tables)))
            if new:
                rows = [{"schema": schema, "table": table, "adopted_at": now} for table in new]
                connection.execute(insert(adopted), rows)


def _unneeded_table(row: Any) -> UnneededTable:
    attempt = attempt_record(row)
    if attempt.status in _BROKEN:
        why = f"attempt {attempt.number} was {attempt.status}"
    else:
        why = f"its instance is {row[-3]}"
    step = documents.decode_step(row.document)
    return UnneededTable(
        attempt=attempt,
        schema=row.schema,
        aggregate=step.aggregate,
        why=why,
        view=step.view,
        drop_view_sql=step.drop_view_sql,
    )


def _unneeded_segment(row: Any) -> UnneededSegment:
    attempt, instance, step, schema = row[-4:]
    is_lost = attempt in _BROKEN
    return UnneededSegment(
        key=SegmentKey(row.instance_id, row.attempt, row.number),
        table=row.table,
        drop_sql=row.drop_sql,
        schema=schema,
        aggregate=documents.decode_step(step).aggregate,
        why=f"attempt {row.attempt} was {attempt}" if is_lost else f"no instance consists of it, its own is {instance}",
    )
