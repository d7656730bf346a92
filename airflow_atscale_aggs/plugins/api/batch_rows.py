"""Batches as lists and their own pages show them."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from airflow.sdk.exceptions import AirflowFailException

from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus, InstanceStatus
from airflow_atscale_aggs.engine.aggregates.shown_status import SHOWN
from airflow_atscale_aggs.engine.lifecycle.settings_in_force import settings_in_force
from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now
from airflow_atscale_aggs.engine.registry.batch_lists import UsualDuration
from airflow_atscale_aggs.engine.registry.listings import BatchListing, InstanceListing
from airflow_atscale_aggs.engine.registry.records import BatchRecord, ModelRecord, StepOutline
from airflow_atscale_aggs.engine.registry.registry import RegistryReader
from airflow_atscale_aggs.hooks.aggregates import read_settings
from airflow_atscale_aggs.hooks.run_conf import read_aggregates, read_grace_periods
from airflow_atscale_aggs.plugins.api.access import Place
from airflow_atscale_aggs.plugins.api.batch_progress import StepProgress, built_share, progress_of
from airflow_atscale_aggs.plugins.api.batch_runs import RequestedRun, run_of_owner
from airflow_atscale_aggs.plugins.api.documents.batch_documents import BatchDetail, BatchRow, BatchStep
from airflow_atscale_aggs.plugins.api.instance_rows import build_task_of

_MOST_PLANS = 32
_LEAST_COMPARED = 3
_CLOCKS_DIFFER = timedelta(minutes=1)
"""By how much the clocks of workers may be behind that of the server, together with how long they write."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """What was known of a batch when it was begun: it does not change while the batch goes on."""

    outlines: Mapping[str, StepOutline]
    usual_seconds: Mapping[str, float]


class BatchPlans:
    """The plans of batches, those asked for last kept. Safe to share between threads.

    A page that follows a batch asks every few seconds, and the steps of a large batch are long.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._plans: OrderedDict[str, _Plan] = OrderedDict()

    def of(self, read: RegistryReader, batch_id: str) -> _Plan:
        """The plan of a batch."""
        with self._lock:
            known = self._plans.get(batch_id)
            if known is not None:
                self._plans.move_to_end(batch_id)
                return known
        plan = _Plan(read.instances.outlines(batch_id), read.lists.batches.usual_seconds(batch_id))
        with self._lock:
            self._plans[batch_id] = plan
            while len(self._plans) > _MOST_PLANS:
                self._plans.popitem(last=False)
        return plan


_plans = BatchPlans()


def batch_row(listing: BatchListing, model: ModelRecord, usual: UsualDuration | None) -> BatchRow:
    """A batch and how many of its instances stand where.

    Args:
        usual: of a batch of the model; None before the first that ended well. A batch that ended is compared with it
            only where it is the median of enough batches, among which this one may be.
    """
    batch = listing.batch
    if usual is not None and usual.batches < _LEAST_COMPARED and batch.status is not BatchStatus.IN_PROGRESS:
        usual = None
    run = run_of_owner(batch.owner)
    counts: dict[str, int] = {}
    for status, number in listing.instances.items():
        counts[SHOWN[status]] = counts.get(SHOWN[status], 0) + number
    ended_at = batch.finished_at
    return BatchRow(
        id=batch.id,
        model_id=batch.model_id,
        model=model.name,
        build_type=batch.build_type,
        status=batch.status,
        owner=batch.owner,
        created_at=batch.created_at,
        finished_at=ended_at,
        seconds=None if ended_at is None else (ended_at - batch.created_at).total_seconds(),
        usual_seconds=None if usual is None else usual.seconds,
        failures=batch.failures,
        counts=counts,
        aggregates=list(batch.aggregates),
        dag_id=None if run is None else run.dag_id,
        run_id=None if run is None else run.run_id,
    )


def batch_rows(place: Place, listings: Sequence[BatchListing]) -> list[BatchRow]:
    """Rows of batches of models that the visitor may read, in the same order."""
    models = {model.id: model for model in place.models}
    usual = place.read.lists.batches.usual_durations({listing.batch.model_id for listing in listings})
    return [
        batch_row(listing, models[listing.batch.model_id], usual.get(listing.batch.model_id)) for listing in listings
    ]


def batch_detail(
    place: Place, batch: BatchRecord, *, asked_as: str, now: datetime, changed_after: datetime | None = None
) -> BatchDetail:
    """A batch with its steps.

    Args:
        asked_as: its id, or that of a request that it answers.
        changed_after: only the steps that have changed since; None: all.
    """
    read = place.read
    listings = read.lists.instances.of_batch(batch.id)
    plan = _plans.of(read, batch.id)
    (row,) = batch_rows(place, [read.lists.batches.get(batch.id)])
    has_run = row.dag_id is not None
    share, ends_at = _progress(batch, listings, plan, row.usual_seconds, now)
    return BatchDetail(
        **row.model_dump(exclude={"counts"}),
        # Of the steps as they were read, so that both agree.
        counts=Counter(str(listing.shown_status) for listing in listings),
        notes=list(batch.notes),
        grace_periods=dict(batch.grace_periods),
        steps=[_step(listing, plan, has_run=has_run) for listing in listings if _has_changed(listing, changed_after)],
        is_partial=changed_after is not None,
        as_of=now,
        done_share=share,
        estimated_end_at=ends_at,
        out_of_attempts=_out_of_attempts(read, batch, listings, plan),
        request_id=None if asked_as == batch.id else asked_as,
        build_task_id=None if row.dag_id is None else build_task_of(place, batch, row.dag_id),
    )


