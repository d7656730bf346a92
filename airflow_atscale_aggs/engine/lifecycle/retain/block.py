"""Blocked: a person has decided that an aggregate is neither used nor built, until a person decides otherwise.

Neither a deployment, nor an import, nor the engine's own advice defines a blocked definition again.
"""

from __future__ import annotations

from datetime import datetime

from airflow_atscale_aggs.engine.aggregates.user_defined import define_user_aggregates
from airflow_atscale_aggs.engine.errors import UnknownNameError, near_names
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.resolving import resolve_kept
from airflow_atscale_aggs.engine.model.validation import IssueList
from airflow_atscale_aggs.engine.registry.records import DefinitionRecord, ModelRecord

_DEFINED, _BLOCKED, _RETIRED = "defined", "blocked", "retired"


def block_definition(workspace: Workspace, model: str, aggregate: str, *, why: str, now: datetime) -> DefinitionRecord:
    """Take a definition out of use: queries go past its instances at once, batches do not build it.

    Args:
        model: name or id.
        aggregate: its name.
        why: for those who look at it later.

    Raises:
        NotRegisteredError: no such model.
        UnknownNameError: no definition of that name stands; carries near names.
    """
    found = _find(workspace, workspace.registry.model(model), aggregate, _DEFINED)
    workspace.registry.set_definition_status([found.definition.id], _BLOCKED, why, expected=_DEFINED, now=now)
    return workspace.registry.definition(found.definition.id)


def unblock_definition(workspace: Workspace, model: str, aggregate: str, *, now: datetime) -> DefinitionRecord:
    """Define a blocked one again; the next batch builds it. A user's one that has left the model meanwhile is retired.

    Raises:
        NotRegisteredError: no such model.
        UnknownNameError: none of that name is blocked; carries near names.
    """
    record = workspace.registry.deployed_model(model)
    found = _find(workspace, record, aggregate, _BLOCKED)
    status, why = _DEFINED, ""
    if not found.definition.origin.is_system_defined and not _is_in_model(workspace, record, found):
        status, why = _RETIRED, "it left the model"
    workspace.registry.set_definition_status([found.definition.id], status, why, expected=_BLOCKED, now=now)
    return workspace.registry.definition(found.definition.id)


def _find(workspace: Workspace, model: ModelRecord, aggregate: str, status: str) -> DefinitionRecord:
    standing = [one for one in workspace.registry.definitions(model.id, include_retired=True) if one.status == status]
    for one in standing:
        if one.definition.name == aggregate:
            return one
    raise UnknownNameError(
        f"{status} aggregate", aggregate, near_names(aggregate, [one.definition.name for one in standing])
    )


def _is_in_model(workspace: Workspace, model: ModelRecord, found: DefinitionRecord) -> bool:
    resolved = resolve_kept(workspace.registry.content(model.deployment_id), model.name)
    declared = define_user_aggregates(resolved, JoinPaths(resolved), IssueList())
    return found.definition.id in {one.id for one in declared}
