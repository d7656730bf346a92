"""The settings that are in force for a model, and where each of them comes from.

    default → Airflow or the environment → all models of the registry → the model's SML folder → the model, by hand

A later one wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.registry.registry import RegistryReader
from airflow_atscale_aggs.engine.settings import Settings, describe_settings


class SettingSource(StrEnum):
    """Where a value comes from; each wins over the ones before."""

    DEFAULT = "default"
    AIRFLOW = "airflow"
    """Airflow's configuration, or the environment of the command line."""

    ALL_MODELS = "all models"
    """Set for all models of the registry."""

    SML = "sml"
    """From a file beside the model's SML."""

    MODEL = "model"
    """Set for this model by hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingInForce:
    """A setting as it is in force for a model. ``key`` is the product's; values are of the setting's own kind."""

    key: str
    value: Any
    default: Any
    source: SettingSource
    meaning: str


def settings_in_force(read: RegistryReader, surroundings: Settings, model_id: str) -> Settings:
    """The settings of a model.

    Args:
        surroundings: defaults, overridden by Airflow or the environment.
        model_id: empty: those that hold for all models.
    """
    values = {key: value for kept in _kept(read, model_id).values() for key, value in kept.items()}
    return surroundings.with_values(values) if values else surroundings


def describe_settings_in_force(
    read: RegistryReader, surroundings: Settings, model_id: str
) -> tuple[SettingInForce, ...]:
    """Every setting with its source. Arguments are as of `settings_in_force`."""
    source_by_key: dict[str, SettingSource] = {}
    for source, kept in _kept(read, model_id).items():
        source_by_key.update((key.casefold(), source) for key in kept)
    around = {key: value for key, value, _, _ in describe_settings(surroundings)}
    found = []
    for key, value, default, meaning in describe_settings(settings_in_force(read, surroundings, model_id)):
        outer = SettingSource.DEFAULT if around[key] == default else SettingSource.AIRFLOW
        source = source_by_key.get(key.casefold(), outer)
        found.append(SettingInForce(key=key, value=value, default=default, source=source, meaning=meaning))
    return tuple(found)


def _kept(read: RegistryReader, model_id: str) -> Mapping[SettingSource, Mapping[str, str]]:
    """What the registry keeps for a model, the more special after the more general."""
    if not model_id:
        return {SettingSource.ALL_MODELS: read.settings.values(None)}
    sources = (SettingSource.ALL_MODELS, SettingSource.SML, SettingSource.MODEL)
    return dict(zip(sources, read.settings.of_model(model_id), strict=True))
