"""Operators of a batch build: deploy, plan, build (mapped), activate, report; and one that asks a model.

    plan ──▶ build [one task instance per aggregate] ──▶ activate   decides the run's state, all or nothing
                                                     └─▶ report     always

Only ids travel through XCom. The batch belongs to the DAG run: whoever asks with the same run gets the same batch, so
every task can be retried or cleared.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import BaseOperator, RetryPolicy
from airflow.sdk.definitions.retry_policy import RetryDecision
from airflow.sdk.exceptions import AirflowFailException

from airflow_atscale_aggs.hooks.aggregates import AggregatesHook, airflow_errors

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_atscale_aggs.engine.lifecycle.events import BuildEvent
    from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
    from airflow_atscale_aggs.engine.registry.records import BatchRecord, InstanceRecord

LEASE = timedelta(hours=1)
"""How long a batch of a DAG run is left alone when nothing is heard of it; each task renews it."""

_WAIT = timedelta(seconds=2)


def batch_owner(context: Context) -> str:
    """Who drives the batch: the DAG run."""
    run = context["dag_run"]
    return f"airflow:{run.dag_id}/{run.run_id}"


class AttemptsOfAggregate(RetryPolicy):
    """Retries as long as the engine allows the aggregate another attempt; other failures follow the task's own retries."""

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
    """What all operators here share: the connection. Not used by itself."""

    def __init__(self, *, aggs_conn_id: str = AggregatesHook.default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.aggs_conn_id = aggs_conn_id

    def _workspace(self) -> Workspace:
        return AggregatesHook(self.aggs_conn_id).get_conn()

    @staticmethod
    def _batch_of_run(workspace: Workspace, model: str, context: Context) -> BatchRecord:
        """The newest batch that this DAG run drives."""
        owner = batch_owner(context)
        model_id = workspace.registry.model(model).id
        for batch in workspace.registry.batches(model_id, 50):
            if batch.owner == owner:
                return batch
        message = f"This run has planned no batch of model `{model}`; look at the log of its plan task."
        raise AirflowFailException(message)


class DeployModelOperator(AggregatesOperator):
    """Reads a folder of SML and registers its models with their user-defined aggregates.

    Args:
        folder: the SML folder, readable by the worker.
        model: deploy only this one; None: all.

    Returns:
        By model: version and the names that appeared, changed, retired.
    """

    template_fields: Sequence[str] = ("folder", "model")

    def __init__(self, *, folder: str, model: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.folder, self.model = folder, model

    def execute(self, context: Context) -> dict[str, dict[str, Any]]:  # noqa: ARG002
        """Deploy; errors in the SML fail the task without a retry and are all in its log."""
        from airflow_atscale_aggs.engine.lifecycle.define import deploy
        from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now

        with airflow_errors(), self._workspace() as workspace:
            report = deploy(workspace, Path(self.folder), model=self.model, now=utc_now())
        for issue in report.issues:
            self.log.warning("%s", issue)
        result = {}
        for outcome in report.models:
            changes = {word: list(getattr(outcome, word)) for word in ("appeared", "changed", "retired")}
            self.log.info("%s is at version %s: %s", outcome.model, outcome.version, changes)
            result[outcome.model] = {"version": outcome.version, **changes}
        return result


class PlanBatchBuildOperator(AggregatesOperator):
    """Begins the batch of this DAG run: ordered instances, NEW, recorded in one transaction.

    Args:
        model: name or id of a deployed model.
        build_type: ``full`` or ``incremental``.

    Returns:
        ``[{"instance_id": …, "aggregate": …}, …]`` in build order, for ``BuildAggregateOperator`` to be mapped over. The
        same run asking again gets the same list.
    """

    template_fields: Sequence[str] = ("model", "build_type")

    def __init__(self, *, model: str, build_type: str = "full", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model, self.build_type = model, build_type

    def execute(self, context: Context) -> list[dict[str, str]]:
        """Plan, or find what was planned."""
        from airflow.sdk.configuration import conf

        from airflow_atscale_aggs.engine.aggregates.instance import BuildType
        from airflow_atscale_aggs.engine.lifecycle.batch import begin_batch
        from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now

        with airflow_errors(), self._workspace() as workspace:
            begun = begin_batch(
                workspace,
                self.model,
                build_type=BuildType(self.build_type),
                owner=batch_owner(context),
                now=utc_now(),
                lease=LEASE,
            )
        most = conf.getint("core", "max_map_length")
        if len(begun.instances) > most:
            message = (
                f"The batch has {len(begun.instances)} aggregates, Airflow maps at most {most} tasks. Raise "
                "[core] max_map_length."
            )
            raise AirflowFailException(message)
        for note in begun.batch.notes:
            self.log.info("%s", note)
        self.log.info("Batch %s: %s aggregates", begun.batch.id, len(begun.instances))
        for instance in begun.instances:
            self.log.info("%3d. %s: %s", instance.step.position + 1, instance.step.aggregate, instance.step.reason)
        return [{"instance_id": instance.id, "aggregate": instance.step.aggregate} for instance in begun.instances]


class BuildAggregateOperator(AggregatesOperator):
    """Builds one aggregate of the run's batch. Mapped over what ``PlanBatchBuildOperator`` returns.

    Clearing the task gives the aggregate a fresh allowance of attempts; a batch that had failed is opened again, an
    aggregate that was built is built anew while its batch is open.

    Args:
        instance_id: from the plan.
        aggregate: its name, shown as the map index.
        max_concurrent_builds: how many aggregates of the batch may be built at the same time in this run; a task that
            would be one too many waits deferred, without a worker slot.
    """

    template_fields: Sequence[str] = ("instance_id", "aggregate", "max_concurrent_builds")

    def __init__(
        self, *, instance_id: str, aggregate: str = "", max_concurrent_builds: str | int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.instance_id, self.aggregate, self.max_concurrent_builds = instance_id, aggregate, max_concurrent_builds
        self._open: Workspace | None = None

    def execute(self, context: Context, event: Any = None) -> dict[str, Any]:  # noqa: ARG002 - given after a deferral
        """Build, log what is done, return rows, seconds and source."""
        from airflow_atscale_aggs.engine.lifecycle.build import build_instance, must_wait

        owner = batch_owner(context)
        allowance = str(context["ti"].max_tries - self.retries)
        with airflow_errors(), self._workspace() as workspace:
            self._open = workspace
            instance = self._reopened(workspace, owner)
            most = int(self.max_concurrent_builds) if self.max_concurrent_builds else None
            if must_wait(workspace, instance, most=most):
                self.log.info("Waiting: other builds of the batch go first.")
                self.defer(trigger=TimeDeltaTrigger(_WAIT), method_name="execute")
            is_cleared = instance.status == "done" and instance.allowance != allowance
            built = build_instance(
                workspace,
                self.instance_id,
                owner=owner,
                allowance=allowance,
                rebuild=is_cleared,
                lease=LEASE,
                on_event=self._log_event,
            )
        self.log.info(
            "%s is %s: %s rows in %.3f s from %s",
            built.step.aggregate,
            built.status,
            built.rows,
            built.seconds or 0,
            built.source,
        )
        return {"aggregate": built.step.aggregate, "rows": built.rows, "seconds": built.seconds, "source": built.source}

    def on_kill(self) -> None:
        """Interrupt the warehouse; the attempt stays In Progress and the next one restarts it."""
        if self._open is not None:
            self._open.warehouse.cancel_all()

    def _reopened(self, workspace: Workspace, owner: str) -> InstanceRecord:
        """The instance; its batch is opened again when it had failed under this run."""
        from airflow_atscale_aggs.engine.lifecycle.batch import resume_batch
        from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now

        instance = workspace.registry.instance(self.instance_id)
        batch = workspace.registry.batch(instance.batch_id)
        if batch.status == "failed" and batch.owner == owner:
            resume_batch(workspace, batch.id, owner=owner, now=utc_now(), lease=LEASE)
            self.log.info("Batch %s is open again.", batch.id)
            return workspace.registry.instance(self.instance_id)
        return instance

    def _log_event(self, event: BuildEvent) -> None:
        match event.kind:
            case "start":
                self.log.info("Building %s, attempt %s", event.aggregate, event.attempt)
            case "source":
                self.log.info("Source: %s", event.source)
            case "sql":
                self.log.info("SQL: %s", event.text)
            case "done":
                self.log.info("%s rows in %.3f s", event.rows, event.seconds or 0)


class ActivateBatchOperator(AggregatesOperator):
    """Activates the run's batch: all aggregates together, or none. As a leaf it decides the run's state.

    Runs whatever became of the builds (trigger rule ``all_done``), since ``aggregates.batch.max.failures`` may allow some
    to fail.

    Returns:
        Batch id and number of instances by status.
    """

    template_fields: Sequence[str] = ("model",)

    def __init__(self, *, model: str, **kwargs: Any) -> None:
        kwargs.setdefault("trigger_rule", "all_done")
        super().__init__(**kwargs)
        self.model = model

    def execute(self, context: Context) -> dict[str, Any]:
        """Activate, or fail with the names of what is missing; the old instances serve on then."""
        from airflow_atscale_aggs.engine.lifecycle.activate import activate_batch
        from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now

        with airflow_errors(), self._workspace() as workspace:
            batch = self._batch_of_run(workspace, self.model, context)
            report = activate_batch(workspace, batch.id, owner=batch_owner(context), now=utc_now())
            counts = dict(workspace.registry.instance_counts(batch.id))
        self.log.info("Activated batch %s: %s", report.batch.id, counts)
        return {"batch_id": report.batch.id, **counts}


class ReportBatchOperator(AggregatesOperator):
    """Logs what became of the run's batch, always; returns the number of instances by status."""

    template_fields: Sequence[str] = ("model",)

    def __init__(self, *, model: str, **kwargs: Any) -> None:
        kwargs.setdefault("trigger_rule", "all_done")
        super().__init__(**kwargs)
        self.model = model

    def execute(self, context: Context) -> dict[str, int]:
        """One line per aggregate: status, rows, seconds, source, error."""
        with airflow_errors(), self._workspace() as workspace:
            batch = self._batch_of_run(workspace, self.model, context)
            instances = workspace.registry.instances(batch_id=batch.id)
            counts = dict(workspace.registry.instance_counts(batch.id))
        self.log.info("Batch %s of model %s: %s", batch.id, self.model, counts)
        for one in instances:
            took = "" if one.seconds is None else f"{one.seconds:.3f} s"
            self.log.info(
                "%-40s %-12s %12s %10s  %s",
                one.step.aggregate,
                one.status,
                one.rows,
                took,
                one.error or one.source or "",
            )
        return counts


class AggregateAwareSQLOperator(AggregatesOperator):
    """Runs a query on a model, answered from its aggregates where they are proven to serve.

    Args:
        sql: one query, or the name of a ``.sql`` file; FROM names the model: ``SELECT … FROM catalog.model …``.
        model: the model that is meant where FROM names none that is deployed.
        dialect: the SQL that the query is written in, by sqlglot's name.
        use_aggregates: False: from the facts.
        max_staleness: aggregates whose build began longer ago are not used; None: all are.

    Returns:
        The rows as a list of tuples, as Airflow's SQL operators return them; ``do_xcom_push=False`` for large ones.
    """

    template_fields: Sequence[str] = ("sql", "model")
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {"sql": "sql"}  # noqa: RUF012 - as Airflow declares it

    def __init__(
        self,
        *,
        sql: str,
        model: str | None = None,
        dialect: str = "postgres",
        use_aggregates: bool = True,
        max_staleness: timedelta | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sql, self.model, self.dialect = sql, model, dialect
        self.use_aggregates, self.max_staleness = use_aggregates, max_staleness

    def execute(self, context: Context) -> list[tuple[Any, ...]]:
        """Ask; the log says what answered."""
        found = AggregatesHook(self.aggs_conn_id).answer(
            self.sql,
            model=self.model,
            dialect=self.dialect,
            use_aggregates=self.use_aggregates,
            max_staleness=self.max_staleness,
            user=f"airflow:{context['ti'].dag_id}/{context['ti'].task_id}",
        )
        for source in found.plan.sources:
            where = f"aggregate `{source.aggregate}`" if source.aggregate else f"the facts `{source.fact}`"
            self.log.info("%s rows from %s", len(found.rows), where)
        if found.fallback_reason:
            self.log.warning("The aggregate could not be read, so the facts answered: %s", found.fallback_reason)
        return found.rows
