"""Defines what all operators share: the connection, the owner of a batch, and the policy for retries."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, RetryPolicy
from airflow.sdk.definitions.retry_policy import RetryDecision
from airflow.sdk.exceptions import AirflowFailException

from airflow_atscale_aggs.hooks.aggregates import AggregatesHook

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
    from airflow_atscale_aggs.engine.registry.records import BatchRecord

LEASE = timedelta(hours=1)
"""The lease of a batch of a DAG run. No other run takes the batch over before it ends; each task renews it."""


def batch_owner(context: Context) -> str:
    """Who drives the batch: the DAG run."""
    run = context["dag_run"]
    return f"airflow:{run.dag_id}/{run.run_id}"


class AttemptsOfAggregate(RetryPolicy):
    """Retries as long as the engine allows the aggregate another attempt.

    Other failures follow the task's own retries.
    """

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,  # noqa: ARG002 - the engine counts failed attempts itself
        max_tries: int,  # noqa: ARG002
        context: Context | None = None,  # noqa: ARG002
    ) -> RetryDecision:
        """FAIL when the limits are reached, RETRY while attempts are left."""
        may_retry = getattr(exception, "may_retry", None)
        if may_retry is None:
            return RetryDecision.default()
        return (
            RetryDecision.retry(reason="attempts are left") if may_retry else RetryDecision.fail(reason=str(exception))
        )


class AggregatesOperator(BaseOperator):
    """What all operators here share: the connection, which serialized DAGs name as well. Not used by itself."""

    template_fields: Sequence[str] = ("aggs_conn_id",)

    def __init__(self, *, aggs_conn_id: str = AggregatesHook.default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.aggs_conn_id = aggs_conn_id

    def _hook(self) -> AggregatesHook:
        return AggregatesHook(self.aggs_conn_id)

    def _workspace(self) -> Workspace:
        return self._hook().get_conn()

    @staticmethod
    def _batch_of_run(workspace: Workspace, model: str, context: Context) -> BatchRecord:
        """The newest batch that this DAG run drives."""
        batch = workspace.read.batches.of_owner(workspace.read.models.get(model).id, batch_owner(context))
        if batch is not None:
            return batch
        message = f"This run has planned no batch of model `{model}`; look at the log of its plan task."
        raise AirflowFailException(message)
