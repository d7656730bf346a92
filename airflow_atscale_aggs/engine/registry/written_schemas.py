"""The registry's own id, what it has written into warehouses, and models and tables that are let go or taken over."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import and_, func, insert, select, union_all, update

from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus, InstanceStatus
from airflow_atscale_aggs.engine.registry.reader import RegistryReader
from airflow_atscale_aggs.engine.registry.tables import (
    adopted,
    attempts,
    batches,
    definitions,
    identity,
    instances,
    models,
    segments,
)

_UNBUILT = (InstanceStatus.NEW, InstanceStatus.IN_PROGRESS, InstanceStatus.FAILED, InstanceStatus.DONE)


class OwnershipMemory(RegistryReader):
    """What tells this registry from others."""

    __slots__ = ()

    def identity(self) -> str:
        """The registry's id: made with it, the same in every copy of it."""
        return str(self._rows(select(identity.c.id))[0][0])

    def has_written(self, stamp: str) -> bool:
        """Whether this registry wrote the stamp into a schema.

        It is a batch that it has begun, or it took the schema over.

        A copy of the registry that went its own way has not begun the batches of the other.
        """
        mine = select(batches.c.id).where(batches.c.id == stamp)
        took_over = select(identity.c.id).where(identity.c.stamp == stamp, identity.c.stamp != "")
        return bool(self._rows(mine) or self._rows(took_over))

    def put_stamp(self, stamp: str) -> None:
        """Write a stamp down before it is written into a schema."""
        with self.database.writing() as connection:
            connection.execute(update(identity).values(stamp=stamp))

    def known_tables(self) -> frozenset[str]:
        """Names of all tables that this registry has ever written down, and of adopted ones."""
        query = union_all(select(attempts.c.table), select(segments.c.table), select(adopted.c.table))
        with self.database.reading() as connection:
            return frozenset(row[0] for row in connection.execute(query))

    def known_views(self) -> frozenset[str]:
        """Names of the stable views of instances that serve or have served and whose tables are still there."""
        statuses = (InstanceStatus.ACTIVE, InstanceStatus.SUPERSEDED)
        return frozenset(instance.step.view for status in statuses for instance in self.instances(status=status))

    def adopt(self, schema: str, tables: Collection[str], *, now: datetime) -> None:
        """Write tables down that another registry has made."""
        with self.database.writing() as connection:
            adopted_tables = select(adopted.c.table).where(adopted.c.schema == schema)
            new = sorted(set(tables) - set(connection.scalars(adopted_tables)))
            if new:
                rows = [{"schema": schema, "table": table, "adopted_at": now} for table in new]
                connection.execute(insert(adopted), rows)

    def retire_model(self, model_id: str, *, why: str, now: datetime, drop_after: datetime) -> None:
        """Let a model go, in one transaction: its definitions are retired and kept, its instances serve no more.

        Args:
            drop_after: when the tables may go.
        """
        with self.database.writing() as connection:
            is_its = instances.c.model_id == model_id
            counter = models.c.change_counter + 1
            connection.execute(
                update(models).where(models.c.id == model_id).values(retired_at=now, change_counter=counter)
            )
            connection.execute(
                update(definitions)
                .where(definitions.c.model_id == model_id, definitions.c.status == "defined")
                .values(status="retired", status_reason=why, retired_at=now)
            )
            connection.execute(
                update(batches)
                .where(
                    batches.c.model_id == model_id,
                    batches.c.status.in_((BatchStatus.IN_PROGRESS, BatchStatus.FAILED)),
                )
                .values(status=BatchStatus.CANCELLED, finished_at=now)
            )
            connection.execute(
                update(instances)
                .where(is_its, instances.c.status.in_(_UNBUILT))
                .values(status=InstanceStatus.CANCELLED)
            )
            is_kept = and_(instances.c.status == InstanceStatus.SUPERSEDED, instances.c.drop_after.is_(None))
            for which in (instances.c.status == InstanceStatus.ACTIVE, is_kept):
                connection.execute(
                    update(instances)
                    .where(is_its, which)
                    .values(
                        status=InstanceStatus.SUPERSEDED,
                        drop_after=drop_after,
                        superseded_at=func.coalesce(instances.c.superseded_at, now),
                    )
                )
