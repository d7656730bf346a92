"""The operator that starts a batch from another DAG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException, DagRunTriggerException

from airflow_atscale_aggs.hooks.airflow_addresses import run_url
from airflow_atscale_aggs.hooks.xcom_keys import COALESCED
from airflow_atscale_aggs.operators.links import BatchRunLink

if TYPE_CHECKING:
    from airflow.sdk import Context


class TriggerBatchBuildOperator(BaseOperator):
    """Starts the batch DAG of a model, as the last task of an ETL DAG for instance, and waits for its end deferred.

    The task's page links to the run. The task fails when the run fails; a run that another batch answers is a success.
    Airflow's own operator for starting runs imports the metadata models, which every task of the DAG file would pay
    for.

    Args:
        model: name of the model.
        batch_dag_id: the DAG to start; None: ``batch_build_<model>``, as `batch_build_dag` names it.
        build_type: ``full`` or ``incremental``; None: ``full``, or ``incremental`` where something is named as changed.
        aggregates: names of those to build; empty: all.
        changed: ranges of indicators that have changed, by dataset; a range or a list of them.
        conf: further run parameters.
        wait: wait for the end of the run.
        poke_interval: seconds between two looks at the run.

    Returns:
        With ``wait``: what ``activate`` returned, batch id and number of instances by status; or the id of the batch
        that answers the run.
    """

    template_fields: Sequence[str] = ("model", "batch_dag_id", "build_type", "aggregates", "changed", "conf")
    operator_extra_links = (BatchRunLink(),)

    def __init__(
        self,
        *,
        model: str,
        batch_dag_id: str | None = None,
        build_type: str | None = None,
        aggregates: Sequence[str] = (),
        changed: dict[str, Any] | None = None,
        conf: dict[str, Any] | None = None,
        wait: bool = True,
        poke_interval: int = 5,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model, self.build_type, self.aggregates, self.conf = model, build_type, list(aggregates), conf or {}
        self.batch_dag_id = batch_dag_id or f"batch_build_{model}"
        self.changed = changed or {}
        self.wait, self.poke_interval = wait, poke_interval

    def execute(self, context: Context) -> None:
        """Start the run; Airflow's task runner does it and defers the task."""
        raise batch_run(
            context,
            self.batch_dag_id,
            {
                **self.conf,
                "build_type": self.build_type or ("incremental" if self.changed else "full"),
                "aggregates": self.aggregates,
                **({"changed": self.changed} if self.changed else {}),
            },
            wait=self.wait,
            poke_interval=self.poke_interval,
        )

    def execute_complete(self, context: Context, event: tuple[str, dict[str, Any]]) -> dict[str, Any]:
        """Fail with the run, or return what it returned."""
        return batch_result(context, self.batch_dag_id, event)


def batch_run(
    context: Context, batch_dag_id: str, conf: dict[str, Any], *, wait: bool, poke_interval: int = 5
) -> DagRunTriggerException:
    """The exception that a task raises so that Airflow starts a batch DAG; the link to the run is stored.

    With ``wait`` the task is deferred; its ``execute_complete`` returns `batch_result`.
    """
    ti = context["ti"]
    run_id = f"after_{ti.dag_id}_{ti.run_id}_{ti.task_id}_{ti.try_number}"
    ti.xcom_push(key=BatchRunLink().xcom_key, value=run_url(batch_dag_id, run_id))
    return DagRunTriggerException(
        trigger_dag_id=batch_dag_id,
        dag_run_id=run_id,
        conf=conf,
        reset_dag_run=False,
        skip_when_already_exists=False,
        wait_for_completion=wait,
        allowed_states=["success"],
        failed_states=["failed"],
        poke_interval=poke_interval,
        deferrable=wait,
    )


def batch_result(context: Context, batch_dag_id: str, event: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """What the run of a batch DAG returned, or the id of the batch that answers it.

    Raises:
        AirflowFailException: the run failed.
    """
    (run_id,) = event[1]["run_ids"]
    run = {"dag_id": batch_dag_id, "run_id": run_id}
    if event[1].get(run_id) == "failed":
        message = (
            f"Run {run_id} of {batch_dag_id} failed; the old aggregates serve on. Repair there (clear the failed "
            "tasks), then clear this task or mark it as success."
        )
        raise AirflowFailException(message)
    result = context["ti"].xcom_pull(task_ids="activate", **run)
    answered = None if result else context["ti"].xcom_pull(task_ids="plan", key=COALESCED, **run)
    return result or {"batch_id": answered}
