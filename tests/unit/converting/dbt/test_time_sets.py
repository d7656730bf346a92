"""Windows are counted in days; what has no fixed number of days is none."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.converting.dbt.time_sets import (
    at_opening,
    cumulated,
    earlier,
    earlier_column,
    is_period,
    opening_filter,
    periods_earlier,
    periods_from_first_days,
    periods_to_end,
    window_days,
    window_of,
)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("7 days", 7),
        ("1 day", 1),
        ("2 Weeks", 14),
        ("1 month", None),
        ("seven days", None),
        ("", None),
        ("999999 days", None),
    ],
)
def test_windows_in_days(text: str, days: int | None) -> None:
    assert window_days(text) == days


def test_sets_are_asked_by_day_only() -> None:
    window = "[metric_time].[metric_time].CurrentMember.Lag(6):[metric_time].[metric_time].CurrentMember"

    assert cumulated("[m]", days=7, grain="") == (
        f"(CASE WHEN [Measures].[time_spine days] = 1 THEN Aggregate({window}, [m]) ELSE NULL END)"
    )
    assert "PeriodsToDate([metric_time].[metric_time weeks].[metric_time__week]" in cumulated(
        "[m]", days=None, grain="week"
    )
    assert "Lag(3), [m])" in earlier("[m]", 3)
    assert (is_period("month"), is_period("day")) == (True, False)


def test_periods_earlier_are_parallel_or_members_of_their_level() -> None:
    one, three = periods_earlier("[m]", 1, "month"), periods_earlier("[m]", 3, "quarter")

    assert "(ParallelPeriod([metric_time].[metric_time].[metric_time__month], 1, " in one
    assert "[time_spine days] >= 90 AND [Measures].[time_spine days] <= 92 THEN" in three
    assert "CurrentMember.Lag(3), [m])" in three
    assert (window_of("3 Quarters"), window_of("3 decades")) == ((3, "quarter"), None)


def test_columns_of_earlier_periods() -> None:
    assert earlier_column("ds", "day", "quarter") == "CAST(ds - INTERVAL '3 months' AS DATE)"
    assert earlier_column("ds", "month", "year") == "DATE_TRUNC('month', ds) - INTERVAL '1 year'"


def test_the_beginning_of_a_period_is_what_its_first_day_has() -> None:
    mdx = at_opening("[all]", "[first]", "year")

    assert "Aggregate(PeriodsToDate([metric_time].[metric_time].[metric_time__year]" in mdx
    assert "[time_spine days] <= 366 THEN [all]" in mdx
    assert opening_filter("year") == (
        "{{ TimeDimension('metric_time', 'day') }} = {{ TimeDimension('metric_time', 'year') }}"
    )


@pytest.mark.parametrize(
    ("grain", "grains"), [("", ("month", "quarter", "year")), ("quarter", ("month", "quarter")), ("week", ("week",))]
)
def test_the_end_of_a_period_has_what_its_members_have_until_then(grain: str, grains: tuple[str, ...]) -> None:
    found, mdx = periods_to_end("[m]", grain)

    assert found == grains
    assert mdx.count("Aggregate(") == len(grains)
    assert ("PeriodsToDate(" in mdx) == bool(grain)


def test_the_first_day_of_a_period_has_what_it_has_alone() -> None:
    assert periods_from_first_days({"year": "[first]"}) == (
        "COALESCE((CASE WHEN [Measures].[time_spine days] >= 365 AND [Measures].[time_spine days] <= 366 "
        "THEN [first] ELSE NULL END), NULL)"
    )
