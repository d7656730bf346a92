"""Operators of a batch build: deploy, plan, build (mapped), activate, report.

    plan ──▶ build [one task instance per aggregate] ──▶ activate   decides the run's state, all or nothing
                                                     └─▶ report     always

Only ids travel through XCom. The batch belongs to the DAG run: whoever asks with the same run gets the same batch, so
every task can be retried or cleared.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import AssetAlias, BaseOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, DagRunTriggerException

from airflow_atscale_aggs.assets.activated import aggregate_asset, aggregates_alias
from airflow_atscale_aggs.hooks.aggregates import airflow_errors
from airflow_atscale_aggs.operators.base import LEASE, AggregatesOperator, batch_owner
from airflow_atscale_aggs.operators.links import AggregateInstanceLink, BatchRunLink, run_url

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_atscale_aggs.engine.lifecycle.batch import BegunBatch
    from airflow_atscale_aggs.engine.lifecycle.events import BuildEvent
    from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
    from airflow_atscale_aggs.engine.registry.records import InstanceRecord

COALESCED = "coalesced_into"
"""XCom key of a plan: id of the batch that answers the run."""

_WAIT = timedelta(seconds=2)

_HELD = timedelta(seconds=10)
"""How often a plan looks whether the batch that is under way has ended."""


def signals_of_run(context: Context) -> tuple[str, ...]:
    """Identities of the completion signals behind a run: from its asset events and from ``signals`` in its conf."""
    found: dict[str, None] = {}
    payloads: list[Any] = [{"signals": (context["dag_run"].conf or {}).get("signals")}]
    payloads += [
        event.extra.get("payload")
        for events in (context.get("triggering_asset_events") or {}).values()
        for event in events
    ]
    for payload in payloads:
        for signal in (payload.get("signals") if isinstance(payload, dict) else None) or ():
            found[str(signal["id"] if isinstance(signal, dict) else signal)] = None
    return tuple(found)


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

    While another batch of the model is under way the task waits deferred. When a batch that was begun after this run was
    asked for, or one that answers the same completion signals, has done what is asked, the run has nothing to do: the list is empty,
    ``activate`` is skipped, and the XCom ``coalesced_into`` names the batch.

    Args:
        model: name or id of a deployed model.
        build_type: ``full`` or ``incremental``.
        aggregates: names of those to build, for a repair, or a text with one per line; empty: all.
        is_first: nothing that loads facts runs before this task in its DAG, so that the batch counts as asked for when the
            run was; otherwise when the task began.

    Returns:
        ``[{"instance_id": …, "aggregate": …, "planned_at": …}, …]`` in build order, for ``BuildAggregateOperator`` to be mapped over. The
        same run asking again gets the same list.
    """

    template_fields: Sequence[str] = ("model", "build_type", "aggregates")

    def __init__(
        self,
        *,
        model: str,
        build_type: str = "full",
        aggregates: Sequence[str] | str | None = None,
        is_first: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model, self.build_type, self.aggregates, self.is_first = model, build_type, aggregates, is_first

    def execute(
        self,
        context: Context,
        event: Any = None,  # noqa: ARG002 - given after a deferral
        asked_at: str = "",
    ) -> list[dict[str, str]]:
        """Plan, or find what was planned, or what makes planning needless."""
        began_at = datetime.fromisoformat(asked_at) if asked_at else datetime.now(UTC)
        requested_at = context["dag_run"].run_after if self.is_first else began_at
        from airflow_atscale_aggs.engine.errors import BatchHeldError

        with airflow_errors(), self._workspace() as workspace:
            try:
                begun = self._begin(workspace, context, requested_at)
            except BatchHeldError as error:
                self.log.info("Waiting: %s", error)
                kwargs = {"asked_at": began_at.isoformat()}
                self.defer(trigger=TimeDeltaTrigger(_HELD), method_name="execute", kwargs=kwargs)
        if begun.is_coalesced:
            self.log.info("Nothing to do: batch %s of %s answers this run.", begun.batch.id, begun.batch.owner)
            context["ti"].xcom_push(key=COALESCED, value=begun.batch.id)
            return []
        self._check_length(len(begun.instances))
        for note in begun.batch.notes:
            self.log.info("%s", note)
        self.log.info("Batch %s: %s aggregates", begun.batch.id, len(begun.instances))
        for instance in begun.instances:
            self.log.info("%3d. %s: %s", instance.step.position + 1, instance.step.aggregate, instance.step.reason)
        planned_at = datetime.now(UTC).isoformat()
        return [
            {"instance_id": one.id, "aggregate": one.step.aggregate, "planned_at": planned_at}
            for one in begun.instances
        ]

    def _begin(self, workspace: Workspace, context: Context, requested_at: datetime) -> BegunBatch:
        from airflow_atscale_aggs.engine.aggregates.instance import BuildType
        from airflow_atscale_aggs.engine.lifecycle.batch import BatchRequest, begin_batch
        from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now

        chosen = self.aggregates.splitlines() if isinstance(self.aggregates, str) else self.aggregates or ()
        request = BatchRequest(
            aggregates=tuple(name for name in chosen if name),
            requested_at=requested_at,
            signals=signals_of_run(context),
        )
        return begin_batch(
            workspace,
            self.model,
            build_type=BuildType(self.build_type),
            owner=batch_owner(context),
            now=utc_now(),
            lease=LEASE,
            request=request,
        )

    @staticmethod
    def _check_length(count: int) -> None:
        from airflow.sdk.configuration import conf

        most = conf.getint("core", "max_map_length")
        if count > most:
            message = (
                f"The batch has {count} aggregates, Airflow maps at most {most} tasks. Raise [core] max_map_length."
            )
            raise AirflowFailException(message)


class BuildAggregateOperator(AggregatesOperator):
    """Builds one aggregate of the run's batch. Mapped over what ``PlanBatchBuildOperator`` returns.

    Clearing the task gives the aggregate a fresh allowance of attempts; a batch that had failed is opened again. An
    aggregate that was built is built anew while its batch is open, unless the plan was cleared with it: then the run goes
    on from the statuses and it is left. Once the batch is live the task fails and says what to do instead.

    Args:
        instance_id: from the plan.
        planned_at: from the plan; tells a task that was cleared by itself from one cleared with the plan.
        aggregate: its name, shown as the map index.
        max_concurrent_builds: how many aggregates of the batch may be built at the same time in this run; a task that
            would be one too many waits deferred, without a worker slot.
    """

    template_fields: Sequence[str] = ("instance_id", "aggregate", "planned_at", "max_concurrent_builds")
    operator_extra_links = (AggregateInstanceLink(),)

    def __init__(
        self,
        *,
        instance_id: str,
        aggregate: str = "",
        planned_at: str = "",
        max_concurrent_builds: str | int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.planned_at = planned_at
        self.instance_id, self.aggregate, self.max_concurrent_builds = instance_id, aggregate, max_concurrent_builds
        self._open: Workspace | None = None
        self._lineage: dict[str, Any] = {}

    def execute(self, context: Context, event: Any = None) -> dict[str, Any]:  # noqa: ARG002 - given after a deferral
        """Build, log what is done, return rows, seconds and source."""
        from airflow_atscale_aggs.engine.lifecycle.build import build_instance, must_wait

        owner = batch_owner(context)
        allowance = f"{self.planned_at}/{context['ti'].max_tries - self.retries}"
        with airflow_errors(), self._workspace() as workspace:
            self._open = workspace
            instance = self._reopened(workspace, owner)
            most = int(self.max_concurrent_builds) if self.max_concurrent_builds else None
            if must_wait(workspace, instance, most=most):
                self.log.info("Waiting: other builds of the batch go first.")
                self.defer(trigger=TimeDeltaTrigger(_WAIT), method_name="execute")
            is_cleared = instance.status == "done" and self._is_cleared_alone(instance, allowance)
            if instance.status == "done" and not is_cleared:
                workspace.registry.keep_done(instance.id, allowance=allowance)
            built = build_instance(
                workspace,
                self.instance_id,
                owner=owner,
                allowance=allowance,
                rebuild=is_cleared,
                lease=LEASE,
                on_event=self._log_event,
            )
            self._remember_lineage(workspace, built)
        self.log.info(
            "%s is %s: %s rows in %.3f s from %s",
            built.step.aggregate,
            built.status,
            built.rows,
            built.seconds or 0,
            built.source,
        )
        return {"aggregate": built.step.aggregate, "rows": built.rows, "seconds": built.seconds, "source": built.source}

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:  # noqa: ARG002 - OpenLineage's signature
        """What was read and made, when this try built it; asked by Airflow's OpenLineage provider."""
        from airflow_atscale_aggs.operators.lineage import build_lineage

        if "sql" not in self._lineage:
            return None
        return build_lineage(url=self._hook().warehouse_url(), **self._lineage)

    def _remember_lineage(self, workspace: Workspace, built: InstanceRecord) -> None:
        schema = workspace.registry.batch(built.batch_id).schema
        names = [name for name in (built.table, built.step.view) if name]
        self._lineage["outputs"] = [f"{schema}.{name}" if schema else name for name in names]
        self._lineage["rows"] = built.rows
        self._lineage["dialect"] = workspace.warehouse.dialect.sqlglot_name

    def on_kill(self) -> None:
        """Interrupt the warehouse; the attempt stays In Progress and the next one restarts it."""
        if self._open is not None:
            self._open.warehouse.cancel_all()

    def _is_cleared_alone(self, instance: InstanceRecord, allowance: str) -> bool:
        """The same plan, but another round of tries than the one that built it."""
        return instance.allowance != allowance and instance.allowance.rpartition("/")[0] == self.planned_at

    def _reopened(self, workspace: Workspace, owner: str) -> InstanceRecord:
        """The instance; its batch is opened again when it had failed under this run.

        Raises:
            BatchEndedError: the batch is live, cancelled, or was closed by a newer one.
        """
        from airflow_atscale_aggs.engine.errors import BatchEndedError
        from airflow_atscale_aggs.engine.lifecycle.batch import resume_batch
        from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now

        instance = workspace.registry.instance(self.instance_id)
        batch = workspace.registry.batch(instance.batch_id)
        if batch.status in {"done", "cancelled"}:
            raise BatchEndedError(instance.step.aggregate, batch.id, batch.status)
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
                self._lineage["sql"] = event.text
                self.log.info("SQL: %s", event.text)
            case "verified":
                self.log.info("Agrees with its facts at %s (%.3f s)", event.text, event.seconds or 0)
            case "undecided":
                self.log.warning("Not verified: %s", event.text)
            case "done":
                self.log.info("%s rows in %.3f s", event.rows, event.seconds or 0)


class ActivateBatchOperator(AggregatesOperator):
    """Activates the run's batch: all aggregates together, or none. As a leaf it decides the run's state.

    Runs whatever became of the builds (trigger rule ``all_done``), since ``aggregates.batch.max.failures`` may allow some
    to fail. A build task that somebody marked as success without its aggregate being built is given up: the old instance
    serves on, and the registry says so. Skipped when the plan found that another batch answers the run.

    Args:
        model: name or id of the model.
        plan_task_id, build_task_id: where plan and builds are in the DAG; None: beside this task, ``plan`` and ``build``.

    Returns:
        Batch id and number of instances by status.
    """

    template_fields: Sequence[str] = ("model",)

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
        from airflow_atscale_aggs.engine.lifecycle.activate import activate_batch
        from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now

        answered = context["ti"].xcom_pull(task_ids=self.plan_task_id, key=COALESCED)
        if answered:
            message = f"Batch {answered} answers this run."
            raise AirflowSkipException(message)
        with airflow_errors(), self._workspace() as workspace:
            batch = self._batch_of_run(workspace, self.model, context)
            given_up = self._marked_as_success(context)
            report = activate_batch(workspace, batch.id, owner=batch_owner(context), now=utc_now(), given_up=given_up)
            counts = dict(workspace.registry.instance_counts(batch.id))
        active = [one for one in report.instances if one.status == "active"]
        self._tell_assets(context, active)
        self.log.info("Activated batch %s: %s", report.batch.id, counts)
        return {"batch_id": report.batch.id, **counts}

    def _marked_as_success(self, context: Context) -> list[str]:
        """Ids of the instances whose build task is green."""
        ti = context["ti"]
        planned = ti.xcom_pull(task_ids=self.plan_task_id) or []
        states = ti.get_task_states(
            dag_id=ti.dag_id, task_ids=[self.build_task_id], run_ids=[context["dag_run"].run_id]
        )
        of_run = states.get(context["dag_run"].run_id, {})
        return [
            one["instance_id"]
            for index, one in enumerate(planned)
            if of_run.get(f"{self.build_task_id}_{index}") == "success"
        ]

    def _tell_assets(self, context: Context, active: Sequence[InstanceRecord]) -> None:
        """One asset event per aggregate, where the task has the alias among its outlets."""
        alias = aggregates_alias(self.model)
        if not any(isinstance(one, AssetAlias) and one.name == alias.name for one in self.outlets):
            return
        for name in sorted({one.step.aggregate for one in active}):
            context["outlet_events"][alias].add(aggregate_asset(self.model, name))


class ReportBatchOperator(AggregatesOperator):
    """Logs what became of the run's batch, or of the one that answers it, always; returns instances by status."""

    template_fields: Sequence[str] = ("model",)

    def __init__(self, *, model: str, plan_task_id: str | None = None, **kwargs: Any) -> None:
        kwargs.setdefault("trigger_rule", "all_done")
        super().__init__(**kwargs)
        self.model = model
        prefix = self.task_id.rpartition(".")[0]
        self.plan_task_id = plan_task_id or (f"{prefix}.plan" if prefix else "plan")

    def execute(self, context: Context) -> dict[str, int]:
        """One line per aggregate: status, rows, seconds, source, error."""
        with airflow_errors(), self._workspace() as workspace:
            answered = context["ti"].xcom_pull(task_ids=self.plan_task_id, key=COALESCED)
            registry = workspace.registry
            batch = registry.batch(answered) if answered else self._batch_of_run(workspace, self.model, context)
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


class TriggerBatchBuildOperator(BaseOperator):
    """Starts the batch DAG of a model, as the last task of an ETL DAG for instance, and waits for its end deferred.

    The task's page links to the run. The task fails when the run fails; a run that another batch answers is a success.
    Airflow's own operator for starting runs imports the metadata models, which every task of the DAG file would pay for.

    Args:
        model: name of the model.
        batch_dag_id: the DAG to start; None: ``batch_build_<model>``, as `batch_build_dag` names it.
        build_type: ``full`` or ``incremental``.
        aggregates: names of those to build; empty: all.
        conf: further run parameters.
        wait: wait for the end of the run.
        poke_interval: seconds between two looks at the run.

    Returns:
        With ``wait``: what ``activate`` returned, batch id and number of instances by status; or the id of the batch that
        answers the run.
    """

    template_fields: Sequence[str] = ("model", "batch_dag_id", "build_type", "aggregates", "conf")
    operator_extra_links = (BatchRunLink(),)

    def __init__(
        self,
        *,
        model: str,
        batch_dag_id: str | None = None,
        build_type: str = "full",
        aggregates: Sequence[str] = (),
        conf: dict[str, Any] | None = None,
        wait: bool = True,
        poke_interval: int = 5,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model, self.build_type, self.aggregates, self.conf = model, build_type, list(aggregates), conf or {}
        self.batch_dag_id = batch_dag_id or f"batch_build_{model}"
        self.wait, self.poke_interval = wait, poke_interval

    def execute(self, context: Context) -> None:
        """Start the run; Airflow's task runner does it and defers the task."""
        ti = context["ti"]
        run_id = f"after_{ti.dag_id}_{ti.run_id}_{ti.task_id}_{ti.try_number}"
        ti.xcom_push(key=BatchRunLink().xcom_key, value=run_url(self.batch_dag_id, run_id))
        raise DagRunTriggerException(
            trigger_dag_id=self.batch_dag_id,
            dag_run_id=run_id,
            conf={**self.conf, "build_type": self.build_type, "aggregates": self.aggregates},
            reset_dag_run=False,
            skip_when_already_exists=False,
            wait_for_completion=self.wait,
            allowed_states=["success"],
            failed_states=["failed"],
            poke_interval=self.poke_interval,
            deferrable=self.wait,
        )

    def execute_complete(self, context: Context, event: tuple[str, dict[str, Any]]) -> dict[str, Any]:
        """Fail with the run, or return what it returned."""
        (run_id,) = event[1]["run_ids"]
        run = {"dag_id": self.batch_dag_id, "run_id": run_id}
        if event[1].get(run_id) == "failed":
            message = (
                f"Run {run_id} of {self.batch_dag_id} failed; the old aggregates serve on. Repair there (clear the failed "
                "tasks), then clear this task or mark it as success."
            )
            raise AirflowFailException(message)
        result = context["ti"].xcom_pull(task_ids="activate", **run)
        answered = None if result else context["ti"].xcom_pull(task_ids="plan", key=COALESCED, **run)
        return result or {"batch_id": answered}
