"""Arithmetic of metrics in SQL as MDX. A sum is empty where one of its terms is, as in SQL; MDX takes that for 0.

revenue - cost          CASE WHEN ISEMPTY([Measures].[revenue]) OR ISEMPTY([Measures].[cost]) THEN NULL ELSE … END
revenue / orders        [Measures].[revenue] / [Measures].[orders]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

_MOST_PARTS = 2_000
_OPERATORS: dict[type[exp.Expr], str] = {
    exp.Mul: "*",
    exp.Div: "/",
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.And: "AND",
    exp.Or: "OR",
}


class ExpressionError(Exception):
    """An expression that MDX, as far as it is honoured, cannot say. Arguments: the reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def measure(name: str) -> str:
    """A metric as MDX names it.

    >>> measure("net]revenue")
    '[Measures].[net]]revenue]'
    """
    return f"[Measures].[{name.replace(']', ']]')}]"


def strict(terms: Sequence[str], value: str) -> str:
    """A value that is empty where one of the terms is."""
    tests = " OR ".join(f"ISEMPTY({term})" for term in dict.fromkeys(terms))
    return f"CASE WHEN {tests} THEN NULL ELSE {value} END"


def has_division(node: exp.Expr) -> bool:
    """Whether an expression divides."""
    return node.find(exp.Div) is not None


def names_in(sql: str) -> tuple[str, ...]:
    """The names that an expression stands on, in order.

    Raises:
        ExpressionError: it cannot be read.
    """
    return tuple(dict.fromkeys(column.name for column in parse_expression(sql).find_all(exp.Column)))


def parse_expression(sql: str) -> exp.Expr:
    """An expression as a tree.

    Raises:
        ExpressionError: it cannot be read, or is too long.
    """
    try:
        parsed = sqlglot.parse_one(sql)
    except (SqlglotError, RecursionError) as error:
        raise ExpressionError(f"its expression `{' '.join(sql.split())[:200]}` cannot be read as SQL") from error
    if sum(1 for _ in parsed.walk()) > _MOST_PARTS:
        raise ExpressionError(f"its expression has more than {_MOST_PARTS:,} parts")
    return parsed


def as_mdx(sql: str, measures: Mapping[str, str]) -> str:
    """An expression over metrics as MDX.

    Args:
        measures: MDX for each name that stands in it.

    Raises:
        ExpressionError: it has more than arithmetic, comparisons, CASE, COALESCE, NULLIF, ABS and ROUND.
    """
    return mdx_of(parse_expression(sql), measures)


def mdx_of(node: exp.Expr, measures: Mapping[str, str]) -> str:
    """The same of a tree."""
    write = _WRITERS.get(type(node))
    if write is not None:
        return write(node, measures)
    operator = _OPERATORS.get(type(node))
    if operator is None:
        raise _not_said(node)
    return f"{mdx_of(node.this, measures)} {operator} {mdx_of(node.expression, measures)}"


def _not_said(node: exp.Expr) -> ExpressionError:
    return ExpressionError(f"its expression has `{node.sql()[:120]}`, which MDX does not say here")


def _column(node: exp.Expr, measures: Mapping[str, str]) -> str:
    if node.text("table") or node.name not in measures:
        raise ExpressionError(f"its expression names `{node.sql()[:120]}`, which is none of its metrics")
    return measures[node.name]


def _literal(node: exp.Expr, measures: Mapping[str, str]) -> str:  # noqa: ARG001 - one of a table
    if node.is_string:
        raise ExpressionError("its expression has a text")
    return str(node.this)


def _is_null(node: exp.Expr, measures: Mapping[str, str]) -> str:
    if not isinstance(node.expression, exp.Null):
        raise _not_said(node)
    return f"ISEMPTY({mdx_of(node.this, measures)})"


def _round(node: exp.Expr, measures: Mapping[str, str]) -> str:
    if node.args.get("truncate"):
        raise _not_said(node)
    arguments = [node.this, *([node.args["decimals"]] if node.args.get("decimals") else [])]
    return f"ROUND({', '.join(mdx_of(argument, measures) for argument in arguments)})"


def _cast(node: exp.Expr, measures: Mapping[str, str]) -> str:
    """A division of metrics is never one of whole numbers, so a cast for that is left out."""
    if not isinstance(node.parent, exp.Div) or not _is_floating(node):
        raise _not_said(node)
    return mdx_of(node.this, measures)


def _is_floating(node: exp.Expr) -> bool:
    return isinstance(node, exp.Cast) and node.to.this in {exp.DataType.Type.DOUBLE, exp.DataType.Type.FLOAT}


def _sum(node: exp.Expr, measures: Mapping[str, str]) -> str:
    terms = list(_terms(node))
    written = [mdx_of(term, measures) for term in terms]
    texts = iter(written)

    def put(part: exp.Expr) -> str:
        if isinstance(part, (exp.Add, exp.Sub)):
            sign = "+" if isinstance(part, exp.Add) else "-"
            return f"{put(part.this)} {sign} {put(part.expression)}"
        return _closed(next(texts))

    value = put(node)
    tested = [text for term, text in zip(terms, written, strict=True) if not isinstance(term, exp.Literal)]
    return f"({strict(tested, value)})" if tested else f"({value})"


def _terms(node: exp.Expr) -> list[exp.Expr]:
    """The terms of a chain of sums and differences, from left to right."""
    if isinstance(node, (exp.Add, exp.Sub)):
        return [*_terms(node.this), *_terms(node.expression)]
    return [node]


def _closed(text: str) -> str:
    return f"({text})" if " " in text and not text.startswith("(") else text


def _case(node: exp.Expr, measures: Mapping[str, str]) -> str:
    if node.args.get("this") is not None:
        raise ExpressionError("its expression has CASE with a value behind it; only CASE WHEN is carried over")
    branches = [
        f"WHEN {mdx_of(branch.this, measures)} THEN {mdx_of(branch.args['true'], measures)}"
        for branch in node.args["ifs"]
    ]
    default = node.args.get("default")
    end = f" ELSE {mdx_of(default, measures)}" if default is not None else ""
    return f"CASE {' '.join(branches)}{end} END"


def _call(name: str) -> Callable[[exp.Expr, Mapping[str, str]], str]:
    """A function of the same name and arguments."""

    def write(node: exp.Expr, measures: Mapping[str, str]) -> str:
        arguments = [node.this, *([node.expression] if node.args.get("expression") else []), *node.expressions]
        return f"{name}({', '.join(mdx_of(argument, measures) for argument in arguments)})"

    return write


_WRITERS: Mapping[type[exp.Expr], Callable[[exp.Expr, Mapping[str, str]], str]] = {
    exp.Column: _column,
    exp.Paren: lambda node, measures: f"({mdx_of(node.this, measures)})",
    exp.Literal: _literal,
    exp.Null: lambda node, measures: "NULL",  # noqa: ARG005 - one of a table
    exp.Neg: lambda node, measures: f"(-{mdx_of(node.this, measures)})",
    exp.Add: _sum,
    exp.Sub: _sum,
    exp.Not: lambda node, measures: f"NOT {mdx_of(node.this, measures)}",
    exp.Is: _is_null,
    exp.Case: _case,
    exp.Coalesce: _call("COALESCE"),
    exp.Nullif: _call("NULLIF"),
    exp.Abs: _call("ABS"),
    exp.Round: _round,
    exp.Cast: _cast,
}
