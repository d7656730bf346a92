"""Aggregates and windows around a model's answer."""

from __future__ import annotations

from decimal import Decimal

from sqlglot import exp

from airflow_atscale_aggs.engine.sql.functions.handling import (
    Handler,
    Handlers,
    Translating,
    number_of,
    refuse_type,
    round_decimal,
    text_of,
)
from airflow_atscale_aggs.engine.sql.functions.logic import as_common, common_type, truth
from airflow_atscale_aggs.engine.sql.functions.types import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    FLOATING_NUMERIC,
    INTEGER,
    NUMBERS,
    TEXT,
    WHOLE_NUMERIC,
    Kind,
    SqlType,
    Value,
    scale_of,
)
from airflow_atscale_aggs.engine.sql.functions.writing import call, cast

_MOST_PLACES = 15
"""Digits behind the point of a decimal of which no more is known."""


def sum_type(of: SqlType) -> SqlType:
    """What SUM of a type is in PostgreSQL."""
    if of.kind in {Kind.SMALLINT, Kind.INTEGER}:
        return BIGINT
    if of.kind is Kind.BIGINT:
        return WHOLE_NUMERIC
    return of


def average_type(of: SqlType) -> SqlType:
    """What AVG and deviations of a type are in PostgreSQL."""
    return DOUBLE if of.kind in {Kind.REAL, Kind.DOUBLE} else FLOATING_NUMERIC


def _argument(node: exp.Expr, t: Translating) -> tuple[exp.Expr, Value, exp.Expr | None]:
    """The argument's node, its value, and what holds it: itself, or DISTINCT or ORDER BY around it."""
    inner = node.this
    if isinstance(inner, exp.Distinct):
        if len(inner.expressions) != 1:
            t.refuse(node, "DISTINCT of several values is not translated")
        value = t.value(inner.expressions[0])
        return inner.expressions[0], value, exp.Distinct(expressions=[value.sql])
    return inner, t.value(inner), None


def _count(node: exp.Expr, t: Translating) -> Value:
    if node.this is None or isinstance(node.this, exp.Star):
        return Value(node.copy(), BIGINT)
    _, value, distinct = _argument(node, t)
    return Value(exp.Count(this=distinct or value.sql, big_int=True), BIGINT)


def _sum(node: exp.Expr, t: Translating) -> Value:
    place, value, distinct = _argument(node, t)
    if value.kind not in {*NUMBERS, Kind.OTHER}:
        refuse_type(place, value, "a number", t)
    return Value(exp.Sum(this=distinct or value.sql), sum_type(value.type))


def _average(node: exp.Expr, t: Translating) -> Value:
    place, value, distinct = _argument(node, t)
    if value.kind not in {*NUMBERS, Kind.OTHER}:
        refuse_type(place, value, "a number", t)
    kind = value.type if value.kind is Kind.OTHER else average_type(value.type)
    return Value(type(node)(this=distinct or value.sql), kind)


def _extreme(node: exp.Expr, t: Translating) -> Value:
    if node.expressions:
        t.refuse(node, "it takes one value")
    place, value, distinct = _argument(node, t)
    if value.kind is Kind.BOOLEAN:
        refuse_type(place, value, "a value that has an order", t)
    return Value(type(node)(this=distinct or value.sql), value.type)


def _of_truth(name: str) -> Handler:
    def translate_truth(node: exp.Expr, t: Translating) -> Value:
        return Value(call(name, truth(node.this, t)), BOOLEAN)

    return translate_truth


def _string_agg(node: exp.Expr, t: Translating) -> Value:
    """STRING_AGG(x, ',' ORDER BY …)."""
    inner, distinct, order = node.this, False, None
    if isinstance(inner, exp.Order):
        order, inner = inner, inner.this
    if isinstance(inner, exp.Distinct):
        distinct, inner = True, inner.expressions[0]
    separator = node.args.get("separator")
    value: exp.Expr = text_of(inner, t)
    if distinct:
        value = exp.Distinct(expressions=[value])
    if order is not None:
        value = exp.Order(this=value, expressions=[translate_order_term(term, t) for term in order.expressions])
    separator_text = text_of(separator, t) if separator is not None else exp.Literal.string("")
    return Value(exp.GroupConcat(this=value, separator=separator_text), TEXT)


def translate_order_term(term: exp.Expr, t: Translating) -> exp.Expr:
    """A term of ORDER BY."""
    translation = term.copy()
    if isinstance(term, exp.Ordered):
        translation.set("this", t.value(term.this).sql)
        return translation
    return t.value(term).sql


