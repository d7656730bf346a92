"""Which conditions hold an attribute to one value, and to which."""

from __future__ import annotations

import pytest
import sqlglot
from sqlglot import exp

from airflow_atscale_aggs.engine.rewriting.model_query import Ref, ref
from airflow_atscale_aggs.engine.rewriting.pinned_attributes import pinned_by

_REFERENCES = {"a": ref(Ref.ATTRIBUTE, 0), "b": ref(Ref.ATTRIBUTE, 1), "j": ref(Ref.JOINED, 0)}


def _pinned(sql: str) -> dict[str, str]:
    """By attribute, ``a`` or ``b``; ``j`` is a column of a joined relation."""
    condition = sqlglot.parse_one(sql, read="postgres").transform(
        lambda node: _REFERENCES[node.name].copy() if isinstance(node, exp.Column) else node
    )
    return {"ab"[place]: value.sql() for place, value in pinned_by(condition).items()}


@pytest.mark.parametrize(
    ("sql", "pinned"),
    [
        ("a = 'x'", {"a": "'x'"}),
        ("'x' = a", {"a": "'x'"}),
        ("(a) = ('x')", {"a": "'x'"}),
        ("a = UPPER('x')", {"a": "UPPER('x')"}),
        ("a IN ('x')", {"a": "'x'"}),
        ("a IN ('x', 'x')", {"a": "'x'"}),
        ("a BETWEEN 'x' AND 'x'", {"a": "'x'"}),
        ("a IS NOT DISTINCT FROM 'x'", {"a": "'x'"}),
        ("a IS NULL", {"a": "NULL"}),
        ("NOT a IS NOT NULL", {"a": "NULL"}),
        ("NOT a <> 'x'", {"a": "'x'"}),
        ("NOT (a IS DISTINCT FROM 'x')", {"a": "'x'"}),
        ("NOT (a <> 'x' OR b <> 'y')", {"a": "'x'", "b": "'y'"}),
        ("a = 'x' OR 'x' = a", {"a": "'x'"}),
        ("(a = 'x' AND b = 'y') OR (a = 'x' AND b = 'z')", {"a": "'x'"}),
        ("(a, b) = ('x', 'y')", {"a": "'x'", "b": "'y'"}),
        ("(a, b) IN (('x', 'y'), ('x', 'z'))", {"a": "'x'"}),
        ("a = 'x' AND b > 'y'", {"a": "'x'"}),
    ],
)
def test_a_condition_holds_attributes_to_one_value_however_it_is_written(sql: str, pinned: dict[str, str]) -> None:
    assert _pinned(sql) == pinned


@pytest.mark.parametrize(
    "sql",
    [
        "a IN ('x', 'y')",
        "a IN (SELECT 'x')",
        "NOT a IN ('x')",
        "a BETWEEN 'x' AND 'y'",
        "NOT a BETWEEN 'x' AND 'x'",
        "a = 'x' OR a = 'y'",
        "a = 'x' OR b = 'x'",
        "a <> 'x'",
        "a > 'x'",
        "NOT a = 'x'",
        "NOT (a <> 'x' AND b <> 'y')",
        "a IS DISTINCT FROM 'x'",
        "a IS NOT NULL",
        "NOT a IS NULL",
        "a IS TRUE",
        "a = b",
        "a = UPPER(b)",
        "UPPER(a) = 'x'",
        "(a, b) = ROW('x')",
        "a LIKE 'x'",
    ],
)
def test_other_conditions_leave_several_values(sql: str) -> None:
    assert _pinned(sql) == {}


@pytest.mark.parametrize(("sql", "pinned"), [("a = j", {}), ("j = 'x'", {}), ("a = j AND a = 'x'", {"a": "'x'"})])
def test_a_column_of_a_joined_relation_differs_from_row_to_row(sql: str, pinned: dict[str, str]) -> None:
    assert _pinned(sql) == pinned


def test_nothing_is_held_without_a_condition() -> None:
    assert pinned_by(None) == {}
