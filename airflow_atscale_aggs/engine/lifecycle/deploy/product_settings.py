"""Defined: product settings that stand beside a model's SML.

    global_settings      of all models; `settings` holds product keys and values
    model_settings       `overrides` holds them by model
    aggregate_settings   of one model; ours, and the last word

The first two are files of the product, which has many settings more: a key that is not known here is a warning. In
``aggregate_settings`` it is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from airflow_atscale_aggs.engine.errors import SettingError
from airflow_atscale_aggs.engine.model.folder_reader import Document, ModelFolder
from airflow_atscale_aggs.engine.settings import Settings, find_setting_key, why_without_effect

OURS = "aggregate_settings"


def settings_of(model: str, found: ModelFolder) -> dict[str, str]:
    """Product keys and values that hold for a model; bad ones are issues."""
    values: dict[str, str] = {}
    for document, given in _given(model, found):
        is_ours = document.value["object_type"] == OURS
        for key, value in given.items():
            why = why_without_effect(str(key))
            if why:
                found.issues.warning(document.where, "setting", f"setting `{key}` has no effect: {why}")
                continue
            try:
                Settings().with_values({str(key): value})
                values[find_setting_key(str(key))] = str(value)
            except SettingError as error:
                note = found.issues.error if is_ours else found.issues.warning
                note(document.where, "setting", str(error) if is_ours else f"a setting that has no effect: {error}")
    return values


def check_settings(models: Sequence[str], found: ModelFolder) -> None:
    """Issues of settings for models that do not exist, and of what is no mapping."""
    for document in found.of_type(OURS).values():
        if document.value["model"] not in models:
            found.issues.add_unresolved_reference(document.where, "model", str(document.value["model"]), models)
        if not isinstance(document.value["settings"], Mapping):
            found.issues.error(document.where, "wrong-kind", "`settings` must be a mapping of product keys to values")
    for document in found.of_type("model_settings").values():
        overrides = document.value.get("overrides")
        if not isinstance(overrides, Mapping):
            message = "`overrides` must be a mapping of models to product keys and values; the file has no effect"
            found.issues.warning(document.where, "wrong-kind", message)
            continue
        for name in overrides:
            if name not in models:
                who = "`overrides`"
                found.issues.add_unresolved_reference(
                    document.where, "model", name, models, is_needed=False, wanted_by=who
                )


def _given(model: str, found: ModelFolder) -> Iterator[tuple[Document, Mapping[str, Any]]]:
    """What holds for a model, the more special after the more general."""
    wide = [(document, document.value.get("settings")) for document in found.of_type("global_settings").values()]
    for document in found.of_type("model_settings").values():
        wide.append((document, document.value.get("settings")))
        overrides = document.value.get("overrides")
        wide.append((document, overrides.get(model) if isinstance(overrides, Mapping) else None))
    own = [(one, one.value["settings"]) for one in found.of_type(OURS).values() if one.value["model"] == model]
    for document, given in (*wide, *own):
        if isinstance(given, Mapping):
            yield document, given
