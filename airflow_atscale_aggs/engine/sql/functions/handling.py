"""What the handlers of functions share: how they get values with types, and how they refuse a function."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import NoReturn, Protocol

from sqlglot import exp

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.sql.functions.types import NUMBERS, TEXTS, UNTYPED, Kind, SqlType, Value
from airflow_atscale_aggs.engine.sql.functions.writing import cast, number
from airflow_atscale_aggs.engine.sql.spelling import render_for_people


class Translating(Protocol):
    """Translates the parts of a node."""

    def value(self, node: exp.Expr) -> Value:
        """An expression, translated."""

    def as_type(self, value: Value, to: SqlType) -> Value:
        """A text without a type, or NULL, as a type; what has one stays."""

    def refuse(self, node: exp.Expr, reason: str, remedy: str = "") -> NoReturn:
        """Say that this is not answered."""


Handler = Callable[[exp.Expr, Translating], Value]
Handlers = Mapping[type[exp.Expr], Handler]
NamedHandlers = Mapping[str, Handler]

INPUT_TEXT = SqlType(Kind.TEXT)


def text_of(node: exp.Expr, t: Translating) -> exp.Expr:
    """An argument that is a text; blanks at the end of CHARACTER do not count."""
    value = t.value(node)
    if value.kind in UNTYPED:
        return t.as_type(value, INPUT_TEXT).sql
    if value.kind is Kind.CHAR:
        return exp.Anonymous(this="RTRIM", expressions=[value.sql, exp.Literal.string(" ")])
    if value.kind not in TEXTS:
        refuse_type(node, value, "a text", t)
    return value.sql


def number_of(node: exp.Expr, t: Translating, kinds: Collection[Kind] = NUMBERS) -> Value:
    """An argument that is a number."""
    return as_number(node, t.value(node), t, kinds)


def as_number(node: exp.Expr, value: Value, t: Translating, kinds: Collection[Kind] = NUMBERS) -> Value:
    """An argument that is translated already, as a number."""
    if value.kind in UNTYPED:
        value = t.as_type(value, SqlType(Kind.DOUBLE if Kind.DOUBLE in kinds else Kind.INTEGER))
    if value.kind not in kinds:
        refuse_type(node, value, "a number" if kinds is NUMBERS else " or ".join(sorted(kinds)), t)
    return value


def whole_of(node: exp.Expr, t: Translating) -> exp.Expr:
    """An argument that is an integer, such as a place or a length."""
    return number_of(node, t, frozenset({Kind.SMALLINT, Kind.INTEGER})).sql


def literal_text(node: exp.Expr | None, t: Translating, what: str) -> str:
    """A text that stands in the query itself, such as a format."""
    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, exp.Cast) and node.to.this in exp.DataType.TEXT_TYPES and not node.to.expressions:
        node = node.this
    if isinstance(node, exp.Literal) and node.is_string and node.this is None:
        # The parser's own form of an empty format.
        return ""
    if not isinstance(node, exp.Literal) or not node.is_string:
        assert node is not None  # noqa: S101 - the parser saw to it
        t.refuse(node, f"{what} has to stand in the query as a text", "Write it out.")
    return str(node.this)


def literal_number(node: exp.Expr | None) -> int | None:
    """A whole number that stands in the query itself."""
    if isinstance(node, exp.Paren):
        return literal_number(node.this)
    if isinstance(node, exp.Neg):
        inner = literal_number(node.this)
        return None if inner is None else -inner
    return int(node.this) if isinstance(node, exp.Literal) and not node.is_string and node.is_int else None


def refuse_type(node: exp.Expr, value: Value, wanted: str, t: Translating) -> NoReturn:
    """Say that an argument has not the type that PostgreSQL's function takes."""
    place = node.parent if isinstance(node.parent, (exp.Func, exp.Binary)) else node
    remedy = "CAST it to the type that is meant."
    t.refuse(place or node, f"it takes {wanted} in PostgreSQL, and an argument is {value.kind.value}", remedy)


def round_decimal(value: Value) -> Value:
    """A NUMERIC that the warehouse computes in double precision as a decimal that is rounded as PostgreSQL rounds."""
    if value.kind is not Kind.NUMERIC or not value.type.is_double:
        return value
    return Value(exact_decimal(value.sql), SqlType(Kind.NUMERIC))


def exact_decimal(value: exp.Expr) -> exp.Expr:
    """The fifteen digits that a double precision number is sure of, as a decimal."""
    digits = exp.Anonymous(this="PRINTF", expressions=[exp.Literal.string("%.15g"), value])
    size = exp.Anonymous(this="ABS", expressions=[value.copy()])
    problem = exp.Anonymous(this="ERROR", expressions=[exp.Literal.string("the number has too many digits")])
    is_too_long = exp.GTE(this=size, expression=exp.Literal.number("1e22"))
    return exp.Case(ifs=[exp.If(this=is_too_long, true=problem)], default=cast(digits, "decimal(38, 15)"))


def error_if_zero(dividend: exp.Expr, divisor: exp.Expr, result: exp.Expr) -> exp.Expr:
    """Division by zero is an error in PostgreSQL, unless NULL is divided."""
    inner = divisor.this if isinstance(divisor, exp.Paren) else divisor
    if isinstance(inner, exp.Literal) and float(inner.this):
        return result
    if isinstance(inner, exp.Nullif) and inner.expression == number(0):
        return result
    problem = exp.Anonymous(this="ERROR", expressions=[exp.Literal.string("division by zero")])
    is_zero: exp.Expr = exp.EQ(this=divisor.copy(), expression=number(0))
    if not isinstance(dividend, exp.Literal):
        there = exp.Not(this=exp.Is(this=exp.Paren(this=dividend.copy()), expression=exp.Null()))
        is_zero = exp.And(this=is_zero, expression=there)
    return exp.Case(ifs=[exp.If(this=is_zero, true=problem)], default=result)


def refusal_of(node: exp.Expr, reason: str, remedy: str) -> UnsupportedQueryError:
    """The error, with the clause as PostgreSQL writes it."""
    return UnsupportedQueryError(render_for_people(node, "postgres"), reason, remedy)
