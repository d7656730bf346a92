"""What wants attention: what failed, what is stale, what nobody uses."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionStatus
from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus, InstanceStatus
from airflow_atscale_aggs.engine.aggregates.shown_status import ShownStatus
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.registry.listings import Attention, Finding
from airflow_atscale_aggs.engine.registry.part import RegistryPart
from airflow_atscale_aggs.engine.registry.tables import batches, instances, models, standings
from airflow_atscale_aggs.engine.settings import Settings

MOST_IDS = 20
"""Ids that a finding names."""

_DEFAULTS = Settings()
_UNUSED_AFTER = timedelta(days=_DEFAULTS.attention_unused_days)
_STALE_AFTER = timedelta(hours=_DEFAULTS.attention_stale_hours)


class AttentionReader(RegistryPart):
    """Reads what wants attention."""

    __slots__ = ()

    def find(
        self,
        model_ids: Collection[str] | None,
        *,
        now: datetime,
        unused_after: timedelta = _UNUSED_AFTER,
        stale_after: timedelta = _STALE_AFTER,
    ) -> Attention:
        """What wants attention in some models; None: in all.

        Args:
            unused_after: how long a definition may serve nobody.
            stale_after: how old an active instance may be.
        """
        with self.database.reading() as connection:
            search = _Search(connection, model_ids)
            newest = search.newest_batches()
            is_failed = (instances.c.status == InstanceStatus.FAILED, instances.c.batch_id.in_(newest))
            never_used, stale = search.aged(now - unused_after, now - stale_after)
            return Attention(
                failed_instances=search.instances(*is_failed),
                failed_batches=search.batches(batches.c.status == BatchStatus.FAILED, batches.c.id.in_(newest)),
                pending_views=search.batches(batches.c.views_pending),
                never_used=never_used,
                stale=stale,
                blocked=search.definitions(standings.c.status == DefinitionStatus.BLOCKED),
            )

    def find_aged(
        self, model_ids: Collection[str] | None, *, now: datetime, unused_after: timedelta, stale_after: timedelta
    ) -> tuple[Finding, Finding]:
        """Of what `find` finds, only what nobody uses and what is stale."""
        with self.database.reading() as connection:
            return _Search(connection, model_ids).aged(now - unused_after, now - stale_after)


@dataclass(frozen=True, slots=True)
class _Search:
    """Finds things of some models; None: of all."""

    connection: Connection
    model_ids: Collection[str] | None

    def newest_batches(self) -> list[str]:
        """Ids of the newest batch of each model."""
        newest = select(batches.c.id).where(batches.c.model_id == models.c.id)
        newest = newest.order_by(batches.c.created_at.desc(), batches.c.id.desc()).limit(1)
        query = select(newest.scalar_subquery())
        if self.model_ids is not None:
            query = query.where(models.c.id.in_(sorted(self.model_ids)))
        return [found for found in self.connection.scalars(query.select_from(models)) if found is not None]

    def aged(self, created_before: datetime, built_before: datetime) -> tuple[Finding, Finding]:
        """What serves and was never used, although created before; and what serves and was built before."""
        is_serving = (standings.c.status == DefinitionStatus.DEFINED, standings.c.shown_status == ShownStatus.ACTIVE)
        never_used = self.definitions(*is_serving, standings.c.uses == 0, standings.c.created_at < created_before)
        return never_used, self.definitions(*is_serving, standings.c.built_at < built_before)

    def definitions(self, *conditions: ColumnElement[bool]) -> Finding:
        """Definitions of which conditions on standings hold."""
        return self._find(select(standings.c.definition_id.label("id")).where(*conditions), standings.c.model_id)

    def batches(self, *conditions: ColumnElement[bool]) -> Finding:
        """Batches of which conditions hold."""
        return self._find(select(batches.c.id).where(*conditions), batches.c.model_id)

    def instances(self, *conditions: ColumnElement[bool]) -> Finding:
        """Instances of which conditions hold."""
        return self._find(select(instances.c.id).where(*conditions), instances.c.model_id)

    def _find(self, query: Select[Any], model: ColumnElement[str]) -> Finding:
        """How many ids a query gives, and the first ones."""
        if self.model_ids is not None:
            query = query.where(model.in_(sorted(self.model_ids)))
        found = query.subquery()
        number = self.connection.scalar(select(func.count()).select_from(found)) or 0
        ids = self.connection.scalars(select(found.c.id).order_by(found.c.id).limit(MOST_IDS)) if number else ()
        return Finding(number, tuple(ids))
