"""Decide whether an interrupted batch is continued, or closed for a new one.

An interrupted batch is continued only when a new batch would be the same: the request and the deployment are the same,
nothing was loaded meanwhile, and the plan has not changed.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from airflow_atscale_aggs.engine.aggregates.build_step import TARGET_ATTEMPT, BuildStep
from airflow_atscale_aggs.engine.aggregates.instance import BUILT, InstanceStatus
from airflow_atscale_aggs.engine.errors import PermanentWarehouseError
from airflow_atscale_aggs.engine.lifecycle.build.plan import plan_batch
from airflow_atscale_aggs.engine.lifecycle.build.segment_tables import find_replaced_table
from airflow_atscale_aggs.engine.lifecycle.build.source_marks import changed_datasets, unmarked_datasets
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.planning.requests import Asked, difference, is_begun_after
from airflow_atscale_aggs.engine.registry import documents
from airflow_atscale_aggs.engine.registry.records import BatchRecord, ModelRecord

_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)


def asked_of(batch: BatchRecord) -> Asked:
    """What a batch was asked to do."""
    return Asked(
        build_type=batch.build_type,
        aggregates=batch.aggregates,
        grace_periods=batch.grace_periods,
        slices_through=batch.slices_through,
    )


def find_difference(batch: BatchRecord, record: ModelRecord, asked: Asked) -> str:
    """Why a batch is not the one that is asked for, as far as the registry knows; empty when it is."""
    if batch.deployment_id != record.deployment_id:
        return "the model was deployed anew since it was begun"
    return difference(asked_of(batch), asked)


def find_reason_not_to_resume(
    workspace: Workspace,
    batch: BatchRecord,
    asked: Asked,
    *,
    requested_at: datetime | None,
    now: datetime,
) -> str:
    """Why an interrupted batch must be closed; empty when going on with it ends as a new one would.

    Args:
        requested_at: what was loaded before must be in it, whoever has loaded it where.

    Raises:
        WarehouseError: the warehouse could not be asked.
    """
    record = workspace.read.models.get(batch.model_id)
    if reason := find_difference(batch, record, asked):
        return reason
    if requested_at is not None and not is_begun_after(batch.created_at, requested_at):
        return "it was begun before this run was asked for"
    if batch.schema != workspace.warehouse.aggregate_schema:
        return f"it builds in schema `{batch.schema}`, and `{workspace.warehouse.aggregate_schema}` is set now"
    return (
        find_damage(workspace, batch)
        or _find_source_changes(workspace, batch)
        or _find_plan_difference(workspace, batch, asked, now)
    )


def find_replacement(workspace: Workspace, batch: BatchRecord) -> str:
    """Which table was replaced so that the batch's increments cannot be built as planned; empty when none was.

    Raises:
        WarehouseError: the warehouse could not be asked.
    """
    instances = workspace.read.instances.find(batch_id=batch.id)
    waiting = [instance.step.increment for instance in instances if instance.status not in BUILT]
    increments = {increment.identities_sql: increment for increment in waiting if increment is not None}
    if not increments:
        return ""
    with workspace.warehouse.session() as session:
        for increment in increments.values():
            if table := find_replaced_table(session, increment):
                return f"table `{table}` was replaced, truncated or written anew since its increments were planned"
    return ""


def find_damage(workspace: Workspace, batch: BatchRecord) -> str:
    """Which table that a batch has built holds other rows than it had then, or is gone; empty when none does.

    Rows are counted: what is gone on with goes live without being built again.

    Raises:
        TransientWarehouseError: the warehouse could not be asked.
    """
    built = workspace.read.instances.find(batch_id=batch.id, status=InstanceStatus.DONE)
    if not built:
        return ""
    with workspace.warehouse.session() as session:
        for instance in built:
            try:
                ((rows,),) = session.fetch_all(instance.step.of_attempt(instance.attempt).count_sql)
            except PermanentWarehouseError as error:
                what = f"`{instance.table}` of `{instance.step.aggregate}`, which it has built,"
                return f"{what} cannot be read ({error.reason})"
            if instance.rows is not None and rows != instance.rows:
                return (
                    f"`{instance.table}` of `{instance.step.aggregate}`, which it has built, had {instance.rows:,} "
                    "rows and has "
                    f"{rows:,} now"
                )
    return ""


def _find_source_changes(workspace: Workspace, batch: BatchRecord) -> str:
    """Why a batch may have read other data than there is now; empty when no dataset has changed since it was begun."""
    if not batch.sources:
        return "the state of the facts was not noted when it was begun"
    if unknown := unmarked_datasets(batch.sources):
        return f"nobody can tell whether {_list_names(unknown)} changed since it was begun: no mark was taken"
    with workspace.warehouse.session() as session:
        changed = changed_datasets(session, batch.sources, workspace.warehouse)
    return f"{_list_names(changed)} changed since it was begun" if changed else ""


def _find_plan_difference(workspace: Workspace, batch: BatchRecord, asked: Asked, now: datetime) -> str:
    """In what a new batch would be planned otherwise, because of settings, advice, serving instances or the clock.

    Else empty.
    """
    plan = plan_batch(
        workspace,
        batch.model_id,
        build_type=asked.build_type,
        now=now,
        new_id=lambda: str(uuid.uuid4()),
        aggregates=asked.aggregates,
        grace_periods=asked.grace_periods,
    )
    before = [instance.step for instance in workspace.read.instances.find(batch_id=batch.id)]
    names, names_now = ({step.aggregate for step in steps} for steps in (before, plan.steps))
    if missing := names_now - names:
        return f"it does not build {_list_names(sorted(missing))}"
    if extra := names - names_now:
        return f"it builds {_list_names(sorted(extra))}, which would not be built now"
    if _comparable(before) != _comparable(plan.steps):
        return "a new one is planned otherwise: settings, definitions or what serves have changed since it was begun"
    return ""


def _comparable(steps: Sequence[BuildStep]) -> str:
    """The steps of a batch as a text that is the same for the same work: without ids, estimates and reasons."""
    tokens: dict[str, str] = {}
    texts = []
    for step in steps:
        place = f"<{step.position}>"
        tokens |= {step.instance_id: f"<id {place}>", _stem(step.table): f"<table {place}>"}
        increment = step.increment
        if increment is not None:
            tokens |= {_stem(segment.table): f"<segment {place} {segment.number}>" for segment in increment.new}
            increment = replace(increment, full_at=_NO_TIME)
        bare = replace(step, increment=increment, estimated_rows=None, estimate_source="", reason="")
        texts.append(documents.encode_step(bare).decode())
    text = "\n".join(texts)
    for name in sorted(tokens, key=len, reverse=True):
        text = text.replace(name, tokens[name])
    return text


def _stem(table: str) -> str:
    """A table's name without its attempt: as a source it stands with another one."""
    return table.replace(TARGET_ATTEMPT, "")


def _list_names(datasets: Sequence[str]) -> str:
    return ", ".join(f"`{dataset}`" for dataset in datasets)
