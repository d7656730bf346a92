"""Moves QUALIFY and DISTINCT ON of a SELECT on a model into a SELECT around it, as a condition on the answer's rows.

    SELECT "City", SUM("Amount") FROM sales GROUP BY 1 QUALIFY RANK() OVER (ORDER BY SUM("Amount") DESC) <= 3
    SELECT "City", "Amount"
    FROM (SELECT "City", SUM("Amount") AS "Amount", RANK() … <= 3 AS "is kept" FROM sales …) WHERE "is kept"

ORDER BY and LIMIT apply to the rows that remain.
"""

from __future__ import annotations

from sqlglot import exp

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.sql.quoting import alias_as, column_of, identifier
from airflow_atscale_aggs.engine.sql.spelling import render_for_people
from airflow_atscale_aggs.engine.sql.statements import all_of

_KEPT = "is kept"
_ROWS = "rows"
_AFTERWARDS = ("limit", "offset", "distinct")


def put_conditions_around(root: exp.Query, select: exp.Select) -> exp.Query:
    """Move the SELECT's QUALIFY and DISTINCT ON into a SELECT around it; the query is changed."""
    distinct = select.args.get("distinct")
    on = distinct.args.get("on") if distinct is not None else None
    qualify = select.args.get("qualify")
    if (on is None and qualify is None) or any(projection.is_star for projection in select.expressions):
        return root
    names = _name_columns(select)
    shown = {projection.alias: projection.this for projection in select.expressions}
    conditions = [_resolve_aliases(qualify.this, shown)] if qualify is not None else []
    if on is not None:
        conditions.append(_first_of_each(on, select, names, shown))
        select.set("distinct", None)
    select.set("qualify", None)
    around = exp.Select(expressions=[alias_as(column_of(name, _ROWS), name) for name in names])
    _order(select, around, names)
    for clause in _AFTERWARDS:
        around.set(clause, select.args.get(clause))
        select.set(clause, None)
    around.set("with_", select.args.get("with_"))
    select.set("with_", None)
    select.append("expressions", alias_as(all_of(conditions), _KEPT))
    is_root = select is root
    if not is_root:
        select.replace(around)
    around.from_(exp.Subquery(this=select, alias=exp.TableAlias(this=identifier(_ROWS))), copy=False)
    around.where(column_of(_KEPT, _ROWS), copy=False)
    return around if is_root else root


def _name_columns(select: exp.Select) -> list[str]:
    """Give every column a name, the one that its answer would have."""
    names: list[str] = []
    for place, projection in enumerate(list(select.expressions), 1):
        name = _name_of(projection) or f"column_{place}"
        if not isinstance(projection, exp.Alias):
            projection.replace(alias_as(projection.copy(), name))
        names.append(name)
    return names


def _name_of(projection: exp.Expr) -> str:
    """The name of a column of the answer; empty where it has none of its own."""
    if isinstance(projection, (exp.Alias, exp.Column)):
        return projection.alias_or_name
    if isinstance(projection, exp.Count) and isinstance(projection.this, (exp.Star, exp.Literal)):
        return "count"
    columns = list(projection.find_all(exp.Column))
    return columns[0].name if isinstance(projection, exp.AggFunc) and len(columns) == 1 else ""


def _resolve_aliases(expression: exp.Expr, shown: dict[str, exp.Expr]) -> exp.Expr:
    """A copy in which the names of the answer's columns are replaced by their expressions."""

    def replacement_of(node: exp.Expr) -> exp.Expr:
        # Inside an aggregate function a name is the model's.
        is_shown = isinstance(node, exp.Column) and not node.table and node.name in shown
        if is_shown and node.find_ancestor(exp.AggFunc) is None:
            value = shown[node.name]
            return value.copy() if isinstance(value, exp.Column) else exp.Paren(this=value.copy())
        return node

    return expression.copy().transform(replacement_of)


def _first_of_each(on: exp.Expr, select: exp.Select, names: list[str], shown: dict[str, exp.Expr]) -> exp.Expr:
    """Whether a row is the first of those that share the values of DISTINCT ON, in the order of the SELECT."""
    keys = [_term(key, names, shown) for key in on.expressions]
    order = select.args.get("order")
    window = exp.Window(this=exp.RowNumber(), partition_by=keys)
    if order is not None:
        terms = [ordered.copy() for ordered in order.expressions]
        for term in terms:
            term.set("this", _term(term.this, names, shown))
        window.set("order", exp.Order(expressions=terms))
    return exp.EQ(this=window, expression=exp.Literal.number(1))


def _term(term: exp.Expr, names: list[str], shown: dict[str, exp.Expr]) -> exp.Expr:
    """A term of ORDER BY or DISTINCT ON, which may be a place or a name of a column of the answer."""
    if isinstance(term, exp.Literal) and term.is_int and 1 <= int(term.name) <= len(names):
        return shown[names[int(term.name) - 1]].copy()
    resolved = _resolve_aliases(term, shown)
    return resolved.unnest() if isinstance(resolved, exp.Paren) else resolved


def _order(select: exp.Select, around: exp.Select, names: list[str]) -> None:
    """Order the remaining rows as the SELECT does. A term that the SELECT does not show is added to its columns."""
    order = select.args.get("order")
    if order is None:
        return
    select.set("order", None)
    shown = {projection.alias: projection.this for projection in select.expressions}
    for place, term in enumerate(order.expressions, 1):
        wanted = _term(term.this, names, shown)
        name = next((name for name, expression in shown.items() if expression == wanted), "")
        if not name:
            _check_groups(wanted, select)
            name = f"order {place}"
            select.append("expressions", alias_as(wanted, name))
        term.set("this", column_of(name, _ROWS))
    around.set("order", order)


def _check_groups(wanted: exp.Expr, select: exp.Select) -> None:
    """Refuse a term of ORDER BY that would make more groups if it were shown."""
    grouped = {projection.this for projection in select.expressions if isinstance(projection.this, exp.Column)}
    if wanted.find(exp.AggFunc, exp.Window) is None and not grouped.issuperset(wanted.find_all(exp.Column)):
        remedy = "Add it to SELECT."
        raise UnsupportedQueryError(
            render_for_people(wanted, "postgres"), "the answer is ordered by what it does not show", remedy
        )
