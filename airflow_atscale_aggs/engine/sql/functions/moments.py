"""Arithmetic of dates, timestamps and intervals."""

from __future__ import annotations

import re

from sqlglot import exp

from airflow_atscale_aggs.engine.sql.functions.handling import Handlers, Translating, refuse_type
from airflow_atscale_aggs.engine.sql.functions.types import (
    BIGINT,
    DATE,
    DAYS,
    INTEGER,
    INTERVAL,
    NUMBERS,
    TIMESTAMP,
    UNTYPED,
    WHOLE,
    Kind,
    Value,
)
from airflow_atscale_aggs.engine.sql.functions.writing import binary, call, cast

_UNITS = {
    "microsecond": "TO_MICROSECONDS",
    "millisecond": "TO_MILLISECONDS",
    "second": "TO_SECONDS",
    "minute": "TO_MINUTES",
    "hour": "TO_HOURS",
    "day": "TO_DAYS",
    "week": "TO_WEEKS",
    "month": "TO_MONTHS",
    "quarter": "",
    "year": "TO_YEARS",
    "decade": "TO_DECADES",
    "century": "TO_CENTURIES",
    "millennium": "TO_MILLENNIA",
}
_SPELLINGS = {
    "microsecond": "us usec usecs usecond useconds microsecond microseconds microsecon",
    "millisecond": "ms msec msecs msecond mseconds millisecond milliseconds",
    "second": "s sec secs second seconds",
    "minute": "m min mins minute minutes",
    "hour": "h hr hrs hour hours",
    "day": "d day days",
    "week": "w week weeks",
    "month": "mon mons month months",
    "year": "y yr yrs year years",
    "decade": "dec decs decade decades",
    "century": "c cent century centuries",
    "millennium": "mil mils millennium millennia",
}
_UNIT_BY_SPELLING = {spelling: unit for unit, spellings in _SPELLINGS.items() for spelling in spellings.split()}
_PART = re.compile(r"\s*([+-]?\d+)\s*([A-Za-z]+)")
_CLOCK = re.compile(r"\s*([+-]?)(\d{1,3}):(\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?\s*$")


def interval_of(written: str, unit: str, node: exp.Expr, t: Translating) -> exp.Expr:
    """INTERVAL 'text' [unit], by its parts."""
    parts: list[exp.Expr] = []
    rest = written.strip()
    if unit:
        if not re.fullmatch(r"[+-]?\d+", rest):
            t.refuse(node, "it is no whole number of a unit", "Write smaller units instead.")
        return _part(int(rest), unit, node, t)
    while rest:
        clock = _CLOCK.match(rest)
        if clock is not None:
            parts += _clock(clock)
            break
        match = _PART.match(rest)
        if match is None:
            t.refuse(node, "this spelling of an interval is not read here", "Write INTERVAL '1 day 2 hours'.")
        parts.append(_part(int(match.group(1)), match.group(2), node, t))
        rest = rest[match.end() :].strip()
        if rest.casefold() == "ago":
            parts = [exp.Neg(this=part) for part in parts]
            break
    if not parts:
        t.refuse(node, "an interval is meant, and nothing stands there")
    total = parts[0]
    for part in parts[1:]:
        total = exp.Add(this=total, expression=part)
    return exp.Paren(this=total)


def _part(amount: int, unit: str, node: exp.Expr, t: Translating) -> exp.Expr:
    name = _UNIT_BY_SPELLING.get(unit.casefold())
    if name is None:
        t.refuse(node, f"`{unit}` is no unit of an interval in PostgreSQL")
    if name == "week":
        return call("TO_DAYS", 7 * amount)
    years = {"year": 1, "decade": 10, "century": 100, "millennium": 1000}.get(name)
    if years is not None:
        return call("TO_MONTHS", 12 * years * amount)
    return call(_UNITS[name], amount)


def _clock(match: re.Match[str]) -> list[exp.Expr]:
    sign = -1 if match.group(1) == "-" else 1
    micros = int((match.group(5) or "").ljust(6, "0"))
    micros += 1_000_000 * (int(match.group(2)) * 3600 + int(match.group(3)) * 60 + int(match.group(4) or 0))
    return [call("TO_MICROSECONDS", sign * micros)]


def _interval(node: exp.Expr, t: Translating) -> Value:
    inner, unit = node.this, node.args.get("unit")
    if inner is None or (unit is not None and not isinstance(unit, exp.Var)):
        t.refuse(node, "this form of an interval is not translated", "Write INTERVAL '1 day'.")
    if not isinstance(inner, exp.Literal):
        t.refuse(node, "the amount of an interval has to stand in the query", "Multiply: n * INTERVAL '1 day'.")
    return Value(interval_of(str(inner.this), unit.name if unit is not None else "", node, t), INTERVAL)


