"""Build one aggregate instance by one fenced attempt.

An attempt is written down before its table exists, builds a table named by instance and attempt, and is marked DONE by
compare-and-set. An attempt that loses that comparison drops its own table, so that a late one can never touch the table
of a newer one. Before an attempt is DONE, its table is compared with its facts in the snapshot in which it was made.

Source: AtScale, "Life Cycle of Aggregate Tables": Built, Rebuilt; "How Aggregate Tables Are Populated With Data".
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial

from airflow_atscale_aggs.engine.aggregates.build_step import BuildStep, SourceOption
from airflow_atscale_aggs.engine.aggregates.instance import BUILT, BatchStatus, InstanceStatus
from airflow_atscale_aggs.engine.aggregates.verification import Totals, Verified
from airflow_atscale_aggs.engine.aggregates.whole_numbers import nearest_whole
from airflow_atscale_aggs.engine.errors import (
    BuildFailedError,
    IllegalTransitionError,
    StaleStatusError,
    VerificationError,
    WarehouseError,
)
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.build.compare import (
    Comparison,
    UndecidedError,
    compare,
    facts_key,
    take_totals,
)
from airflow_atscale_aggs.engine.lifecycle.build.events import EventSender, OnEvent, ignore_event
from airflow_atscale_aggs.engine.lifecycle.build.known_batch import KnownBatch
from airflow_atscale_aggs.engine.lifecycle.build.lease import LeaseKeeper
from airflow_atscale_aggs.engine.lifecycle.build.segment_tables import (
    NotComparableError,
    compare_merged_segments,
    fill_segments,
    find_unchanged_ranges,
    reuse_segments,
)
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, utc_now
from airflow_atscale_aggs.engine.registry.attempts import Success
from airflow_atscale_aggs.engine.registry.records import BuiltParts, Claim, InstanceRecord
from airflow_atscale_aggs.engine.settings import Settings, VerificationLevel
from airflow_atscale_aggs.engine.sql.session_settings import SEARCH_PATH
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession

_UNCOUNTED = -1
"""Rows of a table that nobody has counted yet."""


@dataclass(frozen=True, slots=True)
class ChosenSource:
    """Where a table's rows come from: one of the step's options and, for an instance, its winning attempt."""

    option: SourceOption
    attempt: int | None
    rows: int | None


@dataclass(frozen=True, slots=True)
class _BuildResult:
    """What one attempt has built."""

    parts: BuiltParts
    source: ChosenSource
    verified: Verified


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One attempt at work."""

    workspace: Workspace
    session: WarehouseSession
    claim: Claim
    known: KnownBatch
    tell: EventSender


class _StaleTotalsError(Exception):
    """A comparison with totals that others have taken cannot be decided: the facts have changed since."""


@dataclass(frozen=True, slots=True)
class _BuildWay:
    """How an attempt makes its table.

    Attributes:
        has_made: as of `run_attempt`.
        may_reuse: segments may stay when nothing has changed.
        has_own_totals: those of its facts are taken right before its table is made, whatever is known of them.
    """

    source: ChosenSource
    level: VerificationLevel
    has_made: Callable[[], None]
    may_reuse: bool = True
    has_own_totals: bool = False


def build_instance(
    workspace: Workspace,
    instance: str | InstanceRecord,
    *,
    owner: str,
    allowance: str | None = None,
    rebuild: bool = False,
    lease: timedelta | None = None,
    on_event: OnEvent = ignore_event,
) -> InstanceRecord:
    """Build one instance of an open batch, once; callers decide about further attempts.

    Args:
        instance: its id; or as the caller has just read it, with its batch open. Then it is not read again: the claim
            compares it with what there is.
        owner: who holds the batch's lease; the lease is renewed while the warehouse works.
        allowance: names the current allowance of attempts; another name than before grants a fresh one.
        lease: as `begin_batch` was given it.
        rebuild: build an instance anew that is already DONE in a batch that is still open.

    Returns:
        The instance, DONE; or as it is when it was built before and ``rebuild`` is off.

    Raises:
        BuildFailedError: the attempt failed; ``may_retry`` tells whether the limits allow another one.
        StaleStatusError: another attempt or owner took over; what this one built was dropped.
        IllegalTransitionError: the batch is no longer open.
    """
    if isinstance(instance, str):
        instance = workspace.read.instances.get(instance)
        if instance.status not in BUILT or rebuild:
            _check_batch(workspace, instance)
    if instance.status in BUILT and not rebuild:
        return instance
    settings = workspace.settings_of(instance.model_id)
    claim = workspace.registry.attempts.claim(
        instance.id, owner=owner, now=utc_now(), rebuild=rebuild, allowance=allowance, seen=instance
    )
    lease = lease or timedelta(seconds=settings.lease_seconds)
    with LeaseKeeper(workspace.registry, instance.batch_id, owner=owner, lease=lease):
        return run_attempt(workspace, claim, known=KnownBatch(settings), on_event=on_event)


