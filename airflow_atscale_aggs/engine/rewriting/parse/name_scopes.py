"""Finds the relations that a statement names, and which of the names mean its own CTEs.

A CTE is visible where SQL makes it visible. There it hides tables and models of the same name.

WITH sales AS (SELECT * FROM sales)     the table or model: a CTE does not see itself
SELECT … FROM sales                     the CTE
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class TableName:
    """A relation that is named, and the CTE that is meant; None where it is none of the statement's own."""

    table: exp.Table
    cte: exp.CTE | None


def table_names(root: exp.Expr) -> list[TableName]:
    """Every relation that a statement names, functions left out, in the order of the text."""
    names: list[TableName] = []
    # Not recursive: generated statements are nested more deeply than Python calls may be.
    waiting: list[tuple[exp.Expr, Mapping[str, exp.CTE]]] = [(root, {})]
    while waiting:
        node, seen = waiting.pop()
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            names.append(TableName(node, None if node.db else seen.get(node.name)))
        ctes = node.args.get("with_")
        if ctes is not None:
            inside = _scopes(ctes, seen)
            waiting += reversed([*inside, *_children(node, _with_ctes(ctes, seen), besides=ctes)])
        else:
            waiting += reversed(_children(node, seen))
    return names


def foreign_tables(root: exp.Expr) -> list[exp.Table]:
    """The tables and models that a statement names, its own CTEs left out, in the order of the text."""
    return [name.table for name in table_names(root) if name.cte is None]


_Scoped = tuple[exp.Expr, Mapping[str, exp.CTE]]


def _scopes(ctes: exp.With, seen: Mapping[str, exp.CTE]) -> list[_Scoped]:
    """Each CTE's query with the CTEs that it sees: those before it, all of them where they may be recursive."""
    if ctes.args.get("recursive"):
        everything = _with_ctes(ctes, seen)
        return [(cte, everything) for cte in ctes.expressions]
    scoped: list[_Scoped] = []
    for cte in ctes.expressions:
        scoped.append((cte, seen))
        seen = {**seen, cte.alias: cte}
    return scoped


def _with_ctes(ctes: exp.With, seen: Mapping[str, exp.CTE]) -> Mapping[str, exp.CTE]:
    return {**seen, **{cte.alias: cte for cte in ctes.expressions}}


def _children(node: exp.Expr, seen: Mapping[str, exp.CTE], besides: exp.Expr | None = None) -> list[_Scoped]:
    return [(child, seen) for child in node.iter_expressions() if child is not besides]
