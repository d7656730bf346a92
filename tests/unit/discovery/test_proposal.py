"""A proposal is a value: equal where its parts are."""

from __future__ import annotations

from airflow_atscale_aggs.engine.discovery.proposal import CalculatedColumn, ProposedAttribute


def test_proposals_are_values() -> None:
    assert CalculatedColumn("y", "int", "1") == CalculatedColumn("y", "int", "1")
    assert not ProposedAttribute(name="a", keys=("b",), name_column="b").is_unique_key
