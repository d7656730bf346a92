"""Computes with incremental indicators: values, bounds and grace periods as plain numbers.

    indicator                   a bound is                           one step
    long, integer               the number itself                    1
    timestamp, datetime         microseconds since 1970, as written  1 microsecond
    timestamp with time zone    microseconds since 1970, UTC         1 microsecond

A range is (after, through]: rows that tie with a bound stand on one side of it only, the same one everywhere.

Source: AtScale, "About Incremental Rebuilds": supported indicator types, grace period.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_MICRO = 10**6
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_GRACE = re.compile(r"\s*([0-9]{1,12})\s*([smhdw]?)\s*")
_TIMESTAMP = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[ T]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]+))?\s*"
    r"(?P<zone>([+-])([0-9]{2}):?([0-9]{2})?(?::?[0-9]{2})?|Z|UTC)?"
)
_DAYS = 2 * 86400 * _MICRO
_LOWEST = (datetime(1, 1, 2, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
"""The lowest bound of a timestamp."""

_JUMP = timedelta(hours=3)
"""No clock has been put back by more than this at once."""


class IndicatorKind(StrEnum):
    """Families of indicator types."""

    INTEGER = "integer"
    TIMESTAMP = "timestamp"
    """Without a time zone: civil time of the zone that a setting names."""

    INSTANT = "instant"
    """A timestamp with a time zone."""


class IndicatorUnit(StrEnum):
    """What one step of a numeric indicator stands for; timestamps are in microseconds."""

    PLAIN = "plain"
    SECONDS = "seconds"
    MILLISECONDS = "milliseconds"
    MICROSECONDS = "microseconds"

    @property
    def per_second(self) -> int:
        """Steps in a second; 0 for plain numbers, which are no time."""
        return _PER_SECOND[self]


_PER_SECOND = {
    IndicatorUnit.PLAIN: 0,
    IndicatorUnit.SECONDS: 1,
    IndicatorUnit.MILLISECONDS: 1000,
    IndicatorUnit.MICROSECONDS: _MICRO,
}
_EPOCHS = (
    (10**8, 10**11, IndicatorUnit.SECONDS),
    (10**11, 10**14, IndicatorUnit.MILLISECONDS),
    (10**14, 10**17, IndicatorUnit.MICROSECONDS),
)
"""Magnitudes that are epoch time between 1973 and 5138 in one unit and in no other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicator:
    """The indicator of a fact dataset, as one build read it.

    Attributes:
        column: of the dataset.
        data_type: in lower case, as the warehouse spells it.
        unit: microseconds for timestamps.
    """

    column: str
    data_type: str
    kind: IndicatorKind
    unit: IndicatorUnit


@dataclass(frozen=True, slots=True, kw_only=True)
class RowRange:
    """The fact rows with an indicator in (after, through]; None: no bound.

    Rows without an indicator are in no range.
    """

    column: str
    kind: IndicatorKind
    after: int | None = None
    through: int | None = None

    def __str__(self) -> str:
        after = "-∞" if self.after is None else render_bound(self.kind, self.after)
        return f"({after}, {'∞)' if self.through is None else render_bound(self.kind, self.through) + ']'}"


@dataclass(frozen=True, slots=True)
class GracePeriod:
    """A grace period as written: a number, and a unit of time or none."""

    number: int
    suffix: str

    @property
    def seconds(self) -> int:
        """Its length; a bare number counts as seconds."""
        return self.number * _SECONDS[self.suffix]

    def __str__(self) -> str:
        return f"{self.number}{self.suffix}"


def parse_grace_period(text: str) -> GracePeriod | None:
    """Parse a grace period of SML. None: the text is no grace period.

    >>> parse_grace_period("2d").seconds, parse_grace_period("100").suffix, parse_grace_period("two days")
    (172800, '', None)
    """
    match = _GRACE.fullmatch(text)
    return GracePeriod(int(match[1]), match[2]) if match else None


def infer_unit(value: int) -> IndicatorUnit | None:
    """The unit of an indicator by the magnitude of a value; None when it is no epoch time.

    >>> infer_unit(1475191168000), infer_unit(20260101)
    (<IndicatorUnit.MILLISECONDS: 'milliseconds'>, None)
    """
    return next((unit for least, most, unit in _EPOCHS if least <= value < most), None)


