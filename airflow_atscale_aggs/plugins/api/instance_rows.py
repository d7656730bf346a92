"""Instances as lists and their own pages show them."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_atscale_aggs.engine.aggregates.indicator import render_bound
from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus
from airflow_atscale_aggs.engine.aggregates.segment import Segment
from airflow_atscale_aggs.engine.aggregates.shown_status import SHOWN
from airflow_atscale_aggs.engine.aggregates.verification import Verified
from airflow_atscale_aggs.engine.errors import AtScaleAggsError
from airflow_atscale_aggs.engine.lifecycle.table_presence import missing_of_active
from airflow_atscale_aggs.engine.registry.listings import InstanceListing
from airflow_atscale_aggs.engine.registry.records import AttemptRecord, BatchRecord, InstanceRecord
from airflow_atscale_aggs.engine.sql.statements import format_sql
from airflow_atscale_aggs.plugins.api.access import Place
from airflow_atscale_aggs.plugins.api.batch_runs import run_of_owner
from airflow_atscale_aggs.plugins.api.documents.definition_documents import (
    Attempt,
    InstanceDetail,
    InstanceRow,
    SegmentRow,
    ShownStatus,
)

_LONGEST_FORMATTED = 200_000
"""Characters of SQL; a longer one is shown as it is."""


def instance_row(listing: InstanceListing) -> InstanceRow:
    """An instance without what its step says."""
    return InstanceRow(
        id=listing.id,
        definition_id=listing.definition_id,
        batch_id=listing.batch_id,
        model_id=listing.model_id,
        aggregate=listing.aggregate,
        fact=listing.fact,
        status=ShownStatus(listing.shown_status),
        table=listing.table,
        schema_name=listing.schema,
        rows=listing.rows,
        seconds=listing.seconds,
        source=listing.source,
        attempt=listing.attempt,
        failures=listing.failures,
        error=listing.error,
        started_at=listing.started_at,
        finished_at=listing.finished_at,
        activated_at=listing.activated_at,
        drop_after=listing.drop_after,
    )


def instance_detail(place: Place, instance: InstanceRecord, *, missing: Sequence[str] | None) -> InstanceDetail:
    """Everything about an instance.

    Args:
        missing: its tables that are not in the warehouse; None: nobody has asked.
    """
    batch, step = place.read.batches.get(instance.batch_id), instance.step
    run = run_of_owner(batch.owner)
    return InstanceDetail(
        id=instance.id,
        definition_id=step.definition_id,
        batch_id=instance.batch_id,
        model_id=instance.model_id,
        aggregate=step.aggregate,
        fact=step.fact,
        status=ShownStatus(SHOWN[instance.status]),
        table=instance.table,
        schema_name=batch.schema,
        rows=instance.rows,
        seconds=instance.seconds,
        source=instance.source,
        attempt=instance.attempt,
        failures=instance.failures,
        error=instance.error,
        started_at=instance.started_at,
        finished_at=instance.finished_at,
        activated_at=instance.activated_at,
        drop_after=instance.drop_after,
        view=step.view,
        position=step.position,
        build=step.kind,
        reason=step.reason,
        full_reason=step.full_reason,
        estimated_rows=step.estimated_rows,
        attempts=attempts_of(place, instance.id),
        segments=[_segment(instance, segment) for segment in place.read.instances.segments(instance.id)],
        sql=_statements(place, instance),
        missing_tables=None if missing is None else list(missing),
        dag_id=None if run is None else run.dag_id,
        run_id=None if run is None else run.run_id,
        task_id=None if run is None else build_task_of(place, batch, run.dag_id),
        map_index=None if run is None else step.position,
    )


def build_task_of(place: Place, batch: BatchRecord, dag_id: str) -> str | None:
    """The mapped task that builds in a DAG; None where the DAG is gone, or the visitor may not read it."""
    dags = [dag for record in place.models if record.id == batch.model_id for dag in place.dags_of(record)]
    return next((dag.build_task_id for dag in dags if dag.dag_id == dag_id), None)


def missing_tables_of(place: Place, instance: InstanceRecord) -> Sequence[str] | None:
    """Tables of an instance that are not in the warehouse; None where it does not serve, or nobody can tell."""
    if instance.status is not InstanceStatus.ACTIVE:
        return None
    try:
        with place.workspace() as workspace:
            return missing_of_active(workspace, [instance]).get(instance.id, ())
    except AtScaleAggsError:
        return None


def attempts_of(place: Place, instance_id: str) -> list[Attempt]:
    """The attempts to build an instance, oldest first."""
    return [_attempt(attempt) for attempt in place.read.attempts.find(instance_id=instance_id)]


def _attempt(attempt: AttemptRecord) -> Attempt:
    return Attempt(
        number=attempt.number,
        status=attempt.status,
        table=attempt.table,
        owner=attempt.owner,
        started_at=attempt.started_at,
        finished_at=attempt.finished_at,
        error=attempt.error,
        dropped_at=attempt.dropped_at,
        verified=describe_verification(attempt.verified),
    )


def describe_verification(verified: Verified | None) -> str:
    """How a table was compared with its facts, in a sentence; empty when it was not."""
    if verified is None:
        return ""
    doubts = "; ".join(verified.undecided)
    if verified.totals is not None:
        return f"It agrees with its facts (`{verified.level}`){f'; not decided: {doubts}' if doubts else ''}."
    return f"Whether it agrees with its facts was not decided: {doubts}." if doubts else ""


def _segment(instance: InstanceRecord, segment: Segment) -> SegmentRow:
    increment = instance.step.increment

    def bound(value: int) -> str:
        return str(value) if increment is None else render_bound(increment.indicator.kind, value)

    return SegmentRow(
        table=segment.table,
        after=None if segment.after is None else bound(segment.after),
        through=bound(segment.through),
        is_settled=segment.is_settled,
        rows=segment.rows,
    )


def _statements(place: Place, instance: InstanceRecord) -> str:
    """What makes the table: from the source that it was built from, else from the one that is planned first."""
    step = instance.step.of_attempt(max(instance.attempt, 1))
    by_name = {source.name: source for source in step.sources}
    source = by_name.get(instance.source or "", step.sources[0])
    attempt = None if source.instance_id is None else max(place.read.instances.get(source.instance_id).attempt, 1)
    text = ";\n\n".join(step.create_statements(source, attempt))
    dialect = place.sql_dialect
    return format_sql(text, dialect) if dialect and len(text) <= _LONGEST_FORMATTED else text
