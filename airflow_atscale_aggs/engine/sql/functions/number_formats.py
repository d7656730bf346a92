"""TO_CHAR of numbers: digits, points, groups, signs, FM and TH."""

from __future__ import annotations

import re

from sqlglot import exp

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.sql.functions.handling import Translating, exact_decimal
from airflow_atscale_aggs.engine.sql.functions.types import FLOATS, WHOLE, Value
from airflow_atscale_aggs.engine.sql.functions.writing import call, cast, choose, join_texts, number, raise_error, text

_TOKEN = re.compile(r'FM|9|0|\.|,|D|G|S|MI|"[^"]*"|[ $€£%-]', re.IGNORECASE)
_MOST_DIGITS = 30


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """A format taken apart.

    Attributes:
        whole: its digits and commas before the point, in order: ``9``, ``0`` or ``,``.
        fraction: its digits behind the point.
        has_point: a point stands in it, even without digits behind it.
        sign: ``""``, ``"S<"`` before, ``"S>"`` behind, or ``"MI"`` behind.
        fills: blanks fill it up.
        before, behind: texts around it.
    """

    whole: str
    fraction: str
    has_point: bool
    sign: str
    fills: bool
    before: str
    behind: str


def read_number_format(written: str, node: exp.Expr, t: Translating) -> NumberFormat:  # noqa: C901, PLR0912 - one branch a pattern
    """A format of numbers; what is rarely used is refused."""
    digits, fraction, before, behind, sign = "", "", "", "", ""
    has_point, fills, place = False, True, 0
    while place < len(written):
        match = _TOKEN.match(written, place)
        if match is None:
            t.refuse(node, f"the pattern `{written[place:]}` of a number is not translated")
        pattern = match.group().upper()
        place = match.end()
        if pattern == "FM":
            fills = False
        elif pattern in {"9", "0", ",", "G"}:
            if behind or sign == "S>":
                t.refuse(node, "digits behind other letters are not translated")
            digits, fraction = _with_digit(digits, fraction, "," if pattern == "G" else pattern, has_point=has_point)
        elif pattern in {".", "D"}:
            if has_point:
                t.refuse(node, "it has two points")
            has_point = True
        elif pattern in {"S", "MI"}:
            if sign:
                t.refuse(node, "it has two signs")
            sign = "MI" if pattern == "MI" else "S>" if digits or has_point else "S<"
            if pattern == "MI" and not digits:
                t.refuse(node, "MI before the digits is not translated", "Put it behind them.")
        elif digits or has_point:
            behind += match.group().strip('"') if pattern.startswith('"') else match.group()
        else:
            before += match.group().strip('"') if pattern.startswith('"') else match.group()
    if not digits.replace(",", "") or "," in fraction or len(digits) + len(fraction) > _MOST_DIGITS:
        t.refuse(node, f"formats of numbers have 1 to {_MOST_DIGITS} digits and begin before the point here")
    if has_point and not fraction:
        t.refuse(node, "a format that ends in a point is not translated")
    if (before or behind) and sign:
        t.refuse(node, "a sign beside other letters is not translated")
    if before and fills:
        t.refuse(node, "letters before digits that are filled up are not translated", "Use FM.")
    return NumberFormat(digits, fraction, has_point, sign, fills, before, behind)


def _with_digit(digits: str, fraction: str, pattern: str, *, has_point: bool) -> tuple[str, str]:
    return (digits, fraction + pattern) if has_point else (digits + pattern, fraction)


def format_number(value: Value, written: str, node: exp.Expr, t: Translating) -> exp.Expr:
    """TO_CHAR of a number."""
    form = read_number_format(written, node, t)
    places = len(form.fraction)
    if value.kind in FLOATS:
        return _format_double(form, cast(value.sql, "double"))
    amount = value.sql
    if value.type.is_double:
        amount = exact_decimal(cast(amount, "double"))
    elif value.kind not in WHOLE and value.type.scale is None:
        amount = cast(amount, "decimal(38, 15)")
    rounded = call("ROUND", cast(amount, "decimal(38, 15)") if value.kind in WHOLE else amount, number(places))
    plain = cast(call("ABS", cast(rounded, f"decimal(38, {places})")), "varchar")
    negative = exp.LT(this=cast(rounded.copy(), f"decimal(38, {places})"), expression=number(0))
    return _lay_out(form, plain, negative, rounded)


