"""Deploy a folder of SML: user-defined aggregates appear, change or retire with it, and predicted ones are revised.

Source: AtScale, "Life Cycle of Aggregate Tables": Defined, Deleted (user-defined tables).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_atscale_aggs.engine.aggregates.definition import (
    AggregateDefinition,
    DefinitionOrigin,
    DefinitionStatus,
    model_id,
)
from airflow_atscale_aggs.engine.aggregates.rebinding import rebind, why_undefinable
from airflow_atscale_aggs.engine.aggregates.user_defined import define_user_aggregates
from airflow_atscale_aggs.engine.errors import InvalidModelError, ModelFileError, UnknownNameError, near_names
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.deploy.check_tables import LookedIn
from airflow_atscale_aggs.engine.lifecycle.deploy.checks import run_checks
from airflow_atscale_aggs.engine.lifecycle.deploy.product_settings import settings_of
from airflow_atscale_aggs.engine.lifecycle.deployed_model import read_deployed_model
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.folder_reader import ModelFolder, read_model_folder
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.reach import files_behind
from airflow_atscale_aggs.engine.model.resolving import ModelResolver, model_names
from airflow_atscale_aggs.engine.model.semantic_model import SemanticModel
from airflow_atscale_aggs.engine.model.validation import ModelIssue
from airflow_atscale_aggs.engine.registry.records import DefinitionRecord, Deployment, DeploymentOutcome
from airflow_atscale_aggs.engine.registry.registry import RegistryReader

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.lifecycle.advise.predict import PredictReport


@dataclass(frozen=True, slots=True)
class DeployReport:
    """What a deployment did.

    Attributes:
        models: one outcome per model, by name.
        issues: the warnings; errors were raised.
        looked_in: where the tables of the models were looked for.
        predictions: one per model whose catalog wants prediction-defined aggregates, or had some.
    """

    folder: str
    models: tuple[DeploymentOutcome, ...]
    issues: tuple[ModelIssue, ...]
    looked_in: LookedIn
    predictions: tuple[PredictReport, ...] = ()


def deploy(workspace: Workspace, folder: Path, *, model: str | None = None, now: datetime) -> DeployReport:
    """Read a folder of SML, check it, and register its models with their user-defined aggregates.

    All models are registered in one transaction, or nothing is. The same content again makes no new version. The
    warehouse is asked for the types of join columns and incremental indicators, which it need not answer, and for
    statistics where the catalog says ``build_speculative_aggs``, after all is registered.

    Args:
        model: deploy only this one; None: every model and composite model that the catalog does not hide.

    Raises:
        ModelFileError: the folder is not there or holds no YAML.
        InvalidModelError: the SML has errors; carries every issue found.
        UnknownNameError: there is no model of that name; carries near names.
    """
    model_folder = read_model_folder(folder)
    names = model_names(model_folder)
    made = _make_deployments(workspace.read, model_folder, names, model)
    deployments, models = [each.deployment for each in made], [each.model for each in made]
    checked = run_checks(workspace, model_folder, names, models, {each.model.name: each.paths for each in made})
    model_folder.issues.add(checked.issues)
    if model is not None:
        model_folder.issues.forgive(files_behind(model, model_folder))
    issues = model_folder.issues.all()
    if any(issue.is_error for issue in issues):
        raise InvalidModelError(str(folder), issues)
    previous = {
        each.deployment.model_id: _previous(workspace.read, each.deployment) for each in made if each.was_predicted
    }
    outcomes = workspace.registry.models.record_deployments(deployments, now=now)
    to_predict = [
        (each.deployment.model_id, each.model)
        for each in made
        if each.model.build_speculative_aggs
        or (each.was_predicted and _has_predicted(workspace.read, each.deployment.model_id))
    ]
    if not to_predict:
        return DeployReport(str(folder), outcomes, issues, checked.looked_in)
    # Again an SQL library that others need not wait for.
    from airflow_atscale_aggs.engine.lifecycle.advise.predict import predict  # noqa: PLC0415

    predictions = [
        predict(workspace, resolved, identity, previous=previous.get(identity), now=now)
        for identity, resolved in to_predict
    ]
    return DeployReport(str(folder), outcomes, issues, checked.looked_in, tuple(predictions))


def _previous(read: RegistryReader, deployment: Deployment) -> SemanticModel | None:
    """The model as it is deployed so far; None also where it cannot be read any more."""
    record = {record.id: record for record in read.models.current()}.get(deployment.model_id)
    if record is None:
        return None
    try:
        return read_deployed_model(read, record)
    except ModelFileError:
        # To deploy it once more is what mends it.
        return None


def _has_predicted(read: RegistryReader, identity: str) -> bool:
    return DefinitionOrigin.PREDICTION_DEFINED in read.definitions.origins_of(identity)


@dataclass(frozen=True, slots=True)
class _Made:
    """What is to be recorded of a model that is deployed, the model itself, and its paths.

    Attributes:
        was_predicted: whether it has aggregates that were predicted, as the registry has it so far.
    """

    deployment: Deployment
    model: SemanticModel
    paths: JoinPaths
    was_predicted: bool


def _make_deployments(
    read: RegistryReader, folder: ModelFolder, names: Sequence[str], model: str | None
) -> list[_Made]:
    if model is not None and model not in names:
        if (not names or model in folder.issues.broken) and any(issue.is_error for issue in folder.issues.all()):
            raise InvalidModelError(folder.folder, folder.issues.all())
        raise UnknownNameError("model", model, near_names(model, names))
    resolver = ModelResolver(folder)
    content, content_hash = folder.to_bytes(), folder.content_hash()
    made = []
    for name in names if model is None else (model,):
        resolved = resolver.resolve(name)
        identity, paths = model_id(resolved.catalog, resolved.name), JoinPaths(resolved)
        recorded = read.definitions.of_model(identity, include_retired=True)
        rebound_definitions, reasons_by_id = _system_definitions(recorded, resolved, paths)
        deployment = Deployment(
            model_id=identity,
            catalog=resolved.catalog,
            name=resolved.name,
            label=resolved.label,
            connection=resolved.connection,
            content=content,
            content_hash=content_hash,
            datasets=resolved.datasets,
            definitions=define_user_aggregates(resolved, paths, folder.issues),
            settings=settings_of(name, folder),
            rebound=rebound_definitions,
            left=reasons_by_id,
            perspectives=tuple(resolved.perspectives),
            folder=resolved.folder,
        )
        made.append(_Made(deployment, resolved, paths, any(map(_is_predicted, recorded))))
    return made


def _is_predicted(record: DefinitionRecord) -> bool:
    is_defined = record.status is DefinitionStatus.DEFINED
    return is_defined and record.definition.origin is DefinitionOrigin.PREDICTION_DEFINED


def _system_definitions(
    recorded: Iterable[DefinitionRecord], model: SemanticModel, paths: JoinPaths
) -> tuple[tuple[AggregateDefinition, ...], dict[str, str]]:
    """The system-defined definitions that the new model changes, and why others cannot stay, by id."""
    rebound_definitions, reasons_by_id = [], {}
    for record in recorded:
        definition = record.definition
        if not definition.origin.is_system_defined:
            continue
        why = why_undefinable(definition, model, paths)
        again = rebind(definition, paths)
        if why:
            reasons_by_id[definition.id] = why
        elif again is not None and again != definition:
            rebound_definitions.append(again)
    return tuple(rebound_definitions), reasons_by_id