def as_interval(value: Value, t: Translating) -> Value:
    """A text without a type as an interval."""
    if value.kind is Kind.LITERAL:
        return Value(interval_of(value.sql.name, "", value.sql, t), INTERVAL)
    return value


def add_moments(node: exp.Expr, left: Value, right: Value, t: Translating) -> Value:  # noqa: PLR0911 - one a pair of kinds
    """A sum or a difference in which a moment or an interval takes part."""
    is_sum = isinstance(node, exp.Add)
    if is_sum and Kind.DATE in {left.kind, right.kind} and {left.kind, right.kind} & UNTYPED:
        t.refuse(node, "PostgreSQL does not know what type stands beside the date", "Write INTERVAL '…'.")
    left, right = _settle_types(left, right, is_sum=is_sum, t=t)
    kinds = (left.kind, right.kind)
    if is_sum and right.kind in {*DAYS, Kind.TIME} and left.kind not in DAYS:
        return add_moments(exp.Add(this=node.expression, expression=node.this), right, left, t)
    operator = type(node)
    if left.kind is Kind.TIMESTAMPTZ and right.kind is Kind.INTERVAL:
        return Value(binary(operator, left.sql, right.sql), left.type)
    if left.kind is Kind.DATE and right.kind in WHOLE:
        return Value(binary(operator, left.sql, cast(right.sql, "integer")), DATE)
    if left.kind in DAYS and right.kind is Kind.INTERVAL:
        return Value(binary(operator, cast(left.sql, "timestamp"), right.sql), TIMESTAMP)
    if left.kind is Kind.DATE and right.kind is Kind.TIME and is_sum:
        return Value(binary(operator, left.sql, right.sql), TIMESTAMP)
    if kinds == (Kind.DATE, Kind.DATE) and not is_sum:
        return Value(binary(operator, left.sql, right.sql), INTEGER)
    if left.kind in DAYS and right.kind in DAYS and not is_sum:
        name = "timestamptz" if Kind.TIMESTAMPTZ in kinds else "timestamp"
        return Value(binary(operator, cast(left.sql, name), cast(right.sql, name)), INTERVAL)
    if kinds == (Kind.INTERVAL, Kind.INTERVAL):
        return Value(binary(operator, left.sql, right.sql), INTERVAL)
    return t.refuse(node, f"PostgreSQL has no such operation on {left.kind.value} and {right.kind.value}")


def _settle_types(left: Value, right: Value, *, is_sum: bool, t: Translating) -> tuple[Value, Value]:
    """A text without a type takes the other's type; beside a day of a sum it is an interval."""
    typed = []
    for value, other in ((left, right), (right, left)):
        if value.kind is Kind.LITERAL and (is_sum or other.kind is Kind.INTERVAL):
            typed.append(as_interval(value, t))
        elif value.kind in UNTYPED:
            typed.append(t.as_type(value, INTERVAL if is_sum else other.type))
        else:
            typed.append(value)
    return typed[0], typed[1]


def multiply_interval(node: exp.Expr, left: Value, right: Value, t: Translating) -> Value:
    """An interval by a number; by whole ones only, since halves of months are days in PostgreSQL."""
    if left.kind is not Kind.INTERVAL:
        left, right = right, left
    if isinstance(node, exp.Div) or right.kind not in NUMBERS:
        t.refuse(node, "intervals are multiplied with whole numbers only")
    if right.kind is Kind.NUMERIC and right.type.scale == 0:
        # EXTRACT is a decimal in PostgreSQL, without decimals for most parts.
        right = Value(cast(right.sql, "bigint"), BIGINT)
    if right.kind not in WHOLE:
        refuse_type(node.expression, right, "a whole number here", t)
    return Value(binary(exp.Mul, left.sql, right.sql), INTERVAL)


def date_of(value: Value, node: exp.Expr, t: Translating) -> Value:
    """A date, or a timestamp; an instant as the clock of the session shows it."""
    if value.kind in UNTYPED:
        return t.as_type(value, TIMESTAMP)
    if value.kind is Kind.TIMESTAMPTZ:
        # Both read its parts off the clock of the session's time zone.
        return Value(cast(value.sql, "timestamp"), TIMESTAMP)
    if value.kind not in {Kind.DATE, Kind.TIMESTAMP}:
        refuse_type(node, value, "a date or a timestamp", t)
    return value


HANDLERS: Handlers = {exp.Interval: _interval}
