"""Indicators as numbers: values, units, grace periods, and bounds that no row in time falls below in any time zone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_atscale_aggs.engine.aggregates.indicator import (
    GracePeriod,
    Indicator,
    IndicatorKind,
    IndicatorUnit,
    RowRange,
    infer_unit,
    moment_of,
    parse_grace_period,
    parse_indicator_value,
    render_bound,
    settled_bound,
)

_UTC = ZoneInfo("UTC")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "America/Caracas",
)


def _indicator(kind: IndicatorKind, unit: IndicatorUnit = IndicatorUnit.MICROSECONDS) -> Indicator:
    return Indicator(column="at", data_type="", kind=kind, unit=unit)


def _micros(moment: datetime) -> int:
    """Of a naive time as written, of an aware one in UTC."""
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - _EPOCH) // timedelta(microseconds=1)


_MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))
_NEAR_A_CHANGE = st.builds(
    lambda hours, minutes: datetime(2026, 10, 25, tzinfo=UTC) + timedelta(hours=hours, minutes=minutes),
    st.integers(-8, 8),
    st.integers(0, 59),
)
"""Around the moment at which clocks are put back in Berlin."""


@given(
    began=st.one_of(_MOMENTS, _NEAR_A_CHANGE),
    lag=st.integers(-7200, 7200),
    grace=st.integers(0, 7200),
    later=st.integers(0, 3 * 86400),
    age=st.integers(0, 7200),
    name=st.sampled_from(_ZONES),
)
def test_no_row_in_time_falls_below_a_settled_bound(
    began: datetime, lag: int, grace: int, later: int, age: int, name: str
) -> None:
    """Civil time of a zone, clocks put back or not; facts that lag behind the clock or are ahead of it."""
    zone = ZoneInfo(name)
    greatest = (began - timedelta(seconds=lag)).astimezone(zone).replace(tzinfo=None)
    bound = settled_bound(
        _indicator(IndicatorKind.TIMESTAMP), GracePeriod(grace, "s"), greatest=_micros(greatest), now=began, zone=zone
    )

    since = min(began, greatest.replace(tzinfo=zone, fold=0).astimezone(UTC))
    row = since + timedelta(seconds=later) - timedelta(seconds=min(age, grace))

    assert _micros(row.astimezone(zone).replace(tzinfo=None)) > bound


def test_clocks_that_are_put_back_hold_the_bound_back() -> None:
    """02:50 of summer time in Berlin; half an hour later it is 02:20, and a row of then must be above the bound."""
    began = datetime(2026, 10, 25, 0, 50, tzinfo=UTC)
    zone = ZoneInfo("Europe/Berlin")
    greatest = _micros(datetime(2026, 10, 25, 2, 49))

    bound = settled_bound(
        _indicator(IndicatorKind.TIMESTAMP), GracePeriod(10, "m"), greatest=greatest, now=began, zone=zone
    )

    assert render_bound(IndicatorKind.TIMESTAMP, bound) == "2026-10-25 01:38:59.999999"


@given(now=_MOMENTS, ahead=st.integers(-(10**6), 10**6), grace=st.integers(0, 10**5))
def test_instants_and_epochs_agree(now: datetime, ahead: int, grace: int) -> None:
    """The same moment as a timestamp with a zone, and as seconds and milliseconds since 1970."""
    now = now.replace(microsecond=0)
    seconds = _micros(now) // 10**6 + ahead
    bounds = [
        settled_bound(_indicator(kind, unit), GracePeriod(grace, "s"), greatest=seconds * steps, now=now, zone=_UTC) + 1
        for kind, unit, steps in (
            (IndicatorKind.INSTANT, IndicatorUnit.MICROSECONDS, 10**6),
            (IndicatorKind.INTEGER, IndicatorUnit.SECONDS, 1),
            (IndicatorKind.INTEGER, IndicatorUnit.MILLISECONDS, 1000),
        )
    ]
    whole = min(_micros(now) // 10**6, seconds) - grace

    assert bounds == [whole * 10**6, whole, whole * 1000]


@pytest.mark.parametrize("greatest", ["9999-12-31 23:59:59.999999", "0001-01-02 00:00:01"])
@pytest.mark.parametrize("grace", [GracePeriod(1, "s"), GracePeriod(10**12 - 1, "w")])
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
def test_bounds_stay_in_the_calendar(greatest: str, grace: GracePeriod, zone: str) -> None:
    """The last moment that there is, as some use it for "open", the first, and a grace period longer than history."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for kind in (IndicatorKind.TIMESTAMP, IndicatorKind.INSTANT):
        text = greatest if kind is IndicatorKind.TIMESTAMP else f"{greatest}+00"
        value = parse_indicator_value(kind, text)
        assert value is not None

        bound = settled_bound(_indicator(kind), grace, greatest=value, now=now, zone=ZoneInfo(zone))

        assert bound < _micros(now) + 14 * 3600 * 10**6
        assert parse_indicator_value(kind, render_bound(kind, bound)) == bound


def test_plain_numbers_know_no_clock() -> None:
    """An id that is greater than the time in seconds is no row of the future."""
    plain = _indicator(IndicatorKind.INTEGER, IndicatorUnit.PLAIN)
    now = datetime(2026, 1, 1, tzinfo=UTC)

    assert settled_bound(plain, GracePeriod(100, ""), greatest=9 * 10**9, now=now, zone=_UTC) == 9 * 10**9 - 101


