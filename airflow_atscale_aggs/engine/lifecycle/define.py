"""Defined: a folder of SML is deployed; its user-defined aggregates appear, change, or retire.

Source: AtScale, "Life Cycle of Aggregate Tables": Defined, Deleted (user-defined tables).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from airflow_atscale_aggs.engine.aggregates.definition import model_id
from airflow_atscale_aggs.engine.aggregates.user_defined import define_user_aggregates
from airflow_atscale_aggs.engine.errors import InvalidModelError, SettingError, UnknownNameError, near_names
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.reader import ModelFolder, read_model_folder
from airflow_atscale_aggs.engine.model.resolving import ModelResolver, model_names
from airflow_atscale_aggs.engine.model.validation import ModelIssue
from airflow_atscale_aggs.engine.registry.records import Deployment, DeploymentOutcome
from airflow_atscale_aggs.engine.settings import Settings, known_key


@dataclass(frozen=True, slots=True)
class DeployReport:
    """What a deployment did.

    Attributes:
        models: one outcome per model, by name.
        issues: the warnings; errors were raised.
    """

    folder: str
    models: tuple[DeploymentOutcome, ...]
    issues: tuple[ModelIssue, ...]


def deploy(workspace: Workspace, folder: Path, *, model: str | None = None, now: datetime) -> DeployReport:
    """Read a folder of SML, check it, and register its models with their user-defined aggregates.

    All models are registered in one transaction, or nothing is. The same content again makes no new version. The
    warehouse is asked only for the types of incremental indicators.

    Args:
        model: deploy only this one; None: every model and composite model that the catalog does not hide.

    Raises:
        ModelFileError: the folder is not there or holds no YAML.
        InvalidModelError: the SML has errors; carries every issue found.
        UnknownNameError: there is no model of that name; carries near names.
    """
    found = read_model_folder(folder)
    deployments = _deployments(found, model)
    if any(dataset.incremental for one in deployments for dataset in one.datasets.values()):
        # An SQL library, which other deployments need not wait for.
        from airflow_atscale_aggs.engine.lifecycle.indicators import check_indicators  # noqa: PLC0415

        check_indicators(workspace, deployments, found.issues)
    issues = found.issues.all()
    if any(issue.is_error for issue in issues):
        raise InvalidModelError(str(folder), issues)
    outcomes = workspace.registry.record_deployments(deployments, now=now)
    return DeployReport(str(folder), outcomes, issues)


def _deployments(found: ModelFolder, model: str | None) -> list[Deployment]:
    names = model_names(found)
    if model is not None and model not in names:
        if not names and any(issue.is_error for issue in found.issues.all()):
            raise InvalidModelError(found.folder, found.issues.all())
        raise UnknownNameError("model", model, near_names(model, names))
    resolver = ModelResolver(found)
    content, content_hash = found.to_bytes(), found.content_hash()
    deployments = []
    for name in names if model is None else (model,):
        resolved = resolver.resolve(name)
        deployments.append(
            Deployment(
                model_id=model_id(resolved.catalog, resolved.name),
                catalog=resolved.catalog,
                name=resolved.name,
                label=resolved.label,
                connection=resolved.connection,
                content=content,
                content_hash=content_hash,
                datasets=resolved.datasets,
                definitions=define_user_aggregates(resolved, JoinPaths(resolved), found.issues),
                settings=_settings_of(name, found),
            )
        )
    _check_settings(names, found)
    if not names:
        found.issues.error(found.folder, "no-model", "the folder holds no model to deploy")
    return deployments


def _settings_of(model: str, found: ModelFolder) -> dict[str, str]:
    """Product keys and values that documents of type ``aggregate_settings`` hold for a model; bad ones are issues."""
    values: dict[str, str] = {}
    for document in found.of_type("aggregate_settings").values():
        given = document.value["settings"]
        if document.value["model"] != model or not isinstance(given, Mapping):
            continue
        for key, value in given.items():
            try:
                Settings().with_values({str(key): value})
                values[known_key(str(key))] = str(value)
            except SettingError as error:
                found.issues.error(document.where, "setting", str(error))
    return values


def _check_settings(models: Sequence[str], found: ModelFolder) -> None:
    for document in found.of_type("aggregate_settings").values():
        if document.value["model"] not in models:
            found.issues.unresolved(document.where, "model", str(document.value["model"]), models)
        if not isinstance(document.value["settings"], Mapping):
            found.issues.error(document.where, "wrong-kind", "`settings` must be a mapping of product keys to values")