def _check_batch(workspace: Workspace, instance: InstanceRecord) -> None:
    """Raise IllegalTransitionError unless the batch of an instance is open."""
    batch = workspace.read.batches.get(instance.batch_id)
    if batch.status is not BatchStatus.IN_PROGRESS:
        found = f"{instance.status}, its batch {batch.status}"
        raise IllegalTransitionError("Instance of a batch", instance.id, found, "in_progress")


def must_wait(workspace: Workspace, instance: InstanceRecord, *, most: int | None) -> bool:
    """True while a source of the instance is being built, or ``most`` others of its batch are.

    Only for callers that build side by side without knowing of each other, such as Airflow tasks.
    """
    if instance.status in BUILT:
        return False
    sources = {option.instance_id for option in instance.step.sources}
    running = [
        other
        for other in workspace.read.instances.find(batch_id=instance.batch_id, status=InstanceStatus.IN_PROGRESS)
        if other.id != instance.id
    ]
    return any(other.id in sources for other in running) or (most is not None and len(running) >= most)


def run_attempt(
    workspace: Workspace,
    claim: Claim,
    *,
    known: KnownBatch,
    on_event: OnEvent = ignore_event,
    has_made: Callable[[], None] = lambda: None,
) -> InstanceRecord:
    """Fill the claimed attempt's table and mark it DONE, or FAILED. Raises as `build_instance` does.

    Args:
        known: the same one for all attempts that this process makes of the batch.
        has_made: is called when the tables are made and what is left is their comparison, so that another attempt may
            make its own meanwhile. Not called by an attempt that fails before, and again by one that makes its table
            anew.
    """
    step = claim.instance.step
    tell = EventSender(step, claim.attempt, known.total, on_event)
    tell("start")
    started = time.monotonic()
    with workspace.warehouse.session(may_remember=True) as session:
        try:
            with session.apply_settings(_settings_of(workspace, claim.instance, known)):
                built = _build(_Attempt(workspace, session, claim, known, tell), has_made)
        except (WarehouseError, VerificationError) as error:
            if session.was_canceled:
                # Somebody ends this process. That is no failure of the attempt, which is begun anew by whoever resumes.
                raise
            _drop_quietly(session, step)
            raise _record_failure(workspace, claim, error, known.settings, tell) from error
        seconds = time.monotonic() - started
        unchanged = find_unchanged_ranges(session, claim, tell) if built.parts.segments else ()
        try:
            success = Success(
                built=built.parts, seconds=seconds, source=built.source.option.name, verified=built.verified
            )
            done, following = workspace.registry.attempts.finish_and_claim(
                claim, success, now=utc_now(), then=known.find_next()
            )
        except StaleStatusError:
            _drop_quietly(session, step)
            raise
    known.note(claim, built.verified)
    if following is not None:
        known.claimed[following.instance.id] = following
    workspace.registry.batches.add_notes(claim.instance.batch_id, unchanged)
    tell("done", rows=built.parts.rows, seconds=seconds, source=built.source.option.name)
    return done


def _settings_of(workspace: Workspace, instance: InstanceRecord, known: KnownBatch) -> Mapping[str, str]:
    """The settings under which the batch was planned.

    Only those that decide what the instance stores or which tables it reads.

    Every attempt runs under them, whichever worker makes it: what is stored with the batch must be true of the table.
    """
    planned = known.session_settings(workspace.read, instance.batch_id)
    if not planned:
        return {}
    needed = {*(instance.step.settings_needed or ()), SEARCH_PATH}
    session_settings = workspace.warehouse.dialect.session_settings
    literals = {} if session_settings is None else session_settings.literals
    return {**{name: value for name, value in planned.items() if name in needed}, **literals}


def choose_source(workspace: Workspace, instance: InstanceRecord) -> ChosenSource:
    """The smallest built source of the same batch, else the facts.

    Row counts are those of the built tables, not estimates. A source that failed or is not there yet is passed over.
    Where even the smallest has so many rows that the facts are cheaper, it is the facts.
    """
    options = instance.step.sources
    from_facts = ChosenSource(options[-1], None, None)
    if len(options) == 1:
        return from_facts
    built = workspace.read.instances.built_sources(instance.batch_id)
    candidates = [
        ChosenSource(option, *built[option.instance_id])
        for option in options[:-1]
        if option.instance_id is not None and option.instance_id in built
    ]
    chosen = min(candidates, key=lambda chosen: chosen.rows or 0, default=from_facts)
    return from_facts if chosen.option.is_dearer_with(chosen.rows) else chosen


