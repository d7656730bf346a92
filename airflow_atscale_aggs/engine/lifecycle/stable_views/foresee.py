"""Before a build: what will keep a stable view from being switched, or the tables from being made at all."""

from __future__ import annotations

from dataclasses import replace

from airflow_atscale_aggs.engine.aggregates.build_step import BuildStep
from airflow_atscale_aggs.engine.lifecycle.stable_views.stable_view import LookedAt, look, named_readers
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.planning.batch_plan import BatchPlan, RefusedPart
from airflow_atscale_aggs.engine.registry.registry import VIEW_NOTE
from airflow_atscale_aggs.engine.sql.view_layout import view_query
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession
from airflow_atscale_aggs.engine.warehouse.schema_catalog import Rights


def with_foreseen(workspace: Workspace, session: WarehouseSession, plan: BatchPlan) -> BatchPlan:
    """The plan with notes about views that cannot be switched as things stand; without steps where none can be built.

    Types are compared when a batch is activated, since only the new tables have them.
    """
    others = workspace.registry.serving_tables(except_model=plan.model_id)
    looked = look(session, plan.schema, [step.view for step in plan.steps], others)
    if looked is None or not plan.steps:
        return plan
    rights = looked.catalog.rights()
    if rights.has_schema and not rights.may_create:
        return _without_rights(plan, rights)
    found = ((step, looked.obstacle(step.view) or _lost_columns(session, step, looked)) for step in plan.steps)
    notes = (f"{VIEW_NOTE}`{step.view}` will stay as it is: {why}." for step, why in found if why)
    return replace(plan, notes=(*plan.notes, *notes))


def _without_rights(plan: BatchPlan, rights: Rights) -> BatchPlan:
    reason = (
        f"role `{rights.role}` may not create tables in schema `{plan.schema or 'of the connection'}`; "
        f"the owner of the schema grants USAGE and CREATE on it"
    )
    refused = (
        RefusedPart(aggregate=step.aggregate, definition_id=step.definition_id, reason=reason) for step in plan.steps
    )
    return replace(plan, steps=(), refused=(*plan.refused, *refused))


def _lost_columns(session: WarehouseSession, step: BuildStep, looked: LookedAt) -> str:
    """Columns that the view has no more after the switch and that somebody reads."""
    readers = looked.readers(step.view)
    if not readers or not step.view_statements:
        return ""
    kept = set(view_query(step.view_statements[-1], session.dialect).named_selects)
    for name, _ in looked.columns.get(step.view.casefold(), ()):
        by = [one for one in readers if name.casefold() in {column.casefold() for column in one.columns}]
        if name not in kept and by:
            return f"{named_readers(by)} reads column `{name}`, which is not stored any more"
    return ""
