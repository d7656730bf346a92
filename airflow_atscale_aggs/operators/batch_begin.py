"""The operator that begins the batch of a DAG run, after earlier batches and unless another batch answers the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk.exceptions import AirflowFailException

from airflow_atscale_aggs.assets.partition_events import (
    changed_by_events,
    changed_by_run,
    check_period,
    partition_events,
    partition_signal,
)
from airflow_atscale_aggs.assets.run_events import moment_of_run
from airflow_atscale_aggs.hooks.aggregates import airflow_errors
from airflow_atscale_aggs.hooks.run_conf import (
    check_keys,
    check_values,
    read_aggregates,
    read_build_type,
    read_changed,
    read_grace_periods,
)
from airflow_atscale_aggs.hooks.run_form import aggregate_choices, remember_choices
from airflow_atscale_aggs.hooks.xcom_keys import COALESCED
from airflow_atscale_aggs.metrics.emission import emit_begun
from airflow_atscale_aggs.operators.base import LEASE, AggregatesOperator, batch_owner
from airflow_atscale_aggs.operators.run_signals import is_signals_only, signals_of_run

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_atscale_aggs.engine.lifecycle.build.batch import BegunBatch
    from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace

_HELD = timedelta(seconds=10)
"""The pause between two checks whether the present batch of the model has ended."""


class PlanBatchBuildOperator(AggregatesOperator):
    """Begins the batch of this DAG run: ordered instances, NEW, recorded in one transaction.

    While another batch of the model is under way the task waits deferred. When a batch that was begun after this run
    was asked for, or one that answers the same completion signals, has done what is asked, the run has nothing to do:
    the list is empty, ``activate`` is skipped, and the XCom ``coalesced_into`` names the batch. A run of asset events
    stands for all events until its plan begins, so that only a batch begun later answers it; see
    `run_events.moment_of_request`.

    Args:
        model: name or id of a deployed model.
        build_type: ``full`` or ``incremental``.
        aggregates: names of those to build, for a repair, also as JSON or as a text with one per line; empty: all.
        grace_periods: durations by dataset, also as JSON, instead of the model's.
        changed: ranges of indicators that have changed, by dataset, also as JSON; a range or a list of them. They are
            made anew, however old they are. The batch is incremental then, unless the conf of the run says ``full``.
        partitions: dataset by name of the asset whose events have partition keys (Airflow 3.2 and later); an asset that
            is not in it is called as its dataset. A key of such an event names what has changed; so does the key of a
            run that was started with one, for all datasets that stand here.
        partition_period: ``hour``, ``day``, ``week``, ``month``, ``quarter`` or ``year`` where these keys are moments
            at which such a period begins, as those of a cron timetable are; empty: a key covers what it leaves open,
            such as ``2026-01-03`` the day.
        is_first: nothing that loads facts runs before this task in its DAG, so that the batch counts as asked for when
            the run was; otherwise when the task began.
        choices_variable: the Airflow Variable in which the names of the model's aggregates are remembered for the form
            of a run; None: none.

    Returns:
        ``[{"instance_id": …, "aggregate": …, "planned_at": …}, …]`` in build order, for ``BuildAggregateOperator`` to
        be mapped over. The same run asking again gets the same list.
    """

    # Not only templates: other processes read these fields of the serialized DAG, see `plugins/api/model_dags.py`.
    template_fields: Sequence[str] = ("aggs_conn_id", "model", "build_type", "aggregates", "grace_periods", "changed")

    def __init__(
        self,
        *,
        model: str,
        build_type: str = "full",
        aggregates: Sequence[str] | str | None = None,
        grace_periods: Mapping[str, str] | str | None = None,
        changed: Mapping[str, Any] | str | None = None,
        partitions: Mapping[str, str] | None = None,
        partition_period: str = "",
        is_first: bool = False,
        choices_variable: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.choices_variable = choices_variable
        self.model, self.build_type, self.aggregates, self.is_first = model, build_type, aggregates, is_first
        self.grace_periods, self.changed = grace_periods, changed
        self.partitions, self.partition_period = dict(partitions or {}), check_period(partition_period)

    def execute(
        self,
        context: Context,
        event: Any = None,  # noqa: ARG002 - given after a deferral
        asked_at: str = "",
    ) -> list[dict[str, str]]:
        """Plan the batch, or find the batch of this run, or the batch that answers it."""
        request = self._request(context)
        began_at = datetime.fromisoformat(asked_at) if asked_at else datetime.now(UTC)
        requested_at = moment_of_run(context, began_at=began_at, is_first=self.is_first)
        from airflow_atscale_aggs.engine.errors import BatchHeldError

        with airflow_errors(), self._hook().get_conn(is_followed=True) as workspace:
            record = workspace.read.models.get_deployed(self.model)
            if self.choices_variable:
                remember_choices(self.choices_variable, aggregate_choices(workspace.read, record.id))
            try:
                begun = self._begin(workspace, context, request, requested_at)
            except BatchHeldError as error:
                self.log.info("Waiting: %s", error)
                kwargs = {"asked_at": began_at.isoformat()}
                self.defer(trigger=TimeDeltaTrigger(_HELD), method_name="execute", kwargs=kwargs)
        emit_begun(record.name, begun)
        if begun.is_coalesced:
            self.log.info("Nothing to do: batch %s of %s answers this run.", begun.batch.id, begun.batch.owner)
            context["ti"].xcom_push(key=COALESCED, value=begun.batch.id)
            return []
        self._check_length(len(begun.instances))
        for note in dict.fromkeys((begun.reason, *begun.batch.notes)):
            if note:
                self.log.info("%s", note)
        self.log.info("Batch %s: %s aggregates", begun.batch.id, len(begun.instances))
        for instance in begun.instances:
            self.log.info("%3d. %s: %s", instance.step.position + 1, instance.step.aggregate, instance.step.reason)
        planned_at = datetime.now(UTC).isoformat()
        return [
            {"instance_id": instance.id, "aggregate": instance.step.aggregate, "planned_at": planned_at}
            for instance in begun.instances
        ]

    def _request(self, context: Context) -> dict[str, Any]:
        """Read and check the request. A wrong request fails before the workspace is opened."""
        conf = check_keys(context["dag_run"].conf, self.dag.params if self.has_dag() else ())
        check_values(conf)
        events = partition_events(context)
        named = self.partitions, self.partition_period
        by_keys = changed_by_events(events, *named) if events else changed_by_run(context, *named)
        changed = (*read_changed(self.changed), *by_keys)
        # The form of a run says `full` outright; who names what has changed does not mean the default of the DAG.
        is_full = read_build_type(self.build_type) == "full" and (not changed or "build_type" in conf)
        return {
            "build_type": "full" if is_full else "incremental",
            "aggregates": read_aggregates(self.aggregates),
            "grace_periods": read_grace_periods(self.grace_periods),
            "changed": changed,
            "signals": (*signals_of_run(context), *map(partition_signal, events)),
        }

    def _begin(
        self, workspace: Workspace, context: Context, asked: Mapping[str, Any], requested_at: datetime
    ) -> BegunBatch:
        from airflow_atscale_aggs.engine.aggregates.instance import BuildType
        from airflow_atscale_aggs.engine.lifecycle.build.batch import BatchRequest, begin_batch
        from airflow_atscale_aggs.engine.lifecycle.build.named_slices import read_slices
        from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now

        request = BatchRequest(
            aggregates=asked["aggregates"],
            requested_at=requested_at,
            signals=asked["signals"],
            grace_periods=asked["grace_periods"],
            is_signals_only=is_signals_only(context, asked["signals"]),
            changed=read_slices(asked["changed"]),
        )
        return begin_batch(
            workspace,
            self.model,
            build_type=BuildType(asked["build_type"]),
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
