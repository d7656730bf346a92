"""Which instances are retained, and which go: all from what was written down, never from names of tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import and_, func, or_, select, update

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionOrigin
from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus
from airflow_atscale_aggs.engine.registry.reader import RegistryReader, instance_record
from airflow_atscale_aggs.engine.registry.records import InstanceRecord, ServiceRecord
from airflow_atscale_aggs.engine.registry.tables import definitions, instances, models

_RETAINED = or_(
    instances.c.status == InstanceStatus.ACTIVE,
    and_(instances.c.status == InstanceStatus.SUPERSEDED, instances.c.drop_after.is_(None)),
)
_SERVED = (InstanceStatus.ACTIVE, InstanceStatus.SUPERSEDED, InstanceStatus.DELETED)


class RetentionWrites(RegistryReader):
    """Writes and reads about retention."""

    __slots__ = ()

    def retained_instances(self, model_id: str, *, of_users: bool = False) -> tuple[InstanceRecord, ...]:
        """Active and inactive instances that nobody has told to go, of system-defined definitions or of users' ones."""
        is_users = definitions.c.origin == DefinitionOrigin.USER_DEFINED
        query = (
            select(instances)
            .join(definitions, definitions.c.id == instances.c.definition_id)
            .where(instances.c.model_id == model_id, _RETAINED, is_users if of_users else ~is_users)
            .order_by(instances.c.id)
        )
        return tuple(map(instance_record, self._rows(query)))

    def services(self, model_id: str) -> Mapping[str, ServiceRecord]:
        """Since when each definition could be used, and what its builds took, by id.

        Those never built are not in it.
        """
        query = (
            select(
                definitions.c.id,
                func.min(instances.c.activated_at).label("first_at"),
                func.min(instances.c.activated_at)
                .filter(instances.c.activated_at >= func.coalesce(definitions.c.defined_at, definitions.c.created_at))
                .label("since"),
                func.count().label("builds"),
                func.sum(instances.c.seconds).label("seconds"),
            )
            .join(instances, instances.c.definition_id == definitions.c.id)
            .where(definitions.c.model_id == model_id, instances.c.status.in_(_SERVED))
            .group_by(definitions.c.id)
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
            for instance_id in instance_ids:
                connection.execute(
                    update(instances)
                    .where(instances.c.id == instance_id, _RETAINED)
                    .values(
                        status=InstanceStatus.SUPERSEDED,
                        drop_after=drop_after,
                        superseded_at=func.coalesce(instances.c.superseded_at, now),
                    )
                )
            for definition, why in retire.items():
                connection.execute(
                    update(definitions)
                    .where(definitions.c.id == definition, definitions.c.status == "defined")
                    .values(status="retired", status_reason=why, retired_at=now)
                )
            connection.execute(
                update(models).where(models.c.id == model_id).values(change_counter=models.c.change_counter + 1)
            )
