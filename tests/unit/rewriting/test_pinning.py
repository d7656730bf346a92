"""What holds an attribute to one value."""

from __future__ import annotations

from sqlglot import exp

from airflow_atscale_aggs.engine.rewriting.model_query import Ref, ref
from airflow_atscale_aggs.engine.rewriting.pinned_attributes import pinned_by


def test_a_column_of_a_joined_relation_holds_nothing() -> None:
    """It differs from row to row; a value does not."""
    attribute, value = ref(Ref.ATTRIBUTE, 0), exp.Literal.string("North")

    assert set(pinned_by(exp.EQ(this=attribute, expression=value))) == {0}
    assert set(pinned_by(exp.EQ(this=attribute, expression=ref(Ref.JOINED, 0)))) == set()
    assert set(pinned_by(exp.EQ(this=ref(Ref.JOINED, 0), expression=value))) == set()
