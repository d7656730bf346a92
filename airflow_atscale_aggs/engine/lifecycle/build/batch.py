"""Run one batch build of all aggregates of a model, from its plan to its activation.

A lease makes sure that a model has one batch at a time. A failed aggregate never stops the others. The old instances
serve until all new ones go live in one registry transaction.

Source: AtScale, "How Aggregate Tables Are Populated With Data": batch builds, automatic restarts.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import field, replace
from datetime import datetime, timedelta
from functools import partial

from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus, BuildType, InstanceStatus
from airflow_atscale_aggs.engine.aggregates.named_slice import NamedSlice
from airflow_atscale_aggs.engine.errors import (
    AggregatesRefusedError,
    BatchDamagedError,
    BatchHeldError,
    BuildFailedError,
    IllegalTransitionError,
    SchemaOwnedError,
    WarehouseError,
)
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.build.activate import BatchReport, activate_batch, switch_pending_views
from airflow_atscale_aggs.engine.lifecycle.build.attempt import run_attempt, take_fact_totals
from airflow_atscale_aggs.engine.lifecycle.build.events import BuildEvent, OnEvent, ignore_event
from airflow_atscale_aggs.engine.lifecycle.build.grace_periods import check_grace_periods
from airflow_atscale_aggs.engine.lifecycle.build.known_batch import KnownBatch
from airflow_atscale_aggs.engine.lifecycle.build.lease import LeaseKeeper
from airflow_atscale_aggs.engine.lifecycle.build.named_slices import name_slices
from airflow_atscale_aggs.engine.lifecycle.build.plan import plan_batch
from airflow_atscale_aggs.engine.lifecycle.build.resume import (
    asked_of,
    find_damage,
    find_difference,
    find_reason_not_to_resume,
    find_replacement,
)
from airflow_atscale_aggs.engine.lifecycle.build.totals_ahead import TotalsAhead
from airflow_atscale_aggs.engine.lifecycle.schema_ownership import check_schema, mark_schema
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, is_dead_process, utc_now
from airflow_atscale_aggs.engine.planning.batch_plan import BatchPlan
from airflow_atscale_aggs.engine.planning.requests import Asked, covers, is_begun_after, is_request
from airflow_atscale_aggs.engine.registry.records import BatchRecord, InstanceRecord, ModelRecord
from airflow_atscale_aggs.engine.registry.registry import RegistryReader
from airflow_atscale_aggs.engine.settings import Settings, VerificationLevel

_LOOK_BACK = 50
"""Batches that are looked at to find one that answers a request."""

_Future = Future[BuildFailedError | None]
"""An attempt that is under way, or its table that is being made."""

_TO_BUILD = frozenset({InstanceStatus.NEW, InstanceStatus.IN_PROGRESS, InstanceStatus.FAILED})


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRequest:
    """What is asked for beyond a batch of all aggregates, and since when.

    Attributes:
        aggregates: names of those to build; empty: all of the model.
        requested_at: when it was asked for. A batch that was begun later read newer facts and answers the request too.
        signals: identities of completion signals behind the request; one that a batch answered has no second effect.
        grace_periods: durations by dataset, instead of the model's; see `check_grace_periods`.
        is_signals_only: nothing but the signals asks for it, so that a batch that answers all of them answers the
            request; unless one of them stands for a person or a program (`planning.requests.is_request`).
        is_new: the owner asks for a batch, not for the end of one that it has begun before.
        changed: slices of facts that have changed, see `check_slices`. They are recorded before anything else is done.
    """

    aggregates: tuple[str, ...] = ()
    requested_at: datetime | None = None
    signals: tuple[str, ...] = ()
    grace_periods: Mapping[str, str] = field(default_factory=dict)
    is_signals_only: bool = True
    is_new: bool = False
    changed: tuple[NamedSlice, ...] = ()


_EVERYTHING = BatchRequest()

NOT_BUILT = " is not built: "
"""By these words a note about an aggregate that a batch leaves out is known; its name stands before them."""


@dataclass(frozen=True, slots=True)
class BegunBatch:
    """An open batch and its instances in build order.

    Attributes:
        is_resumed: it was begun before.
        is_coalesced: another owner's batch answers the request; there is nothing to do, and no instances.
        reason: why it is gone on with, or which older batch was closed for it and why, for people; else empty.
    """

    batch: BatchRecord
    instances: tuple[InstanceRecord, ...]
    is_resumed: bool
    is_coalesced: bool = False
    reason: str = ""


def begin_batch(
    workspace: Workspace,
    model: str,
    *,
    build_type: BuildType,
    owner: str,
    now: datetime,
    lease: timedelta | None = None,
    request: BatchRequest = _EVERYTHING,
) -> BegunBatch:
    """Plan a batch and record it with its instances (NEW) in one transaction, or go on with an interrupted one.

    The same owner asking again for the same gets the same batch, opened again when it had failed. A batch whose owner
    fell silent (its lease is over, or its process on this machine is gone) is gone on with when a new one would be the
    same (`find_reason_not_to_resume`): its New instances are created, In Progress ones restarted, Done ones left,
    Failed ones retried while attempts are left. Otherwise it is closed with the transaction that begins the new one. A
    request that another owner's batch answers already begins none: requests that come while a batch runs become one
    further batch. That batch is noted as the one that answers the request's signals.

    Args:
        model: name or id.
        lease: how long a silent owner is taken to be alive; None: the setting ``aggregates.batch.leaseSeconds``.

    Raises:
        NotRegisteredError: no such model.
        BatchHeldError: another owner is at work; names it and the end of its lease.
        AggregatesRefusedError: no aggregate can be built; nothing was begun, nothing closed.
        UnknownNameError: an aggregate or a dataset is asked for that is not defined.
        SliceError: a slice is none of its dataset's indicator; nothing was recorded.
        SchemaOwnedError: another registry writes into the schema.
    """
    read = workspace.read
    record = read.models.get_deployed(model)
    check_schema(workspace, is_claiming=True)
    lease = lease or timedelta(seconds=workspace.settings_of(record.id).lease_seconds)
    name_slices(workspace, record, request, owner=owner, now=now)
    switch_pending_views(workspace, record.id)
    opener = _BatchOpener(workspace, record, build_type, owner, now, lease, request)
    older, reason = _older_batch(read, record.id), ""
    if older is not None:
        _check_silent(workspace, older, owner, now)
        reason = opener.find_reason_to_close(older)
        if not reason:
            return opener.take_over(older)
    if older is None or older.status is not BatchStatus.IN_PROGRESS:
        answering = opener.find_answer()
        if answering is not None:
            workspace.registry.batches.add_signals(answering.id, request.signals)
            return BegunBatch(answering, (), is_resumed=False, is_coalesced=True)
    return opener.begin_anew(older, reason)


def _older_batch(read: RegistryReader, model_id: str) -> BatchRecord | None:
    """The batch that must be continued or closed: the open one, else the last one when it has failed."""
    current = read.batches.open_of(model_id)
    if current is not None:
        return current
    return next((last for last in read.batches.find(model_id, 1) if last.status is BatchStatus.FAILED), None)


@dataclass(frozen=True, slots=True)
class _BatchOpener:
    """What `begin_batch` was called with, and what may come of it: a batch that is taken over, or a new one."""

    workspace: Workspace
    record: ModelRecord
    build_type: BuildType
    owner: str
    now: datetime
    lease: timedelta
    request: BatchRequest

    @property
    def asked(self) -> Asked:
        """What is asked for, with all that is named by now."""
        return Asked(
            build_type=self.build_type,
            aggregates=self.request.aggregates,
            grace_periods=self.request.grace_periods,
            slices_through=self.workspace.read.slices.newest(self.record.id),
        )

    def find_reason_to_close(self, older: BatchRecord) -> str:
        """Why an older batch must give way; empty when it is continued."""
        request, asked = self.request, self.asked
        if older.owner == self.owner and not request.is_new:
            # A DAG run that was restarted or cleared goes on with what it has begun.
            return (
                find_difference(older, self.record, asked)
                or find_damage(self.workspace, older)
                or find_replacement(self.workspace, older)
            )
        if older.status is BatchStatus.FAILED and older.owner != self.owner:
            return "it had failed, and only --resume, or its own run, goes on with a failed one"
        return find_reason_not_to_resume(self.workspace, older, asked, requested_at=request.requested_at, now=self.now)

    def find_answer(self) -> BatchRecord | None:
        """A batch of another owner that does what is asked for; also a failed one, which waits for its repair."""
        read, request, model_id = self.workspace.read, self.request, self.record.id
        recent = read.batches.find(model_id, _LOOK_BACK)
        if any(batch.owner == self.owner for batch in recent):
            return None
        batch_by_signal = read.batches.of_signals(model_id, request.signals)
        is_signals_only = request.is_signals_only and not any(map(is_request, request.signals))
        if request.signals and is_signals_only and len(batch_by_signal) == len(set(request.signals)):
            return max(
                (read.batches.get(batch_id) for batch_id in set(batch_by_signal.values())),
                key=lambda batch: batch.created_at,
            )
        if request.requested_at is None:
            return None
        asked = self.asked
        for batch in recent:
            is_over = batch.status in {BatchStatus.DONE, BatchStatus.FAILED}
            if is_over and is_begun_after(batch.created_at, request.requested_at) and covers(asked_of(batch), asked):
                return batch
        return None

    def take_over(self, older: BatchRecord) -> BegunBatch:
        """Take an older batch over. One that had failed gets a fresh allowance of attempts."""
        registry = self.workspace.registry
        batch = registry.batches.take_over(
            older.id,
            owner=self.owner,
            previous_owner=older.owner,
            lease_until=self.now + self.lease,
            fresh_allowance=older.status is BatchStatus.FAILED,
            signals=self.request.signals,
        )
        mark_schema(self.workspace, older.id, now=self.now)
        is_own = older.owner == self.owner
        why = "its own run asks for it again" if is_own else "a new one would do the same, of the same facts"
        reason = f"Batch {older.id} of {older.owner} is gone on with: {why}."
        return BegunBatch(batch, self.workspace.read.instances.find(batch_id=older.id), is_resumed=True, reason=reason)

    def begin_anew(self, older: BatchRecord | None, reason: str) -> BegunBatch:
        """Open a new batch, and close the older one in the same transaction."""
        registry, request = self.workspace.registry, self.request
        closing = f"Batch {older.id} of {older.owner} is closed and not gone on with: {reason}." if older else ""
        plan = _plan_batch(self.workspace, self.record, self.build_type, self.now, request)
        batch = registry.batches.open(
            batch_id=plan.batch_id,
            model_id=self.record.id,
            deployment_id=plan.deployment_id,
            build_type=self.build_type,
            owner=self.owner,
            lease_until=self.now + self.lease,
            steps=plan.steps,
            notes=(closing, *plan.notes) if closing else plan.notes,
            schema=plan.schema,
            aggregates=request.aggregates,
            signals=request.signals,
            surroundings=plan.surroundings,
            grace_periods=request.grace_periods,
            sources=plan.sources,
            slices_through=plan.slices_through,
            closes=older if older is not None and older.status is BatchStatus.IN_PROGRESS else None,
            now=self.now,
        )
        try:
            mark_schema(self.workspace, batch.id, now=self.now)
        except (SchemaOwnedError, WarehouseError):
            registry.batches.cancel(batch.id, now=self.now)
            raise
        return BegunBatch(
            batch, self.workspace.read.instances.find(batch_id=batch.id), is_resumed=False, reason=closing
        )


def resume_batch(
    workspace: Workspace, batch_id: str, *, owner: str, now: datetime, lease: timedelta | None = None
) -> BegunBatch:
    """Open an interrupted or failed batch again; its failed aggregates get a fresh allowance of attempts.

    Raises:
        NotRegisteredError: no such batch.
        BatchDamagedError: somebody has changed a table that it has built.
        BatchHeldError: its owner, or the owner of another batch of the model, is at work.
        IllegalTransitionError: it ended well, was cancelled, or a newer batch of the model was begun.
    """
    registry = workspace.registry
    batch = workspace.read.batches.get(batch_id)
    lease = lease or timedelta(seconds=workspace.settings_of(batch.model_id).lease_seconds)
    if batch.status not in {BatchStatus.IN_PROGRESS, BatchStatus.FAILED}:
        raise IllegalTransitionError("Batch", batch_id, batch.status, BatchStatus.IN_PROGRESS)
    check_schema(workspace)
    _check_silent(workspace, batch, owner, now)
    if reason := find_damage(workspace, batch):
        raise BatchDamagedError(workspace.read.models.get(batch.model_id).name, batch_id, reason)
    resumed = registry.batches.take_over(
        batch.id, owner=owner, previous_owner=batch.owner, lease_until=now + lease, fresh_allowance=True
    )
    mark_schema(workspace, batch_id, now=now)
    return BegunBatch(resumed, workspace.read.instances.find(batch_id=batch_id), is_resumed=True)


def run_batch(
    workspace: Workspace,
    model: str,
    *,
    build_type: BuildType = BuildType.FULL,
    jobs: int | None = None,
    owner: str,
    resume: str | None = None,
    request: BatchRequest = _EVERYTHING,
    on_event: OnEvent = ignore_event,
) -> BatchReport:
    """Build all aggregates of a model and activate them: the whole batch in this process.

    Args:
        jobs: aggregates built at the same time; None: the setting ``aggregates.batch.maxConcurrentBuilds``.
        resume: id of an interrupted or failed batch to finish instead of beginning one.
        request: a subset of aggregates, other grace periods.

    Returns:
        The activated batch with its instances.

    Raises:
        BatchFailedError: more aggregates failed than ``aggregates.batch.max.failures`` allows; the old instances serve
            on, what was built stays staged for a resume.
        BatchHeldError: another batch of the model is under way.
    """
    now = utc_now()
    if resume is not None:
        begun = resume_batch(workspace, resume, owner=owner, now=now)
    else:
        asked = replace(request, is_new=True)
        begun = begin_batch(workspace, model, build_type=build_type, owner=owner, now=now, request=asked)
    settings = workspace.settings_of(begun.batch.model_id)
    on_event(
        BuildEvent(
            kind="batch",
            total=len(begun.instances),
            text=f"{'Resumed' if begun.is_resumed else 'Begun'} batch {begun.batch.id}. {begun.reason}".strip(),
        )
    )
    lease = timedelta(seconds=settings.lease_seconds)
    with LeaseKeeper(workspace.registry, begun.batch.id, owner=owner, lease=lease):
        known = KnownBatch(settings, total=len(begun.instances))
        run = _BatchRun(workspace, known, owner, on_event, begun.instances)
        run.build_all(jobs or settings.max_concurrent_builds)
        report = activate_batch(workspace, begun.batch.id, owner=owner, now=utc_now())
    on_event(BuildEvent(kind="activated", total=len(report.instances), text=f"Activated batch {begun.batch.id}"))
    return report


def _plan_batch(
    workspace: Workspace, record: ModelRecord, build_type: BuildType, now: datetime, request: BatchRequest
) -> BatchPlan:
    """The plan, with all notes of the batch. Raises AggregatesRefusedError when no aggregate can be built."""
    settings, datasets = workspace.settings_of(record.id), workspace.read.models.datasets(record.deployment_id)
    grace = check_grace_periods(request.grace_periods, datasets, settings, build_type)
    plan = plan_batch(
        workspace,
        # Another catalog may have a model of the same name.
        record.id,
        build_type=build_type,
        now=now,
        new_id=_new_id,
        aggregates=request.aggregates,
        grace_periods=request.grace_periods,
        changed=request.changed,
        mark_sources=True,
    )
    _refuse_empty_plan(plan, record.name, settings)
    refused = (f"{refusal.aggregate}{NOT_BUILT}{refusal.reason}" for refusal in plan.refused)
    return replace(plan, notes=(*plan.notes, *grace, *refused))


def _refuse_empty_plan(plan: BatchPlan, model: str, settings: Settings) -> None:
    """Refuse a plan without steps. A refused aggregate does not stop the others, but a batch needs at least one."""
    failures = [(refusal.aggregate, refusal.reason) for refusal in plan.refused if refusal.is_failure]
    if failures and not plan.steps:
        raise AggregatesRefusedError(model, failures, settings.max_failures)


def _check_silent(workspace: Workspace, batch: BatchRecord, owner: str, now: datetime) -> None:
    """Raise BatchHeldError when another owner of a batch is alive."""
    is_open = batch.status is BatchStatus.IN_PROGRESS
    is_alive = is_open and batch.lease_until > now and not is_dead_process(batch.owner)
    if is_alive and batch.owner != owner:
        model = workspace.read.models.get(batch.model_id)
        raise BatchHeldError(model.name, batch.id, batch.owner, batch.lease_until.isoformat(timespec="seconds"))


def _new_id() -> str:
    return str(uuid.uuid4())


@dataclass
class _BatchRun:
    """Works through the instances of one batch with a number of threads."""

    workspace: Workspace
    known: KnownBatch
    owner: str
    on_event: OnEvent
    instances: Sequence[InstanceRecord]
    _waiting: list[InstanceRecord] = field(default_factory=list)
    _unsettled: set[str] = field(default_factory=set)

    def build_all(self, jobs: int) -> None:
        """Build what is not built, in order; a derived aggregate waits while its source is not settled.

        Where the warehouse's row says so, tables that are made are compared while others are made: one that is not
        compared yet is not DONE, and nothing is derived from it. So are the totals of their facts taken.
        """
        most = self.known.settings.max_attempts_per_aggregate
        self._waiting = [
            instance for instance in self.instances if instance.status in _TO_BUILD and instance.failures < most
        ]
        self._unsettled = {instance.id for instance in self._waiting}
        workers = jobs + self.workspace.warehouse.dialect.statements_at_once - 1
        with self.workspace.warehouse.keep_sessions(workers):
            self._build_waiting(jobs, workers)

    def _build_waiting(self, jobs: int, workers: int) -> None:
        if workers == 1:
            self.known.find_next = lambda: self._waiting[0] if self._waiting else None
            while self._waiting:
                instance = self._waiting.pop(0)
                self._settle(instance, self._attempt(instance, Future()))
            return
        is_compared = self.known.settings.verify is not VerificationLevel.OFF
        take = partial(take_fact_totals, self.workspace, self.known)
        ahead = TotalsAhead(self._waiting if is_compared else (), take)
        self.known.find_ahead = ahead.find
        with ThreadPoolExecutor(max_workers=workers + 1, thread_name_prefix="build") as pool:
            pool.submit(ahead.take_all)
            try:
                self._build_side_by_side(pool, jobs, workers)
            finally:
                ahead.close()

    def _build_side_by_side(self, pool: ThreadPoolExecutor, jobs: int, workers: int) -> None:
        """Keep ``jobs`` attempts making tables, and as many of the other workers comparing as there are made tables."""
        running: dict[_Future, InstanceRecord] = {}
        making: set[_Future] = set()
        while self._waiting or running:
            while len(making) < jobs and len(running) < workers and (ready := self._take_ready()) is not None:
                made: _Future = Future()
                making.add(made)
                running[pool.submit(self._attempt, ready, made)] = ready
            over, _ = wait({*running, *making}, return_when=FIRST_COMPLETED)
            making -= over
            for future in over & running.keys():
                self._settle(running.pop(future), future.result())

    def _take_ready(self) -> InstanceRecord | None:
        """The first waiting instance whose sources are all built or given up."""
        for place, instance in enumerate(self._waiting):
            if not any(option.instance_id in self._unsettled for option in instance.step.sources):
                return self._waiting.pop(place)
        return None

    def _attempt(self, instance: InstanceRecord, made: _Future) -> BuildFailedError | None:
        """Build an instance once. ``made`` is over when its table is made, or never will be."""

        def has_made() -> None:
            if not made.done():
                made.set_result(None)

        try:
            claim = self.known.claimed.pop(instance.id, None)
            if claim is None:
                attempts = self.workspace.registry.attempts
                claim = attempts.claim(instance.id, owner=self.owner, now=utc_now(), seen=instance)
            run_attempt(
                self.workspace,
                claim,
                known=self.known,
                on_event=self.on_event,
                has_made=has_made,
            )
        except BuildFailedError as error:
            return error
        finally:
            has_made()
        return None

    def _settle(self, instance: InstanceRecord, error: BuildFailedError | None) -> None:
        """Put a failed instance that has attempts left at the end of the queue. Every other instance is settled."""
        if error is not None and error.may_retry:
            self._waiting.append(instance)
        else:
            self._unsettled.discard(instance.id)