def test_a_bare_grace_period_is_in_units_of_the_indicator() -> None:
    """Of numeric ones; that of timestamps is in seconds (AtScale: "always interpreted as Seconds")."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    millis = _indicator(IndicatorKind.INTEGER, IndicatorUnit.MILLISECONDS)
    instant = _indicator(IndicatorKind.INSTANT)

    assert settled_bound(millis, GracePeriod(500, ""), greatest=10**12, now=now, zone=_UTC) == 10**12 - 501
    assert settled_bound(instant, GracePeriod(5, ""), greatest=10**12, now=now, zone=_UTC) == 10**12 - 5 * 10**6 - 1


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (IndicatorKind.INTEGER, "-12", -12),
        (IndicatorKind.INTEGER, "12345678901234567890123456789.000", 12345678901234567890123456789),
        (IndicatorKind.INTEGER, "1.5", None),
        (IndicatorKind.INTEGER, "NaN", None),
        (IndicatorKind.TIMESTAMP, "1970-01-01 00:00:01", 10**6),
        (IndicatorKind.TIMESTAMP, "1970-01-01T00:00:01.000001", 10**6 + 1),
        (IndicatorKind.TIMESTAMP, "1970-01-01 00:00:00.123456789", 123457),
        (IndicatorKind.TIMESTAMP, "1970-01-01 00:00:00.123456000", 123456),
        (IndicatorKind.TIMESTAMP, "infinity", None),
        (IndicatorKind.INSTANT, "1970-01-01 01:00:00+01", 0),
        (IndicatorKind.INSTANT, "1970-01-01 05:30:00.5 +0530", 500000),
        (IndicatorKind.INSTANT, "1969-12-31 21:30:00-02:30", 0),
        (IndicatorKind.INSTANT, "1970-01-01 00:00:00 UTC", 0),
        (IndicatorKind.INSTANT, "-1500000", -1500000),
        (IndicatorKind.INSTANT, "1970-01-01 00:00:00", None),
        (IndicatorKind.TIMESTAMP, "1500000", None),
    ],
)
def test_values_as_warehouses_write_them(kind: IndicatorKind, text: str, expected: int | None) -> None:
    """Digits beyond microseconds round up, so that a row is not above its own bound."""
    assert parse_indicator_value(kind, text) == expected


@given(st.integers(-(10**15), 4 * 10**15), st.sampled_from(list(IndicatorKind)))
def test_bounds_read_back_as_they_were_written(bound: int, kind: IndicatorKind) -> None:
    """No bound drifts on its way through SQL."""
    assert parse_indicator_value(kind, render_bound(kind, bound)) == bound


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1475191168, IndicatorUnit.SECONDS),
        (1475191168000, IndicatorUnit.MILLISECONDS),
        (1475191168000000, IndicatorUnit.MICROSECONDS),
        (20260101, None),
        (0, None),
        (-1475191168, None),
    ],
)
def test_units_are_inferred_where_only_one_makes_sense(value: int, expected: IndicatorUnit | None) -> None:
    """AtScale's own example calls milliseconds seconds; a day's grace period would be 86 seconds."""
    assert infer_unit(value) is expected


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("12h", 43_200), ("7d", 604_800), ("1w", 604_800), (" 2 d ", 172_800), ("45", 45)],
)
def test_units_of_a_grace_period(text: str, seconds: int) -> None:
    """Those of SML; a bare number is seconds, where seconds are meant at all."""
    grace = parse_grace_period(text)

    assert grace is not None
    assert grace.seconds == seconds


@pytest.mark.parametrize("text", ["", "d", "1y", "1.5h", "-1d", "1 2", "1d2h"])
def test_what_is_no_grace_period(text: str) -> None:
    """A whole number, and one unit or none."""
    assert parse_grace_period(text) is None


@pytest.mark.parametrize(
    ("kind", "unit", "zone", "moment"),
    [
        (IndicatorKind.TIMESTAMP, IndicatorUnit.MICROSECONDS, "UTC", "2026-07-01 10:00:00.500000"),
        (IndicatorKind.TIMESTAMP, IndicatorUnit.MICROSECONDS, "Europe/Berlin", "2026-07-01 12:00:00.500000"),
        (IndicatorKind.INSTANT, IndicatorUnit.MICROSECONDS, "Europe/Berlin", "2026-07-01 10:00:00.500000+00:00"),
        (IndicatorKind.INTEGER, IndicatorUnit.SECONDS, "Europe/Berlin", "1782900000"),
        (IndicatorKind.INTEGER, IndicatorUnit.MILLISECONDS, "Europe/Berlin", "1782900000500"),
    ],
)
def test_a_moment_as_an_indicator_writes_it(kind: IndicatorKind, unit: IndicatorUnit, zone: str, moment: str) -> None:
    """Only a timestamp without a zone shows the clock of one."""
    now = datetime(2026, 7, 1, 10, 0, 0, 500_000, tzinfo=UTC)

    assert render_bound(kind, moment_of(kind, unit, now, ZoneInfo(zone))) == moment


def test_a_grace_period_is_shown_as_it_was_written() -> None:
    assert [str(parse_grace_period(text)) for text in (" 2 d ", "45", "0s")] == ["2d", "45", "0s"]


def test_ranges_for_people() -> None:
    """Open below, closed above."""
    rows = RowRange(column="at", kind=IndicatorKind.INTEGER, after=3, through=7)

    assert [str(rows), str(replace(rows, after=None)), str(replace(rows, through=None))] == [
        "(3, 7]",
        "(-∞, 7]",
        "(3, ∞)",
    ]