def _format_double(form: NumberFormat, amount: exp.Expr) -> exp.Expr:
    """Double precision is rounded as it is stored, and keeps the sign of zero."""
    plain = call("PRINTF", f"%.{len(form.fraction)}f", call("ABS", amount))
    formatted = _lay_out(form, plain, call("SIGNBIT", amount.copy()), amount)
    # Of fifteen digits PostgreSQL shows no more, behind the point either.
    most = exp.Literal.number(f"1e{15 - len(form.fraction)}")
    too_long = exp.GTE(this=call("ABS", amount.copy()), expression=most)
    return choose((too_long, raise_error("it has more digits than double precision", amount.copy())), default=formatted)


def _lay_out(form: NumberFormat, plain: exp.Expr, negative: exp.Expr, value: exp.Expr) -> exp.Expr:
    places = len(form.fraction)
    slots = form.whole.replace(",", "")
    whole = call("SPLIT_PART", plain, ".", 1)
    digits = call("LTRIM", whole, "0")
    too_long = exp.GT(this=call("LENGTH", digits), expression=number(len(slots)))
    body = _whole_part(form, whole, plain)
    if form.has_point:
        body = join_texts(body, text("."), *([_fraction(form, plain)] if places else []))
    hashes = text(re.sub(r"[90]", "#", form.whole) + ("." + "#" * places if form.has_point else ""))
    body = choose((too_long, hashes), default=body)
    return _around(form, body, negative, value)


def _whole_part(form: NumberFormat, whole: exp.Expr, plain: exp.Expr) -> exp.Expr:
    """Digits in groups, without the zeros and commas that lead, but for those that 0 asks for."""
    slots = form.whole.replace(",", "")
    filled = call("LPAD", call("LTRIM", whole.copy(), "0"), len(slots), "0")
    if "," in form.whole:
        parts: list[exp.Expr] = []
        place = 1
        for number_, group in enumerate(form.whole.split(",")):
            if number_:
                parts.append(text(","))
            if group:
                parts.append(call("SUBSTR", filled.copy(), place, len(group)))
            place += len(group)
        filled = join_texts(*parts)
    shown = call("LENGTH", call("LTRIM", filled.copy(), "0,"))
    first_zero = form.whole.find("0")
    forced = len(form.whole) - first_zero if first_zero >= 0 else 0
    least: exp.Expr = number(max(forced, 0 if form.fraction else 1))
    if form.fraction and not form.fills and not forced:
        # A zero stands before the point when nothing stands behind it.
        bare = exp.EQ(this=_fraction(form, plain), expression=text(""))
        least = choose((bare, number(1)), default=number(0))
    return call("RIGHT", filled, call("GREATEST", shown, least))


def _fraction(form: NumberFormat, plain: exp.Expr) -> exp.Expr:
    digits = call("SPLIT_PART", plain.copy(), ".", 2)
    if form.fills:
        return digits
    fixed_digits = form.fraction.rfind("0") + 1
    trimmed = call("RTRIM", digits, "0")
    length = call("GREATEST", call("LENGTH", trimmed), number(fixed_digits))
    return call("LEFT", digits.copy(), length)


def _around(form: NumberFormat, body: exp.Expr, negative: exp.Expr, value: exp.Expr) -> exp.Expr:
    """The sign, and blanks before it."""
    width = len(form.whole) + (1 + len(form.fraction) if form.has_point else 0)
    minus, plus = ("-", "+") if form.sign.startswith("S") else ("-", "" if not form.fills else " ")
    sign = choose((negative, text(minus)), default=text(plus))
    if form.sign in {"S>", "MI"}:
        padded = call("LPAD", body, width, " ") if form.fills else body
        signed = join_texts(padded, sign)
    else:
        signed = join_texts(sign, body)
        if form.fills:
            signed = call("LPAD", signed, width + 1, " ")
    parts = [
        part
        for part in (text(form.before), signed, text(form.behind))
        if not isinstance(part, exp.Literal) or part.name
    ]
    there = exp.Is(this=value.copy(), expression=exp.Null())
    return choose((there, exp.Null()), default=join_texts(*parts))
