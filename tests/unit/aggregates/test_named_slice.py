"""Named slices: how ends are read, what they cover, and which say nothing about an indicator."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.aggregates.indicator import IndicatorKind, IndicatorUnit, render_bound
from airflow_atscale_aggs.engine.aggregates.named_slice import (
    NamedSlice,
    bounds_of,
    is_of_kind,
    is_readable,
    parse_slice,
)

_INTEGER, _TIMESTAMP, _INSTANT = IndicatorKind.INTEGER, IndicatorKind.TIMESTAMP, IndicatorKind.INSTANT
_MICROSECONDS = IndicatorUnit.MICROSECONDS


def _slice(first: str, last: str = "") -> NamedSlice:
    return NamedSlice(dataset="sales", first=first, last=last or first)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-01-03..2026-01-05", "2026-01-03..2026-01-05"),
        (" 5 .. 7 ", "5..7"),
        ("2026-01", "2026-01"),
        ("2026-01-03T07:00:00.5Z", "2026-01-03T07:00:00.5Z"),
        ("-5", "-5"),
        ("", None),
        ("..", None),
        ("5..", None),
        ("..5", None),
        ("1..2..3", None),
        ("1...3", None),
        ("2026-13", None),
        ("2026-02-29", None),
        ("2026-01-03T24", None),
        ("0000-01-01", None),
        ("٣", None),
        ("today", None),
    ],
)
def test_a_slice_is_two_values_or_one_for_both(text: str, shown: str | None) -> None:
    named = parse_slice("sales", text)

    assert (None if named is None else str(named)) == shown


@pytest.mark.parametrize(
    ("first", "last", "after", "through"),
    [
        ("2026-01-03", "2026-01-05", "2026-01-02 23:59:59.999999", "2026-01-05 23:59:59.999999"),
        ("2026-02", "", "2026-01-31 23:59:59.999999", "2026-02-28 23:59:59.999999"),
        ("2026-01-03T07", "2026-01-03 07:30", "2026-01-03 06:59:59.999999", "2026-01-03 07:30:59.999999"),
        ("2026-01-03T07:00:01", "", "2026-01-03 07:00:00.999999", "2026-01-03 07:00:01.999999"),
        ("2026-01-03T07:00:01.25", "", "2026-01-03 07:00:01.249999", "2026-01-03 07:00:01.259999"),
    ],
)
def test_an_open_end_covers_all_that_it_may_be(first: str, last: str, after: str, through: str) -> None:
    bounds = bounds_of(_slice(first, last), _TIMESTAMP, _MICROSECONDS)

    assert bounds is not None
    assert tuple(render_bound(_TIMESTAMP, bound) for bound in bounds) == (
        after,
        through,
    )


def test_the_end_of_the_calendar_can_be_named() -> None:
    assert bounds_of(_slice("9999-12"), _INTEGER, IndicatorUnit.SECONDS) == (253399622399, 253402300799)


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("5", IndicatorUnit.PLAIN, (4, 5)),
        ("1970-01-02", IndicatorUnit.SECONDS, (86399, 172799)),
        ("1970-01-02", IndicatorUnit.MILLISECONDS, (86399999, 172799999)),
        ("1970-01-01T00:00:00.25", IndicatorUnit.SECONDS, None),
        ("1970-01-01T01+01:00", IndicatorUnit.SECONDS, (-1, 3599)),
        ("1970-01-02", IndicatorUnit.PLAIN, None),
    ],
)
def test_numbers_are_steps_and_times_are_epochs(
    text: str, unit: IndicatorUnit, expected: tuple[int, int] | None
) -> None:
    """A time that lies between two steps covers none; plain numbers are no times."""
    assert bounds_of(_slice(text), _INTEGER, unit) == expected


@pytest.mark.parametrize(
    ("text", "kind", "is_one"),
    [
        ("2026-01-03T07+01:00", _TIMESTAMP, False),
        ("2026-01-03T07+01:00", _INSTANT, True),
        ("2026-01-03T07-0130", _INSTANT, True),
        ("20260103", _TIMESTAMP, False),
        ("20260103", _INTEGER, True),
    ],
)
def test_what_says_nothing_about_an_indicator_is_known(text: str, kind: IndicatorKind, is_one: bool) -> None:
    assert is_readable(text)
    assert is_of_kind(text, kind, _MICROSECONDS) is is_one


def test_offsets_are_taken_off() -> None:
    bounds = {bounds_of(_slice(f"1970-01-01T02{offset}"), _INSTANT, _MICROSECONDS) for offset in ("+02", "+02:00")}

    assert bounds == {(-1, 3600 * 10**6 - 1)}
    assert bounds_of(_slice("1969-12-31T22:30-01:30"), _INSTANT, _MICROSECONDS) == (-1, 60 * 10**6 - 1)


def test_a_slice_that_ends_before_it_begins_is_none() -> None:
    assert bounds_of(_slice("2026-01-02", "2026-01-01"), _TIMESTAMP, _MICROSECONDS) is None
    assert bounds_of(_slice("2", "1"), _INTEGER, IndicatorUnit.PLAIN) is None
