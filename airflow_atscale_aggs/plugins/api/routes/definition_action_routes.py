"""Definitions are blocked and unblocked, instances are deleted."""

from __future__ import annotations

from fastapi import APIRouter

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionStatus
from airflow_atscale_aggs.engine.lifecycle.retain import block
from airflow_atscale_aggs.engine.lifecycle.retain.prune import delete_instance
from airflow_atscale_aggs.engine.lifecycle.workspace import utc_now
from airflow_atscale_aggs.plugins.api.access import AdministeredConnection, ManagedConnection
from airflow_atscale_aggs.plugins.api.audit import record_deed
from airflow_atscale_aggs.plugins.api.documents.definition_documents import BlockRequest, Done
from airflow_atscale_aggs.plugins.api.identities import Identity
from airflow_atscale_aggs.plugins.api.request_rates import ActingRate

router = APIRouter(tags=["Definitions"], dependencies=[ActingRate])

_PATIENCE = 5.0
"""Seconds that readers of a stable view are waited for; a request must end."""


@router.post("/connections/{connection}/definitions/{definition_id}/block")
def block_definition(place: ManagedConnection, definition_id: Identity, asked: BlockRequest) -> Done:
    """Take a definition out of use: queries go past it at once, batches do not build it, nobody defines it again.

    Blocking it once more changes nothing.
    """
    record = place.definition(definition_id)
    name = record.definition.name
    if record.status is DefinitionStatus.BLOCKED:
        return Done(message=f"`{name}` is blocked already.")
    with place.bookkeeping() as workspace:
        block.block(workspace, record, why=asked.why, now=utc_now())
    reason = f" Why: {asked.why}" if asked.why else ""
    record_deed(place, "block_definition", f"`{name}` of model {record.definition.model_id} is blocked.{reason}")
    return Done(message=f"`{name}` is blocked.")


@router.post("/connections/{connection}/definitions/{definition_id}/unblock")
def unblock_definition(place: ManagedConnection, definition_id: Identity) -> Done:
    """Define a blocked definition again; the next batch builds it.

    A user-defined one that has left the model meanwhile is retired instead.
    """
    record = place.definition(definition_id)
    if record.status is DefinitionStatus.DEFINED:
        return Done(message=f"`{record.definition.name}` is defined already.")
    with place.bookkeeping() as workspace:
        changed = block.unblock(workspace, record, now=utc_now())
    reason = f": {changed.status_reason}" if changed.status_reason else ""
    message = f"`{record.definition.name}` is {changed.status}{reason}."
    record_deed(place, "unblock_definition", f"Model {record.definition.model_id}: {message}")
    return Done(message=message)


@router.delete("/connections/{connection}/instances/{instance_id}")
def delete_instance_by_hand(place: AdministeredConnection, instance_id: Identity) -> Done:
    """Let an instance go: queries no longer use it, and the next sweep drops its table.

    Only one of an aggregate that has left its model, or that is blocked: any other would be built again.
    """
    place.instance(instance_id)
    with place.workspace() as workspace:
        deleted = delete_instance(workspace, instance_id, now=utc_now(), patience=_PATIENCE)
    instance = deleted.instance
    message = (
        f"Instance of `{instance.step.aggregate}` serves no more; the next sweep after "
        f"{deleted.drop_after:%Y-%m-%d %H:%M:%SZ} drops {instance.table}."
    )
    record_deed(place, "delete_instance", f"{instance.id}: {message}")
    return Done(message=" ".join((message, *deleted.notes)))