def _build(attempt: _Attempt, has_made: Callable[[], None]) -> _BuildResult:
    """Make the attempt's table and compare it with its facts.

    Where the comparison of a table that was built from another aggregate is undecided, the table is built from the
    facts. Where it is undecided even then, because the warehouse cannot compute the comparison, the table is built
    without a comparison.
    """
    session, claim, tell = attempt.session, attempt.claim, attempt.tell
    level = attempt.known.settings.verify
    source_chosen = choose_source(attempt.workspace, claim.instance)
    from_facts = ChosenSource(claim.instance.step.sources[-1], None, None)
    undecided = ""
    for source in dict.fromkeys((source_chosen, from_facts)):
        tell("source", source=source.option.name, rows=source.rows)
        try:
            return _build_from(attempt, _BuildWay(source, level, has_made))
        except UndecidedError as error:
            undecided = str(error)
            tell("undecided", text=f"Built from {source.option.name}: {undecided}")
            _drop_quietly(session, claim.instance.step)
    with session.transaction() if claim.instance.step.increment else contextlib.nullcontext():
        parts = _counted(session, claim, _fill(session, claim, from_facts, tell))
    _analyze(session, claim, parts)
    return _BuildResult(parts, from_facts, Verified(level=level, undecided=(undecided,)))


def _build_from(attempt: _Attempt, way: _BuildWay) -> _BuildResult:
    """Make and compare the table, or find that nothing has changed.

    A statement that fails ends its transaction, even when the error is caught: no later statement of it would take
    effect. Statements that may fail without harm therefore come after the transaction.
    """
    session, claim = attempt.session, attempt.claim
    built = _make_and_compare(attempt, way)
    _analyze(session, claim, built.parts)
    if way.level is not VerificationLevel.OFF:
        # Segments do not change: those that were merged are compared without the snapshot.
        verified = built.verified
        undecided = (*verified.undecided, *compare_merged_segments(session, claim, built.parts))
        built = replace(built, verified=replace(verified, undecided=undecided))
    for reason in built.verified.undecided:
        attempt.tell("undecided", text=reason)
    return built


def _make_and_compare(attempt: _Attempt, way: _BuildWay) -> _BuildResult:
    """As `_in_one_snapshot`; made anew where the way stands in the way of a decision."""
    try:
        return _in_one_snapshot(attempt, way)
    except NotComparableError:
        other = replace(way, may_reuse=False)
    except _StaleTotalsError:
        step = attempt.claim.instance.step
        attempt.tell("undecided", text=f"`{step.fact}` has changed: the table is made anew")
        _drop_quietly(attempt.session, step)
        other = replace(way, has_own_totals=True)
    return _make_and_compare(attempt, other)


def _in_one_snapshot(attempt: _Attempt, way: _BuildWay) -> _BuildResult:
    """Make and compare the table in one snapshot, where there are such.

    Raises NotComparableError while it may reuse, and _StaleTotalsError while it may have totals that others have taken.
    """
    session, claim, tell = attempt.session, attempt.claim, attempt.tell
    source, level = way.source, way.level
    verification = claim.instance.step.verification
    if level is VerificationLevel.OFF or verification is None:
        with session.transaction() if claim.instance.step.increment else contextlib.nullcontext():
            reused = reuse_segments(session, claim, tell) if way.may_reuse else None
            parts = reused or _counted(session, claim, _fill(session, claim, source, tell))
        return _BuildResult(parts, source, Verified(level=VerificationLevel.OFF))
    is_from_facts = source.option.instance_id is None
    find_totals = partial(_find_earlier_totals, attempt, way, facts_key(verification))
    with session.snapshot(claim.instance.step.reads_of_facts) as is_snapshot:
        reused = reuse_segments(session, claim, tell) if way.may_reuse else None
        if reused is not None:
            return _BuildResult(reused, source, Verified(level=level))
        totals = None if is_snapshot else find_totals()
        has_own_totals = totals is None
        if has_own_totals and not is_snapshot and is_from_facts:
            # Taken before the table is made: facts with the same totals afterwards have not changed meanwhile.
            totals = take_totals(session, verification.facts)
        parts = _fill(session, claim, source, tell)
        way.has_made()
        if is_snapshot:
            # The snapshot decides, whenever they were taken: the table need not wait for them.
            totals = find_totals()
        started = time.monotonic()
        comparison = Comparison(
            aggregate=claim.instance.step.aggregate,
            verification=verification,
            level=level,
            earlier_totals=totals,
            is_derived=not is_from_facts,
            is_snapshot=is_snapshot,
        )
        verified = compare(session, comparison)
        if verified.totals is None and is_from_facts and not (is_snapshot or has_own_totals):
            # A wrong table is told from changed facts by totals that were taken right before it is made.
            raise _StaleTotalsError
        tell("verified", seconds=time.monotonic() - started, text=f"level {level}")
        return _BuildResult(_counted(session, claim, parts, verified.table_rows), source, verified)


