"""Parts of dates and timestamps, and what is made of parts."""

from __future__ import annotations

from sqlglot import exp

from airflow_atscale_aggs.engine.sql.functions.handling import (
    Handler,
    Handlers,
    NamedHandlers,
    Translating,
    number_of,
    refuse_type,
    whole_of,
)
from airflow_atscale_aggs.engine.sql.functions.moments import date_of
from airflow_atscale_aggs.engine.sql.functions.types import (
    BOOLEAN,
    DATE,
    FLOATING_NUMERIC,
    TIMESTAMP,
    UNTYPED,
    WHOLE_NUMERIC,
    Kind,
    SqlType,
    Value,
)
from airflow_atscale_aggs.engine.sql.functions.writing import binary, call, cast, choose, number, raise_error

_PLURALS = {"CENTURIES": "CENTURY", "MILLENNIA": "MILLENNIUM", "MILS": "MILLENNIUM", "DECS": "DECADE"}
_SHORT = {
    "Y": "YEAR",
    "YR": "YEAR",
    "MON": "MONTH",
    "W": "WEEK",
    "D": "DAY",
    "H": "HOUR",
    "HR": "HOUR",
    "M": "MINUTE",
    "MIN": "MINUTE",
    "S": "SECOND",
    "SEC": "SECOND",
    "MILLISECOND": "MILLISECONDS",
    "MS": "MILLISECONDS",
    "MSEC": "MILLISECONDS",
    "MICROSECOND": "MICROSECONDS",
    "US": "MICROSECONDS",
    "USEC": "MICROSECONDS",
    "C": "CENTURY",
    "CENT": "CENTURY",
    "DEC": "DECADE",
    "MIL": "MILLENNIUM",
    "QTR": "QUARTER",
    "DAYOFWEEK": "DOW",
    "DAYOFYEAR": "DOY",
}
_WHOLE = frozenset(
    {"YEAR", "MONTH", "DAY", "QUARTER", "WEEK", "DOW", "ISODOW", "DOY", "ISOYEAR", "HOUR", "MINUTE", "DECADE"}
    | {"CENTURY", "MILLENNIUM"}
)
_OF_TIME = frozenset({"HOUR", "MINUTE", "SECOND", "MILLISECONDS", "MICROSECONDS"})
_TRUNCATED = frozenset(
    {"MICROSECONDS", "MILLISECONDS", "SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR"}
    | {"DECADE", "CENTURY", "MILLENNIUM"}
)


def _unit(name: str) -> str:
    folded = name.upper()
    if folded in _PLURALS:
        return _PLURALS[folded]
    if folded in _SHORT:
        return _SHORT[folded]
    if folded.endswith("S") and folded[:-1] in {*_WHOLE, *_OF_TIME}:
        return folded[:-1]
    if folded.endswith("S") and folded[:-1] in _SHORT:
        return _SHORT[folded[:-1]]
    return folded


def part(unit: str, moment: exp.Expr) -> exp.Expr:
    """A whole part of a date or a timestamp by PostgreSQL's name of it."""
    year = call("YEAR", moment)
    if unit in {"DECADE", "CENTURY", "MILLENNIUM"}:
        size = {"DECADE": 10, "CENTURY": 100, "MILLENNIUM": 1000}[unit]
        if unit == "DECADE":
            return cast(call("FLOOR", binary(exp.Div, year, exp.Literal.number("10.0"))), "bigint")
        after = exp.IntDiv(this=binary(exp.Add, year, number(size - 1)), expression=number(size))
        before = exp.Neg(this=exp.IntDiv(this=binary(exp.Sub, number(size), year.copy()), expression=number(size)))
        return choose((exp.GT(this=year.copy(), expression=number(0)), after), default=exp.Paren(this=before))
    if unit == "YEAR":
        return choose(
            (exp.GT(this=year, expression=number(0)), year.copy()), default=binary(exp.Sub, year.copy(), number(1))
        )
    name = {"DOW": "DAYOFWEEK", "DOY": "DAYOFYEAR", "WEEK": "WEEKOFYEAR"}.get(unit, unit)
    return call(name, moment)


def _extract(node: exp.Expr, t: Translating) -> Value:  # noqa: PLR0911 - one a kind of moment
    unit = _unit(node.this.name)
    value = t.value(node.expression)
    if value.kind is Kind.TIMESTAMPTZ and unit == "EPOCH":
        return Value(call("EPOCH", value.sql), FLOATING_NUMERIC)
    if value.kind is Kind.INTERVAL:
        return _of_interval(node, unit, value, t)
    if value.kind is Kind.TIME:
        if unit not in _OF_TIME:
            t.refuse(node, "a time of day has no such part")
        return _fraction(unit, value.sql)
    value = date_of(value, node.expression, t)
    if value.kind is Kind.DATE and (unit in _OF_TIME):
        t.refuse(node, "PostgreSQL takes no time out of a date", "CAST it to TIMESTAMP first.")
    if unit in _WHOLE and unit not in _OF_TIME:
        return Value(part(unit, value.sql), WHOLE_NUMERIC)
    if unit in _OF_TIME:
        return _fraction(unit, value.sql)
    if unit == "EPOCH":
        micros = call("EPOCH_US", cast(value.sql, "timestamp"))
        seconds = binary(exp.Mul, cast(micros, "decimal(26, 0)"), exp.Literal.number("0.000001"))
        return Value(seconds, SqlType(Kind.NUMERIC, scale=6) if value.kind is Kind.TIMESTAMP else SqlType(Kind.NUMERIC))
    if unit == "JULIAN" and value.kind is Kind.DATE:
        return Value(cast(call("JULIAN", value.sql), "bigint"), WHOLE_NUMERIC)
    return t.refuse(node, f"the part {node.this.name.lower()} is not translated")


