"""The trigger that waits for the end of a batch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_atscale_aggs.hooks.aggregates import AggregatesHook


def finished_batch(aggs_conn_id: str, model: str, since: datetime) -> dict[str, Any] | None:
    """The newest batch of a model that is DONE, builds all aggregates and was begun since a time; None without one."""
    from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus

    with AggregatesHook(aggs_conn_id).get_registry() as registry:
        for batch in registry.batches.find(registry.models.get(model).id, 50):
            if batch.status is BatchStatus.DONE and not batch.aggregates and batch.created_at >= since:
                return {"batch_id": batch.id, **registry.instances.count_by_status(batch.id)}
    return None


class BatchBuildTrigger(BaseTrigger):
    """Fires when a batch of a model, begun since a time, is DONE.

    Args:
        aggs_conn_id: connection of type ``atscale_aggs``; only its registry is asked.
        model: name or id of the model.
        since: ISO time with a zone.
        poke_interval: seconds between two looks.
    """

    def __init__(self, *, aggs_conn_id: str, model: str, since: str, poke_interval: float = 10) -> None:
        super().__init__()
        self.aggs_conn_id, self.model, self.since, self.poke_interval = aggs_conn_id, model, since, poke_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments."""
        arguments = {name: getattr(self, name) for name in ("aggs_conn_id", "model", "since", "poke_interval")}
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look again and again; the registry is asked in a thread, so the triggerer's loop goes on."""
        since = datetime.fromisoformat(self.since)
        while True:
            batch = await asyncio.to_thread(finished_batch, self.aggs_conn_id, self.model, since)
            if batch is not None:
                yield TriggerEvent(batch)
                return
            await asyncio.sleep(self.poke_interval)
