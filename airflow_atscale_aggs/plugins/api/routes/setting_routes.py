"""The settings in force for a model, and where each comes from; they are set and forgotten."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query

from airflow_atscale_aggs.engine.errors import SettingError
from airflow_atscale_aggs.engine.lifecycle.settings_in_force import SettingInForce, describe_settings_in_force
from airflow_atscale_aggs.engine.settings import WITHOUT_EFFECT, Settings, find_setting_key, why_without_effect
from airflow_atscale_aggs.hooks.aggregates import read_settings
from airflow_atscale_aggs.plugins.api.access import AdministeredModel, ModelPlace, ReachableModel
from airflow_atscale_aggs.plugins.api.audit import record_deed
from airflow_atscale_aggs.plugins.api.documents.definition_documents import Done
from airflow_atscale_aggs.plugins.api.documents.model_documents import SettingChange, SettingValue
from airflow_atscale_aggs.plugins.api.identities import Identity
from airflow_atscale_aggs.plugins.api.problems import ProblemError
from airflow_atscale_aggs.plugins.api.request_rates import ActingRate

router = APIRouter(tags=["Settings"])


@router.get("/connections/{connection}/models/{model}/settings")
def list_settings(place: ReachableModel) -> list[SettingValue]:
    """The settings in force for a model, and where each comes from.

    Keys of the product that are accepted and do nothing here stand at the end, each with the reason.
    """
    idle = [
        SettingValue(key=key, value="", default="", source="default", meaning="", without_effect=why)
        for key, why in WITHOUT_EFFECT.items()
    ]
    return [*map(_value, _in_force(place)), *idle]


@router.put("/connections/{connection}/models/{model}/settings/{key}", dependencies=[ActingRate])
def change_setting(place: AdministeredModel, key: Identity, change: SettingChange) -> SettingValue:
    """Set a setting for a model, or for all models of the registry; it is in force from the next batch on.

    The answer is what is in force for the model afterwards: its own value wins over the one for all models.
    """
    if why := why_without_effect(key):
        detail = f"{key} has no effect here: {why}. Nothing was set."
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail, "without-effect")
    known = _known_key(key)
    value = str(change.value)
    Settings().with_values({known: value})
    place.place.registry.settings.put(None if change.for_all_models else place.model.id, known, value)
    whose = "all models" if change.for_all_models else f"model {place.model.name}"
    record_deed(place.place, "change_setting", f"{known} is {value} for {whose}.")
    return next(_value(setting) for setting in _in_force(place) if setting.key == known)


@router.delete("/connections/{connection}/models/{model}/settings/{key}", dependencies=[ActingRate])
def forget_setting(
    place: AdministeredModel, key: Identity, *, for_all_models: Annotated[bool, Query()] = False
) -> Done:
    """Forget a setting; the default, or the value for all models, is in force again."""
    known = _known_key(key)
    was_set = place.place.registry.settings.delete(None if for_all_models else place.model.id, known)
    message = f"{known} {'is unset' if was_set else 'was not set'}."
    if was_set:
        whose = "All models" if for_all_models else f"Model {place.model.name}"
        record_deed(place.place, "forget_setting", f"{whose}: {message}")
    return Done(message=message)


def _in_force(place: ModelPlace) -> tuple[SettingInForce, ...]:
    return describe_settings_in_force(place.read, read_settings(), place.model.id)


def _known_key(key: str) -> str:
    """The key as the product spells it. Raises ProblemError (404) for any other."""
    try:
        return find_setting_key(key)
    except SettingError as error:
        raise ProblemError(HTTPStatus.NOT_FOUND, str(error), "no-setting") from error


def _value(setting: SettingInForce) -> SettingValue:
    return SettingValue(
        key=setting.key,
        value=setting.value,
        default=setting.default,
        source=setting.source,
        meaning=setting.meaning,
    )
