"""Cumulative metrics and offsets as sets of MDX over the days of the time spine.

    window: 7 days            the day and the six before it
    grain_to_date: month      the days of the month until this one
    neither                   all days until this one
    offset_window: 7 days     the day that lies seven days earlier

All of them are asked by day. At coarser grains MetricFlow takes the first, last or mean day of the period, which no
set says; there the value is empty: a count of the spine's days is not 1.
"""

from __future__ import annotations

import re

DAYS_METRIC = "time_spine days"
"""The metric that counts the days of the spine. It tells whether one day is meant."""

_TIME = "[metric_time].[metric_time]"
_LONGEST_LAG = 999_999
_DAYS = {"day": 1, "week": 7}
_WINDOW = re.compile(r"(\d{1,5}) (day|week)s?\Z")
_TO_DATE = ("week", "month", "quarter", "year")


def window_days(text: str) -> int | None:
    """The days of a window; None when its length in days is not fixed, or it is no window.

    >>> window_days("2 weeks"), window_days("1 month")
    (14, None)
    """
    match = _WINDOW.match(text.casefold().strip())
    return int(match[1]) * _DAYS[match[2]] if match else None


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


def earlier(measure: str, days: int) -> str:
    """A measure some days earlier."""
    return _by_day(f"({_TIME}.CurrentMember.Lag({days}), {measure})")


def is_period(grain: str) -> bool:
    """Whether a period to date of this grain can be said."""
    return grain in _TO_DATE


def _by_day(value: str) -> str:
    return f"(CASE WHEN [Measures].[{DAYS_METRIC}] = 1 THEN {value} ELSE NULL END)"
