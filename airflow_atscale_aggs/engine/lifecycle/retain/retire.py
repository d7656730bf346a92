"""Retire a model that was renamed or removed, with all of its aggregates.

Its definitions and their statistics are kept, and come back when it is deployed again. Its tables go with a sweep,
after the drop delay, and each stays for as long as somebody's own view reads it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow_atscale_aggs.engine.errors import BatchHeldError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.build.activate import drop_gone_views
from airflow_atscale_aggs.engine.lifecycle.schema_ownership import check_schema
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, is_dead_process

RETIRED = "its model was retired"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetireReport:
    """What is retired with a model, or would be.

    Attributes:
        aggregates: names of definitions that are retired.
        tables: of instances that serve no more.
        views: stable views of those, in the same order.
        notes: sentences about views that stay, since somebody reads them.
        drop_after: from then on a sweep drops the tables.
    """

    model: str
    model_id: str
    aggregates: tuple[str, ...]
    tables: tuple[str, ...]
    views: tuple[str, ...]
    notes: tuple[str, ...]
    drop_after: datetime
    dry_run: bool


def retire(workspace: Workspace, model: str, *, dry_run: bool, now: datetime) -> RetireReport:
    """Retire a model.

    Queries cannot name it any more, its aggregates stop serving, and an open batch of it is cancelled.

    Calling it again after a crash finishes what the crash has interrupted.

    Args:
        model: name, ``catalog.name`` or id.
        dry_run: only report what would be retired.

    Raises:
        NotRegisteredError: no such model.
        BatchHeldError: a batch of it is under way.
        SchemaOwnedError: another registry writes into the schema.
    """
    registry = workspace.registry
    record = workspace.read.models.get(model)
    active = workspace.read.instances.serving(record.id)
    names = [record.definition.name for record in workspace.read.definitions.of_model(record.id)]
    drop_after = now + timedelta(seconds=workspace.settings_of(record.id).drop_delay_seconds)
    notes: tuple[str, ...] = ()
    if not dry_run:
        check_schema(workspace)
        _refuse_while_building(workspace, record.id, record.name, now)
        registry.models.retire(record.id, why=RETIRED, now=now, drop_after=drop_after)
        notes = drop_gone_views(workspace, record.id)
    return RetireReport(
        model=record.name,
        model_id=record.id,
        aggregates=tuple(names),
        tables=tuple(instance.table for instance in active if instance.table is not None),
        views=tuple(instance.step.view for instance in active if instance.table is not None),
        notes=notes,
        drop_after=drop_after,
        dry_run=dry_run,
    )


def _refuse_while_building(workspace: Workspace, model_id: str, name: str, now: datetime) -> None:
    batch = workspace.read.batches.open_of(model_id)
    if batch is not None and batch.lease_until > now and not is_dead_process(batch.owner):
        raise BatchHeldError(name, batch.id, batch.owner, batch.lease_until.isoformat(timespec="seconds"))
