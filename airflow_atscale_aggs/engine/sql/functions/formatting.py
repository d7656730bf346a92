"""TO_CHAR, TO_DATE, TO_TIMESTAMP and TO_NUMBER."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from airflow_atscale_aggs.engine.sql.functions.date_formats import MONTHS, Piece, format_moment, pieces_of
from airflow_atscale_aggs.engine.sql.functions.handling import (
    Handlers,
    Translating,
    literal_text,
    text_of,
)
from airflow_atscale_aggs.engine.sql.functions.moments import date_of
from airflow_atscale_aggs.engine.sql.functions.number_formats import format_number
from airflow_atscale_aggs.engine.sql.functions.types import DATE, NUMBERS, TEXT, UNTYPED, Kind, SqlType, Value
from airflow_atscale_aggs.engine.sql.functions.writing import binary, call, cast, choose, number, raise_error, text

_FIELDS = {
    "YYYY": r"([0-9]{4})",
    "YY": r"([0-9]{2})",
    "MM": r"([0-9]{1,2})",
    "DD": r"([0-9]{1,2})",
    "DDD": r"([0-9]{1,3})",
    "HH24": r"([0-9]{1,2})",
    "HH12": r"([0-9]{1,2})",
    "HH": r"([0-9]{1,2})",
    "MI": r"([0-9]{1,2})",
    "SS": r"([0-9]{1,2})",
    "MS": r"([0-9]{3})",
    "US": r"([0-9]{6})",
    "MON": r"([A-Za-z]{3})",
    "MONTH": r"([A-Za-z]{3,9})",
    "AM": r"([AaPp][Mm])",
    "PM": r"([AaPp][Mm])",
}
_EXACT_WIDTHS = {"MM": 2, "DD": 2, "DDD": 3, "HH24": 2, "HH12": 2, "HH": 2, "MI": 2, "SS": 2}
_SEPARATORS = frozenset(" -/:.,T_;")

_Field = Callable[[str], exp.Expr]
"""A field of a text by its name in the format."""

_Whole = Callable[[str, int], exp.Expr]
"""A field as a whole number, or a default where the format has no such field."""


def _to_char(node: exp.Expr, t: Translating) -> Value:
    written = literal_text(node.args.get("format"), t, "a format")
    if written in {"", "None"}:
        t.refuse(node, "its format is empty")
    value = t.value(node.this)
    if value.kind in NUMBERS:
        return Value(format_number(value, written, node, t), TEXT)
    if value.kind in {Kind.INTERVAL, Kind.TIME}:
        t.refuse(node, f"TO_CHAR of {value.kind.value} is not translated", "Use EXTRACT.")
    if value.kind in UNTYPED:
        t.refuse(node, "the type of what is shown does not stand there", "CAST it.")
    return Value(format_moment(date_of(value, node.this, t).sql, written, node, t), TEXT)


def _to_date(node: exp.Expr, t: Translating) -> Value:
    parsed = _parse_moment(node, t)
    return Value(cast(parsed, "date"), DATE)


def _to_timestamp(node: exp.Expr, t: Translating) -> Value:
    return Value(cast(_parse_moment(node, t), "timestamptz"), TIMESTAMP_TZ)


def _parse_moment(node: exp.Expr, t: Translating) -> exp.Expr:
    """A timestamp from a text that has the very form; what PostgreSQL would guess is an error."""
    written = literal_text(node.args.get("format"), t, "a format")
    value = text_of(node.this, t)
    pieces = [piece for piece in pieces_of(written, node, t) if piece.name or piece.text]
    pattern, groups = _pattern(pieces, node, t)
    if not {"YYYY", "YY"} & set(groups):
        t.refuse(node, "a format without the year YYYY or YY is not translated")
    fits = call("REGEXP_FULL_MATCH", value, pattern)

    def field(name: str) -> exp.Expr:
        return call("REGEXP_EXTRACT", value.copy(), pattern, groups.index(name) + 1)

    def whole(name: str, default: int) -> exp.Expr:
        return cast(field(name), "integer") if name in groups else number(default)

    year = whole("YYYY", 1)
    if "YYYY" not in groups:
        short = whole("YY", 0)
        late = exp.LT(this=short, expression=number(70))
        year = binary(exp.Add, short.copy(), choose((late, number(2000)), default=number(1900)))
    day = _date_of_parts(year, groups, whole, field)
    hour = _hour(groups, whole, field)
    clock = [
        call("TO_HOURS", hour),
        call("TO_MINUTES", whole("MI", 0)),
        call("TO_SECONDS", whole("SS", 0)),
        call("TO_MICROSECONDS", whole("US", 0)),
        call("TO_MICROSECONDS", binary(exp.Mul, whole("MS", 0), number(1000))),
    ]
    moment = cast(day, "timestamp")
    for span in clock:
        moment = binary(exp.Add, moment, span)
    problem = raise_error(f"the text has not the form {written}", value.copy())
    out_of_range = _range_check(groups, whole)
    branches: list[tuple[exp.Expr, exp.Expr]] = [(exp.Not(this=fits), problem)]
    if out_of_range is not None:
        branches.append((out_of_range, raise_error("date/time field value out of range", value.copy())))
    return choose(*branches, default=moment)


def _pattern(pieces: list[Piece], node: exp.Expr, t: Translating) -> tuple[str, list[str]]:
    parts, groups = [r"\s*"], list[str]()
    for place, piece in enumerate(pieces):
        name = piece.name.upper()
        if not name:
            strange = set(piece.text) - _SEPARATORS
            if strange:
                t.refuse(node, f"`{piece.text}` between the parts of a format is not translated")
            parts.append("".join(r"\s+" if letter == " " else f"[{letter}]" for letter in piece.text))
            continue
        if name not in _FIELDS or name in groups or piece.ordinal:
            t.refuse(node, f"the pattern `{piece.name}` is not translated where a text is read")
        follows = place + 1 < len(pieces) and pieces[place + 1].name
        is_tight = bool(follows) and name in _EXACT_WIDTHS
        parts.append(f"([0-9]{{{_EXACT_WIDTHS[name]}}})" if is_tight else _FIELDS[name])
        groups.append("AM" if name == "PM" else name)
    parts.append(r"\s*")
    return "".join(parts), groups


def _date_of_parts(year: exp.Expr, groups: list[str], whole: _Whole, field: _Field) -> exp.Expr:
    if "DDD" in groups:
        first = call("MAKE_DATE", year, 1, 1)
        return binary(exp.Add, first, binary(exp.Sub, whole("DDD", 1), number(1)))
    month = whole("MM", 1)
    for name in ("MON", "MONTH"):
        if name in groups:
            names = [month_name[:3].lower() for month_name in MONTHS]
            listed = exp.Array(expressions=[text(month_name) for month_name in names])
            position = call("LIST_POSITION", listed, call("LOWER", call("LEFT", field(name), 3)))
            month = cast(position, "integer")
    return call("MAKE_DATE", year, month, whole("DD", 1))


def _hour(groups: list[str], whole: _Whole, field: _Field) -> exp.Expr:
    if "HH24" in groups:
        return whole("HH24", 0)
    hour = whole("HH12" if "HH12" in groups else "HH", 0)
    if "AM" not in groups:
        return binary(exp.Mod, hour, number(12)) if {"HH12", "HH"} & set(groups) else hour
    after = exp.EQ(this=call("LOWER", field("AM")), expression=text("pm"))
    late = choose((after, number(12)), default=number(0))
    return binary(exp.Add, binary(exp.Mod, hour, number(12)), late)


def _range_check(groups: list[str], whole: _Whole) -> exp.Expr | None:
    limits = {"HH24": 23, "MI": 59, "SS": 59, "HH12": 12, "HH": 12}
    checks = [exp.GT(this=whole(name, 0), expression=number(most)) for name, most in limits.items() if name in groups]
    return exp.Paren(this=exp.or_(*checks, copy=False)) if checks else None


def _to_number(node: exp.Expr, t: Translating) -> Value:
    return t.refuse(node, "TO_NUMBER is not translated", "CAST the text to NUMERIC.")


TIMESTAMP_TZ = SqlType(Kind.TIMESTAMPTZ)
HANDLERS: Handlers = {
    exp.TimeToStr: _to_char,
    exp.StrToDate: _to_date,
    exp.StrToTime: _to_timestamp,
    exp.ToNumber: _to_number,
}
