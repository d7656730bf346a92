"""Where the window of an increment lies, and in which unit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_atscale_aggs.engine.aggregates.indicator import GracePeriod, IndicatorKind, IndicatorUnit
from airflow_atscale_aggs.engine.planning.windows import GracePeriods, UnknownUnit, clock_in, unit_of
from airflow_atscale_aggs.engine.settings import IndicatorUnitSetting, Settings
from airflow_atscale_aggs.engine.sql.indicator_lookup import IndicatorFacts

_NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
_SECONDS = int(_NOW.timestamp())
_DAY, _STEPS = GracePeriod(1, "d"), GracePeriod(5, "")


def _unit(greatest: int, **newest: int) -> IndicatorUnit | UnknownUnit:
    clock = clock_in(IndicatorKind.INTEGER, _DAY, _NOW, Settings())
    lookup = IndicatorFacts(
        greatest=greatest, newest={clock[IndicatorUnit(unit)]: value for unit, value in newest.items()}
    )
    return unit_of("at", IndicatorKind.INTEGER, GracePeriods(_DAY, _DAY), lookup, clock, Settings())


def test_the_clock_is_in_the_indicator_s_own_words() -> None:
    """Civil time for timestamps, all units that a number may be in, none for plain numbers."""
    zone = Settings().with_values({"aggregate.incrementalUpdate.indicatorTimeZone": "Europe/Berlin"})
    civil = clock_in(IndicatorKind.TIMESTAMP, _DAY, _NOW, zone)
    instant = clock_in(IndicatorKind.INSTANT, _DAY, _NOW, zone)
    hour = timedelta(hours=1) // timedelta(microseconds=1)

    assert civil[IndicatorUnit.MICROSECONDS] - instant[IndicatorUnit.MICROSECONDS] == hour
    assert clock_in(IndicatorKind.INTEGER, _DAY, _NOW, Settings()) == {
        IndicatorUnit.SECONDS: _SECONDS,
        IndicatorUnit.MILLISECONDS: _SECONDS * 1000,
        IndicatorUnit.MICROSECONDS: _SECONDS * 10**6,
    }
    assert clock_in(IndicatorKind.INTEGER, _STEPS, _NOW, Settings()) == {}


@pytest.mark.parametrize(
    ("declared", "clock"),
    [
        (IndicatorUnitSetting.MILLISECONDS, {IndicatorUnit.MILLISECONDS: _SECONDS * 1000}),
        (IndicatorUnitSetting.SECONDS, {IndicatorUnit.SECONDS: _SECONDS}),
        (IndicatorUnitSetting.PLAIN, {}),
    ],
)
def test_a_declared_unit_is_the_only_one_that_the_clock_has(
    declared: IndicatorUnitSetting, clock: dict[IndicatorUnit, int]
) -> None:
    settings = Settings(indicator_unit=declared)

    assert clock_in(IndicatorKind.INTEGER, _STEPS, _NOW, settings) == clock
    assert clock_in(IndicatorKind.INTEGER, _DAY, _NOW, settings) == clock


@pytest.mark.parametrize(
    ("greatest", "newest", "unit"),
    [
        (_SECONDS - 5, {"seconds": _SECONDS - 5, "milliseconds": _SECONDS - 5}, IndicatorUnit.SECONDS),
        (253402300799000, {"milliseconds": _SECONDS * 1000 - 9, "microseconds": 253402300799000}, "milliseconds"),
        (253402300799, {"seconds": _SECONDS - 9, "milliseconds": 253402300799}, IndicatorUnit.SECONDS),
        (_SECONDS + 99, {}, IndicatorUnit.SECONDS),
    ],
    ids=["one", "a mistyped year in milliseconds", "a mistyped year in seconds", "all in the future"],
)
def test_values_in_the_future_do_not_tell_the_unit(greatest: int, newest: dict[str, int], unit: str) -> None:
    """The year 9999 in milliseconds would be one of 1978 in microseconds."""
    assert _unit(greatest, **newest) == unit


@pytest.mark.parametrize("greatest", [20260301, -5, 0])
def test_a_number_that_is_no_time_has_no_unit(greatest: int) -> None:
    """Nobody guesses."""
    unit = _unit(greatest, seconds=greatest)

    assert isinstance(unit, UnknownUnit)
    assert f"{greatest} is no epoch time, so that a grace period of 1d says nothing" in unit.reason
    assert "Write a bare number, or set aggregate.incrementalUpdate.indicatorUnit" in unit.reason


@pytest.mark.parametrize(
    ("kind", "model_grace", "declared", "unit"),
    [
        (IndicatorKind.TIMESTAMP, _DAY, "infer", IndicatorUnit.MICROSECONDS),
        (IndicatorKind.INSTANT, _STEPS, "seconds", IndicatorUnit.MICROSECONDS),
        (IndicatorKind.INTEGER, _STEPS, "infer", IndicatorUnit.PLAIN),
        (IndicatorKind.INTEGER, _STEPS, "plain", IndicatorUnit.PLAIN),
        (IndicatorKind.INTEGER, _STEPS, "seconds", IndicatorUnit.SECONDS),
        (IndicatorKind.INTEGER, _DAY, "milliseconds", IndicatorUnit.MILLISECONDS),
    ],
    ids=["a timestamp", "an instant", "a bare grace period", "declared plain", "declared, in steps", "declared, a day"],
)
def test_a_unit_is_known_by_the_type_the_grace_period_or_a_setting(
    kind: IndicatorKind, model_grace: GracePeriod, declared: str, unit: IndicatorUnit
) -> None:
    settings = Settings(indicator_unit=IndicatorUnitSetting(declared))

    assert unit_of("at", kind, GracePeriods(model_grace, model_grace), IndicatorFacts(greatest=5), {}, settings) == unit


@pytest.mark.parametrize(
    "graces", [GracePeriods(_DAY, _DAY), GracePeriods(_STEPS, _DAY)], ids=["of the model", "of the batch"]
)
def test_a_time_says_nothing_about_plain_numbers(graces: GracePeriods) -> None:
    settings = Settings(indicator_unit=IndicatorUnitSetting.PLAIN)
    unit = unit_of("at", IndicatorKind.INTEGER, graces, IndicatorFacts(greatest=5), {}, settings)

    assert isinstance(unit, UnknownUnit)
    assert "is plain, and the grace period 1d is a time; write a bare number" in unit.reason