def _fraction(unit: str, moment: exp.Expr) -> Value:
    if unit in {"HOUR", "MINUTE"}:
        return Value(call(unit, moment), WHOLE_NUMERIC)
    micros = cast(call("MICROSECOND", moment), "decimal(18, 0)")
    if unit == "MICROSECONDS":
        return Value(cast(micros, "bigint"), WHOLE_NUMERIC)
    scale, size = (3, "0.001") if unit == "MILLISECONDS" else (6, "0.000001")
    return Value(binary(exp.Mul, micros, exp.Literal.number(size)), SqlType(Kind.NUMERIC, scale=scale))


def _of_interval(node: exp.Expr, unit: str, value: Value, t: Translating) -> Value:
    if unit in {"DAY", "MONTH", "YEAR", "HOUR", "MINUTE"}:
        return Value(call(unit, value.sql), WHOLE_NUMERIC)
    if unit in {"SECOND", "MILLISECONDS", "MICROSECONDS"}:
        return _fraction(unit, value.sql)
    return t.refuse(node, f"the part {node.this.name.lower()} of an interval is not translated", "Subtract dates.")


def _calendar(unit: str) -> Handler:
    def translate_part(node: exp.Expr, t: Translating) -> Value:
        """YEAR(x) and its like, which PostgreSQL does not have; its readers take them for EXTRACT."""
        return Value(part(unit, date_of(t.value(node.this), node.this, t).sql), WHOLE_NUMERIC)

    return translate_part


def _truncate(node: exp.Expr, t: Translating) -> Value:
    unit = _unit(node.args["unit"].name)
    if node.args.get("zone") is not None:
        t.refuse(node, "DATE_TRUNC in a time zone is not translated")
    if unit not in _TRUNCATED:
        t.refuse(node, f"PostgreSQL has no unit `{unit.lower()}`")
    argument = t.value(node.this)
    if argument.kind is Kind.INTERVAL:
        t.refuse(node, "DATE_TRUNC of an interval is not translated")
    value = date_of(argument, node.this, t)
    if unit in {"CENTURY", "MILLENNIUM"}:
        size = 100 if unit == "CENTURY" else 1000
        moment = value.sql
        first = binary(exp.Sub, call("YEAR", moment), number(1))
        start = binary(
            exp.Add, binary(exp.Mul, exp.IntDiv(this=first, expression=number(size)), number(size)), number(1)
        )
        start_of_unit = cast(call("MAKE_DATE", start, 1, 1), "timestamp")
    else:
        start_of_unit = cast(call("DATE_TRUNC", unit.lower(), cast(value.sql, "timestamp")), "timestamp")
    if argument.kind is Kind.TIMESTAMPTZ:
        return Value(cast(start_of_unit, "timestamptz"), argument.type)
    return Value(start_of_unit, TIMESTAMP)


def _age(node: exp.Expr, t: Translating) -> Value:
    if len(node.expressions) != 2:  # noqa: PLR2004 - AGE(until, since)
        t.refuse(node, "with one date it depends on today", "Give both dates.")
    values = [cast(date_of(t.value(argument), argument, t).sql, "timestamp") for argument in node.expressions]
    return Value(call("AGE", *values), SqlType(Kind.INTERVAL))


def _make_date(node: exp.Expr, t: Translating) -> Value:
    parts = node.expressions
    if len(parts) != 3:  # noqa: PLR2004 - year, month, day
        t.refuse(node, "it takes a year, a month and a day")
    return Value(call("MAKE_DATE", *(whole_of(component, t) for component in parts)), DATE)


def _make_timestamp(node: exp.Expr, t: Translating) -> Value:
    names = ("year", "month", "day", "hour", "min", "sec")
    parts = [node.args.get(name) for name in names]
    if any(component is None for component in parts):
        t.refuse(node, "it takes six numbers")
    components = [whole_of(component, t) for component in parts[:5] if component is not None]
    second = parts[5]
    assert second is not None  # noqa: S101 - looked at above
    return Value(call("MAKE_TIMESTAMP", *components, cast(number_of(second, t).sql, "double")), TIMESTAMP)


