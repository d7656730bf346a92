"""The operators that end the run's batch: one activates all aggregates together or none, one reports on each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import AssetAlias
from airflow.sdk.exceptions import AirflowSkipException

from airflow_atscale_aggs.assets.activated import aggregate_asset, aggregates_alias
from airflow_atscale_aggs.hooks.aggregates import airflow_errors
from airflow_atscale_aggs.hooks.sentences import without_sql
from airflow_atscale_aggs.hooks.xcom_keys import COALESCED
from airflow_atscale_aggs.metrics.emission import emit_failed, emit_live
from airflow_atscale_aggs.operators.base import AggregatesOperator, batch_owner

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
    from airflow_atscale_aggs.engine.registry.records import BatchRecord, InstanceRecord


class ActivateBatchOperator(AggregatesOperator):
    """Activates the run's batch: all aggregates together, or none. As a leaf it decides the run's state.

    Runs whatever became of the builds (trigger rule ``all_done``), since ``aggregates.batch.max.failures`` may allow
    some to fail. A build task that somebody marked as success without its aggregate being built is given up: the old
    instance serves on, and the registry says so. Skipped when the plan found that another batch answers the run.

    Args:
        model: name or id of the model.
        plan_task_id, build_task_id: where plan and builds are in the DAG; None: beside this task, ``plan`` and
            ``build``.

    Returns:
        Batch id and number of instances by status.
    """

    template_fields: Sequence[str] = ("aggs_conn_id", "model")

    def __init__(
        self, *, model: str, plan_task_id: str | None = None, build_task_id: str | None = None, **kwargs: Any
    ) -> None:
        kwargs.setdefault("trigger_rule", "all_done")
        super().__init__(**kwargs)
        self.model = model
        prefix = self.task_id.rpartition(".")[0]
        beside = f"{prefix}." if prefix else ""
        self.plan_task_id, self.build_task_id = plan_task_id or f"{beside}plan", build_task_id or f"{beside}build"

    def execute(self, context: Context) -> dict[str, Any]:
        """Activate, or fail with the names of what is missing; the old instances serve on then."""
        from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus, InstanceStatus
        from airflow_atscale_aggs.engine.errors import BatchFailedError
        from airflow_atscale_aggs.engine.lifecycle.build.activate import activate_batch
        from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now

        planned = self._planned(context)
        with airflow_errors(), self._workspace() as workspace:
            workspace.warehouse.open_ahead()
            batch = self._batch_of_run(workspace, self.model, context)
            given_up = self._instances_with_green_task(context, planned)
            name = workspace.read.models.get(self.model).name
            try:
                report = activate_batch(
                    workspace, batch.id, owner=batch_owner(context), now=utc_now(), given_up=given_up
                )
            except BatchFailedError:
                emit_failed(name)
                raise
            counts = dict(workspace.read.instances.count_by_status(batch.id))
        if batch.status is not BatchStatus.DONE:
            emit_live(name, report.batch)
        active = [instance for instance in report.instances if instance.status is InstanceStatus.ACTIVE]
        self._add_asset_events(context, active)
        self.log.info("Activated batch %s: %s", report.batch.id, counts)
        for note in report.batch.notes:
            self.log.info("%s", note)
        return {"batch_id": report.batch.id, **counts}

    def _planned(self, context: Context) -> Sequence[Mapping[str, str]]:
        """What the plan has returned. Raises AirflowSkipException when it found that another batch answers the run."""
        planned: Sequence[Mapping[str, str]] = context["ti"].xcom_pull(task_ids=self.plan_task_id) or []
        # Each look is a call of Airflow's API. A plan that another batch answers has returned nothing.
        answered = None if planned else context["ti"].xcom_pull(task_ids=self.plan_task_id, key=COALESCED)
        if answered:
            message = f"Batch {answered} answers this run."
            raise AirflowSkipException(message)
        return planned

    def _instances_with_green_task(self, context: Context, planned: Sequence[Mapping[str, str]]) -> list[str]:
        """Ids of the instances whose build task is marked as success."""
        ti = context["ti"]
        states = ti.get_task_states(
            dag_id=ti.dag_id, task_ids=[self.build_task_id], run_ids=[context["dag_run"].run_id]
        )
        of_run = states.get(context["dag_run"].run_id, {})
        return [
            planned_instance["instance_id"]
            for index, planned_instance in enumerate(planned)
            if of_run.get(f"{self.build_task_id}_{index}") == "success"
        ]

    def _add_asset_events(self, context: Context, active: Sequence[InstanceRecord]) -> None:
        """Add one asset event per aggregate, if the task has the alias among its outlets."""
        alias = aggregates_alias(self.model)
        if not any(isinstance(outlet, AssetAlias) and outlet.name == alias.name for outlet in self.outlets):
            return
        for name in sorted({instance.step.aggregate for instance in active}):
            context["outlet_events"][alias].add(aggregate_asset(self.model, name))


class ReportBatchOperator(AggregatesOperator):
    """Logs what became of the run's batch, or of the one that answers it, always.

    It belongs behind ``activate``, as a teardown: ``activate >> report.as_teardown()``. Then it tells the state after
    the activation, or why there was none, and does not decide the run's state.

    Args:
        model: name or id of the model.
        plan_task_id, activate_task_id: where they are in the DAG; None: beside this task, ``plan`` and ``activate``.

    Returns:
        Number of instances by status; empty when the run has begun no batch.
    """

    template_fields: Sequence[str] = ("aggs_conn_id", "model")

    def __init__(
        self, *, model: str, plan_task_id: str | None = None, activate_task_id: str | None = None, **kwargs: Any
    ) -> None:
        kwargs.setdefault("trigger_rule", "all_done")
        super().__init__(**kwargs)
        self.model = model
        prefix = self.task_id.rpartition(".")[0]
        beside = f"{prefix}." if prefix else ""
        self.plan_task_id = plan_task_id or f"{beside}plan"
        self.activate_task_id = activate_task_id or f"{beside}activate"

    def execute(self, context: Context) -> dict[str, int]:
        """Log the outcome of the batch, its notes, and a line per aggregate: status, rows, seconds, source or error."""
        from airflow_atscale_aggs.engine.counted_nouns import counted

        with airflow_errors(), self._workspace() as workspace:
            batch = self._find_batch(workspace, context)
            if batch is None:
                self.log.info("This run has begun no batch: %s", self._explain(context, self.plan_task_id))
                return {}
            instances = workspace.read.instances.find(batch_id=batch.id)
            counts = dict(workspace.read.instances.count_by_status(batch.id))
        self.log.info("Batch %s of model %s %s", batch.id, self.model, self._outcome(context, batch, instances))
        self.log.info("Its aggregates: %s", ", ".join(f"{count} {status}" for status, count in counts.items()))
        for note in batch.notes:
            self.log.info("%s", note)
        for instance in instances:
            self.log.info(
                "%-40s %-12s %12s %10s  %s",
                instance.step.aggregate,
                instance.status,
                "" if instance.rows is None else counted(instance.rows, "row"),
                "" if instance.seconds is None else f"{instance.seconds:.3f} s",
                without_sql(instance.error or "") or (f"from {instance.source}" if instance.source else ""),
            )
        return counts

    def _find_batch(self, workspace: Workspace, context: Context) -> BatchRecord | None:
        read = workspace.read
        answered = context["ti"].xcom_pull(task_ids=self.plan_task_id, key=COALESCED)
        if answered:
            return read.batches.get(answered)
        return read.batches.of_owner(read.models.get(self.model).id, batch_owner(context))

    def _outcome(self, context: Context, batch: BatchRecord, instances: Sequence[InstanceRecord]) -> str:
        """What became of a batch, as the end of a sentence about it."""
        from airflow_atscale_aggs.engine.aggregates.instance import BUILT, BatchStatus

        of_other = "" if batch.owner == batch_owner(context) else f"of {batch.owner} answers this run. It "
        unbuilt = ", ".join(instance.step.aggregate for instance in instances if instance.status not in BUILT)
        match batch.status:
            case BatchStatus.DONE if unbuilt:
                return f"{of_other}is live without {unbuilt}; what these had before serves on."
            case BatchStatus.DONE:
                return f"{of_other}is live."
            case BatchStatus.CANCELLED:
                return f"{of_other}was cancelled, or closed by a newer one; what was live before serves on."
            case BatchStatus.FAILED:
                return (
                    f"{of_other}is not activated, since these could not be built: {unbuilt}. What was live before "
                    "serves on. Repair the cause, then clear the failed tasks."
                )
            case _:
                return f"{of_other}is not activated: {self._explain(context, self.activate_task_id)}"

    @staticmethod
    def _explain(context: Context, task_id: str) -> str:
        """A sentence about a task that did not do its work."""
        ti = context["ti"]
        states = ti.get_task_states(dag_id=ti.dag_id, task_ids=[task_id], run_ids=[ti.run_id]).get(ti.run_id, {})
        state = states.get(task_id)
        return f"task `{task_id}` is {state}; its log says why." if state else f"task `{task_id}` has not ended."
