"""TO_CHAR of dates and timestamps: PostgreSQL's template patterns, one by one."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.sql.functions.dates import part
from airflow_atscale_aggs.engine.sql.functions.handling import Translating
from airflow_atscale_aggs.engine.sql.functions.writing import binary, call, cast, choose, join_texts, number, text

_UPPER_NAMES = (
    "A.D.",
    "A.M.",
    "AD",
    "AM",
    "B.C.",
    "BC",
    "CC",
    "DAY",
    "DDD",
    "DD",
    "DY",
    "Day",
    "Dy",
    "D",
    "FF1",
    "FF2",
    "FF3",
    "FF4",
    "FF5",
    "FF6",
    "HH24",
    "HH12",
    "HH",
    "IDDD",
    "ID",
    "IW",
    "IYYY",
    "IYY",
    "IY",
    "I",
    "J",
    "MI",
    "MM",
    "MONTH",
    "MON",
    "MS",
    "Month",
    "Mon",
    "OF",
    "P.M.",
    "PM",
    "Q",
    "RM",
    "SSSSS",
    "SSSS",
    "SS",
    "TZH",
    "TZM",
    "TZ",
    "US",
    "WW",
    "W",
    "Y,YYY",
    "YYYY",
    "YYY",
    "YY",
    "Y",
)
_LOWER_NAMES = tuple(
    name.lower() for name in _UPPER_NAMES if name not in {"Day", "Dy", "Month", "Mon", "OF", "TZH", "TZM"}
)
_NAMES = sorted({*_UPPER_NAMES, *_LOWER_NAMES}, key=len, reverse=True)
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October")
MONTHS = (*_MONTHS, "November", "December")
_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")
_SPELLING: dict[str, Callable[[str], str]] = {"upper": str.upper, "lower": str.lower, "title": str.title}


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a format: a pattern, or a text when it has no name."""

    name: str
    text: str = ""
    fills: bool = True
    ordinal: str = ""


def pieces_of(written: str, node: exp.Expr, t: Translating) -> list[Piece]:
    """A format taken apart."""
    pieces: list[Piece] = []
    place = 0
    while place < len(written):
        if written[place] == '"':
            place, quoted = _read_quotation(written, place + 1)
            pieces.append(Piece("", quoted))
            continue
        if written[place] == "\\" and written[place + 1 : place + 2] == '"':
            pieces.append(Piece("", '"'))
            place += 2
            continue
        place = _next(written, place, pieces, node, t)
    return pieces


def _read_quotation(written: str, place: int) -> tuple[int, str]:
    letters: list[str] = []
    while place < len(written) and written[place] != '"':
        if written[place] == "\\" and place + 1 < len(written):
            place += 1
        letters.append(written[place])
        place += 1
    return place + 1, "".join(letters)


def _next(written: str, place: int, pieces: list[Piece], node: exp.Expr, t: Translating) -> int:
    begun, fills = place, True
    while written[place : place + 2].upper() in {"FM", "TM", "FX"}:
        prefix = written[place : place + 2].upper()
        if prefix == "FX":
            t.refuse(node, "the modifier FX is not translated")
        fills = fills and prefix != "FM"
        if prefix == "TM":
            t.refuse(node, "names in the session's language are not translated", "Leave TM out.")
        place += 2
    name = next((candidate for candidate in _NAMES if written.startswith(candidate, place)), "")
    if not name:
        pieces.append(Piece("", written[begun : max(place, begun + 1)] if place == begun else ""))
        return max(place, begun + 1)
    place += len(name)
    ordinal = written[place : place + 2] if written[place : place + 2] in {"TH", "th"} else ""
    place += len(ordinal)
    if written[place : place + 2].upper() == "SP":
        t.refuse(node, "the modifier SP is not translated")
    pieces.append(Piece(name, "", fills, ordinal))
    return place


def format_moment(moment: exp.Expr, written: str, node: exp.Expr, t: Translating) -> exp.Expr:
    """TO_CHAR of a date or timestamp."""
    parts: list[exp.Expr] = []
    for piece in pieces_of(written, node, t):
        if piece.name:
            parts.append(_render_piece(piece, moment, node, t))
        elif parts and isinstance(parts[-1], exp.Literal):
            parts[-1] = text(parts[-1].name + piece.text)
        else:
            parts.append(text(piece.text))
    if all(isinstance(part_text, exp.Literal) for part_text in parts):
        # A text without any pattern is still NULL where the moment is.
        there = exp.Not(this=exp.Is(this=moment.copy(), expression=exp.Null()))
        whole = "".join(part_text.name for part_text in parts)
        return exp.Case(ifs=[exp.If(this=there, true=text(whole))]) if whole else exp.Null()
    return join_texts(*parts)


