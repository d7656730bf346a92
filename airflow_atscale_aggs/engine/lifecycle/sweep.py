"""Deleted: tables that nothing needs any more, known from the registry alone, never from a name pattern."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime

from airflow_atscale_aggs.engine.errors import WarehouseError
from airflow_atscale_aggs.engine.lifecycle.activate import switch_views
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.registry.records import UnneededSegment, UnneededTable
from airflow_atscale_aggs.engine.registry.registry import Registry
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession


@dataclass(frozen=True, slots=True, kw_only=True)
class SweptTable:
    """A table of our own making that nothing needs. ``error`` says why it could not be dropped."""

    table: str
    schema: str
    aggregate: str
    why: str
    dropped: bool
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepReport:
    """What a sweep found, and dropped unless it was a dry run."""

    found: tuple[SweptTable, ...]
    dry_run: bool


def sweep(workspace: Workspace, *, dry_run: bool, now: datetime) -> SweepReport:
    """Drop the tables of failed, interrupted and cancelled attempts, and of superseded instances whose delay is over.

    A table that was swept before and is there again, because a server finished what a killed client had asked for, is
    dropped again.

    Never touched: ACTIVE and staged instances, tables that an owner with a live lease is writing, anything that the
    registry did not write down before it was created.

    Args:
        dry_run: only list.
        now: superseded tables go when their ``drop_after`` is not later.
    """
    registry = workspace.registry
    if not dry_run:
        for batch in registry.batches():
            if batch.views_pending:
                switch_views(workspace, batch)
    shown = {one.step.view for model in registry.models() for one in registry.active_instances(model.id)}
    with workspace.warehouse.session() as session:
        existing = session.tables(workspace.warehouse.aggregate_schema)
        found = [
            _swept(registry, session, _with_gone_view(unneeded, shown), dry_run=dry_run, now=now)
            for unneeded in (*registry.tables_to_drop(now), *registry.tables_that_came_back(existing))
        ]
        # After the views that read them.
        found += [
            _swept(registry, session, segment, dry_run=dry_run, now=now)
            for segment in (*registry.segments_to_drop(now), *registry.segments_that_came_back(existing))
        ]
    return SweepReport(found=tuple(found), dry_run=dry_run)


def _with_gone_view(unneeded: UnneededTable, shown: AbstractSet[str]) -> UnneededTable:
    """Without the statement that drops the view, where the view shows an active instance by now."""
    return replace(unneeded, drop_view_sql="") if unneeded.view in shown else unneeded


def _swept(
    registry: Registry,
    session: WarehouseSession,
    unneeded: UnneededTable | UnneededSegment,
    *,
    dry_run: bool,
    now: datetime,
) -> SweptTable:
    """One table, dropped unless it is a dry run."""
    dropped, error = False, ""
    if isinstance(unneeded, UnneededSegment):
        table, drop_sql = unneeded.table, unneeded.drop_sql
    else:
        table, drop_sql = unneeded.attempt.table, unneeded.attempt.drop_sql
    if not dry_run:
        try:
            # A view that still shows the table, since its process died before it could drop the view.
            if isinstance(unneeded, UnneededTable) and unneeded.drop_view_sql:
                session.execute(unneeded.drop_view_sql)
            session.execute(drop_sql)
            if isinstance(unneeded, UnneededSegment):
                registry.mark_segment_dropped(unneeded.key, now)
            else:
                registry.mark_dropped(unneeded.attempt.instance_id, unneeded.attempt.number, now)
            dropped = True
        except WarehouseError as refused:
            error = str(refused)
    return SweptTable(
        table=table,
        schema=unneeded.schema,
        aggregate=unneeded.aggregate,
        why=unneeded.why,
        dropped=dropped,
        error=error,
    )
