"""Instances of aggregates: which serve, which are retained, which go."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, literal, select, update

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionOrigin
from airflow_atscale_aggs.engine.aggregates.instance import BUILT, InstanceStatus
from airflow_atscale_aggs.engine.aggregates.segment import Segment
from airflow_atscale_aggs.engine.registry import documents
from airflow_atscale_aggs.engine.registry.part import RegistryPart
from airflow_atscale_aggs.engine.registry.record_rows import SELECT_INSTANCES, instance_record
from airflow_atscale_aggs.engine.registry.records import InstanceRecord, ServiceRecord, ServingRecord, StepOutline
from airflow_atscale_aggs.engine.registry.segment_records import is_used, segment_record
from airflow_atscale_aggs.engine.registry.shared_changes import (
    RETAINED,
    count_change,
    let_instances_go,
    lock_model,
    retire_definitions,
)
from airflow_atscale_aggs.engine.registry.signal_records import chunk_values
from airflow_atscale_aggs.engine.registry.standings import refresh_standings
from airflow_atscale_aggs.engine.registry.tables import (
    IS_FROM_FACT,
    attempts,
    batches,
    definitions,
    instances,
    models,
    segment_uses,
    segments,
    steps,
)

_CHUNK = 500
_SERVED = (InstanceStatus.ACTIVE, InstanceStatus.SUPERSEDED, InstanceStatus.DELETED)


class InstanceReader(RegistryPart):
    """Reads about instances."""

    __slots__ = ()

    def find(
        self,
        *,
        model_id: str | None = None,
        batch_id: str | None = None,
        status: InstanceStatus | None = None,
    ) -> tuple[InstanceRecord, ...]:
        """Instances, newest batch first, in build order within a batch."""
        query = SELECT_INSTANCES.join(batches, batches.c.id == instances.c.batch_id)
        for column, value in (
            (instances.c.model_id, model_id),
            (instances.c.batch_id, batch_id),
            (instances.c.status, status),
        ):
            if value is not None:
                query = query.where(column == value)
        rows = self._rows(query.order_by(batches.c.created_at.desc(), batches.c.id, instances.c.position))
        return tuple(map(instance_record, rows))

    def get(self, instance_id: str) -> InstanceRecord:
        """An instance by id. Raises NotRegisteredError."""
        return instance_record(self._row(SELECT_INSTANCES, instances.c.id, instance_id, "instance"))

    def serving(self, model_id: str) -> tuple[InstanceRecord, ...]:
        """The instances that serve."""
        return self.find(model_id=model_id, status=InstanceStatus.ACTIVE)

    def in_service(self, model_id: str) -> tuple[ServingRecord, ...]:
        """The instances that serve, in the order of `serving`; their steps are not read."""
        columns = instances.c
        query = (
            select(
                columns.id,
                columns.batch_id,
                columns.definition_id,
                columns.aggregate,
                columns.fact,
                columns.table,
                columns.rows,
                columns.started_at,
                columns.settings_needed,
            )
            .join(batches, batches.c.id == columns.batch_id)
            .where(columns.model_id == model_id, columns.status == InstanceStatus.ACTIVE)
            .order_by(batches.c.created_at.desc(), batches.c.id, columns.position)
        )
        rows = self._rows(query)
        needed = self._settings_needed(rows)
        made_of = self._segment_tables(model_id)
        return tuple(
            ServingRecord(
                id=row.id,
                batch_id=row.batch_id,
                definition_id=row.definition_id,
                aggregate=row.aggregate,
                fact=row.fact,
                table=str(row.table),
                rows=row.rows or 0,
                started_at=row.started_at,
                settings_needed=needed[row.id],
                segments=tuple(made_of.get(row.id, ())),
            )
            for row in rows
        )

    def _settings_needed(self, rows: Sequence[Any]) -> Mapping[str, tuple[str, ...] | None]:
        """By id; from the steps where a version made them that did not write it beside them."""
        decoded = {stored: documents.decode_notes(stored) for stored in {row.settings_needed for row in rows} if stored}
        needed = {row.id: decoded[row.settings_needed] for row in rows if row.settings_needed is not None}
        for chunk in chunk_values([row.id for row in rows if row.settings_needed is None]):
            query = select(steps.c.instance_id, steps.c.document).where(steps.c.instance_id.in_(chunk))
            needed |= {row[0]: documents.decode_step(row[1]).settings_needed for row in self._rows(query)}
        return needed

    def _segment_tables(self, model_id: str) -> Mapping[str, Sequence[str]]:
        """Tables of the segments of those that serve, by id."""
        query = (
            select(segment_uses.c.instance_id, segments.c.table)
            .join(segments, is_used())
            .join(instances, instances.c.id == segment_uses.c.instance_id)
            .where(instances.c.model_id == model_id, instances.c.status == InstanceStatus.ACTIVE)
            .order_by(segment_uses.c.instance_id, segment_uses.c.position)
        )
        tables: dict[str, list[str]] = {}
        for row in self._rows(query):
            tables.setdefault(row[0], []).append(row[1])
        return tables

    def segments(self, instance_id: str) -> tuple[Segment, ...]:
        """The segments that an instance consists of, in order of their ranges; none where it is one table."""
        query = select(segments).join(segment_uses, is_used()).where(segment_uses.c.instance_id == instance_id)
        # An unsettled segment without rows ends where the last settled one does.
        return tuple(
            sorted(
                (segment_record(row) for row in self._rows(query)),
                key=lambda segment: (segment.through, not segment.is_settled),
            )
        )

    def outlines(self, batch_id: str) -> Mapping[str, StepOutline]:
        """What plans say of a batch's instances, by id; without their SQL."""
        query = select(steps.c.instance_id, steps.c.document).join(instances, instances.c.id == steps.c.instance_id)
        query = query.where(instances.c.batch_id == batch_id)
        return {row[0]: documents.decode_outline(row[1]) for row in self._rows(query)}

    def tables_that_serve(self, tables: Collection[str], *, except_model: str = "") -> Mapping[str, str]:
        """Of some tables, those of the instances that serve other models, and whose they are, in words."""
        query = (
            select(instances.c.table, definitions.c.name, models.c.catalog, models.c.name)
            .join(attempts, (attempts.c.instance_id == instances.c.id) & (attempts.c.number == instances.c.attempt))
            .join(definitions, definitions.c.id == instances.c.definition_id)
            .join(models, models.c.id == instances.c.model_id)
            .where(instances.c.status == InstanceStatus.ACTIVE, instances.c.model_id != except_model)
        )
        chunks = (self._rows(query.where(attempts.c.table.in_(chunk))) for chunk in chunk_values(sorted(tables)))
        return {row[0]: f"aggregate `{row[1]}` of model `{row[2]}.{row[3]}`" for rows in chunks for row in rows}

    def built_sources(self, batch_id: str) -> Mapping[str, tuple[int, int]]:
        """(winning attempt, rows) of the batch's built instances, by id."""
        query = select(instances.c.id, instances.c.attempt, instances.c.rows).where(
            instances.c.batch_id == batch_id, instances.c.status.in_(BUILT)
        )
        return {row[0]: (row[1], row[2] or 0) for row in self._rows(query)}

    def last_rows(self, model_id: str) -> Mapping[tuple[str, str], int]:
        """Rows of the newest built instance by (definition id, fact); staged ones are not known to go live."""
        kind = (instances.c.definition_id, instances.c.fact)
        place = func.row_number().over(partition_by=kind, order_by=instances.c.finished_at.desc())
        # The database chooses: a model may have a year of instances, and few definitions.
        built = (
            select(*kind, instances.c.rows, place.label("place"))
            .where(
                instances.c.model_id == model_id,
                instances.c.rows.is_not(None),
                instances.c.status != InstanceStatus.DONE,
            )
            .subquery()
        )
        query = select(built.c.definition_id, built.c.fact, built.c.rows).where(built.c.place == 1)
        return {(row[0], row[1]): row[2] for row in self._rows(query)}

    def shortest_builds(self, model_id: str) -> Mapping[str, float]:
        """Seconds by fact: the shortest build that read the fact itself. Longer builds spent more time on writing."""
        query = (
            select(instances.c.fact, func.min(instances.c.seconds))
            .where(instances.c.model_id == model_id, IS_FROM_FACT, instances.c.seconds.is_not(None))
            .group_by(instances.c.fact)
        )
        return {row[0]: row[1] for row in self._rows(query)}

    def count_by_status(self, batch_id: str) -> Mapping[str, int]:
        """Number of the batch's instances by status."""
        query = (
            select(instances.c.status, func.count())
            .where(instances.c.batch_id == batch_id)
            .group_by(instances.c.status)
        )
        return {row[0]: row[1] for row in self._rows(query)}

    def retained(self, model_id: str, *, of_users: bool = False) -> tuple[InstanceRecord, ...]:
        """Active and inactive instances that nobody has told to go, of system-defined definitions or of users' ones."""
        is_users = definitions.c.origin == DefinitionOrigin.USER_DEFINED
        query = (
            SELECT_INSTANCES.join(definitions, definitions.c.id == instances.c.definition_id)
            .where(instances.c.model_id == model_id, RETAINED, is_users if of_users else ~is_users)
            .order_by(instances.c.id)
        )
        return tuple(map(instance_record, self._rows(query)))

    def services(self, model_id: str) -> Mapping[str, ServiceRecord]:
        """Since when each definition could be used, and what its builds took, by id.

        Those never built are not in it.
        """
        query = (
            select(
                instances.c.definition_id.label("id"),
                func.min(instances.c.activated_at).label("first_at"),
                func.min(instances.c.activated_at)
                .filter(instances.c.activated_at >= func.coalesce(definitions.c.defined_at, definitions.c.created_at))
                .label("since"),
                func.count().label("builds"),
                func.sum(instances.c.seconds).label("seconds"),
            )
            .join(instances, instances.c.definition_id == definitions.c.id)
            .where(instances.c.model_id == model_id, instances.c.status.in_(_SERVED))
            .group_by(instances.c.definition_id)
        )
        return {
            row.id: ServiceRecord(
                first_at=row.first_at,
                since=row.since or row.first_at,
                builds=row.builds,
                build_seconds=row.seconds or 0.0,
            )
            for row in self._rows(query)
        }


