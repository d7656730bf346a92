"""The operators of maintenance: they judge, supersede, prune, sweep, build new definitions, and write a summary.

Each step reads ``dry_run`` from the run's parameters. In a dry run it only says what it would do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from airflow_atscale_aggs.hooks.aggregates import airflow_errors
from airflow_atscale_aggs.operators.base import AggregatesOperator
from airflow_atscale_aggs.operators.batch_trigger import batch_run
from airflow_atscale_aggs.operators.links import BatchRunLink

if TYPE_CHECKING:
    from airflow.sdk import Context

DRY_RUN = "{{ params.get('dry_run', False) }}"
_MOST_NAMES = 50
"""The most lines that a step passes on through XCom; the rest is in its log."""


_REMARKS = {
    "failed": "failed; its log says why",
    "upstream_failed": "did not run, since a step before it failed",
    "skipped": "was skipped; its log says why",
}
"""What the summary says of a step that has passed no lines on, by the state of its task."""


def _is_true(given: bool | str) -> bool:  # noqa: FBT001 - a value, rendered from a template
    return str(given).strip().casefold() in {"true", "1", "yes", "on"}


class MaintenanceOperator(AggregatesOperator):
    """What the steps of a model's maintenance share. Not used by itself.

    Args:
        model: name or id of a deployed model.
        dry_run: only tell; a text such as ``"True"`` is understood, so that it can be a template.
    """

    template_fields: Sequence[str] = ("aggs_conn_id", "model", "is_dry_run")

    def __init__(self, *, model: str, dry_run: bool | str = DRY_RUN, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # Not `self.dry_run`, which is a method of every operator of Airflow.
        self.model, self.is_dry_run = model, dry_run

    def _is_dry(self) -> bool:
        return _is_true(self.is_dry_run)


class EvaluateAggregatesOperator(MaintenanceOperator):
    """Judges every definition of a model, and keeps the judgement unless it is a dry run.

    Returns:
        Lines for people, best definition first.
    """

    def execute(self, context: Context) -> list[str]:  # noqa: ARG002
        """Judge all definitions, and log each with its score and the parts of the score."""
        from airflow_atscale_aggs.engine.lifecycle.retain.evaluate import evaluate
        from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now

        with airflow_errors(), self._workspace() as workspace:
            report = evaluate(workspace, self.model, record=not self._is_dry(), now=utc_now())
        lines = []
        for evaluation in report.evaluations:
            record = evaluation.record
            parts = ", ".join(f"{name} {value:.2f}" for name, value in record.parts.items())
            name = evaluation.definition.definition.name
            self.log.info(
                "%-40s score %5.1f (%s), %s uses, %s rows", name, record.score, parts, record.uses, record.rows
            )
            lines.append(f"{name}: score {record.score:.1f}, {record.uses} uses")
        return lines[:_MOST_NAMES]


class SupersedeAggregatesOperator(MaintenanceOperator):
    """Lets aggregates at one grain give way: subsets to supersets, several to their union.

    With the setting ``aggregates.maintenance.autonomy`` at ``suggest`` it only tells, as in a dry run.

    Returns:
        Lines for people.
    """

    def execute(self, context: Context) -> list[str]:  # noqa: ARG002
        """Define unions, record successions, and complete those whose new definition serves."""
        from airflow_atscale_aggs.engine.lifecycle.retain.supersede import supersede
        from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now
        from airflow_atscale_aggs.engine.settings import Autonomy

        with airflow_errors(), self._workspace() as workspace:
            autonomy = workspace.settings_of(workspace.read.models.get(self.model).id).autonomy
            is_dry = self._is_dry() or autonomy is Autonomy.SUGGEST
            report = supersede(workspace, self.model, dry_run=is_dry, now=utc_now())
        word = "could give way" if is_dry else "gives way"
        lines = [f"{old} {word} to {new}: {why}" for old, new, why in report.proposed]
        lines += [f"{old} gave way to {new}, which serves" for old, new in report.done]
        lines += [f"{name} is defined" for name in report.defined]
        return self._log_lines(lines)

    def _log_lines(self, lines: list[str]) -> list[str]:
        for line in lines:
            self.log.info("%s", line)
        return lines[:_MOST_NAMES]


class PruneInstancesOperator(MaintenanceOperator):
    """Lets the least used instances of system-defined aggregates go when there are too many of them.

    Returns:
        Lines for people.
    """

    def execute(self, context: Context) -> list[str]:  # noqa: ARG002
        """Prune. A sweep after the drop delay drops the tables."""
        from airflow_atscale_aggs.engine.lifecycle.retain.prune import prune
        from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now

        with airflow_errors(), self._workspace() as workspace:
            report = prune(workspace, self.model, dry_run=self._is_dry(), now=utc_now())
        for warning in report.warnings:
            self.log.warning("%s", warning)
        self.log.info("%s instances, %s are desired, %s more tolerated", report.total, report.desired, report.excess)
        word = "would go" if report.dry_run else "goes"
        lines = [f"{instance.aggregate} {word}: {instance.why}, {instance.uses} uses" for instance in report.pruned]
        for line in lines:
            self.log.info("%s", line)
        return lines[:_MOST_NAMES]


class SweepTablesOperator(AggregatesOperator):
    """Drops the tables that nothing needs any more, of all models of the registry; lists them first.

    Args:
        dry_run: only list; a text such as ``"True"`` is understood.

    Returns:
        Lines for people.
    """

    template_fields: Sequence[str] = ("aggs_conn_id", "is_dry_run")

    def __init__(self, *, dry_run: bool | str = DRY_RUN, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.is_dry_run = dry_run

    def execute(self, context: Context) -> list[str]:  # noqa: ARG002
        """List, then drop what was listed."""
        from airflow_atscale_aggs.engine.lifecycle.retain.sweep import sweep
        from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now

        is_dry = _is_true(self.is_dry_run)
        # The same moment for listing and dropping, so that exactly the listed tables are dropped.
        now = utc_now()
        with airflow_errors(), self._workspace() as workspace:
            report = sweep(workspace, dry_run=True, now=now)
            for table in report.tables:
                self.log.info("Not needed: %s of %s: %s", table.table, table.aggregate, table.why)
            if not is_dry:
                report = sweep(workspace, dry_run=False, now=now)
        for table in report.tables:
            if table.error:
                self.log.warning("Not dropped: %s: %s", table.table, table.error)
        for note in report.notes:
            self.log.warning("%s", note)
        word = {True: "is dropped", False: "would be dropped" if is_dry else "could not be dropped"}
        words = [f"stays for {table.kept_for}" if table.kept_for else word[table.dropped] for table in report.tables]
        lines = [
            f"{table.table} of {table.aggregate} {word}: {table.why}"
            for table, word in zip(report.tables, words, strict=True)
        ]
        return lines[:_MOST_NAMES]


class BuildNewAggregatesOperator(MaintenanceOperator):
    """Starts a batch of only the system-defined definitions for which none was begun yet.

    Skipped when there are none, in a dry run, and unless ``aggregates.maintenance.autonomy`` is ``define and build``.

    Args:
        batch_dag_id: None: ``batch_build_<model>``, as `batch_build_dag` names it.
    """

    template_fields: Sequence[str] = ("aggs_conn_id", "model", "is_dry_run", "batch_dag_id")
    operator_extra_links = (BatchRunLink(),)

    def __init__(self, *, batch_dag_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.batch_dag_id = batch_dag_id or f"batch_build_{self.model}"

    def execute(self, context: Context) -> None:
        """Start the run, without waiting for it."""
        from airflow_atscale_aggs.engine.settings import Autonomy

        with airflow_errors(), self._workspace() as workspace:
            read = workspace.read
            model_id = read.models.get(self.model).id
            autonomy = workspace.settings_of(model_id).autonomy
            begun = read.definitions.ids_with_instances(model_id)
            names = [
                record.definition.name
                for record in read.definitions.of_model(model_id)
                if record.definition.origin.is_system_defined and record.definition.id not in begun
            ]
        if not names or self._is_dry() or autonomy is not Autonomy.BUILD:
            waiting = "1 definition waits" if len(names) == 1 else f"{len(names)} definitions wait"
            reason = f"{waiting if names else 'Nothing waits'} for a batch"
            message = f"{reason}; maintenance may `{autonomy}`{', this is a dry run' if self._is_dry() else ''}."
            context["ti"].xcom_push(key="return_value", value=[message])
            raise AirflowSkipException(message)
        self.log.info("A batch of %s is started.", ", ".join(names))
        context["ti"].xcom_push(key="return_value", value=[f"a batch of {len(names)} is started: {', '.join(names)}"])
        raise batch_run(context, self.batch_dag_id, {"build_type": "full", "aggregates": names}, wait=False)


def _line(step_result: Any) -> str:
    """One item of a step's result as a line."""
    if isinstance(step_result, Mapping):
        return f"{step_result.get('aggregate', '')}: {step_result.get('reason', '')}"
    return str(step_result)