def take_fact_totals(workspace: Workspace, known: KnownBatch, instance: InstanceRecord) -> Totals:
    """The totals of the facts of an instance, under the settings of its attempts.

    Raises:
        UndecidedError: the warehouse cannot compute them.
        WarehouseError: it could not be asked.
    """
    verification = instance.step.verification
    assert verification is not None  # noqa: S101 - it is compared with its facts
    settings = _settings_of(workspace, instance, known)
    with workspace.warehouse.session(may_remember=True) as session, session.apply_settings(settings):
        return take_totals(session, verification.facts)


def _find_earlier_totals(attempt: _Attempt, way: _BuildWay, key: str) -> Totals | None:
    """The facts' totals that the source was verified against.

    For a build from the facts, the last ones of the batch, else those that are taken ahead.
    """
    if way.has_own_totals:
        return None
    read, known, source = attempt.workspace.read, attempt.known, way.source
    if source.option.instance_id is None or source.attempt is None:
        return known.fact_totals(read, attempt.claim.instance.batch_id, key) or known.find_ahead(key)
    verified = known.verification(read, source.option.instance_id, source.attempt)
    return verified.totals if verified is not None and verified.facts_key == key else None


def _fill(session: WarehouseSession, claim: Claim, source: ChosenSource, tell: EventSender) -> BuiltParts:
    """Create the attempt's table or segments. Rows that the driver does not tell are `_UNCOUNTED`."""
    step = claim.instance.step
    if step.increment is not None:
        return fill_segments(session, claim, step.increment, source.option, source.attempt, tell)
    sql = step.create_statement(source.option, source.attempt)
    tell("sql", text=sql)
    rows = session.execute(sql)
    return BuiltParts(rows=_UNCOUNTED if rows is None or rows < 0 else rows)


def _counted(
    session: WarehouseSession, claim: Claim, parts: BuiltParts, compared_rows: int | None = None
) -> BuiltParts:
    """The parts with the rows of the attempt's table, which are counted where neither driver nor comparison told."""
    if parts.rows != _UNCOUNTED:
        return parts
    if compared_rows is None:
        compared_rows = nearest_whole(session.fetch_all(claim.instance.step.count_sql)[0][0])
    return replace(parts, rows=compared_rows)


def _analyze(session: WarehouseSession, claim: Claim, parts: BuiltParts) -> None:
    """Gather statistics of the attempt's tables. A failure is ignored: the tables are right without statistics."""
    step, numbers = claim.instance.step, {segment.number for segment in parts.segments}
    new = step.increment.new if step.increment is not None else ()
    segments = [segment.analyze_sql for segment in new if segment.number in numbers]
    for sql in (step.analyze_sql, *segments):
        if sql:
            with contextlib.suppress(WarehouseError):
                session.execute(sql)


def _drop_quietly(session: WarehouseSession, step: BuildStep) -> None:
    """Drop the attempt's tables if that is possible now; `sweep` finds the others."""
    for sql in step.drop_statements():
        with contextlib.suppress(WarehouseError):
            session.execute(sql)


def _record_failure(
    workspace: Workspace,
    claim: Claim,
    error: WarehouseError | VerificationError,
    settings: Settings,
    tell: EventSender,
) -> BuildFailedError:
    """Record a failed attempt. Returns the error to raise, which knows whether another attempt is allowed.

    A permanent error uses up the allowance: the same SQL would fail again, or make the same wrong table.
    """
    instance = workspace.registry.attempts.fail(claim, error=str(error), now=utc_now())
    batch = workspace.read.batches.get(instance.batch_id)
    allowed = settings.max_attempts_per_aggregate
    is_spent = not error.is_transient or batch.failures >= settings.max_attempts_per_batch
    used = instance.failures
    failure = BuildFailedError(
        claim.instance.step.aggregate, instance.id, used, min(allowed, used) if is_spent else allowed, str(error)
    )
    tell("failed", text=str(failure))
    return failure