def _make_interval(node: exp.Expr, t: Translating) -> Value:
    return t.refuse(node, "MAKE_INTERVAL is not translated", "Write INTERVAL '1 day', or n * INTERVAL '1 day'.")


def _today(node: exp.Expr, t: Translating) -> Value:
    if node.this is not None:
        t.refuse(node, "it takes nothing")
    # Of the session's time zone, as everything that is now.
    return Value(exp.CurrentDate(), DATE)


def _now(node: exp.Expr, t: Translating) -> Value:
    if node.this is not None:
        t.refuse(node, "digits of the second are not cut off here", "Leave the number out.")
    now = call("NOW")
    if isinstance(node, exp.Localtimestamp):
        return Value(cast(now, "timestamp"), TIMESTAMP)
    return Value(now, SqlType(Kind.TIMESTAMPTZ))


def _at_zone(node: exp.Expr, t: Translating) -> Value:
    zone = node.args["zone"]
    if not isinstance(zone, exp.Literal) or not zone.is_string or ("/" not in zone.name and zone.name.upper() != "UTC"):
        t.refuse(node, "a zone has to stand in the query by its full name", "Write AT TIME ZONE 'Europe/Berlin'.")
    value = t.value(node.this)
    if value.kind is Kind.DATE:
        value = Value(cast(value.sql, "timestamptz"), SqlType(Kind.TIMESTAMPTZ))
    if value.kind not in {Kind.TIMESTAMP, Kind.TIMESTAMPTZ}:
        refuse_type(node.this, value, "a timestamp", t)
    kind = TIMESTAMP if value.kind is Kind.TIMESTAMPTZ else SqlType(Kind.TIMESTAMPTZ)
    return Value(exp.AtTimeZone(this=exp.Paren(this=value.sql), zone=zone.copy()), kind)


def _overlaps(node: exp.Expr, t: Translating) -> Value:
    sides = [side.expressions if isinstance(side, exp.Tuple) else [] for side in (node.this, node.expression)]
    if any(len(side) != 2 for side in sides):  # noqa: PLR2004 - begin and end
        t.refuse(node, "OVERLAPS is of two pairs")
    values = [[t.value(argument) for argument in side] for side in sides]
    if any(value.kind in UNTYPED or value.kind is Kind.INTERVAL for side in values for value in side):
        t.refuse(node, "its ends have to be dates or timestamps here", "CAST them.")
    ends = [[cast(date_of(value, node, t).sql, "timestamp") for value in side] for side in values]
    firsts = [call("LEAST", side[0], side[1]) for side in ends]
    lasts = [call("GREATEST", side[0].copy(), side[1].copy()) for side in ends]
    missing = [exp.Is(this=moment.copy(), expression=exp.Null()) for side in ends for moment in side]
    crossing = exp.and_(
        exp.LT(this=firsts[0], expression=lasts[1]), exp.LT(this=firsts[1], expression=lasts[0]), copy=False
    )
    same = exp.EQ(this=firsts[0].copy(), expression=firsts[1].copy())
    overlaps = choose(
        (exp.or_(*missing, copy=False), raise_error("OVERLAPS of a NULL")),
        default=exp.Paren(this=exp.or_(exp.Paren(this=crossing), same, copy=False)),
    )
    return Value(overlaps, BOOLEAN)


def _date(node: exp.Expr, t: Translating) -> Value:
    """DATE(x)."""
    cast_node = exp.Cast(this=node.this.copy(), to=exp.DataType.build("date"))
    return t.value(cast_node)


def _epoch(node: exp.Expr, t: Translating) -> Value:
    """TO_TIMESTAMP(seconds)."""
    if node.args.get("scale") is not None or node.args.get("format") is not None:
        t.refuse(node, "it takes seconds")
    value = number_of(node.this, t)
    return Value(call("TO_TIMESTAMP", cast(value.sql, "double")), SqlType(Kind.TIMESTAMPTZ))


def _is_finite(node: exp.Expr, t: Translating) -> Value:
    if len(node.expressions) != 1:
        t.refuse(node, "it takes one date")
    return Value(call("ISFINITE", date_of(t.value(node.expressions[0]), node.expressions[0], t).sql), BOOLEAN)


HANDLERS: Handlers = {
    exp.Extract: _extract,
    exp.Year: _calendar("YEAR"),
    exp.Month: _calendar("MONTH"),
    exp.Day: _calendar("DAY"),
    exp.Quarter: _calendar("QUARTER"),
    exp.TimestampTrunc: _truncate,
    exp.MakeInterval: _make_interval,
    exp.TimestampFromParts: _make_timestamp,
    exp.CurrentDate: _today,
    exp.CurrentTimestamp: _now,
    exp.Localtimestamp: _now,
    exp.AtTimeZone: _at_zone,
    exp.Overlaps: _overlaps,
    exp.Date: _date,
    exp.UnixToTime: _epoch,
}
NAMED: NamedHandlers = {"age": _age, "make_date": _make_date, "isfinite": _is_finite}
