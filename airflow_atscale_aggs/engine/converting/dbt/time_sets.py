"""Cumulative metrics and offsets as sets of MDX over the days of the time spine.

    window: 7 days            the day and the six before it
    grain_to_date: month      the days of the month until this one
    neither                   all days until this one
    offset_window: 7 days     the day that lies seven days earlier
    offset_window: 1 month    the month before; of a day, the day that the spine's own column names
    offset_window: 3 months   the month that lies three months earlier
    offset_to_grain: month    what the first day of the month has, of all days of the month until this one

Cumulative metrics are asked by day. At coarser grains MetricFlow takes the first, last or mean day of the period. Where
a set says that, it is taken for whole periods; elsewhere the value is empty. A count of the spine's days tells days,
weeks, months, quarters and years apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

DAYS_METRIC = "time_spine days"
"""The metric that counts the days of the spine. It tells whether one day is meant."""

_TIME = "[metric_time].[metric_time]"
_LONGEST_LAG = 999_999
_DAYS = {"day": 1, "week": 7}
_WINDOW = re.compile(r"(\d{1,5}) (day|week|month|quarter|year)s?\Z")
_LENGTHS = {"week": (7, 7), "month": (28, 31), "quarter": (90, 92), "year": (365, 366)}
"""Fewest and most days of a whole period."""

PERIODS = ("month", "quarter", "year")
"""Periods of the calendar, fine to coarse."""

_TO_DATE = ("week", "month", "quarter", "year")


def window_days(text: str) -> int | None:
    """The days of a window; None when its length in days is not fixed, or it is no window.

    >>> window_days("2 weeks"), window_days("1 month")
    (14, None)
    """
    found = window_of(text)
    return found[0] * _DAYS[found[1]] if found and found[1] in _DAYS else None


def window_of(text: str) -> tuple[int, str] | None:
    """How many periods of which grain; None when it is no window.

    >>> window_of("3 months"), window_of("a month")
    ((3, 'month'), None)
    """
    match = _WINDOW.match(text.casefold().strip())
    return (int(match[1]), match[2]) if match else None


def cumulated(measure: str, *, days: int | None, grain: str) -> str:
    """A measure over the days of a window, of a period to date, or all days until this one.

    Args:
        days: of the window; None: no window.
        grain: of the period; empty: none.
    """
    if grain:
        hierarchy = "[metric_time].[metric_time weeks]" if grain == "week" else _TIME
        members = f"PeriodsToDate({hierarchy}.[metric_time__{grain}], {hierarchy}.CurrentMember)"
    else:
        lag = _LONGEST_LAG if days is None else days - 1
        members = f"{_TIME}.CurrentMember.Lag({lag}):{_TIME}.CurrentMember"
    return _by_day(f"Aggregate({members}, {measure})")


def periods_to_end(measure: str, grain: str) -> tuple[tuple[str, ...], str]:
    """What the last day of a period has cumulated, by the periods: (grains, MDX).

    Args:
        grain: of the period to date, which none of the periods is longer than; empty: all days until the last one.
    """
    if grain == "week":
        weeks = "[metric_time].[metric_time weeks]"
        to_date = f"Aggregate(PeriodsToDate({weeks}.[metric_time__week], {weeks}.CurrentMember), {measure})"
        return ("week",), _of_whole("week", to_date)
    within = PERIODS[: PERIODS.index(grain) + 1] if grain else PERIODS
    members = (
        f"PeriodsToDate({_TIME}.[metric_time__{grain}], {_TIME}.CurrentMember)"
        if grain
        else f"{_TIME}.CurrentMember.Lag({_LONGEST_LAG}):{_TIME}.CurrentMember"
    )
    value = f"Aggregate({members}, {measure})"
    return within, f"COALESCE({', '.join(_of_whole(period, value) for period in within)}, NULL)"


def periods_from_first_days(openings: Mapping[str, str]) -> str:
    """What the first day of a period has cumulated, where a period to date begins with it: the first day alone.

    Args:
        openings: by grain, the measure of first days.
    """
    return f"COALESCE({', '.join(_of_whole(grain, opening) for grain, opening in openings.items())}, NULL)"


def earlier(measure: str, days: int) -> str:
    """A measure some days earlier."""
    return _by_day(f"({_TIME}.CurrentMember.Lag({days}), {measure})")


def periods_earlier(measure: str, number: int, grain: str) -> str:
    """A measure some months, quarters or years earlier.

    One period earlier is said for finer grains as well, by columns of the spine (`earlier_column`). ParallelPeriod goes
    by places in the period otherwise, and the 31st day of a month with 28 is nowhere.
    """
    if number == 1:
        value = f"(ParallelPeriod({_TIME}.[metric_time__{grain}], 1, {_TIME}.CurrentMember), {measure})"
        # The count brings all times of the spine into the answer, as dbt does, also those without facts.
        return f"(CASE WHEN [Measures].[{DAYS_METRIC}] >= 1 THEN {value} ELSE NULL END)"
    return _of_whole(grain, f"({_TIME}.CurrentMember.Lag({number}), {measure})")


def earlier_column(column: str, finer: str, grain: str) -> str:
    """SQL of the key of a finer period that lies one coarser period earlier, as dbt counts: the 31st becomes the 28th.

    Args:
        column: of the spine's days.
    """
    length = {"month": "1 month", "quarter": "3 months", "year": "1 year"}[grain]
    start = column if finer == "day" else f"DATE_TRUNC('{finer}', {column})"
    moved = f"{start} - INTERVAL '{length}'"
    return f"CAST({moved} AS DATE)" if finer == "day" else moved


def at_opening(measure: str, opening: str, grain: str) -> str:
    """By day what the first day of the period has, by the period itself the measure.

    Args:
        opening: the measure of first days alone.
    """
    by_day = cumulated(opening, days=None, grain=grain)
    return f"COALESCE({by_day}, {_of_whole(grain, measure)})"


def opening_filter(grain: str) -> str:
    """The condition of dbt that leaves the first days of periods."""
    day = "{{ TimeDimension('metric_time', 'day') }}"
    return f"{day} = {{{{ TimeDimension('metric_time', '{grain}') }}}}"


def is_period(grain: str) -> bool:
    """Whether a period to date of this grain can be said."""
    return grain in _TO_DATE


def _of_whole(grain: str, value: str) -> str:
    least, most = _LENGTHS[grain]
    days = f"[Measures].[{DAYS_METRIC}]"
    return f"(CASE WHEN {days} >= {least} AND {days} <= {most} THEN {value} ELSE NULL END)"


def _by_day(value: str) -> str:
    return f"(CASE WHEN [Measures].[{DAYS_METRIC}] = 1 THEN {value} ELSE NULL END)"
