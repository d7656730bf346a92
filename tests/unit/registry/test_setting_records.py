"""Settings that are kept: of all models, of one model by hand, and those that came with its SML."""

from __future__ import annotations

from airflow_atscale_aggs.engine.registry.registry import Registry
from airflow_atscale_aggs.engine.registry.setting_records import ALL_MODELS, deployed_scope
from tests.support.registry_content import MODEL, NOW, OTHER_MODEL, make_deployment


def test_settings_by_model_and_for_all(any_registry: Registry) -> None:
    """Put, overwrite, forget."""
    registry = any_registry
    registry.settings.put(None, "a.b", "1")
    registry.settings.put(MODEL, "a.b", "2")
    registry.settings.put(MODEL, "a.b", "3")

    assert (registry.read.settings.values(None), registry.read.settings.values(MODEL)) == ({"a.b": "1"}, {"a.b": "3"})
    assert registry.settings.delete(MODEL, "a.b")
    assert not registry.settings.delete(MODEL, "a.b")
    assert (registry.read.settings.values(None), registry.read.settings.values(MODEL)) == ({"a.b": "1"}, {})


def test_settings_of_one_model_are_none_of_another(registry: Registry) -> None:
    registry.settings.put(MODEL, "a", "1")
    registry.settings.put(OTHER_MODEL, "a", "2")
    registry.settings.put(OTHER_MODEL, "b", "3")
    registry.settings.delete(OTHER_MODEL, "b")

    assert registry.read.settings.values(MODEL) == {"a": "1"}
    assert registry.read.settings.values(OTHER_MODEL) == {"a": "2"}
    assert registry.read.settings.values(None) == {}


def test_settings_of_the_sml_stand_beside_those_that_a_person_has_put(registry: Registry) -> None:
    """A deployment replaces its own."""
    registry.models.record_deployments([make_deployment(settings={"a": "sml", "b": "sml"}, content="2")], now=NOW)
    registry.settings.put(MODEL, "a", "hand")

    registry.settings.put(None, "c", "all")
    registry.settings.put(OTHER_MODEL, "d", "another")

    assert registry.read.settings.of_model(MODEL) == ({"c": "all"}, {"a": "sml", "b": "sml"}, {"a": "hand"})
    assert registry.read.settings.deployed(MODEL) == {"a": "sml", "b": "sml"}
    assert registry.read.settings.values(MODEL) == {"a": "hand"}
    assert registry.read.settings.deployed(OTHER_MODEL) == {}


def test_a_scope_is_a_model_its_sml_or_empty() -> None:
    assert (ALL_MODELS, deployed_scope("m1")) == ("", "sml:m1")