def _render_piece(piece: Piece, moment: exp.Expr, node: exp.Expr, t: Translating) -> exp.Expr:  # noqa: PLR0911 - one a kind of pattern
    upper = piece.name.upper()
    if upper in _NUMBERS:
        width, value = _NUMBERS[upper]
        fills = piece.fills or upper in {"MS", "US"} or upper.startswith("FF")
        digits = _digits(value(moment), width if fills else 0)
        return _with_ordinal(digits, piece.ordinal) if piece.ordinal else digits
    if upper in {"MONTH", "MON", "DAY", "DY"}:
        return _name(piece, moment)
    if upper in {"AM", "PM", "A.M.", "P.M."}:
        return _half(piece, moment)
    if upper in {"AD", "BC", "A.D.", "B.C."}:
        words = ("A.D.", "B.C.") if "." in upper else ("AD", "BC")
        after, before = (word.lower() if piece.name.islower() else word for word in words)
        is_after = exp.GT(this=call("YEAR", moment.copy()), expression=number(0))
        return _unless_null(moment, choose((is_after, text(after)), default=text(before)))
    if upper == "RM":
        names = [name.lower() if piece.name.islower() else name for name in _ROMAN]
        return _pick([name.ljust(4) if piece.fills else name for name in names], call("MONTH", moment.copy()))
    if upper == "Y,YYY":
        year = _year(moment)
        thousands = cast(exp.IntDiv(this=year, expression=number(1000)), "varchar")
        rest = _digits(binary(exp.Mod, _year(moment), number(1000)), 3)
        return join_texts(thousands, text(","), rest)
    return t.refuse(node, f"the pattern `{piece.name}` is not translated")


def _digits(value: exp.Expr, width: int) -> exp.Expr:
    if not width:
        return cast(value, "varchar")
    return call("PRINTF", f"%0{width}d", cast(value, "bigint"))


def _with_ordinal(digits: exp.Expr, ordinal: str) -> exp.Expr:
    """st, nd, rd or th by the last digits."""
    endings = [ending.upper() if ordinal == "TH" else ending for ending in ("st", "nd", "rd", "th")]
    last = call("RIGHT", digits.copy(), 1)
    teens = exp.and_(
        exp.GT(this=call("LENGTH", digits.copy()), expression=number(1)),
        exp.EQ(this=call("LEFT", call("RIGHT", digits.copy(), 2), 1), expression=text("1")),
        copy=False,
    )
    ends = [(exp.EQ(this=last.copy(), expression=text(str(n))), text(endings[n - 1])) for n in (1, 2, 3)]
    return join_texts(digits, choose((teens, text(endings[3])), *ends, default=text(endings[3])))


def _name(piece: Piece, moment: exp.Expr) -> exp.Expr:
    upper = piece.name.upper()
    names = list(MONTHS if upper.startswith("MON") else _DAYS)
    if len(upper) < len("DAY") or upper == "MON":
        names = [name[:3] for name in names]
    elif piece.fills:
        names = [name.ljust(9) for name in names]
    style = "upper" if piece.name.isupper() else "lower" if piece.name.islower() else "title"
    spelled_names = [_SPELLING[style](name) for name in names]
    if upper.startswith("MON"):
        return _pick(spelled_names, call("MONTH", moment.copy()))
    return _pick(spelled_names, binary(exp.Add, call("DAYOFWEEK", moment.copy()), number(1)))


def _pick(names: list[str], place: exp.Expr) -> exp.Expr:
    return exp.Bracket(this=exp.Array(expressions=[text(name) for name in names]), expressions=[place], offset=1)


def _half(piece: Piece, moment: exp.Expr) -> exp.Expr:
    words = ("A.M.", "P.M.") if "." in piece.name else ("AM", "PM")
    before, after = (word.lower() if piece.name.islower() else word for word in words)
    is_after = exp.GTE(this=_hour(moment), expression=number(12))
    return _unless_null(moment, choose((is_after, text(after)), default=text(before)))


def _unless_null(moment: exp.Expr, value: exp.Expr) -> exp.Expr:
    return choose((exp.Is(this=moment.copy(), expression=exp.Null()), exp.Null()), default=value)


