"""Where the window of an increment lies, and in which unit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_atscale_aggs.engine.aggregates.indicator import GracePeriod, IndicatorKind, IndicatorUnit
from airflow_atscale_aggs.engine.planning.windows import GracePeriods, UnknownUnit, clock_in, unit_of
from airflow_atscale_aggs.engine.settings import Settings
from airflow_atscale_aggs.engine.sql.indicator_lookup import IndicatorFacts

_NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
_SECONDS = int(_NOW.timestamp())
_DAY = GracePeriod(1, "d")


def _unit(greatest: int, **newest: int) -> IndicatorUnit | UnknownUnit:
    clock = clock_in(IndicatorKind.INTEGER, _DAY, _NOW, Settings())
    looked_up = IndicatorFacts(
        greatest=greatest, newest={clock[IndicatorUnit(unit)]: value for unit, value in newest.items()}
    )
    return unit_of("at", IndicatorKind.INTEGER, GracePeriods(_DAY, _DAY), looked_up, clock, Settings())


def test_the_clock_is_in_the_indicator_s_own_words() -> None:
    """Civil time for timestamps, all units that a number may be in, none for plain numbers."""
    zone = Settings().with_values({"aggregate.incrementalUpdate.indicatorTimeZone": "Europe/Berlin"})
    civil = clock_in(IndicatorKind.TIMESTAMP, _DAY, _NOW, zone)
    instant = clock_in(IndicatorKind.INSTANT, _DAY, _NOW, zone)

    assert civil[IndicatorUnit.MICROSECONDS] - instant[IndicatorUnit.MICROSECONDS] == timedelta(hours=1) // timedelta(
        microseconds=1
    )
    assert set(clock_in(IndicatorKind.INTEGER, _DAY, _NOW, Settings()).values()) == {
        _SECONDS,
        _SECONDS * 1000,
        _SECONDS * 10**6,
    }
    assert clock_in(IndicatorKind.INTEGER, GracePeriod(5, ""), _NOW, Settings()) == {}


@pytest.mark.parametrize(
    ("greatest", "newest", "expected"),
    [
        (_SECONDS - 5, {"seconds": _SECONDS - 5, "milliseconds": _SECONDS - 5}, IndicatorUnit.SECONDS),
        (253402300799000, {"milliseconds": _SECONDS * 1000 - 9, "microseconds": 253402300799000}, "milliseconds"),
        (253402300799, {"seconds": _SECONDS - 9, "milliseconds": 253402300799}, IndicatorUnit.SECONDS),
        (_SECONDS + 99, {}, IndicatorUnit.SECONDS),
    ],
    ids=["one", "a mistyped year in milliseconds", "a mistyped year in seconds", "all in the future"],
)
def test_values_in_the_future_do_not_tell_the_unit(greatest: int, newest: dict[str, int], expected: str) -> None:
    """The year 9999 in milliseconds would be one of 1978 in microseconds."""
    assert _unit(greatest, **newest) == expected


def test_a_number_that_is_no_time_has_no_unit() -> None:
    """Nobody guesses."""
    found = _unit(20260301, seconds=20260301)

    assert isinstance(found, UnknownUnit)
    assert "20260301 is no epoch time" in found.reason
