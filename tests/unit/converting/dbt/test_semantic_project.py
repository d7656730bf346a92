"""Things of a project are found by name."""

from __future__ import annotations

from airflow_atscale_aggs.engine.converting.dbt.semantic_project import Dimension, Entity, SemanticTable


def test_a_table_knows_its_entities_and_dimensions() -> None:
    valid = Dimension(name="valid_from", sql="valid_from", grain="day", has_validity=True, where="")
    key = Entity(name="customer", type="natural", sql="id", where="")
    table = SemanticTable(name="t", table="t", where="", entities=(key,), dimensions=(valid,))

    assert (table.entity("customer"), table.entity("other")) == (key, None)
    assert (table.dimension("valid_from"), table.dimension("other")) == (valid, None)
    assert table.is_versioned