def _year(moment: exp.Expr) -> exp.Expr:
    year = call("YEAR", moment.copy())
    before = binary(exp.Sub, number(1), year.copy())
    return choose((exp.GT(this=year, expression=number(0)), year.copy()), default=before)


def _hour(moment: exp.Expr) -> exp.Expr:
    return call("HOUR", cast(moment.copy(), "timestamp"))


def _of_half_day(moment: exp.Expr) -> exp.Expr:
    return binary(exp.Add, binary(exp.Mod, binary(exp.Add, _hour(moment), number(11)), number(12)), number(1))


def _micros(size: int) -> Callable[[exp.Expr], exp.Expr]:
    def microseconds(moment: exp.Expr) -> exp.Expr:
        micros = binary(exp.Mod, call("MICROSECOND", cast(moment.copy(), "timestamp")), number(1_000_000))
        return exp.IntDiv(this=micros, expression=number(size)) if size > 1 else micros

    return microseconds


def _in_week(function: str, before: int, size: int) -> Callable[[exp.Expr], exp.Expr]:
    def week(moment: exp.Expr) -> exp.Expr:
        day = binary(exp.Add, call(function, moment.copy()), number(before))
        return binary(exp.Add, exp.IntDiv(this=day, expression=number(size)), number(1))

    return week


def _plain(function: str) -> Callable[[exp.Expr], exp.Expr]:
    return lambda moment: call(function, moment.copy())


def _clock(function: str) -> Callable[[exp.Expr], exp.Expr]:
    return lambda moment: call(function, cast(moment.copy(), "timestamp"))


def _cut(year: Callable[[exp.Expr], exp.Expr], size: int) -> Callable[[exp.Expr], exp.Expr]:
    return lambda moment: binary(exp.Mod, year(moment), number(size))


def _iso_day(moment: exp.Expr) -> exp.Expr:
    weeks = binary(exp.Mul, binary(exp.Sub, call("WEEKOFYEAR", moment.copy()), number(1)), number(7))
    return binary(exp.Add, weeks, call("ISODOW", moment.copy()))


def _second_of_day(moment: exp.Expr) -> exp.Expr:
    moment = cast(moment.copy(), "timestamp")
    minutes = binary(exp.Add, binary(exp.Mul, call("HOUR", moment), number(60)), call("MINUTE", moment.copy()))
    return binary(exp.Add, binary(exp.Mul, minutes, number(60)), call("SECOND", moment.copy()))


def _julian(moment: exp.Expr) -> exp.Expr:
    return cast(call("FLOOR", call("JULIAN", cast(moment.copy(), "date"))), "bigint")


_NUMBERS: dict[str, tuple[int, Callable[[exp.Expr], exp.Expr]]] = {
    "YYYY": (4, _year),
    "YYY": (3, _cut(_year, 1000)),
    "YY": (2, _cut(_year, 100)),
    "Y": (1, _cut(_year, 10)),
    "IYYY": (4, _plain("ISOYEAR")),
    "IYY": (3, _cut(_plain("ISOYEAR"), 1000)),
    "IY": (2, _cut(_plain("ISOYEAR"), 100)),
    "I": (1, _cut(_plain("ISOYEAR"), 10)),
    "Q": (0, _plain("QUARTER")),
    "MM": (2, _plain("MONTH")),
    "DD": (2, _plain("DAY")),
    "DDD": (3, _plain("DAYOFYEAR")),
    "IDDD": (3, _iso_day),
    "D": (0, lambda moment: binary(exp.Add, call("DAYOFWEEK", moment.copy()), number(1))),
    "ID": (0, _plain("ISODOW")),
    "IW": (2, _plain("WEEKOFYEAR")),
    "WW": (2, _in_week("DAYOFYEAR", -1, 7)),
    "W": (0, _in_week("DAY", -1, 7)),
    "CC": (2, lambda moment: part("CENTURY", moment.copy())),
    "J": (0, _julian),
    "HH24": (2, _hour),
    "HH12": (2, _of_half_day),
    "HH": (2, _of_half_day),
    "MI": (2, _clock("MINUTE")),
    "SS": (2, _clock("SECOND")),
    "MS": (3, _micros(1000)),
    "US": (6, _micros(1)),
    "FF1": (1, _micros(100_000)),
    "FF2": (2, _micros(10_000)),
    "FF3": (3, _micros(1000)),
    "FF4": (4, _micros(100)),
    "FF5": (5, _micros(10)),
    "FF6": (6, _micros(1)),
    "SSSS": (0, _second_of_day),
    "SSSSS": (0, _second_of_day),
}
