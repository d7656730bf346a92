"""Named slices: ranges of an incremental indicator that somebody says have changed, such as a day that was loaded anew.

A slice is written as it was given, since the unit of a numeric indicator is known only where its values are. Both ends
belong to it. An end that leaves digits open covers all that they may be:

    2026-01-05           the whole day
    2026-01              the whole month
    2026-01-05T07        the hour that begins at seven
    1767571200           one step of a numeric indicator

Times without an offset are times of the column where it has no time zone, and UTC elsewhere.
"""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime, timedelta

from airflow_atscale_aggs.engine.aggregates.indicator import IndicatorKind, IndicatorUnit
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

_MICRO = 10**6
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"-?[0-9]{1,38}")
_MOMENT = re.compile(
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})(?:-(?P<day>[0-9]{2})(?:[T ](?P<hour>[0-9]{2})(?::(?P<minute>[0-9]{2})"
    r"(?::(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]{1,6}))?)?)?(?P<offset>Z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?)?"
)
_LENGTHS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
"""Seconds that a moment covers, by the last part that is written; a fraction and a month are computed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSlice:
    """A range of the indicator of a fact dataset, which somebody has named as changed.

    Attributes:
        first, last: its ends as they were written; both belong to it.
        number: in the registry, which counts the slices of each model; 0 before it is recorded.
    """

    dataset: str
    first: str
    last: str
    number: int = 0

    def __str__(self) -> str:
        return self.first if self.first == self.last else f"{self.first}..{self.last}"


def parse_slice(dataset: str, text: str) -> NamedSlice | None:
    """A slice from ``from..through``, or from one value that stands for both. None: the text is no such range.

    >>> str(parse_slice("sales", "2026-01-03 .. 2026-01-05")), parse_slice("sales", "..5")
    ('2026-01-03..2026-01-05', None)
    """
    first, dots, last = (part.strip() for part in text.partition(".."))
    last = last if dots else first
    if not (is_readable(first) and is_readable(last)):
        return None
    return NamedSlice(dataset=dataset, first=first, last=last)


def is_readable(end: str) -> bool:
    """Whether a text is an end of a slice for any kind of indicator.

    >>> is_readable("2026-01"), is_readable("2026-02-30"), is_readable("yesterday")
    (True, False, False)
    """
    return bool(_NUMBER.fullmatch(end)) or _moment(end) is not None


def is_of_kind(end: str, kind: IndicatorKind, unit: IndicatorUnit | None) -> bool:
    """Whether an end says something about an indicator.

    Args:
        unit: of a numeric indicator; None while it is not known, which lets numbers and times pass.
    """
    return _ends(end, kind, unit or IndicatorUnit.SECONDS) is not None


def bounds_of(named: NamedSlice, kind: IndicatorKind, unit: IndicatorUnit) -> tuple[int, int] | None:
    """The slice as (after, through], in steps of the indicator. None: it is no range of it, or ends before it begins.

    >>> day = NamedSlice(dataset="sales", first="1970-01-02", last="1970-01-02")
    >>> bounds_of(day, IndicatorKind.INTEGER, IndicatorUnit.SECONDS)
    (86399, 172799)
    """
    first, last = _ends(named.first, kind, unit), _ends(named.last, kind, unit)
    if first is None or last is None or first[0] > last[1]:
        return None
    return first[0] - 1, last[1]


def _ends(text: str, kind: IndicatorKind, unit: IndicatorUnit) -> tuple[int, int] | None:
    """The first and the last step that an end covers."""
    if _NUMBER.fullmatch(text):
        return (int(text), int(text)) if kind is IndicatorKind.INTEGER else None
    covered = _moment(text)
    has_offset = covered is not None and covered[2]
    if covered is None or (has_offset and kind is IndicatorKind.TIMESTAMP):
        return None
    per_second = _MICRO if kind is not IndicatorKind.INTEGER else unit.per_second
    if not per_second:
        return None
    start, end, _ = covered
    # The first step at or after the start, and the last one before the end.
    return -(-start * per_second // _MICRO), -(-end * per_second // _MICRO) - 1


def _moment(text: str) -> tuple[int, int, bool] | None:
    """Microseconds since 1970 at which a moment starts and ends, the end not included, and whether it has an offset."""
    match = _MOMENT.fullmatch(text)
    if match is None:
        return None
    parts = match.groupdict()
    micros = int((parts["fraction"] or "").ljust(6, "0"))
    numbers = [int(parts[name] or least) for name, least in (("year", 0), ("month", 0), ("day", 1))]
    times = [int(parts[name] or 0) for name in ("hour", "minute", "second")]
    try:
        moment = datetime(*numbers, *times, micros, tzinfo=UTC)  # type: ignore[arg-type,misc] # six numbers in order
    except ValueError:
        return None
    start = (moment - _EPOCH) // timedelta(microseconds=1) - _offset_seconds(parts["offset"]) * _MICRO
    if parts["fraction"]:
        length = 10 ** (6 - len(parts["fraction"]))
    elif parts["day"] is None:
        length = calendar.monthrange(numbers[0], numbers[1])[1] * 86400 * _MICRO
    else:
        length = next(seconds for name, seconds in _LENGTHS.items() if parts[name] is not None) * _MICRO
    return start, start + length, parts["offset"] is not None


def _offset_seconds(offset: str | None) -> int:
    """Seconds east of UTC."""
    if offset is None or offset == "Z":
        return 0
    digits = offset[1:].replace(":", "").ljust(4, "0")
    seconds = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return -seconds if offset[0] == "-" else seconds
