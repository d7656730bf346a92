"""Which conditions hold an attribute to one value."""

from __future__ import annotations

import pytest
import sqlglot

from airflow_atscale_aggs.engine.rewriting.model_query import Ref, ref
from airflow_atscale_aggs.engine.rewriting.pinned_attributes import pinned_by


def _condition(sql: str) -> sqlglot.exp.Expr:
    """With ``a`` for the first attribute and ``b`` for the second."""
    places = {"a": 0, "b": 1}
    return sqlglot.parse_one(sql, read="postgres").transform(
        lambda node: ref(Ref.ATTRIBUTE, places[node.name]) if isinstance(node, sqlglot.exp.Column) else node
    )


@pytest.mark.parametrize(
    ("sql", "pinned"),
    [
        ("a = 'x'", {0}),
        ("'x' = a", {0}),
        ("a IN ('x')", {0}),
        ("a IN ('x', 'x')", {0}),
        ("a BETWEEN 'x' AND 'x'", {0}),
        ("a IS NOT DISTINCT FROM 'x'", {0}),
        ("a IS NULL", {0}),
        ("NOT a <> 'x'", {0}),
        ("NOT (a <> 'x' OR b <> 'y')", {0, 1}),
        ("a = 'x' OR 'x' = a", {0}),
        ("(a = 'x' AND b = 'y') OR (a = 'x' AND b = 'z')", {0}),
        ("(a, b) = ('x', 'y')", {0, 1}),
        ("(a, b) IN (('x', 'y'), ('x', 'z'))", {0}),
        ("a = 'x' AND b > 'y'", {0}),
        ("a IN ('x', 'y')", set()),
        ("a BETWEEN 'x' AND 'y'", set()),
        ("a = 'x' OR a = 'y'", set()),
        ("a = 'x' OR b = 'x'", set()),
        ("a <> 'x'", set()),
        ("NOT a = 'x'", set()),
        ("NOT (a <> 'x' AND b <> 'y')", set()),
        ("a IS NOT NULL", set()),
        ("NOT a IS NULL", set()),
        ("NOT a IS NOT NULL", {0}),
        ("a IS TRUE", set()),
        ("a = b", set()),
        ("a LIKE 'x'", set()),
    ],
)
def test_a_condition_holds_attributes(sql: str, pinned: set[int]) -> None:
    """However it is written; by its places."""
    assert pinned_by(_condition(sql)).keys() == pinned


def test_nothing_is_held_without_a_condition() -> None:
    """All rows have all values."""
    assert pinned_by(None) == {}
