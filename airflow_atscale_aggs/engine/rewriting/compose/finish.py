"""Adds what follows the groups of a query: its columns, HAVING, DISTINCT, ORDER BY, LIMIT and OFFSET."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlglot import exp

from airflow_atscale_aggs.engine.rewriting.model_query import ModelQuery, OrderTerm, Ref, ref, substitute
from airflow_atscale_aggs.engine.sql.quoting import alias_as, column_of

Values = Mapping[Ref, Callable[[int], exp.Expr]]
"""What references stand for."""


def show(query: ModelQuery, select: exp.Select, values: Values) -> None:
    """Select the outputs of a query."""
    for output in query.outputs:
        select.append("expressions", alias_as(substitute(output.expression, values), output.name))


def finish(query: ModelQuery, select: exp.Select, values: Values, *, is_grouped: bool = True) -> None:
    """Add HAVING, DISTINCT, ORDER BY, LIMIT and OFFSET to a SELECT.

    Args:
        is_grouped: False where the rows of the SELECT are the groups already.
    """
    if query.having is not None:
        condition = substitute(query.having, values)
        select.having(condition, copy=False) if is_grouped else select.where(condition, copy=False)
    if query.is_distinct and (query.sets or not _shows_all_keys(query)):
        select.distinct(copy=False)
    if query.order_by:
        select.set("order", exp.Order(expressions=[_render_order_term(query, term, values) for term in query.order_by]))
    # Select.limit and its like would parse the number.
    if query.limit is not None:
        select.set("limit", exp.Limit(expression=exp.Literal.number(query.limit)))
    if query.offset is not None:
        select.set("offset", exp.Offset(expression=exp.Literal.number(query.offset)))


def _shows_all_keys(query: ModelQuery) -> bool:
    """Rows that show every key differ."""
    shown = [output.expression for output in query.outputs]
    return all(ref(Ref.KEY, number) in shown for number in range(len(query.keys)))


def _render_order_term(query: ModelQuery, term: OrderTerm, values: Values) -> exp.Ordered:
    value = _order_value(query, term.expression, values)
    return exp.Ordered(this=value, desc=term.is_descending, nulls_first=term.nulls_first)


def _order_value(query: ModelQuery, wanted: exp.Expr, values: Values) -> exp.Expr:
    """The answer's column that shows the expression, where no other column has its name; else the expression."""
    for output in query.outputs:
        if output.expression == wanted:
            folded = output.name.casefold()
            if sum(other.name.casefold() == folded for other in query.outputs) == 1:
                return column_of(output.name)
    return substitute(wanted, values)
