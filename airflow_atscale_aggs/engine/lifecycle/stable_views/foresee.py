"""Find out before a build what will keep a stable view from being switched, or the tables from being created."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from airflow_atscale_aggs.engine.aggregates.build_step import BuildStep
from airflow_atscale_aggs.engine.lifecycle.stable_views.stable_view import (
    ViewPlaces,
    describe_readers,
    read_view_places,
)
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.planning.batch_plan import BatchPlan, RefusedPart
from airflow_atscale_aggs.engine.registry.batches import VIEW_NOTE
from airflow_atscale_aggs.engine.sql.view_layout import view_query
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession
from airflow_atscale_aggs.engine.warehouse.schema_catalog import Rights


def note_view_obstacles(workspace: Workspace, session: WarehouseSession, plan: BatchPlan) -> BatchPlan:
    """The plan with notes about stable views that cannot be switched now.

    It has no steps where the role may create no table.

    Types are compared when a batch is activated, since only the new tables have them.
    """
    others = partial(workspace.read.instances.tables_that_serve, except_model=plan.model_id)
    places = read_view_places(session, plan.schema, [step.view for step in plan.steps], others, tables=None)
    if places is None or not plan.steps:
        return plan
    rights = Rights() if places.catalog is None else places.catalog.rights()
    if rights.has_schema and not rights.may_create:
        return _without_rights(plan, rights)
    obstacles = ((step, places.obstacle(step.view) or _lost_columns(session, step, places)) for step in plan.steps)
    notes = (f"{VIEW_NOTE}`{step.view}` will stay as it is: {why}." for step, why in obstacles if why)
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


def _lost_columns(session: WarehouseSession, step: BuildStep, places: ViewPlaces) -> str:
    """Who reads a column that the view will not have after the switch, as a sentence; empty when nobody does."""
    readers = places.readers(step.view)
    if not readers or not step.view_statements:
        return ""
    stored = set(view_query(step.view_statements[-1], session.dialect).named_selects)
    for name, _ in places.columns.get(step.view.casefold(), ()):
        readers_of_column = [
            reader for reader in readers if name.casefold() in {column.casefold() for column in reader.columns}
        ]
        if name not in stored and readers_of_column:
            return f"{describe_readers(readers_of_column)} reads column `{name}`, which is not stored any more"
    return ""
