"""Activate a batch: all of its new instances go live together, or none.

The registry's transaction is the switch; the stable views follow in one warehouse transaction. A process that dies
between the two leaves ``views_pending`` behind, and whoever comes next switches the views. Old tables stay for a while:
queries that began before the switch end on them.

Source: AtScale, "How Aggregate Tables Are Populated With Data": the status of all instances is set to Active.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from airflow_atscale_aggs.engine.aggregates.instance import BUILT, BatchStatus
from airflow_atscale_aggs.engine.errors import BatchFailedError, IllegalTransitionError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.build.agreement import disagreements
from airflow_atscale_aggs.engine.lifecycle.schema_ownership import check_schema
from airflow_atscale_aggs.engine.lifecycle.stable_views.rights import carry_rights
from airflow_atscale_aggs.engine.lifecycle.stable_views.switch import ViewTask, drop_task, show_task, switch
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.registry.batches import VIEW_NOTE
from airflow_atscale_aggs.engine.registry.records import BatchRecord, InstanceRecord

SWITCH_SECONDS = 600.0
"""How long readers that hold a view are waited for."""


@dataclass(frozen=True, slots=True)
class BatchReport:
    """A batch and its instances in build order, as they stand now."""

    batch: BatchRecord
    instances: tuple[InstanceRecord, ...]


def activate_batch(
    workspace: Workspace, batch_id: str, *, owner: str, now: datetime, given_up: Collection[str] = ()
) -> BatchReport:
    """Make every DONE instance of a batch ACTIVE in one registry transaction, then switch the stable views.

    Calling it again after it succeeded changes nothing. What the instances saw differently of the facts is noted with
    the batch.

    Args:
        owner: who drives the batch; a batch taken over by somebody else is not touched.
        given_up: ids of instances that a person gave up: what is not built of them counts as no failure, is recorded,
            and their old instances serve on.

    Raises:
        BatchFailedError: more instances are not built than ``aggregates.batch.max.failures`` allows. The batch is
            FAILED, its DONE instances stay staged, the old instances serve on.
        IllegalTransitionError: the batch was cancelled.
        SchemaOwnedError: another registry has taken the schema over.
    """
    registry = workspace.registry
    batch = workspace.read.batches.get(batch_id)
    if batch.status is BatchStatus.DONE:
        return _switch_and_report(workspace, batch)
    if batch.status is BatchStatus.CANCELLED:
        raise IllegalTransitionError("Batch", batch_id, batch.status, BatchStatus.DONE)
    check_schema(workspace)
    settings = workspace.settings_of(batch.model_id)
    instances = workspace.read.instances.find(batch_id=batch_id)
    registry.instances.give_up(
        [instance.id for instance in instances if instance.id in given_up and instance.status not in BUILT]
    )
    unbuilt = [
        instance.step.aggregate
        for instance in instances
        if instance.status not in BUILT and instance.id not in given_up
    ]
    if len(unbuilt) > settings.max_failures:
        registry.batches.fail(batch_id, owner=owner, now=now)
        raise BatchFailedError(workspace.read.models.get(batch.model_id).name, batch_id, unbuilt, settings.max_failures)
    drop_after = now + timedelta(seconds=settings.drop_delay_seconds)
    # Rights before anybody reads the new tables.
    notes = (*carry_rights(workspace, batch, instances), *disagreements(workspace, batch, instances))
    registry.batches.add_notes(batch_id, notes)
    return _switch_and_report(
        workspace, registry.batches.activate(batch_id, owner=owner, now=now, drop_after=drop_after)
    )


def switch_views(workspace: Workspace, batch: BatchRecord, *, patience: float = SWITCH_SECONDS) -> tuple[str, ...]:
    """Make the stable views of a batch's aggregates show its ACTIVE instances, together where the warehouse can.

    The views of aggregates that have left the model go. Readers come first: where they hold a view, the switch gives
    way and tries again. A view that cannot be switched stays as it is and stops no other one; the batch remembers it.

    Args:
        patience: seconds that readers are waited for.

    Returns:
        Sentences about views that stay as they are, which the batch has among its notes as well.
    """
    active = workspace.read.instances.serving(batch.model_id)
    tasks = [show_task(instance, batch.schema) for instance in active if instance.batch_id == batch.id]
    drop_tasks = _gone_views(workspace, batch.model_id, active)
    # Where they go one after the other, a process that dies leaves at worst a view too many.
    problems = switch(workspace, batch.model_id, [*tasks, *drop_tasks], patience=patience)
    notes = _describe_problems(problems)
    is_pending = any((task.schema, task.view) in problems for task in tasks)
    workspace.registry.batches.record_view_switch(batch.id, notes, is_pending=is_pending)
    return notes


def switch_pending_views(workspace: Workspace, model_id: str | None = None, *, patience: float = 0) -> tuple[str, ...]:
    """Switch the views that earlier switches could not switch, or that a dead process left behind.

    Returns notes about the rest.
    """
    pending = workspace.read.batches.with_pending_views(model_id)
    return tuple(note for batch in pending for note in switch_views(workspace, batch, patience=patience))


def drop_gone_views(workspace: Workspace, model_id: str, *, patience: float = SWITCH_SECONDS) -> tuple[str, ...]:
    """Drop the stable views of aggregates without an active instance. Returns notes about views that stay.

    Args:
        patience: seconds that readers are waited for.
    """
    gone = _gone_views(workspace, model_id, workspace.read.instances.serving(model_id))
    return _describe_problems(switch(workspace, model_id, gone, patience=patience))


def _gone_views(workspace: Workspace, model_id: str, active: Sequence[InstanceRecord]) -> list[ViewTask]:
    read = workspace.read
    superseded = read.tables.superseded_views(model_id)
    if not superseded:
        return []
    schemas = {batch_id: read.batches.get(batch_id).schema for batch_id in {other.batch_id for other in active}}
    serving = {(schemas[instance.batch_id], instance.step.view) for instance in active}
    return [
        drop_task(view, schema, drop_sql)
        for (schema, view), drop_sql in sorted(superseded.items())
        if drop_sql and (schema, view) not in serving
    ]


def _describe_problems(problems: Mapping[tuple[str, str], str]) -> tuple[str, ...]:
    return tuple(f"{VIEW_NOTE}`{view}` stays as it is: {why}." for (_, view), why in sorted(problems.items()))


def cancel_batch(workspace: Workspace, batch_id: str, *, now: datetime) -> BatchReport:
    """Cancel a batch: nothing of it goes live, the old instances go on serving, and `sweep` drops what it built.

    Raises:
        NotRegisteredError: no such batch.
        IllegalTransitionError: it is DONE already.
    """
    batch = workspace.registry.batches.cancel(batch_id, now=now)
    return BatchReport(batch, workspace.read.instances.find(batch_id=batch_id))


def _switch_and_report(workspace: Workspace, batch: BatchRecord) -> BatchReport:
    if batch.views_pending:
        switch_views(workspace, batch)
        batch = workspace.read.batches.get(batch.id)
    return BatchReport(batch, workspace.read.instances.find(batch_id=batch.id))
