"""The sensor that waits until the aggregates of a model are as fresh as a DAG run needs them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator, PokeReturnValue

from airflow_atscale_aggs.assets.run_events import moment_of_newest_event
from airflow_atscale_aggs.hooks.aggregates import AggregatesHook
from airflow_atscale_aggs.triggers.batch_build import BatchBuildTrigger, finished_batch

if TYPE_CHECKING:
    from airflow.sdk import Context


class BatchBuildSensor(BaseSensorOperator):
    """Waits until a batch of a model that was begun since a time is live. Deferrable by default.

    A failed batch is waited for as well: it may be repaired. ``timeout`` bounds the wait.

    Args:
        model: name or id of the model.
        since: ISO time; templated. Empty: the start of the run's data interval; without one, when the run was asked
            for, or the newest event of the assets that started it, also when Airflow tells the run of older ones only.
        aggs_conn_id: connection of type ``atscale_aggs``.
        deferrable: wait in the triggerer, without a worker slot.

    Returns:
        Batch id and number of instances by status.
    """

    template_fields: Sequence[str] = ("aggs_conn_id", "model", "since")

    def __init__(
        self,
        *,
        model: str,
        since: str = "",
        aggs_conn_id: str = AggregatesHook.default_conn_name,
        deferrable: bool = True,
        poke_interval: float = 10,
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poke_interval, **kwargs)
        self.model, self.since, self.aggs_conn_id, self.deferrable = model, since, aggs_conn_id, deferrable

    def execute(self, context: Context) -> Any:
        """Wait deferred, or by poking."""
        if not self.deferrable:
            return super().execute(context)
        since = self._since(context)
        finished = finished_batch(self.aggs_conn_id, self.model, since)
        if finished is not None:
            return finished
        trigger = BatchBuildTrigger(
            aggs_conn_id=self.aggs_conn_id,
            model=self.model,
            since=since.isoformat(),
            poke_interval=float(self.poke_interval),
        )
        return self.defer(
            trigger=trigger, method_name="execute_complete", timeout=timedelta(seconds=float(self.timeout))
        )

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Return the batch that the trigger has found."""
        self.log.info("Batch %s is live.", event["batch_id"])
        return event

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once."""
        finished = finished_batch(self.aggs_conn_id, self.model, self._since(context))
        return PokeReturnValue(is_done=finished is not None, xcom_value=finished)

    def _since(self, context: Context) -> datetime:
        if not self.since:
            return moment_of_newest_event(context)
        moment = datetime.fromisoformat(self.since)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
