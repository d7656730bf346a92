"""Windows are counted in days; what has no fixed number of days is none."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.converting.dbt.time_sets import cumulated, earlier, is_period, window_days


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
