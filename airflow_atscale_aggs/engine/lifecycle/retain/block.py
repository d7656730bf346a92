"""Block definitions: a person decides that an aggregate is neither used nor built, until a person decides otherwise.

Neither a deployment, nor an import, nor the engine's own advice defines a blocked definition again.
"""

from __future__ import annotations

from datetime import datetime

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionStatus
from airflow_atscale_aggs.engine.aggregates.user_defined import define_user_aggregates
from airflow_atscale_aggs.engine.errors import IllegalTransitionError, UnknownNameError, near_names
from airflow_atscale_aggs.engine.lifecycle.deployed_model import read_deployed_model
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.validation import IssueList
from airflow_atscale_aggs.engine.registry.records import DefinitionRecord, ModelRecord


def block_definition(workspace: Workspace, model: str, aggregate: str, *, why: str, now: datetime) -> DefinitionRecord:
    """Take a definition out of use: queries no longer use its instances, and batches do not build it.

    Args:
        model: name or id.
        aggregate: its name.
        why: for those who look at it later.

    Raises:
        NotRegisteredError: no such model.
        UnknownNameError: no definition of that name is in use; carries near names.
    """
    record = _find(workspace, workspace.read.models.get(model), aggregate, DefinitionStatus.DEFINED)
    return block(workspace, record, why=why, now=now)


def block(workspace: Workspace, record: DefinitionRecord, *, why: str, now: datetime) -> DefinitionRecord:
    """The same for one definition. Returns it as it is then.

    Raises:
        IllegalTransitionError: it is not in use.
    """
    name = f"`{record.definition.name}`"
    if record.status is not DefinitionStatus.DEFINED:
        raise IllegalTransitionError("Aggregate", name, record.status, DefinitionStatus.BLOCKED)
    workspace.registry.definitions.set_status(
        [record.definition.id], DefinitionStatus.BLOCKED, why, expected=DefinitionStatus.DEFINED, now=now
    )
    return workspace.read.definitions.get(record.definition.id)


def unblock_definition(workspace: Workspace, model: str, aggregate: str, *, now: datetime) -> DefinitionRecord:
    """Define a blocked definition again; the next batch builds it.

    A user-defined one that is no longer in the model is retired instead.

    Raises:
        NotRegisteredError: no such model.
        UnknownNameError: none of that name is blocked; carries near names.
    """
    record = _find(workspace, workspace.read.models.get_deployed(model), aggregate, DefinitionStatus.BLOCKED)
    return unblock(workspace, record, now=now)


def unblock(workspace: Workspace, record: DefinitionRecord, *, now: datetime) -> DefinitionRecord:
    """The same for one definition. Returns it as it is then.

    Raises:
        IllegalTransitionError: it is not blocked.
        ModelRetiredError: its model was let go.
    """
    definition = record.definition
    if record.status is not DefinitionStatus.BLOCKED:
        raise IllegalTransitionError("Aggregate", f"`{definition.name}`", record.status, DefinitionStatus.DEFINED)
    model = workspace.read.models.get_deployed(definition.model_id)
    status, why = DefinitionStatus.DEFINED, ""
    if not definition.origin.is_system_defined and not _is_in_model(workspace, model, record):
        status, why = DefinitionStatus.RETIRED, "it left the model"
    workspace.registry.definitions.set_status([definition.id], status, why, expected=DefinitionStatus.BLOCKED, now=now)
    return workspace.read.definitions.get(definition.id)


def _find(workspace: Workspace, model: ModelRecord, aggregate: str, status: DefinitionStatus) -> DefinitionRecord:
    standing = [
        record
        for record in workspace.read.definitions.of_model(model.id, include_retired=True)
        if record.status is status
    ]
    for record in standing:
        if record.definition.name == aggregate:
            return record
    raise UnknownNameError(
        f"{status} aggregate", aggregate, near_names(aggregate, [record.definition.name for record in standing])
    )


def _is_in_model(workspace: Workspace, model: ModelRecord, record: DefinitionRecord) -> bool:
    resolved = read_deployed_model(workspace.read, model)
    declared = define_user_aggregates(resolved, JoinPaths(resolved), IssueList())
    return record.definition.id in {definition.id for definition in declared}
