"""Users who may connect."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow_atscale_aggs.engine.registry.registry import Registry
from airflow_atscale_aggs.engine.registry.users import UserRecord

_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_user_is_found_with_the_models_that_they_see(registry: Registry) -> None:
    model = registry.read.models.get("sales").id
    registry.users.put("ann", "verifier", None, now=_NOW)
    registry.users.put("bob", "other", [model, model], now=_NOW, warehouse_role="sales")

    assert registry.read.users.find("ann") == UserRecord(
        name="ann", verifier="verifier", model_ids=None, created_at=_NOW
    )
    assert registry.read.users.find("bob") == UserRecord(
        name="bob", verifier="other", model_ids=frozenset({model}), created_at=_NOW, warehouse_role="sales"
    )
    assert registry.read.users.find("eve") is None
    assert [user.name for user in registry.read.users.all()] == ["ann", "bob"]


def test_a_user_without_models_sees_none(registry: Registry) -> None:
    registry.users.put("bob", "verifier", [], now=_NOW)

    found = registry.read.users.find("bob")
    assert found is not None
    assert found.model_ids == frozenset()


def test_a_user_who_is_put_again_has_what_was_put_last(registry: Registry) -> None:
    registry.users.put("bob", "verifier", [registry.read.models.get("sales").id], now=_NOW)
    registry.users.put("bob", "newer", None, now=_NOW)

    (bob,) = registry.read.users.all()
    assert (bob.verifier, bob.model_ids) == ("newer", None)


def test_a_user_is_removed_once(registry: Registry) -> None:
    registry.users.put("bob", "verifier", [registry.read.models.get("sales").id], now=_NOW)

    assert [registry.users.delete("bob"), registry.users.delete("bob")] == [True, False]
    assert registry.read.users.all() == []


def test_a_verifier_is_not_shown() -> None:
    assert "secret" not in repr(UserRecord(name="a", verifier="secret", model_ids=None, created_at=_NOW))
