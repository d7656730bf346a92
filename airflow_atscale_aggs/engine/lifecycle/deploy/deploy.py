"""Defined: a folder of SML is deployed; its user-defined aggregates appear, change, or retire, predicted ones are revised.

Source: AtScale, "Life Cycle of Aggregate Tables": Defined, Deleted (user-defined tables).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, DefinitionOrigin, model_id
from airflow_atscale_aggs.engine.aggregates.rebinding import rebind, why_undefinable
from airflow_atscale_aggs.engine.aggregates.user_defined import define_user_aggregates
from airflow_atscale_aggs.engine.errors import InvalidModelError, UnknownNameError, near_names
from airflow_atscale_aggs.engine.lifecycle.deploy.check_joins import read_columns, tell_refused_joins
from airflow_atscale_aggs.engine.lifecycle.deploy.check_support import (
    has_member_rules,
    tell_not_honoured,
    tell_unusable,
)
from airflow_atscale_aggs.engine.lifecycle.deploy.product_settings import check_settings, settings_of
from airflow_atscale_aggs.engine.lifecycle.deployed_model import read_deployed_model
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.folder_reader import ModelFolder, read_model_folder
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.reach import files_behind
from airflow_atscale_aggs.engine.model.resolving import ModelResolver, model_names
from airflow_atscale_aggs.engine.model.semantic_model import SemanticModel
from airflow_atscale_aggs.engine.model.validation import IssueList, ModelIssue
from airflow_atscale_aggs.engine.registry.reader import RegistryReader
from airflow_atscale_aggs.engine.registry.records import Deployment, DeploymentOutcome

if TYPE_CHECKING:
    from airflow_atscale_aggs.engine.lifecycle.advise.predict import PredictReport


@dataclass(frozen=True, slots=True)
class DeployReport:
    """What a deployment did.

    Attributes:
        models: one outcome per model, by name.
        issues: the warnings; errors were raised.
        predictions: one per model whose catalog wants prediction-defined aggregates, or had some.
    """

    folder: str
    models: tuple[DeploymentOutcome, ...]
    issues: tuple[ModelIssue, ...]
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
    found = read_model_folder(folder)
    deployments = _deployments(workspace.registry, found, model)
    _check_columns(workspace, [one for _, one in deployments], found.issues)
    if model is not None:
        found.issues.forgive(files_behind(model, found))
    issues = found.issues.all()
    if any(issue.is_error for issue in issues):
        raise InvalidModelError(str(folder), issues)
    previous = {one.model_id: _previous(workspace.registry, one) for one, _ in deployments}
    outcomes = workspace.registry.record_deployments([one for one, _ in deployments], now=now)
    wanted = [
        (one.model_id, resolved)
        for one, resolved in deployments
        if resolved.build_speculative_aggs or _has_predicted(workspace.registry, one.model_id)
    ]
    if not wanted:
        return DeployReport(str(folder), outcomes, issues)
    # Again an SQL library that others need not wait for.
    from airflow_atscale_aggs.engine.lifecycle.advise.predict import predict  # noqa: PLC0415

    predictions = [predict(workspace, it, key, previous=previous[key], now=now) for key, it in wanted]
    return DeployReport(str(folder), outcomes, issues, tuple(predictions))


def _check_columns(workspace: Workspace, models: Sequence[SemanticModel], issues: IssueList) -> None:
    """What the columns of the warehouse's tables make impossible; tables that are not there yet are no issue of joins."""
    dialect, physical = workspace.warehouse.dialect, read_columns(workspace, models, issues)
    tell_refused_joins(models, physical, dialect, issues)
    tell_unusable(models, physical, dialect, issues)
    tell_not_honoured(models, issues)
    for model in models:
        if has_member_rules(model):
            # An SQL library, which models without any need not wait for.
            from airflow_atscale_aggs.engine.lifecycle.deploy.check_calculations import tell_members  # noqa: PLC0415

            tell_members(model, JoinPaths(model), physical, issues)
    incremental = {
        name: dataset for one in models for name, dataset in one.datasets.items() if dataset.incremental is not None
    }
    if incremental:
        # An SQL library, which other deployments need not wait for.
        from airflow_atscale_aggs.engine.lifecycle.deploy.check_indicators import check_indicators  # noqa: PLC0415

        check_indicators(incremental, physical, dialect, issues)


def _previous(registry: RegistryReader, deployment: Deployment) -> SemanticModel | None:
    """The model as it is deployed so far, where prediction will compare."""
    known = {one.id: one for one in registry.models()}.get(deployment.model_id)
    if known is None or not _has_predicted(registry, deployment.model_id):
        return None
    return read_deployed_model(registry, known)


def _has_predicted(registry: RegistryReader, identity: str) -> bool:
    origins = {one.definition.origin for one in registry.definitions(identity)}
    return DefinitionOrigin.PREDICTION_DEFINED in origins


def _deployments(
    registry: RegistryReader, found: ModelFolder, model: str | None
) -> list[tuple[Deployment, SemanticModel]]:
    names = model_names(found)
    if model is not None and model not in names:
        if (not names or model in found.issues.broken) and any(issue.is_error for issue in found.issues.all()):
            raise InvalidModelError(found.folder, found.issues.all())
        raise UnknownNameError("model", model, near_names(model, names))
    resolver = ModelResolver(found)
    content, content_hash = found.to_bytes(), found.content_hash()
    deployments, models = [], []
    for name in names if model is None else (model,):
        resolved = resolver.resolve(name)
        identity, paths = model_id(resolved.catalog, resolved.name), JoinPaths(resolved)
        as_now, left = _system_defined(registry, identity, resolved, paths)
        deployments.append(
            Deployment(
                model_id=identity,
                catalog=resolved.catalog,
                name=resolved.name,
                label=resolved.label,
                connection=resolved.connection,
                content=content,
                content_hash=content_hash,
                datasets=resolved.datasets,
                definitions=define_user_aggregates(resolved, paths, found.issues),
                settings=settings_of(name, found),
                rebound=as_now,
                left=left,
                perspectives=tuple(resolved.perspectives),
            )
        )
        models.append(resolved)
        if resolved.calculations:
            # An SQL library, which models without any need not wait for.
            from airflow_atscale_aggs.engine.lifecycle.deploy.check_calculations import tell_untranslated  # noqa: PLC0415

            tell_untranslated(resolved, paths, found.issues)
    check_settings(names, found)
    if not names:
        found.issues.error(found.folder, "no-model", "the folder holds no model to deploy")
    return list(zip(deployments, models, strict=True))


def _system_defined(
    registry: RegistryReader, identity: str, model: SemanticModel, paths: JoinPaths
) -> tuple[tuple[AggregateDefinition, ...], dict[str, str]]:
    """Definitions that no person made: those that look otherwise in the new model, and those that it has no more."""
    as_now, left = [], {}
    for record in registry.definitions(identity, include_retired=True):
        definition = record.definition
        if not definition.origin.is_system_defined:
            continue
        why = why_undefinable(definition, model, paths)
        again = rebind(definition, paths)
        if why:
            left[definition.id] = why
        elif again is not None and again != definition:
            as_now.append(again)
    return tuple(as_now), left
