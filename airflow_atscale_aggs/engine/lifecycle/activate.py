"""Used from now on: all new instances of a batch go live together, or none.

The registry's transaction is the switch; the stable views follow in one warehouse transaction. A process that dies between
the two leaves ``views_pending`` behind, and whoever comes next switches the views. Old tables stay for a while: queries that
began before the switch end on them.

Source: AtScale, "How Aggregate Tables Are Populated With Data": the status of all instances is set to Active.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus, InstanceStatus
from airflow_atscale_aggs.engine.errors import BatchFailedError, IllegalTransitionError, TransientWarehouseError
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.registry.records import BatchRecord, InstanceRecord

_SWITCH_SECONDS = 600
"""How long readers that hold a view are waited for."""

_BUILT = frozenset({InstanceStatus.DONE, InstanceStatus.ACTIVE})


@dataclass(frozen=True, slots=True)
class BatchReport:
    """A batch and its instances in build order, as they stand now."""

    batch: BatchRecord
    instances: tuple[InstanceRecord, ...]


def activate_batch(
    workspace: Workspace, batch_id: str, *, owner: str, now: datetime, given_up: Collection[str] = ()
) -> BatchReport:
    """Make every DONE instance of a batch ACTIVE in one registry transaction, then switch the stable views.

    Calling it again after it succeeded changes nothing.

    Args:
        owner: who drives the batch; a batch taken over by somebody else is not touched.
        given_up: ids of instances that a person gave up: what is not built of them counts as no failure, is recorded,
            and their old instances serve on.

    Raises:
        BatchFailedError: more instances are not built than ``aggregates.batch.max.failures`` allows. The batch is
            FAILED, its DONE instances stay staged, the old instances serve on.
        IllegalTransitionError: the batch was cancelled.
    """
    registry = workspace.registry
    batch = registry.batch(batch_id)
    if batch.status is BatchStatus.DONE:
        return _switched(workspace, batch)
    if batch.status is BatchStatus.CANCELLED:
        raise IllegalTransitionError("Batch", batch_id, batch.status, BatchStatus.DONE)
    settings = workspace.settings_of(batch.model_id)
    instances = registry.instances(batch_id=batch_id)
    registry.give_up([one.id for one in instances if one.id in given_up and one.status not in _BUILT])
    unbuilt = [one.step.aggregate for one in instances if one.status not in _BUILT and one.id not in given_up]
    if len(unbuilt) > settings.max_failures:
        registry.fail_batch(batch_id, owner=owner, now=now)
        raise BatchFailedError(registry.model(batch.model_id).name, batch_id, unbuilt, settings.max_failures)
    drop_after = now + timedelta(seconds=settings.drop_delay_seconds)
    return _switched(workspace, registry.activate(batch_id, owner=owner, now=now, drop_after=drop_after))


def switch_views(workspace: Workspace, batch: BatchRecord) -> None:
    """Make the stable views of a batch's aggregates show its ACTIVE instances, together where the warehouse can.

    The views of aggregates that have left the model go. Readers come first: where they hold a view, the switch gives way
    and tries again.

    Raises:
        TransientWarehouseError: readers held a view for ten minutes; the registry remembers that views are to be switched.
    """
    active = workspace.registry.active_instances(batch.model_id)
    statements = [
        *_gone_views(workspace, batch.model_id, active),
        *(
            sql
            for instance in active
            if instance.batch_id == batch.id
            for sql in instance.step.view_statements_for(instance.attempt)
        ),
    ]
    _switch(workspace, statements)
    workspace.registry.views_switched(batch.id)


def drop_gone_views(workspace: Workspace, model_id: str) -> None:
    """Drop the stable views of aggregates that have no active instance any more.

    Raises:
        TransientWarehouseError: readers held a view for ten minutes; a sweep tries again.
    """
    statements = _gone_views(workspace, model_id, workspace.registry.active_instances(model_id))
    if statements:
        _switch(workspace, statements)


def _gone_views(workspace: Workspace, model_id: str, active: Sequence[InstanceRecord]) -> list[str]:
    superseded = workspace.registry.instances(model_id=model_id, status=InstanceStatus.SUPERSEDED)
    kept = {instance.step.view for instance in active}
    return sorted({one.step.drop_view_sql for one in superseded if one.step.view not in kept} - {""})


def _switch(workspace: Workspace, statements: Sequence[str]) -> None:
    """All statements in one transaction where the warehouse has them; gives way to readers and tries again."""
    for attempt in Retrying(
        retry=retry_if_exception_type(TransientWarehouseError),
        wait=wait_random_exponential(multiplier=0.1, max=5),
        stop=stop_after_delay(_SWITCH_SECONDS),
        reraise=True,
    ):
        with attempt, workspace.warehouse.session() as session, session.transaction():
            for sql in (*workspace.warehouse.dialect.before_switch, *statements):
                session.execute(sql)


def cancel_batch(workspace: Workspace, batch_id: str, *, now: datetime) -> BatchReport:
    """Give a batch up: nothing of it goes live, the old instances serve on, `sweep` drops what it built.

    Raises:
        NotRegisteredError: no such batch.
        IllegalTransitionError: it is DONE already.
    """
    batch = workspace.registry.cancel_batch(batch_id, now=now)
    return BatchReport(batch, workspace.registry.instances(batch_id=batch_id))


def _switched(workspace: Workspace, batch: BatchRecord) -> BatchReport:
    if batch.views_pending:
        switch_views(workspace, batch)
        batch = workspace.registry.batch(batch.id)
    return BatchReport(batch, workspace.registry.instances(batch_id=batch.id))
