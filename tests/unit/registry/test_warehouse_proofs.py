"""What was proven of warehouses is kept beside the settings, and is none of them."""

from __future__ import annotations

from airflow_atscale_aggs.engine.registry.registry import Registry


def test_the_last_proof_of_a_place_is_kept(registry: Registry) -> None:
    registry.warehouse_proofs.put("here", "version 1")
    registry.warehouse_proofs.put("here", "version 2")

    assert registry.read.warehouse_proofs.find("here") == "version 2"
    assert registry.read.warehouse_proofs.find("there") == ""


def test_a_proof_is_no_setting(registry: Registry) -> None:
    registry.warehouse_proofs.put("here", "version 1")

    assert registry.read.settings.values(None) == {}
