"""A `ModelQuery` as SQL over the rows that its parts are answered from.

One part: one flat SELECT. Several: each part is grouped by itself, then their rows are laid over each other, key by key,
NULL keys included, and repeated parts are joined to that:

    WITH "store_sales" AS (SELECT … GROUP BY …), "web_sales" AS (SELECT … GROUP BY …)
    SELECT key, MAX(store metric), MAX(web metric) FROM (store_sales UNION ALL web_sales) GROUP BY key

A full outer join would say the same, but PostgreSQL has none on keys that may be NULL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from sqlglot import exp

from airflow_atscale_aggs.engine.rewriting.model_query import (
    ModelQuery,
    OrderTerm,
    Ref,
    ref,
    substitute,
)
from airflow_atscale_aggs.engine.rewriting.parts import QueryPart
from airflow_atscale_aggs.engine.sql.joins import groupable
from airflow_atscale_aggs.engine.sql.quoting import column_of, fresh, identifier, named
from airflow_atscale_aggs.engine.sql.rows import ROWS, AnswerRows, EdgeMetric, FactRows, MetricPieces, add_condition

_Values = Mapping[Ref, Callable[[int], exp.Expression]]


def compose(query: ModelQuery, parts: Sequence[tuple[QueryPart, AnswerRows]]) -> exp.Select:
    """The SELECT that answers a query from the rows chosen for each part.

    Args:
        parts: from `split_by_fact`, in its order, each with its rows; the rows are used up.
    """
    if len(parts) == 1 and not parts[0][0].is_repeated:
        return _flat(query, *parts[0])
    return _laid_together(query, parts)


def _flat(query: ModelQuery, part: QueryPart, rows: AnswerRows) -> exp.Select:
    group = _Group(query, part, rows)
    select = rows.select
    _show(query, select, group.values)
    group.close(select)
    _finish(query, select, group.values)
    return select


class _Group:
    """The filtered and grouped rows of one part."""

    def __init__(self, query: ModelQuery, part: QueryPart, rows: AnswerRows) -> None:
        self._query, self._part, self._rows = query, part, rows
        rows.keep_members([bound for place, bound in part.attributes.items() if place not in part.sliced])
        attributes: _Values = {Ref.ATTRIBUTE: lambda place: rows.value(part.attributes[place])}
        if part.where is not None:
            add_condition(rows.select, substitute(part.where, attributes))
        keys = [substitute(query.keys[place], attributes) for place in part.keys]
        members = [substitute(_argument(one), attributes) for one in query.members]
        slices = [substitute(one, attributes) for one in part.slices.values()]
        found = self._prepared(keys, [*members, *slices])
        self._keys = dict(zip(part.keys, found, strict=False))
        self._members = found[len(keys) :]
        conditions = [*part.slices, *part.edges]
        self._slices = dict(zip(conditions, found[len(keys) + len(members) :], strict=True))

    def _prepared(self, keys: list[exp.Expression], others: list[exp.Expression]) -> list[exp.Expression]:
        part, rows = self._part, self._rows
        if not part.edges or not isinstance(rows, FactRows):
            return rows.prepared(keys, others)
        measured = {place: metric.column for place, metric in part.metrics.items() if metric is not None}
        edges = [EdgeMetric(measured[place], edge.level, edge.is_last) for place, edge in part.edges.items()]
        return rows.with_edges(keys, others, edges, measured.values())

    @property
    def values(self) -> _Values:
        """What K, M and G stand for; a metric that this part does not have is NULL."""
        return {
            Ref.KEY: lambda place: fresh(self._keys[place]),
            Ref.METRIC: self._metric,
            Ref.MEMBERS: self._member,
        }

    def close(self, select: exp.Select) -> None:
        """Group by the keys; by none of them when all are constants, of which no rows make no group."""
        keys = groupable(self._keys.values())
        if keys:
            select.set("group", exp.Group(expressions=keys))
        elif self._keys:
            rows = exp.Count(this=exp.Star(), big_int=True)
            select.having(exp.GT(this=rows, expression=exp.Literal.number(0)), copy=False)

    def _metric(self, place: int) -> exp.Expression:
        if place not in self._part.metrics:
            return exp.Null()
        metric = self._part.metrics[place]
        pieces = MetricPieces(metric.calculation_method, metric.column) if metric else ROWS
        return self._rows.metric(pieces, self._slices.get(place))

    def _member(self, place: int) -> exp.Expression:
        made = self._query.members[place].copy()
        _argument(made).replace(self._members[place].copy())
        return made


def _argument(function: exp.Expression) -> exp.Expression:
    """What a member aggregate is of, without DISTINCT."""
    argument: exp.Expression = function.this
    return argument.expressions[0] if isinstance(argument, exp.Distinct) else argument


def _show(query: ModelQuery, select: exp.Select, values: _Values) -> None:
    for output in query.outputs:
        select.append("expressions", named(substitute(output.expression, values), output.name))


def _finish(query: ModelQuery, select: exp.Select, values: _Values) -> None:
    """HAVING, DISTINCT, ORDER BY, LIMIT and OFFSET."""
    if query.having is not None:
        select.having(substitute(query.having, values), copy=False)
    if query.is_distinct and not _shows_all_keys(query):
        select.distinct(copy=False)
    if query.order_by:
        select.set("order", exp.Order(expressions=[_ordered(query, term, values) for term in query.order_by]))
    # Select.limit and its like would parse the number.
    if query.limit is not None:
        select.set("limit", exp.Limit(expression=exp.Literal.number(query.limit)))
    if query.offset is not None:
        select.set("offset", exp.Offset(expression=exp.Literal.number(query.offset)))


def _shows_all_keys(query: ModelQuery) -> bool:
    """Rows that show every key differ."""
    shown = [output.expression for output in query.outputs]
    return all(ref(Ref.KEY, number) in shown for number in range(len(query.keys)))


def _ordered(query: ModelQuery, term: OrderTerm, values: _Values) -> exp.Ordered:
    value = _order_value(query, term.expression, values)
    return exp.Ordered(this=value, desc=term.is_descending, nulls_first=term.nulls_first)


def _order_value(query: ModelQuery, wanted: exp.Expression, values: _Values) -> exp.Expression:
    """The column of the answer that it is, by name where that is unmistakable; else the expression."""
    for output in query.outputs:
        if output.expression == wanted:
            folded = output.name.casefold()
            if sum(other.name.casefold() == folded for other in query.outputs) == 1:
                return column_of(output.name)
    return substitute(wanted, values)


def _laid_together(query: ModelQuery, parts: Sequence[tuple[QueryPart, AnswerRows]]) -> exp.Select:
    names = _Names(query, parts)
    whole = [part for part, _ in parts if not part.is_repeated]
    select = exp.Select()
    for number, (part, rows) in enumerate(parts):
        select.with_(identifier(names.parts[number]), as_=_grouped(query, part, rows, names), copy=False)
    is_merged = len(whole) > 1 and bool(query.keys)
    spine = "all_parts" if is_merged else names.parts[0]
    if is_merged:
        select.from_(exp.Subquery(this=_union(whole, names, len(query.keys)), alias=_table_alias(spine)), copy=False)
    else:
        select.from_(_table(spine), copy=False)
        for other in names.parts[1 : len(whole)]:
            select.append("joins", exp.Join(this=_table(other), kind="CROSS"))
    for number, (part, _) in enumerate(parts):
        if part.is_repeated:
            select.append("joins", _repeated(part, names, names.parts[number], spine))
    values = _laid_values(parts, names, spine, is_merged=is_merged)
    _show(query, select, values)
    if is_merged:
        select.group_by(*(column_of(name, spine) for name in names.keys), copy=False)
    elif query.having is not None:
        select.where(substitute(query.having, values), copy=False)
        query = replace(query, having=None)
    _finish(query, select, values)
    return select


def _laid_values(
    parts: Sequence[tuple[QueryPart, AnswerRows]], names: _Names, spine: str, *, is_merged: bool
) -> _Values:
    """Where keys and metrics of all parts are found."""
    owner = {
        place: spine if is_merged and not part.is_repeated else names.parts[number]
        for number, (part, _) in enumerate(parts)
        for place in part.metrics
    }

    def metric(place: int) -> exp.Expression:
        if place not in owner:
            return exp.Null()
        column = column_of(names.metrics[place], owner[place])
        return exp.Max(this=column) if is_merged else column

    return {Ref.KEY: lambda place: column_of(names.keys[place], spine), Ref.METRIC: metric}


class _Names:
    """Names of parts, keys and metrics inside a query over several facts."""

    def __init__(self, query: ModelQuery, parts: Sequence[tuple[QueryPart, AnswerRows]]) -> None:
        self.parts: list[str] = []
        for part, _ in parts:
            self.parts.append(_free(part.fact, self.parts))
        taken: list[str] = []
        for number in range(len(query.keys)):
            taken.append(_free(query.name_of_key(number), taken))
        self.keys = list(taken)
        for name in query.metrics:
            taken.append(_free(name or "count", taken))
        self.metrics = taken[len(self.keys) :]


def _free(name: str, taken: Sequence[str]) -> str:
    folded = {one.casefold() for one in taken}
    number, chosen = 1, name
    while chosen.casefold() in folded:
        number += 1
        chosen = f"{name} {number}"
    return chosen


def _grouped(query: ModelQuery, part: QueryPart, rows: AnswerRows, names: _Names) -> exp.Select:
    """One part by itself: its keys and metrics."""
    group = _Group(query, part, rows)
    select = rows.select
    for place in part.keys:
        select.select(named(group.values[Ref.KEY](place), names.keys[place]), copy=False)
    for place in part.metrics:
        select.select(named(group.values[Ref.METRIC](place), names.metrics[place]), copy=False)
    group.close(select)
    return select


def _union(whole: Sequence[QueryPart], names: _Names, keys: int) -> exp.Expression:
    """All parts' rows, one below the other; what a part does not have is a NULL of the type that the other part has."""
    union: exp.Expression | None = None
    for number, part in enumerate(whole):
        here = names.parts[number]
        select = exp.Select().from_(_table(here), copy=False)
        for place in range(keys):
            select.select(column_of(names.keys[place], here), copy=False)
        for other, owner in enumerate(whole):
            for place in owner.metrics:
                column = column_of(names.metrics[place], names.parts[other])
                if place not in part.metrics:
                    typed = exp.Select(expressions=[column]).from_(_table(names.parts[other]), copy=False)
                    value: exp.Expression = exp.Subquery(this=typed.where(exp.false(), copy=False))
                else:
                    value = column
                select.select(named(value, names.metrics[place]), copy=False)
        union = select if union is None else exp.Union(this=union, expression=select, distinct=False)
    assert union is not None  # noqa: S101 - there are two parts at least
    return union


def _repeated(part: QueryPart, names: _Names, here: str, spine: str) -> exp.Join:
    """A part with fewer keys, joined on those that it has."""
    if not part.keys:
        return exp.Join(this=_table(here), kind="CROSS")
    pairs = [
        exp.NullSafeEQ(this=column_of(names.keys[place], spine), expression=column_of(names.keys[place], here))
        for place in part.keys
    ]
    return exp.Join(this=_table(here), side="LEFT", on=exp.and_(*pairs, copy=False))


def _table(name: str) -> exp.Table:
    return exp.Table(this=identifier(name))


def _table_alias(name: str) -> exp.TableAlias:
    return exp.TableAlias(this=identifier(name))
