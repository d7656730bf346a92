"""Tells people that a batch failed: which aggregates, each with its sentence, and where to repair it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseNotifier
from airflow.sdk.exceptions import AirflowException

from airflow_atscale_aggs.hooks.aggregates import AggregatesHook, airflow_errors
from airflow_atscale_aggs.hooks.airflow_addresses import run_url
from airflow_atscale_aggs.hooks.sentences import without_sql
from airflow_atscale_aggs.notifications.webhook import post_text

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_atscale_aggs.engine.registry.records import BatchRecord
    from airflow_atscale_aggs.engine.registry.registry import RegistryReader

_MOST_AGGREGATES = 20
_MOST_CHARACTERS = 300
"""How much of the sentence of one aggregate a message repeats; all of it is in the log of the task."""
_TEMPLATE = re.compile(r"\{(?=[{%#])")


class FailedBatchNotifier(BaseNotifier):
    """Tells people that the batch of a run failed. For ``on_failure_callback`` of a DAG, or of its task ``activate``.

    The message names the model, the batch, the aggregates that could not be built with one sentence each, and the page
    of the run. Where the run failed before it had a batch, it says so. It is logged, and goes to an address:

    Args:
        model: name or id of the model.
        aggs_conn_id: connection of type ``atscale_aggs``.
        http_conn_id: an Airflow connection whose URL takes ``{"text": message}``, as the webhooks of chats do.
        send: instead, a function of the message. Where it returns another notifier, such as Slack's or the mail's, that
            one is called in the same context.

    Example:
        batch_build_dag("retail", aggs_conn_id="retail_aggs", on_failure_callback=FailedBatchNotifier(
            "retail", aggs_conn_id="retail_aggs", send=lambda text: SlackWebhookNotifier(text=text)
        ))
    """

    template_fields: Sequence[str] = ("model", "aggs_conn_id", "http_conn_id")

    def __init__(
        self,
        model: str,
        *,
        aggs_conn_id: str = AggregatesHook.default_conn_name,
        http_conn_id: str | None = None,
        send: Callable[[str], Any] | None = None,
    ) -> None:
        super().__init__()
        self.model, self.aggs_conn_id, self.http_conn_id, self.send = model, aggs_conn_id, http_conn_id, send

    def notify(self, context: Context) -> None:
        """Compose the message, log it, and send it."""
        text = self._compose(context)
        self.log.error("%s", text)
        if self.http_conn_id:
            post_text(self.http_conn_id, text)
        if self.send is not None:
            # Other notifiers take their texts for templates; what a warehouse says must not be run as one.
            further = self.send(_TEMPLATE.sub("{ ", text))
            if isinstance(further, BaseNotifier):
                further(context)

    def _compose(self, context: Context) -> str:
        dag_id, run_id = context["dag"].dag_id, context["run_id"]
        try:
            with airflow_errors(), AggregatesHook(self.aggs_conn_id).get_registry() as read:
                told = describe_batch(read, self.model, owner=f"airflow:{dag_id}/{run_id}")
        except Exception as error:  # noqa: BLE001 - people are told of the failure even where nobody can be asked about it
            reason = str(error) if isinstance(error, AirflowException) else type(error).__name__
            told = f"A run for the aggregates of model {self.model} failed. The registry could not be asked: {reason}"
        return f"{told}\nRun {run_id} of {dag_id}: {run_url(dag_id, run_id)}"


def describe_batch(read: RegistryReader, model: str, *, owner: str) -> str:
    """What became of the batch of a failed run, for people: a sentence, then a line for each aggregate that is missing.

    Args:
        model: name or id.
        owner: the run, as `batch_owner` names it.

    Raises:
        NotRegisteredError: no such model.
    """
    from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus

    record = read.models.get(model)
    batch = read.batches.of_owner(record.id, owner)
    if batch is None:
        return (
            f"A run for the aggregates of model {record.name} failed before it had begun a batch. What was live before "
            "serves on. The log of its first failed task says why."
        )
    if batch.status is BatchStatus.DONE:
        return f"Batch {batch.id} of model {record.name} is live, but its run failed. Look at its failed tasks."
    lines = _missing(read, batch)
    what = f"{len(lines)} of {sum(read.instances.count_by_status(batch.id).values())} aggregates could not be built"
    sentence = (
        f"Batch {batch.id} of model {record.name} failed: {what if lines else 'it was not activated'}. What was live "
        "before serves on. Repair the cause, then clear the failed tasks."
    )
    more = [f"- and {len(lines) - _MOST_AGGREGATES} more"] if len(lines) > _MOST_AGGREGATES else []
    return "\n".join((sentence, *lines[:_MOST_AGGREGATES], *more))


def _missing(read: RegistryReader, batch: BatchRecord) -> list[str]:
    from airflow_atscale_aggs.engine.aggregates.instance import BUILT

    lines = []
    for instance in read.instances.find(batch_id=batch.id):
        if instance.status not in BUILT:
            reason = without_sql(instance.error or "") or f"its build is {instance.status}"
            reason = reason if len(reason) <= _MOST_CHARACTERS else f"{reason[: _MOST_CHARACTERS - 1]}…"
            lines.append(f"- {instance.step.aggregate}: {reason}")
    return lines
