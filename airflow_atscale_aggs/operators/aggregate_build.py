"""The operator that builds one aggregate of the run's batch. Its task is mapped, and may be retried or cleared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger

from airflow_atscale_aggs.hooks.aggregates import airflow_errors
from airflow_atscale_aggs.metrics.emission import emit_build
from airflow_atscale_aggs.operators.base import LEASE, AggregatesOperator, batch_owner

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import Context

    from airflow_atscale_aggs.engine.lifecycle.build.events import BuildEvent
    from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
    from airflow_atscale_aggs.engine.registry.records import InstanceRecord

NAME_OF_BUILD = "{{ task.aggregate if ti.try_number > 1 or ti.rendered_map_index else '' }}"
"""The template of a mapped build's name.

The scheduler names builds when it makes them (`plugins/mapped_names.py`). Airflow sends a name once more before a task
and forgets it at the end of a try, unless the end tells it. So the first try tells it at its end alone.
"""

_WAIT = timedelta(seconds=2)


class BuildAggregateOperator(AggregatesOperator):
    """Builds one aggregate of the run's batch. Mapped over what ``PlanBatchBuildOperator`` returns.

    Clearing the task gives the aggregate a fresh allowance of attempts; a batch that had failed is opened again. An
    aggregate that was built is built anew while its batch is open, unless the plan was cleared with it: then the run
    goes on from the statuses and it is left. Once the batch is live the task fails and says what to do instead.

    Args:
        instance_id: from the plan.
        planned_at: from the plan; tells a task that was cleared by itself from one cleared with the plan.
        aggregate: its name, shown as the map index.
        max_concurrent_builds: how many aggregates of the batch may be built at the same time in this run; a task that
            would be one too many waits deferred, without a worker slot.
        keep_rendered_fields: Airflow keeps the arguments of each task, for its page of rendered templates. False: it is
            not asked to, which spares the task a call of its API. The plan's result and the registry tell the same.
    """

    template_fields: Sequence[str] = ("aggs_conn_id", "instance_id", "aggregate", "planned_at", "max_concurrent_builds")

    def __init__(
        self,
        *,
        instance_id: str,
        aggregate: str = "",
        planned_at: str = "",
        max_concurrent_builds: str | int | None = None,
        keep_rendered_fields: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.planned_at, self.keep_rendered_fields = planned_at, keep_rendered_fields
        self.instance_id, self.aggregate, self.max_concurrent_builds = instance_id, aggregate, max_concurrent_builds
        self._open: Workspace | None = None
        self._lineage: dict[str, Any] = {}
        self._logged: set[str] = set()
        self._model = self._schema = ""

    def execute(self, context: Context, event: Any = None) -> dict[str, Any]:  # noqa: ARG002 - given after a deferral
        """Build the aggregate, log each step, and return rows, seconds and source."""
        from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus
        from airflow_atscale_aggs.engine.lifecycle.build.attempt import build_instance, must_wait

        # The name goes out with the end of the task, which spares it a call of Airflow's API: see `NAME_OF_BUILD`.
        context["ti"].rendered_map_index = self.aggregate
        owner = batch_owner(context)
        allowance = f"{self.planned_at}/{context['ti'].max_tries - (self.retries or 0)}"
        with airflow_errors(self._logged), self._hook().get_conn(is_followed=True) as workspace:
            self._open = workspace
            instance = self._reopen_batch(workspace, owner)
            self._model = workspace.read.models.get(instance.model_id).name
            most = int(self.max_concurrent_builds) if self.max_concurrent_builds else None
            if must_wait(workspace, instance, most=most):
                self.log.info("Waiting: other builds of the batch go first.")
                self.defer(trigger=TimeDeltaTrigger(_WAIT), method_name="execute")
            is_done = instance.status is InstanceStatus.DONE
            is_cleared = is_done and self._is_cleared_alone(instance, allowance)
            if is_done and not is_cleared:
                workspace.registry.instances.keep_done(instance.id, allowance=allowance)
            built = build_instance(
                workspace,
                instance,
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

    def _do_render_template_fields(
        self,
        parent: Any,
        template_fields: Iterable[str],
        context: Context,
        jinja_env: jinja2.Environment,
        seen_oids: set[int],
    ) -> None:
        """Render templates alone: Airflow compiles any text, and what a plan returns are no templates."""
        templates = [name for name in template_fields if _may_be_template(getattr(parent, name, None))]
        super()._do_render_template_fields(parent, templates, context, jinja_env, seen_oids)
        if not self.keep_rendered_fields and "aggs_conn_id" not in templates:
            # After this, Airflow sends what stands in these fields. Of a connection, only a template needs that.
            self.template_fields = ()

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:  # noqa: ARG002 - OpenLineage's signature
        """The tables that this try read and made, for Airflow's OpenLineage provider; None when it built nothing."""
        from airflow_atscale_aggs.operators.lineage import build_lineage

        if "sql" not in self._lineage:
            return None
        return build_lineage(url=self._hook().warehouse_url(), **self._lineage)

    def _remember_lineage(self, workspace: Workspace, built: InstanceRecord) -> None:
        names = [name for name in (built.table, built.step.view) if name]
        self._lineage["outputs"] = [f"{self._schema}.{name}" if self._schema else name for name in names]
        self._lineage["rows"] = built.rows
        self._lineage["dialect"] = workspace.warehouse.dialect.sqlglot_name

    def on_kill(self) -> None:
        """Interrupt the warehouse. The attempt stays In Progress, and the next try restarts it."""
        if self._open is not None:
            self._open.warehouse.cancel_all()

    def _is_cleared_alone(self, instance: InstanceRecord, allowance: str) -> bool:
        """Whether the task was cleared without the plan: the plan is the same, but the round of tries is a new one."""
        return instance.allowance != allowance and instance.allowance.rpartition("/")[0] == self.planned_at

    def _reopen_batch(self, workspace: Workspace, owner: str) -> InstanceRecord:
        """The instance. Its batch is opened again if it has failed in this run.

        Raises:
            BatchEndedError: the batch is live, cancelled, or was closed by a newer one.
        """
        from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus
        from airflow_atscale_aggs.engine.errors import BatchEndedError

        instance = workspace.read.instances.get(self.instance_id)
        batch = workspace.read.batches.get(instance.batch_id)
        self._schema = batch.schema
        if batch.status in {BatchStatus.DONE, BatchStatus.CANCELLED}:
            model = workspace.read.models.get(batch.model_id).name
            raise BatchEndedError(model, instance.step.aggregate, batch.id, batch.status)
        if batch.status is BatchStatus.FAILED and batch.owner == owner:
            # The import stands here because it loads SQL libraries, which most tasks do not need.
            from airflow_atscale_aggs.engine.lifecycle.build.batch import resume_batch
            from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now

            resume_batch(workspace, batch.id, owner=owner, now=utc_now(), lease=LEASE)
            self.log.info("Batch %s is open again.", batch.id)
            return workspace.read.instances.get(self.instance_id)
        return instance

    def _log_event(self, event: BuildEvent) -> None:
        emit_build(self._model, event)
        match event.kind:
            case "start":
                self.log.info("Building %s, attempt %s", event.aggregate, event.attempt)
            case "source":
                self._lineage.pop("sql", None)
                self.log.info("Source: %s", event.source)
            case "sql":
                before = self._lineage.get("sql")
                self._lineage["sql"] = f"{before};\n{event.text}" if before else event.text
                self._logged.add(event.text)
                self.log.info("SQL:\n%s", event.text)
            case "segment":
                self.log.info("%s%s (%.3f s)", event.text[:1].upper(), event.text[1:], event.seconds or 0)
            case "verified":
                self.log.info("Agrees with its facts at %s (%.3f s)", event.text, event.seconds or 0)
            case "undecided":
                self.log.warning("Not verified: %s", event.text)
            case "done":
                self.log.info("%s rows in %.3f s", event.rows, event.seconds or 0)


def _may_be_template(value: Any) -> bool:
    return not isinstance(value, str) or "{" in value
