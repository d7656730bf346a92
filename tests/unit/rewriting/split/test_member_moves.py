"""The members that rows move among, what the data must confirm of them, and where each row is shown."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.model.paths import GrainAttribute, Role
from airflow_atscale_aggs.engine.model.semantic_model import DegenerateColumns
from airflow_atscale_aggs.engine.rewriting.mdx.member_sets import Axis, Lagged, Move, Parallel, UpTo, Window
from airflow_atscale_aggs.engine.rewriting.split.member_moves import (
    Calendar,
    WantedMembers,
    calendar_of,
    member_datasets,
    over_members,
    proven_calendar,
    select_members,
    select_moved_rows,
)
from airflow_atscale_aggs.engine.sql.quoting import column_of
from airflow_atscale_aggs.engine.sql.statements import render
from tests.support.stars.asked_star import (
    SHOPS_ON_TWO_TABLES,
    AskedStar,
    asked_market,
    market_model,
    sorted_rows,
)

_ROLE = Role("Calendar")
_LEVELS = ("Year", "Month", "Day")
_AXIS = Axis(_ROLE, "Calendar levels", _LEVELS, frozenset({*_LEVELS, "Weekday"}))

_BEFORE = Lagged(_AXIS, 1)
_YEAR_AGO = Parallel(_AXIS, "Year", 1)
_TO_DATE = UpTo(_AXIS, "Year", "sum")

_OWN_PERIODS = (
    (
        "calendar",
        "      - unique_name: Month\n",
        (
            "      - unique_name: Month\n        parallel_periods:\n"
            "          - {level: Year, key_columns: [month_before]}\n"
        ),
    ),
    (
        "dataset_day",
        "columns:\n",
        (
            "columns:\n  - name: month_before\n    data_type: string\n"
            '    sql: "CAST(year - 1 AS VARCHAR) || SUBSTRING(month FROM 5)"\n'
        ),
    ),
)
"""Changes after which the model itself says which month lies one year before another."""


def _calendar(star: AskedStar, form: Move, *keys: str, determined: str = "", beside: str = "") -> Calendar:
    """The members of the last key, which is the current level."""
    wanted = WantedMembers(
        level=GrainAttribute(_ROLE, keys[-1]),
        keys={place: GrainAttribute(_ROLE, name) for place, name in enumerate(keys)},
        determined=frozenset(determined.split()),
        beside=tuple(GrainAttribute(_ROLE, name) for name in beside.split()),
    )
    return calendar_of(form, wanted, "Amount", star.model, star.paths)


def _names(calendar: Calendar) -> dict[int, str]:
    return {place: bound.attribute.name for place, bound in calendar.shown}


def _members_sql(star: AskedStar, calendar: Calendar) -> str:
    select = select_members(calendar, star.rows_of(calendar.part), _names(calendar))
    return render(select, star.session.dialect)


def test_a_move_by_one_needs_the_order_of_members_alone(market: AskedStar) -> None:
    """Also of months without facts; NULL is no member."""
    sql = _members_sql(market, _calendar(market, _BEFORE, "Month"))

    assert sorted_rows(market.session.fetch_all(sql)) == [
        *(("2024-01", 1), ("2024-02", 2), ("2024-03", 3), ("2025-01", 4), ("2025-02", 5)),
    ]


def test_a_move_within_an_ancestor_needs_the_number_of_the_ancestor(market: AskedStar) -> None:
    sql = _members_sql(market, _calendar(market, _TO_DATE, "Month"))

    assert sorted_rows(market.session.fetch_all(sql)) == [
        *(("2024-01", 1, 1), ("2024-02", 2, 1), ("2024-03", 3, 1), ("2025-01", 4, 2), ("2025-02", 5, 2)),
    ]


def test_a_move_to_a_parallel_member_needs_the_place_in_each_ancestor(market: AskedStar) -> None:
    """Year, day, position, number of the year, of the month in its year, of the day in its month."""
    sql = _members_sql(market, _calendar(market, _YEAR_AGO, "Year", "Day"))

    assert sorted_rows(market.session.fetch_all(sql)) == [
        (2024, "2024-01-30", 1, 1, 1, 1),
        (2024, "2024-01-31", 2, 1, 1, 2),
        (2024, "2024-02-06", 3, 1, 2, 1),
        (2024, "2024-03-01", 4, 1, 3, 1),
        (2025, "2025-01-03", 5, 2, 1, 1),
        (2025, "2025-02-04", 6, 2, 2, 1),
    ]


def test_the_model_may_say_itself_what_is_parallel(market: AskedStar) -> None:
    star = market.changed(market_model(*_OWN_PERIODS))
    sql = _members_sql(star, _calendar(star, _YEAR_AGO, "Month"))

    assert sorted_rows(star.session.fetch_all(sql))[3:] == [
        ("2025-01", "2025-01", "2024-01", 4),
        ("2025-02", "2025-02", "2024-02", 5),
    ]


def test_a_member_of_several_ancestors_lies_in_the_first_and_one_without_a_name_is_none() -> None:
    """March lies in two years, and with it its days."""
    with asked_market() as star:
        star.session.execute(
            "INSERT INTO day VALUES (8, NULL, '2024-02', 2024, 'Monday'), (9, '2025-03-03', '2024-03', 2025, NULL)"
        )
        months = _members_sql(star, _calendar(star, _TO_DATE, "Month"))
        days = _members_sql(star, _calendar(star, _YEAR_AGO, "Day"))

        assert [row for row in star.session.fetch_all(months) if row[0] == "2024-03"] == [("2024-03", 3, 1)]
        by_day = {row[0]: row[2:] for row in star.session.fetch_all(days)}
        assert (by_day["2024-03-01"], by_day["2025-03-03"]) == ((1, 3, 1), (1, 3, 2))
        assert None not in by_day


_ROWS = """
CREATE OR REPLACE TABLE part AS SELECT * FROM (VALUES
    ('2024-01', 'North', 35), ('2024-01', 'South', 1), ('2024-02', 'South', 40), ('2025-01', 'North', 80),
    (NULL, 'North', 320)
) AS v (month, city, amount)
"""


@pytest.mark.parametrize(
    ("move", "function", "expected"),
    [
        (
            *(_BEFORE, ""),
            [("2024-02", "North", 35), ("2024-02", "South", 1), ("2024-03", "South", 40), ("2025-02", "North", 80)],
        ),
        (
            *(Lagged(_AXIS, -1), ""),
            [("2024-01", "South", 40), ("2024-03", "North", 80)],
        ),
        (
            *(Lagged(_AXIS, 3), ""),
            [("2025-01", "North", 35), ("2025-01", "South", 1), ("2025-02", "South", 40)],
        ),
        (
            *(_YEAR_AGO, ""),
            [("2025-01", "North", 35), ("2025-01", "South", 1), ("2025-02", "South", 40)],
        ),
        (
            *(_TO_DATE, "sum"),
            [
                *(
                    ("2024-01", "North", 35),
                    ("2024-01", "South", 1),
                    ("2024-02", "North", 35),
                    ("2024-02", "South", 41),
                ),
                *(
                    ("2024-03", "North", 35),
                    ("2024-03", "South", 41),
                    ("2025-01", "North", 80),
                    ("2025-02", "North", 80),
                ),
            ],
        ),
        (
            *(Window(_AXIS, "avg", 1, 0), "avg"),
            [
                *(
                    ("2024-01", "North", 35),
                    ("2024-01", "South", 1),
                    ("2024-02", "North", 35),
                    ("2024-02", "South", 20.5),
                ),
                *(("2024-03", "South", 40), ("2025-01", "North", 80), ("2025-02", "North", 80)),
            ],
        ),
        (
            *(Window(_AXIS, "min", 0, -1), "min"),
            [
                *(("2024-01", "North", 35), ("2024-01", "South", 1), ("2024-02", "South", 40)),
                *(("2024-03", "North", 80), ("2025-01", "North", 80)),
            ],
        ),
    ],
    ids=["one before", "one after", "three before", "a year ago", "year to date", "a mean of two", "this or the next"],
)
def test_rows_are_shown_at_other_members(
    market: AskedStar, move: Move, function: str, expected: list[tuple[str, str, float]]
) -> None:
    """Keys of other dimensions stay; rows whose month is no member are shown nowhere."""
    calendar = _calendar(market, move, "Month")
    names = {0: "month", 1: "city"}
    market.session.execute(_ROWS)
    members = render(select_members(calendar, market.rows_of(calendar.part), names), market.session.dialect)
    market.session.execute(f"CREATE OR REPLACE TABLE members AS {members}")

    moved = select_moved_rows(calendar, move, "part", "members", names, {"amount": function})

    rows = market.session.fetch_all(render(moved, market.session.dialect))
    assert sorted_rows(rows) == sorted_rows(expected)


def test_the_model_s_own_parallel_members_are_met_by_key(market: AskedStar) -> None:
    star = market.changed(market_model(*_OWN_PERIODS))

    assert star.answer('SELECT "Month", "Amount", "Amount Year Ago" FROM market') == [
        *(("2024-01", 35, None), ("2024-02", 40, None), ("2025-01", 80, 35), ("2025-02", 160, 40)),
    ]


@pytest.mark.parametrize(
    ("function", "value"), [("sum", 6), ("min", 1), ("max", 3), ("avg", 2.0)], ids=["sum", "min", "max", "avg"]
)
def test_a_set_of_members_has_the_value_of_those_that_are_not_empty(
    market: AskedStar, function: str, value: float
) -> None:
    sql = render(over_members(function, column_of("x", "t")), market.session.dialect)

    assert market.session.fetch_all(f"SELECT {sql} FROM (VALUES (1), (2), (3), (NULL)) AS t (x)") == [(value,)]
    assert market.session.fetch_all(f"SELECT {sql} FROM (VALUES (1)) AS t (x) WHERE x > 1") == [(None,)]


def test_a_mean_is_a_double_whatever_the_type_of_its_members(market: AskedStar) -> None:
    sql = render(over_members("avg", column_of("x", "t")), market.session.dialect)

    ((mean,),) = market.session.fetch_all(f"SELECT {sql} FROM (VALUES (CAST(1 AS DECIMAL(9,2)))) AS t (x)")
    assert (mean, isinstance(mean, Decimal)) == (1.0, False)


@pytest.mark.parametrize(
    ("form", "keys", "claims"),
    [
        (_BEFORE, ["Month"], []),
        (_BEFORE, ["Year", "Month"], ["month → year"]),
        (_BEFORE, ["Day"], ["day_id → day_name"]),
        (_TO_DATE, ["Month"], []),
        (_YEAR_AGO, ["Day"], ["day_id → day_name", "day_id → month"]),
    ],
    ids=["a key alone", "what is shown", "a name", "the named ancestor may be several", "ancestors between"],
)
def test_the_data_must_say_that_a_member_has_one_value_of_what_is_shown(
    market: AskedStar, form: Move, keys: list[str], claims: list[str]
) -> None:
    calendar = _calendar(market, form, *keys)

    assert [f"{', '.join(claim.key)} → {', '.join(claim.columns)}" for claim in calendar.claims] == claims


def test_own_parallel_periods_are_claimed_to_be_one(market: AskedStar) -> None:
    star = market.changed(market_model(*_OWN_PERIODS))
    (claim,) = _calendar(star, _YEAR_AGO, "Month").claims

    assert (claim.dataset, claim.key, claim.columns) == ("day", ("month",), ("month_before",))


def test_everything_that_may_help_is_asked_at_once(market: AskedStar) -> None:
    calendar = _calendar(market, _BEFORE, "Weekday", "Day", beside="Year")

    claims = [f"{', '.join(claim.key)} → {', '.join(claim.columns)}" for claim in calendar.all_claims]
    assert claims == [
        *("day_id → weekday", "day_id → day_name"),
        *("day_name → day_id", "weekday, day_name → day_id", "day_name → day_id"),
        "day_id → year",
    ]


def test_a_key_beside_the_way_stays_where_the_data_does_not_say_that_a_member_has_one(market: AskedStar) -> None:
    calendar = _calendar(market, _BEFORE, "Weekday", "Month")
    weekday, month = calendar.one_value_of(dict(calendar.shown)[0]), calendar.name_claim

    assert (calendar.loose, _names(calendar)) == ((0,), {0: "Weekday", 1: "Month"})
    assert _names(proven_calendar(calendar, {weekday, month})) == {0: "Weekday", 1: "Month"}
    assert _names(proven_calendar(calendar, {month})) == {1: "Month"}


def test_what_the_level_determines_goes_with_the_member(market: AskedStar) -> None:
    calendar = _calendar(market, _BEFORE, "Weekday", "Day", determined="Weekday")

    assert (calendar.loose, _names(calendar)) == ((), {0: "Weekday", 1: "Day"})
    with pytest.raises(
        UnsupportedQueryError, match=r"\(day_id\) of `day` has several values of \(weekday\) in the data"
    ):
        proven_calendar(calendar, {calendar.name_claim})


def test_members_of_one_name_are_told_apart_by_all_that_is_shown(market: AskedStar) -> None:
    calendar = _calendar(market, _BEFORE, "Year", "Day")
    shown = calendar.shown_claim
    assert shown is not None

    assert proven_calendar(calendar, {*calendar.claims, calendar.name_claim}).is_identified_by_name
    assert not proven_calendar(calendar, {*calendar.claims, shown}).is_identified_by_name
    with pytest.raises(UnsupportedQueryError, match=r"several members of `Day` have one name.*levels above it as well"):
        proven_calendar(calendar, set(calendar.claims))


def test_days_of_one_name_are_moved_by_year_and_name() -> None:
    """Two days are named `first`, in two years."""
    with asked_market() as star:
        star.session.execute("UPDATE day SET day_name = 'first' WHERE day_id IN (1, 5)")

        assert star.answer('SELECT "Year", "Day", "Amount", "Amount Before" FROM market') == [
            (2024, "2024-01-31", 20, 15),
            (2024, "2024-02-06", 40, 20),
            (2024, "first", 15, None),
            (2025, "2025-02-04", 160, 80),
            (2025, "first", 80, None),
        ]


def test_values_of_another_dataset_do_not_tell_members_apart(market: AskedStar) -> None:
    calendar = _calendar(market, _BEFORE, "Year", "Month")
    elsewhere = replace(market.bound("Year"), dataset="shop")

    assert replace(calendar, shown=((0, elsewhere), calendar.shown[-1])).shown_claim is None


def test_a_condition_that_the_data_binds_to_the_level_is_refused(market: AskedStar) -> None:
    calendar = _calendar(market, _BEFORE, "Month", beside="Weekday")
    (weekday,) = calendar.beside

    assert proven_calendar(calendar, {calendar.name_claim}) == calendar
    with pytest.raises(
        UnsupportedQueryError, match="the data says that a member of `Month` has one `Weekday`, the model"
    ):
        proven_calendar(calendar, {calendar.one_value_of(weekday)})


def test_members_with_two_key_columns_have_no_order(market: AskedStar) -> None:
    star = market.changed(market_model(("calendar", "key_columns: [month]", "key_columns: [year, month]")))

    with pytest.raises(UnsupportedQueryError, match="members of `Month` have no order by one key column"):
        _calendar(star, _BEFORE, "Month")


def test_own_parallel_periods_lead_one_period_back_only(market: AskedStar) -> None:
    star = market.changed(market_model(*_OWN_PERIODS))

    with pytest.raises(UnsupportedQueryError, match="parallel periods of `Month` lead one period back only"):
        _calendar(star, replace(_YEAR_AGO, lag=2), "Month")


def test_members_must_be_in_one_dataset(market: AskedStar) -> None:
    star = market.changed(market_model(*SHOPS_ON_TWO_TABLES))
    role = Role("Shops")
    opening, city = GrainAttribute(role, "Opening"), GrainAttribute(role, "City")
    wanted = WantedMembers(level=opening, keys={0: opening, 1: city}, determined=frozenset({"City"}))
    axis = Axis(role, "Openings", ("Opening",), frozenset({"Opening"}))

    with pytest.raises(UnsupportedQueryError, match="no dataset of dimension `Shops` has all of Opening, City"):
        calendar_of(Lagged(axis, 1), wanted, "Amount", star.model, star.paths)


def test_members_are_read_from_the_datasets_of_the_finest_levels(market: AskedStar) -> None:
    two_tables = market_model(*SHOPS_ON_TWO_TABLES).dimensions["Shops"]
    channels = market.model.dimensions["Channels"]
    columns = DegenerateColumns(dataset="sales", key_columns=("channel",), name_column="channel")

    def shared(*facts: str) -> list[str]:
        owners = tuple(replace(columns, dataset=fact) for fact in facts)
        channel = replace(channels.attributes["Channel"], dataset="", shared=owners)
        return list(member_datasets(replace(channels, attributes={"Channel": channel})))

    assert list(member_datasets(two_tables)) == ["shop", "day"]
    assert (shared("sales"), shared("sales", "visits")) == (["sales"], [])
