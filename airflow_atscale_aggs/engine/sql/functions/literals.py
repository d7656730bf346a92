"""Texts without a type, read as PostgreSQL's input functions read them."""

from __future__ import annotations

import re
from datetime import date, datetime

from airflow_atscale_aggs.engine.sql.functions.types import NUMBERS, WHOLE, Kind

ANY_MARK, DATE_MARK, TIME_MARK = "7919", "7918", "7917"
"""What marks begin with that stand for values while a query is planned for many: for any, for a date and for a
timestamp as ISO writes them.
"""

_MARK = re.compile(r"(791[789])\d{4}6007")
_ISO_LENGTH = len("2024-02-29")
_SECONDS_LENGTH = len("2024-02-29 10:20:30")
_INTEGER = re.compile(r"\s*([+-]?\d+)\s*")
_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d{1,3}))?\s*")
_ISO = re.compile(r"\s*(\d{4})-(\d{1,2})-(\d{1,2})(?:[T\s]\s*(.*?))?\s*")
_COMPACT = re.compile(r"\s*(\d{4})(\d{2})(\d{2})\s*")
_SLASHES = re.compile(r"\s*(\d{4})/(\d{1,2})/(\d{1,2})\s*")
_MONTH_FIRST = re.compile(r"\s*([A-Za-z]{3,9})\.?[\s-]\s*(\d{1,2}),?[\s-]\s*(\d{4})\s*")
_DAY_FIRST = re.compile(r"\s*(\d{1,2})[\s-]\s*([A-Za-z]{3,9})\.?,?[\s-]\s*(\d{4})\s*")
_YEAR_FIRST = re.compile(r"\s*(\d{4})-([A-Za-z]{3,9})-(\d{1,2})\s*")
_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(\.\d{1,6})?)?\s*([AaPp][Mm])?(?:\s*(?:Z|z|[+-]\d{1,2}(?::?\d{2})?))?")
_MONTH_NAMES = (
    ("january", "jan"),
    ("february", "feb"),
    ("march", "mar"),
    ("april", "apr"),
    ("may",),
    ("june", "jun"),
    ("july", "jul"),
    ("august", "aug"),
    ("september", "sep", "sept"),
    ("october", "oct"),
    ("november", "nov"),
    ("december", "dec"),
)
_MONTHS = {name: number for number, names in enumerate(_MONTH_NAMES, 1) for name in names}
_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")
_LEAST = {Kind.SMALLINT: 2**15, Kind.INTEGER: 2**31, Kind.BIGINT: 2**63}


class UnreadableTextError(ValueError):
    """A text that is none of a type."""


def read_as(text: str, kind: Kind) -> str:
    """A text in the one spelling that every warehouse reads.

    >>> read_as("Jan 5, 2024", Kind.DATE), read_as(" yes ", Kind.BOOLEAN), read_as("+007", Kind.INTEGER)
    ('2024-01-05', 'true', '7')

    Raises:
        UnreadableTextError: PostgreSQL refuses it, or reads it by its settings.
    """
    if kind is Kind.TEXT:
        return text
    mark = _MARK.fullmatch(text)
    if mark is not None:
        if mark.group(1) == DATE_MARK and kind in {Kind.DATE, Kind.TIMESTAMP}:
            return text
        if mark.group(1) == TIME_MARK and kind is Kind.TIMESTAMP:
            return text
        raise UnreadableTextError("it is one of many values")
    if kind in {Kind.DATE, Kind.TIMESTAMP}:
        return _day(text, kind)
    if kind is Kind.BOOLEAN:
        return _boolean(text)
    if kind in NUMBERS:
        return _number(text, kind)
    raise UnreadableTextError(f"its spellings of type {kind.value} are not read here")


def mark_of(text: str) -> str:
    """What a mark for a text begins with, by what every text of the kind may stand for.

    >>> mark_of("2024-02-29"), mark_of("2023-02-29"), mark_of("2024-02-29 10:20:30"), mark_of("Books")
    ('7918', '7919', '7917', '7919')
    """
    if len(text) not in {_ISO_LENGTH, _SECONDS_LENGTH} or text[4] != "-":
        return ANY_MARK
    try:
        if len(text) == _ISO_LENGTH:
            return DATE_MARK if date.fromisoformat(text).isoformat() == text else ANY_MARK
        moment = datetime.fromisoformat(text)
    except ValueError:
        return ANY_MARK
    return TIME_MARK if f"{moment.replace(tzinfo=None):%Y-%m-%d %H:%M:%S}" == text else ANY_MARK


def _boolean(text: str) -> str:
    word = text.strip().casefold()
    least = 2 if word.startswith("o") else 1
    for name, words in (("true", _TRUE), ("false", _FALSE)):
        if len(word) >= least and any(spelling.startswith(word) for spelling in words):
            return name
    raise UnreadableTextError("PostgreSQL reads no boolean in it")


def _number(text: str, kind: Kind) -> str:
    if kind in WHOLE:
        match = _INTEGER.fullmatch(text)
        if match is None:
            raise UnreadableTextError(f"PostgreSQL reads no {kind.value} in it")
        value = int(match.group(1))
        if not -_LEAST[kind] <= value < _LEAST[kind]:
            raise UnreadableTextError(f"it is out of range for {kind.value}")
        return str(value)
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise UnreadableTextError("no plain number stands in it")
    return text.strip()


def _day(text: str, kind: Kind) -> str:
    iso = _ISO.fullmatch(text)
    if iso is not None:
        year, month, day = (int(part) for part in iso.groups()[:3])
        rest = iso.group(4) or ""
    else:
        year, month, day, rest = *_read_spelling(text), ""
    try:
        day_value = date(year, month, day)
    except ValueError as error:
        raise UnreadableTextError("the calendar has no such day") from error
    time = _time(rest) if rest else ""
    if kind is Kind.DATE:
        return day_value.isoformat()
    return f"{day_value.isoformat()} {time or '00:00:00'}"


def _read_spelling(text: str) -> tuple[int, int, int]:
    for pattern in (_COMPACT, _SLASHES):
        match = pattern.fullmatch(text)
        if match is not None:
            return int(match.group(1)), int(match.group(2)), int(match.group(3))
    for pattern, order in ((_MONTH_FIRST, (3, 1, 2)), (_DAY_FIRST, (3, 2, 1)), (_YEAR_FIRST, (1, 2, 3))):
        match = pattern.fullmatch(text)
        if match is not None and match.group(order[1]).casefold() in _MONTHS:
            month = _MONTHS[match.group(order[1]).casefold()]
            return int(match.group(order[0])), month, int(match.group(order[2]))
    raise UnreadableTextError("no date that is read the same under every setting stands in it")


def _time(text: str) -> str:
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise UnreadableTextError("its time of day is not read here")
    hour, minute, second = int(match.group(1)), int(match.group(2)), int(match.group(3) or 0)
    half = (match.group(5) or "").casefold()
    if half:
        if not 1 <= hour <= 12:  # noqa: PLR2004 - hours of half a day
            raise UnreadableTextError("there is no such hour")
        hour = hour % 12 + (12 if half == "pm" else 0)
    try:
        datetime(2000, 1, 1, hour, minute, second)  # noqa: DTZ001 - it only checks the parts
    except ValueError as error:
        raise UnreadableTextError("there is no such time of day") from error
    return f"{hour:02}:{minute:02}:{second:02}{match.group(4) or ''}"
