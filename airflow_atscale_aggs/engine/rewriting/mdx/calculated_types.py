"""Finds calculations that mix texts and numbers in calculated metrics.

No warehouse computes them. They are refused here, so that the user does not get the warehouse's own message.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from sqlglot import exp

_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)
_OF_NUMBERS = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Neg, exp.Abs, exp.Round)


def find_type_problem(node: exp.Expr, is_number: Callable[[exp.Column], bool]) -> str:
    """Why a node of a calculation cannot be computed, as half a sentence; empty when nothing speaks against it.

    Args:
        is_number: whether the measure that a column stands for is surely a number; of others nothing is said.
    """
    if isinstance(node, exp.Literal) and not node.is_string:
        return "" if _is_finite(node.name) else "which is no number"
    if isinstance(node, _COMPARISONS) and any(isinstance(side, _COMPARISONS) for side in node.iter_expressions()):
        return "which compares the result of a comparison"
    if isinstance(node, _OF_NUMBERS):
        kinds = {_kind(part, is_number) for part in node.iter_expressions()}
        return "which calculates with a text" if "text" in kinds else ""
    if isinstance(node, (*_COMPARISONS, exp.Case, exp.If, exp.Coalesce, exp.Nullif)):
        parts = _results(node) if isinstance(node, (exp.Case, exp.If)) else list(node.iter_expressions())
        kinds = {_kind(part, is_number) for part in parts}
        return "which mixes texts and numbers" if {"text", "number"} <= kinds else ""
    return ""


def _results(node: exp.Case | exp.If) -> list[exp.Expr]:
    branches = (
        [branch.args["true"] for branch in node.args["ifs"]] if isinstance(node, exp.Case) else [node.args["true"]]
    )
    rest = node.args.get("default" if isinstance(node, exp.Case) else "false")
    return [*branches, *([rest] if rest is not None else [])]


def _kind(node: exp.Expr, is_number: Callable[[exp.Column], bool]) -> str:
    node = node.unnest()
    if isinstance(node, exp.Literal):
        return "text" if node.is_string else "number"
    if isinstance(node, _OF_NUMBERS) or (isinstance(node, exp.Column) and is_number(node)):
        return "number"
    return ""


def _is_finite(text: str) -> bool:
    try:
        return math.isfinite(float(text)) or text.isdigit()
    except ValueError:
        return False