def _window(node: exp.Expr, t: Translating) -> Value:
    value = t.value(node.this)
    window = node.copy()
    window.set("this", value.sql)
    window.set("partition_by", [t.value(expression).sql for expression in node.args.get("partition_by") or []])
    order = node.args.get("order")
    if order is not None:
        window.set("order", exp.Order(expressions=[translate_order_term(term, t) for term in order.expressions]))
    return Value(window, value.type)


def _rank(kind: SqlType) -> Handler:
    def translate_rank(node: exp.Expr, t: Translating) -> Value:
        ranking = node.copy()
        for name, part in node.args.items():
            if isinstance(part, exp.Expr):
                ranking.set(name, t.value(part).sql)
        return Value(ranking, kind)

    return translate_rank


def _value_of_other_row(node: exp.Expr, t: Translating) -> Value:
    """LAG, LEAD, FIRST_VALUE and its like: the type of what they show."""
    value = t.value(node.this)
    translation = node.copy()
    translation.set("this", value.sql)
    kind = value.type
    default = node.args.get("default")
    if default is not None:
        other = t.value(default)
        kind = common_type(node, [value, other], t)
        # The warehouse casts the default to the type of the value.
        translation.set("this", _as_decimal(as_common(value, kind, t), value, other, kind))
        translation.set("default", as_common(other, kind, t))
    offset = node.args.get("offset")
    if offset is not None:
        translation.set("offset", number_of(offset, t).sql)
    return Value(translation, kind)


def _as_decimal(sql: exp.Expr, value: Value, other: Value, kind: SqlType) -> exp.Expr:
    """A value in a decimal that holds the other one as well."""
    if kind.kind is not Kind.NUMERIC or value.type == other.type or other.kind is Kind.NULL:
        return sql
    if kind.is_double:
        return cast(sql, "double")
    scales = [_MOST_PLACES if scale is None else scale for scale in (scale_of(value), scale_of(other))]
    return cast(sql, f"decimal(38, {max(scales)})")


def _filter(node: exp.Expr, t: Translating) -> Value:
    value = t.value(node.this)
    condition = exp.Where(this=truth(node.expression.this, t))
    return Value(exp.Filter(this=value.sql, expression=condition), value.type)


def _within_group(node: exp.Expr, t: Translating) -> Value:
    inner, order = node.this, node.expression
    if not isinstance(inner, exp.PercentileCont) or len(order.expressions) != 1:
        t.refuse(node, "only PERCENTILE_CONT is translated here")
    term = order.expressions[0]
    value = number_of(term.this if isinstance(term, exp.Ordered) else term, t)
    share = inner.this.unnest()
    if not isinstance(share, exp.Literal) or share.is_string or not 0 <= Decimal(share.name) <= 1:
        t.refuse(node, "its share has to stand in the query as a number from 0 to 1", "Write it out.")
    is_down = isinstance(term, exp.Ordered) and bool(term.args.get("desc"))
    place = 1 - Decimal(share.name) if is_down else Decimal(share.name)
    number = exp.Literal.number(f"{place:f}")
    return Value(call("QUANTILE_CONT", cast(round_decimal(value).sql, "double"), number), DOUBLE)


HANDLERS: Handlers = {
    exp.Count: _count,
    exp.Sum: _sum,
    exp.Avg: _average,
    exp.Stddev: _average,
    exp.StddevSamp: _average,
    exp.StddevPop: _average,
    exp.Variance: _average,
    exp.VariancePop: _average,
    exp.Min: _extreme,
    exp.Max: _extreme,
    exp.LogicalAnd: _of_truth("BOOL_AND"),
    exp.LogicalOr: _of_truth("BOOL_OR"),
    exp.GroupConcat: _string_agg,
    exp.Window: _window,
    exp.RowNumber: _rank(BIGINT),
    exp.Rank: _rank(BIGINT),
    exp.DenseRank: _rank(BIGINT),
    exp.PercentRank: _rank(DOUBLE),
    exp.CumeDist: _rank(DOUBLE),
    exp.Ntile: _rank(INTEGER),
    exp.Lag: _value_of_other_row,
    exp.Lead: _value_of_other_row,
    exp.FirstValue: _value_of_other_row,
    exp.LastValue: _value_of_other_row,
    exp.NthValue: _value_of_other_row,
    exp.Filter: _filter,
    exp.WithinGroup: _within_group,
}
