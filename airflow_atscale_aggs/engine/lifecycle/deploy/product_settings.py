"""Read and check the product settings that stand beside a model's SML.

    global_settings      of all models; `settings` holds product keys and values
    model_settings       `overrides` holds them by model
    aggregate_settings   of one model; ours, and the last word

The first two are files of the product, which has many more settings: an unknown key in them is a warning. In
``aggregate_settings`` it is an error.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from airflow_atscale_aggs.engine.errors import SettingError
from airflow_atscale_aggs.engine.lifecycle.deploy.check_input import CheckInput
from airflow_atscale_aggs.engine.model.folder_reader import Document, ModelFolder
from airflow_atscale_aggs.engine.model.validation import IssueList, ModelIssue
from airflow_atscale_aggs.engine.settings import Settings, find_setting_key, why_without_effect

OURS = "aggregate_settings"


def settings_of(model: str, folder: ModelFolder) -> dict[str, str]:
    """Product keys and values that hold for a model. Those that cannot be used are left out: see `check_settings`."""
    values: dict[str, str] = {}
    for _, settings in _settings_by_document(model, folder):
        for key, value in settings.items():
            if not why_without_effect(str(key)):
                with contextlib.suppress(SettingError):
                    Settings().with_values({str(key): value})
                    values[find_setting_key(str(key))] = str(value)
    return values


def check_settings(checked: CheckInput) -> tuple[ModelIssue, ...]:
    """Issues of settings that cannot be used or are no mapping, and of settings for models that do not exist."""
    issues = IssueList()
    issues.broken = checked.folder.issues.broken
    for model in checked.models:
        _check_values(model.name, checked.folder, issues)
    _check_documents(checked, issues)
    return issues.all()


def _check_values(model: str, folder: ModelFolder, issues: IssueList) -> None:
    """Note the settings of one model that have no effect or a value out of range."""
    for document, settings in _settings_by_document(model, folder):
        is_ours = document.value["object_type"] == OURS
        for key, value in settings.items():
            why = why_without_effect(str(key))
            if why:
                issues.warning(document.where, "setting", f"setting `{key}` has no effect: {why}")
                continue
            try:
                Settings().with_values({str(key): value})
            except SettingError as error:
                note = issues.error if is_ours else issues.warning
                note(document.where, "setting", str(error) if is_ours else f"a setting that has no effect: {error}")


def _check_documents(checked: CheckInput, issues: IssueList) -> None:
    """Note settings for models that do not exist, and settings that are no mapping."""
    folder, models = checked.folder, checked.names
    for document in folder.of_type(OURS).values():
        if document.value["model"] not in models:
            issues.add_unresolved_reference(document.where, "model", str(document.value["model"]), models)
        if not isinstance(document.value["settings"], Mapping):
            issues.error(document.where, "wrong-kind", "`settings` must be a mapping of product keys to values")
    for document in folder.of_type("model_settings").values():
        overrides = document.value.get("overrides")
        if not isinstance(overrides, Mapping):
            message = "`overrides` must be a mapping of models to product keys and values; the file has no effect"
            issues.warning(document.where, "wrong-kind", message)
            continue
        for model in overrides:
            if model not in models:
                who = "`overrides`"
                issues.add_unresolved_reference(document.where, "model", model, models, is_needed=False, wanted_by=who)


def _settings_by_document(model: str, folder: ModelFolder) -> Iterator[tuple[Document, Mapping[str, Any]]]:
    """The settings that hold for a model with the document of each, the more special after the more general."""
    wide = [(document, document.value.get("settings")) for document in folder.of_type("global_settings").values()]
    for document in folder.of_type("model_settings").values():
        wide.append((document, document.value.get("settings")))
        overrides = document.value.get("overrides")
        wide.append((document, overrides.get(model) if isinstance(overrides, Mapping) else None))
    own = [
        (document, document.value["settings"])
        for document in folder.of_type(OURS).values()
        if document.value["model"] == model
    ]
    for document, settings in (*wide, *own):
        if isinstance(settings, Mapping):
            yield document, settings
