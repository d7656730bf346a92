"""Which settings are in force for a model, and where each comes from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.errors import SettingError
from airflow_atscale_aggs.engine.lifecycle.settings_in_force import (
    SettingInForce,
    SettingSource,
    describe_settings_in_force,
    settings_in_force,
)
from airflow_atscale_aggs.engine.registry.registry import Registry, open_registry
from airflow_atscale_aggs.engine.settings import Settings, describe_settings
from tests.support.registry_content import MODEL, NOW, make_deployment

_KEY = "aggregates.batch.max.failures"
_OTHER_KEY = "aggregates.batch.maxConcurrentBuilds"


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """Where one model is deployed whose folder sets one setting."""
    opened = open_registry(f"sqlite:///{tmp_path / 'r.sqlite'}")
    opened.models.record_deployments([make_deployment(settings={_KEY: "3"})], now=NOW)
    yield opened
    opened.close()


def _of(key: str, registry: Registry, surroundings: Settings, model_id: str = MODEL) -> SettingInForce:
    found = describe_settings_in_force(registry.read, surroundings, model_id)
    return next(setting for setting in found if setting.key == key)


def test_each_source_hides_the_ones_before(registry: Registry) -> None:
    """Default, Airflow, all models, SML, and the model itself."""
    around = Settings(max_concurrent_builds=2)
    seen = [_of(_OTHER_KEY, registry, Settings()), _of(_OTHER_KEY, registry, around)]
    registry.settings.put(None, _OTHER_KEY, "4")
    seen.append(_of(_OTHER_KEY, registry, around))
    registry.settings.put(None, _KEY, "9")
    seen.append(_of(_KEY, registry, around))
    registry.settings.put(MODEL, _KEY, "5")
    seen.append(_of(_KEY, registry, around))

    assert [(setting.value, setting.source) for setting in seen] == [
        (1, SettingSource.DEFAULT),
        (2, SettingSource.AIRFLOW),
        (4, SettingSource.ALL_MODELS),
        (3, SettingSource.SML),
        (5, SettingSource.MODEL),
    ]
    assert {setting.default for setting in seen} == {0, 1}


def test_what_is_set_for_one_model_says_nothing_of_all(registry: Registry) -> None:
    """Without a model only what holds for all of them counts."""
    registry.settings.put(MODEL, _OTHER_KEY, "5")

    assert _of(_OTHER_KEY, registry, Settings(), "").source is SettingSource.DEFAULT
    assert _of(_KEY, registry, Settings(), "").value == 0
    assert settings_in_force(registry.read, Settings(), MODEL).max_failures == 3


def test_a_value_that_is_set_to_its_default_comes_from_who_has_set_it(registry: Registry) -> None:
    """Somebody has decided it, and another default would not change it."""
    registry.settings.put(MODEL, _OTHER_KEY, "1")

    assert _of(_OTHER_KEY, registry, Settings()).source is SettingSource.MODEL


def test_every_setting_is_described_once(registry: Registry) -> None:
    described = [setting.key for setting in describe_settings_in_force(registry.read, Settings(), MODEL)]

    assert described == [key for key, _, _, _ in describe_settings(Settings())]


def test_a_key_that_is_kept_and_no_longer_known_is_told(registry: Registry) -> None:
    """It names itself; nobody may go on with other settings than are kept."""
    registry.settings.put(MODEL, "aggregates.batch.max.failure", "1")

    with pytest.raises(SettingError, match=r"aggregates\.batch\.max\.failures"):
        settings_in_force(registry.read, Settings(), MODEL)
