"""Finds attributes that a condition holds to one value, however it is written.

"State" = 'TN'          'TN' = "State"         "State" IN ('TN')        "State" BETWEEN 'TN' AND 'TN'
"State" IS NOT DISTINCT FROM 'TN'              NOT ("State" <> 'TN')    "State" = 'TN' OR "State" = 'TN'
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlglot import exp

from airflow_atscale_aggs.engine.rewriting.model_query import Ref, attribute_at, references

Pinned = Mapping[int, exp.Expr]
"""By place of the attribute: the value, without references to attributes."""


def pinned_by(condition: exp.Expr | None) -> Pinned:
    """Attributes that have one value in all rows that meet a condition."""
    return {} if condition is None else _pin(condition.unnest(), is_true=True)


def _pin(condition: exp.Expr, *, is_true: bool) -> dict[int, exp.Expr]:
    """Where a condition is true, or where it is false."""
    if isinstance(condition, exp.Not):
        return _pin(condition.this.unnest(), is_true=not is_true)
    if isinstance(condition, (exp.And, exp.Or)):
        sides = [_pin(side.unnest(), is_true=is_true) for side in condition.flatten()]
        return _pinned_by_any(sides) if isinstance(condition, exp.And) == is_true else _pinned_by_all(sides)
    if isinstance(condition, (exp.EQ, exp.NullSafeEQ) if is_true else (exp.NEQ, exp.NullSafeNEQ)):
        return _equal(condition.this, condition.expression)
    if isinstance(condition, exp.Is):
        is_null = isinstance(condition.expression, exp.Null) and bool(condition.args.get("negate")) is not is_true
        return _equal(condition.this, condition.expression) if is_null else {}
    return _pin_by_list(condition) if is_true else {}


def _pin_by_list(condition: exp.Expr) -> dict[int, exp.Expr]:
    """By a list or a range that leaves one value."""
    if isinstance(condition, exp.In) and condition.expressions and not condition.args.get("query"):
        return _pinned_by_all([_equal(condition.this, value) for value in condition.expressions])
    if isinstance(condition, exp.Between) and condition.args["low"] == condition.args["high"]:
        return _equal(condition.this, condition.args["low"])
    return {}


def _equal(left: exp.Expr, right: exp.Expr) -> dict[int, exp.Expr]:
    """Attributes on one side of an equation whose other side is the same for all rows."""
    left, right = left.unnest(), right.unnest()
    if isinstance(left, exp.Tuple) and isinstance(right, exp.Tuple) and len(left.expressions) == len(right.expressions):
        return _pinned_by_any(_equal(*pair) for pair in zip(left.expressions, right.expressions, strict=True))
    pinned = {}
    for side, value in ((left, right), (right, left)):
        place = attribute_at(side)
        varies = any(True for kind in (Ref.ATTRIBUTE, Ref.JOINED) for _ in references(value, kind))
        if place is not None and not varies:
            pinned[place] = value
    return pinned


def _pinned_by_any(sides: Iterable[dict[int, exp.Expr]]) -> dict[int, exp.Expr]:
    return {place: value for side in sides for place, value in side.items()}


def _pinned_by_all(sides: list[dict[int, exp.Expr]]) -> dict[int, exp.Expr]:
    """What all sides hold to the same value."""
    first, *rest = sides
    return {place: value for place, value in first.items() if all(side.get(place) == value for side in rest)}
