"""Tables of days are found by what is in them."""

from __future__ import annotations

from datetime import date, timedelta

from airflow_atscale_aggs.engine.discovery.calendars import find_calendar
from airflow_atscale_aggs.engine.discovery.references import Names
from tests.support.stars.table_rows import Columns, profiles_of

_DAYS = [date(2020, 1, 1) + timedelta(days=number) for number in range(731)]
_CALENDAR: Columns = {
    "d_key": [int(day.strftime("%Y%m%d")) for day in _DAYS],
    "d_day": _DAYS,
    "d_year": [day.year for day in _DAYS],
    "d_month_of_year": [day.month for day in _DAYS],
    "d_month_seq": [day.year * 12 + day.month for day in _DAYS],
    "d_fiscal_year": [day.year for day in _DAYS],
}


def test_a_calendar_tells_its_years_and_months() -> None:
    names = Names(profiles_of({"dim_date": _CALENDAR}))
    found = find_calendar(names.tables["dim_date"], names, ["d_day", "d_key"])

    assert found is not None
    assert (found.day, found.units) == ("d_day", {"year": ("d_year",), "month": ("d_month_seq",)})
    assert found.reason == "731 different days from 2020-01-01 to 2021-12-31 in `d_day`"


def test_days_may_be_numbers() -> None:
    names = Names(profiles_of({"dates": {name: _CALENDAR[name] for name in ("d_key", "d_year")}}))
    found = find_calendar(names.tables["dates"], names, ["d_key"])

    assert found is not None
    assert found.day == ""


def test_a_table_with_a_unique_date_is_no_calendar_by_that_alone() -> None:
    orders: Columns = {"ordered": _DAYS[::30], "amount": [1] * 25}
    names = Names(profiles_of({"orders": orders, "d": {"x": [1, 2]}}))

    assert find_calendar(names.tables["orders"], names, ["ordered"]) is None
    assert find_calendar(names.tables["d"], names, ["x"]) is None