def requested_detail(place: Place, asked: RequestedRun) -> BatchDetail:
    """A batch that was asked for and that its run has not begun."""
    model = _model_of_run(place, asked)
    status, note = "requested", "Its run has not begun it yet."
    if asked.has_failed:
        status, note = "failed", "Its run failed before it began a batch; the log of its task `plan` says why."
    elif asked.is_over:
        status = "cancelled"
        note = "Its run was stopped before it began a batch." if asked.is_stopped else "Its run ended without a batch."
    usual = place.read.lists.batches.usual_duration(model.id)
    ended_at = asked.finished_at if asked.is_over else None
    return BatchDetail(
        id=asked.request_id,
        model_id=model.id,
        model=model.name,
        build_type=str(asked.conf.get("build_type") or ""),
        status=status,
        owner=asked.run.owner,
        created_at=asked.requested_at,
        finished_at=ended_at,
        seconds=None if ended_at is None else (ended_at - asked.requested_at).total_seconds(),
        usual_seconds=usual,
        failures=0,
        counts={},
        aggregates=list(_read(read_aggregates, asked.conf.get("aggregates"), ())),
        dag_id=asked.run.dag_id,
        run_id=asked.run.run_id,
        notes=[note],
        grace_periods=dict(_read(read_grace_periods, asked.conf.get("grace_periods"), {})),
        steps=[],
        is_partial=False,
        as_of=utc_now(),
        done_share=0.0,
        estimated_end_at=None,
        out_of_attempts=[],
        request_id=asked.request_id,
        build_task_id=None,
    )


def _model_of_run(place: Place, asked: RequestedRun) -> ModelRecord:
    """The model that the DAG of a run builds. Raises ProblemError (404) when it is not deployed any more."""
    for model in place.models:
        if any(dag.dag_id == asked.run.dag_id for dag in place.dags_of(model)):
            return model
    raise place.missing("batch", asked.request_id)


def _read(read: Any, value: object, otherwise: Any) -> Any:
    """A value of a run's conf, which somebody may have written by hand."""
    try:
        return read(value)
    except AirflowFailException:
        return otherwise


def _progress(
    batch: BatchRecord,
    listings: Sequence[InstanceListing],
    plan: _Plan,
    usual_seconds: float | None,
    now: datetime,
) -> tuple[float, datetime | None]:
    if batch.status is BatchStatus.DONE:
        return 1.0, None
    if batch.status is not BatchStatus.IN_PROGRESS:
        return built_share(listing.status for listing in listings), None
    steps = (
        StepProgress(listing.status, plan.usual_seconds.get(listing.id), listing.started_at) for listing in listings
    )
    progress = progress_of(steps, began_at=batch.created_at, now=now, usual_seconds=usual_seconds)
    return progress.share, progress.ends_at


def _has_changed(listing: InstanceListing, since: datetime | None) -> bool:
    """Whether a step is being built, or anything became of it since a moment; None: since ever."""
    if since is None or listing.status is InstanceStatus.IN_PROGRESS:
        return True
    moments = (listing.started_at, listing.finished_at, listing.activated_at, listing.superseded_at)
    return any(moment is not None and moment >= since - _CLOCKS_DIFFER for moment in moments)


def _step(listing: InstanceListing, plan: _Plan, *, has_run: bool) -> BatchStep:
    outline = plan.outlines.get(listing.id)
    return BatchStep(
        instance_id=listing.id,
        definition_id=listing.definition_id,
        aggregate=listing.aggregate if outline is None else outline.aggregate,
        fact=listing.fact,
        position=listing.position,
        status=listing.shown_status,
        build="full" if outline is None else outline.kind,
        source=listing.source,
        planned_source="" if outline is None else outline.source,
        rows=listing.rows,
        estimated_rows=None if outline is None else outline.estimated_rows,
        seconds=listing.seconds,
        usual_seconds=plan.usual_seconds.get(listing.id),
        started_at=listing.started_at,
        finished_at=listing.finished_at,
        attempt=listing.attempt,
        failures=listing.failures,
        error=listing.error,
        # The run maps its task over the instances in build order.
        map_index=listing.position if has_run else None,
    )


def _out_of_attempts(
    read: RegistryReader, batch: BatchRecord, listings: Sequence[InstanceListing], plan: _Plan
) -> list[str]:
    """Names of failed aggregates that are not tried again by themselves: their limit or the batch's is reached."""
    failed = [listing for listing in listings if listing.status is InstanceStatus.FAILED]
    if batch.status is BatchStatus.DONE or not failed:
        return []
    settings = settings_in_force(read, read_settings(), batch.model_id)
    is_batch_spent = batch.failures >= settings.max_attempts_per_batch
    return [
        plan.outlines[listing.id].aggregate
        for listing in failed
        if is_batch_spent or listing.failures >= settings.max_attempts_per_aggregate
    ]