def parse_indicator_value(kind: IndicatorKind, text: str) -> int | None:
    """Parse a value of an indicator from the warehouse's text. None: it has no number, such as ``infinity``.

    Digits beyond microseconds round up, so that a row is never above its own bound. An instant is a number of
    microseconds, or a text with an offset. A text without an offset is refused, because its time zone is unknown.

    >>> kinds = IndicatorKind.INTEGER, IndicatorKind.TIMESTAMP
    >>> parse_indicator_value(kinds[0], "42"), parse_indicator_value(kinds[1], "1970-01-01 00:00:01.5")
    (42, 1500000)
    """
    if kind is IndicatorKind.INTEGER or (kind is IndicatorKind.INSTANT and text.lstrip("-").isdigit()):
        number = text.partition(".")
        is_whole = number[0].lstrip("-").isdigit() and not number[2].strip("0")
        return int(number[0]) if is_whole else None
    match = _TIMESTAMP.fullmatch(text.strip())
    if match is None or (kind is IndicatorKind.INSTANT and not match["zone"]):
        return None
    day, time, fraction, _, sign, hours, minutes = match.groups()
    moment = datetime.fromisoformat(f"{day} {time}").replace(tzinfo=UTC)
    digits = (fraction or "").rstrip("0")
    micro = int(digits[:6].ljust(6, "0")) + (1 if len(digits) > 6 else 0)  # noqa: PLR2004 - digits of a microsecond
    if sign and kind is IndicatorKind.INSTANT:
        offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
        moment = moment - offset if sign == "+" else moment + offset
    return _micros(moment) + micro


def render_bound(kind: IndicatorKind, bound: int) -> str:
    """A bound as people and warehouses write it; timestamps with microseconds, instants in UTC.

    >>> render_bound(IndicatorKind.INSTANT, 1_500_000)
    '1970-01-01 00:00:01.500000+00:00'
    """
    if kind is IndicatorKind.INTEGER:
        return str(bound)
    moment = _EPOCH + timedelta(microseconds=bound)
    shown = moment.replace(tzinfo=None).isoformat(" ", timespec="microseconds")
    return f"{shown}+00:00" if kind is IndicatorKind.INSTANT else shown


def moment_of(kind: IndicatorKind, unit: IndicatorUnit, now: datetime, zone: ZoneInfo) -> int:
    """A moment as an indicator writes it.

    While the clocks of a timestamp's zone are put back, times of the hour before are written later than now; they count
    as future until their second pass.

    Args:
        unit: no plain numbers, which are no time.
    """
    if kind is IndicatorKind.TIMESTAMP:
        return _micros(now.astimezone(zone).replace(tzinfo=UTC))
    return _micros(now) * unit.per_second // _MICRO


def settled_bound(indicator: Indicator, grace: GracePeriod, *, greatest: int, now: datetime, zone: ZoneInfo) -> int:
    """The greatest bound that rows late by no more than the grace period stay above, whenever they come from now on.

    A row is late by the larger of two distances: from its indicator to its arrival, and from its indicator to the
    greatest indicator at its arrival that was not in the future. So an indicator in the future settles nothing, and the
    clock does not settle facts that lag behind. A row that is late by exactly the grace period stays above.

    Args:
        greatest: greatest indicator so far that is not in the future.
        now: when the build was begun.
        zone: of timestamps without one. While its clocks are put back, times occur twice; rows of both stay above.
    """
    if indicator.kind is IndicatorKind.TIMESTAMP:
        # A value far in the future is capped: it settles nothing, and may leave the calendar in another zone.
        greatest_moment = (_EPOCH + timedelta(microseconds=min(greatest, _micros(now) + _DAYS))).replace(tzinfo=None)
        if _micros(greatest_moment.replace(tzinfo=UTC)) - grace.seconds * _MICRO < _LOWEST + _DAYS:
            return _LOWEST
        since = min(now.astimezone(UTC), greatest_moment.replace(tzinfo=zone, fold=0).astimezone(UTC))
        since -= timedelta(seconds=grace.seconds)
        return _micros(since + min(_offset(since, zone), _offset(since + _JUMP, zone))) - 1
    unit = indicator.unit
    if unit is IndicatorUnit.PLAIN:
        return greatest - grace.number - 1
    reach = grace.seconds * unit.per_second
    if indicator.kind is IndicatorKind.INTEGER and not grace.suffix:
        reach = grace.number
    bound = min(_micros(now) * unit.per_second // _MICRO, greatest) - reach - 1
    return max(bound, _LOWEST) if indicator.kind is IndicatorKind.INSTANT else bound


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