def definitions_of(connection: Connection, instance_ids: Sequence[str]) -> set[str]:
    """Ids of the definitions that instances are of."""
    found: set[str] = set()
    for start in range(0, len(instance_ids), _CHUNK):
        chunk = instance_ids[start : start + _CHUNK]
        found.update(connection.scalars(select(instances.c.definition_id).where(instances.c.id.in_(chunk))))
    return found


class InstanceWriter(RegistryPart):
    """Writes about instances outside their attempts."""

    __slots__ = ()

    def give_up(self, instance_ids: Sequence[str]) -> None:
        """Make instances that are not built FAILED, because a person gave them up. Their errors of before are kept."""
        if not instance_ids:
            return
        reason = literal("given up by a person; the old one serves on. ") + func.coalesce(instances.c.error, "")
        with self.database.writing() as connection:
            connection.execute(
                update(instances)
                .where(
                    instances.c.id.in_(instance_ids),
                    instances.c.status.in_((InstanceStatus.NEW, InstanceStatus.IN_PROGRESS, InstanceStatus.FAILED)),
                )
                .values(status=InstanceStatus.FAILED, error=reason)
            )
            refresh_standings(connection, definitions_of(connection, instance_ids))

    def keep_done(self, instance_id: str, *, allowance: str) -> None:
        """Record the allowance under which a DONE instance was found and not built again."""
        with self.database.writing() as connection:
            connection.execute(
                update(instances)
                .where(instances.c.id == instance_id, instances.c.status == InstanceStatus.DONE)
                .values(allowance=allowance)
            )

    def let_go(
        self,
        model_id: str,
        instance_ids: Sequence[str],
        retire: Mapping[str, str],
        *,
        now: datetime,
        drop_after: datetime,
    ) -> None:
        """Let instances go, and retire definitions, in one transaction. Their tables are dropped by a later sweep.

        Args:
            instance_ids: ACTIVE ones serve no more from now on.
            retire: why, by id of the definition; those that are not defined any more stay as they are.
            drop_after: when the tables may go.
        """
        with self.database.writing() as connection:
            lock_model(connection, model_id)
            for instance_id in instance_ids:
                let_instances_go(connection, instances.c.id == instance_id, now=now, drop_after=drop_after)
            for definition, why in retire.items():
                retire_definitions(connection, definitions.c.id == definition, why=why, now=now)
            count_change(connection, models.c.id == model_id)
            refresh_standings(connection, {*definitions_of(connection, instance_ids), *retire})