class ReportMaintenanceOperator(MaintenanceOperator):
    """Writes what the steps before it did, as a text for people; always.

    A step that failed, or did not run because another one failed, is said to have.

    Args:
        step_task_ids: the steps, in order; each returned lines, or mappings with ``aggregate`` and ``reason``.

    Returns:
        The text.
    """

    def __init__(self, *, step_task_ids: Sequence[str], **kwargs: Any) -> None:
        kwargs.setdefault("trigger_rule", "all_done")
        super().__init__(**kwargs)
        self.step_task_ids = tuple(step_task_ids)

    def execute(self, context: Context) -> str:
        """Write one paragraph per step."""
        title = f"Maintenance of {self.model}{' (dry run, nothing was changed)' if self._is_dry() else ''}"
        ti, run_id, paragraphs = context["ti"], context["ti"].run_id, [title]
        task_ids = list(self.step_task_ids)
        states = ti.get_task_states(dag_id=ti.dag_id, task_ids=task_ids, run_ids=[run_id]).get(run_id, {})
        for task_id in self.step_task_ids:
            lines = ti.xcom_pull(task_ids=task_id)
            remark = _REMARKS.get(states.get(task_id, ""), "nothing to do")
            paragraphs.append(f"{task_id}: {remark}" if not lines else "\n  ".join([f"{task_id}:", *map(_line, lines)]))
        text = "\n".join(paragraphs)
        self.log.info("%s", text)
        return text
