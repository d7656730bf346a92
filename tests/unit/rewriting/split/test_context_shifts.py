"""Which keys and conditions of a query hold for a metric that is measured at other members."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.rewriting.mdx.member_sets import Lagged, Move, Parallel, UpTo, Window
from airflow_atscale_aggs.engine.rewriting.split.context_shifts import ContextShift
from tests.support.part_text import condition_text
from tests.support.stars.asked_star import AskedStar

_DAYS = "[Calendar].[Calendar levels]"
_HERE = f"{_DAYS}.CurrentMember"

_CALCULATIONS = {
    "All Days": f"({_DAYS}.[All], [Measures].[Amount])",
    "All but Here": f"([Calendar].[All], {_HERE}, [Measures].[Amount])",
    "All Channels": "([Channels].[All], [Measures].[Amount])",
    "Customers of Cities": "Aggregate([Shops].[City].[City].Members, [Measures].[Customers])",
    "Customers of Spring": f"Aggregate({_DAYS}.[Month].&[2024-02]:{_DAYS}.[Month].&[2024-03], [Measures].[Customers])",
    "Early Weekdays": "Sum([Calendar].[Weekday].&[Friday]:[Calendar].[Weekday].&[Tuesday], [Measures].[Amount])",
    "Visitors per Channel": "Avg([Channels].[Channel].[Channel].Members, [Measures].[Visitors])",
    "Amount per Kind": "Avg([Reasons].[Kind].[Kind].Members, [Measures].[Amount])",
    "Amount of Shops": "Sum([Shops].[Shop].&[1]:[Shops].[Shop].&[2], [Measures].[Amount])",
    "Kind Before": "([Reasons].[Reasons levels].CurrentMember.PrevMember, [Measures].[Amount])",
    "Month to Date": f"Aggregate(PeriodsToDate({_DAYS}.[Month], {_HERE}), [Measures].[Amount])",
    "Month Ago": f"(ParallelPeriod({_DAYS}.[Month], 1, {_HERE}), [Measures].[Amount])",
    "Amount Around": f"Sum({_HERE}.Lag(1):{_HERE}.Lead(1), [Measures].[Amount])",
    "Two Before": f"Sum({_HERE}.Lag(2):{_HERE}.Lag(1), [Measures].[Amount])",
}


@pytest.fixture(scope="module")
def star(market: AskedStar) -> AskedStar:
    """The market with further calculations."""
    return market.with_calculations(_CALCULATIONS)


def _shift(star: AskedStar, sql: str) -> tuple[ContextShift | None, str, str]:
    """The shift of the last fact query, its keys and its conditions."""
    query, fact_query = star.only_part(sql)
    keys = ", ".join(query.name_of_key(place) for place in fact_query.keys)
    return fact_query.shift, keys, condition_text(fact_query.where, fact_query)


@pytest.mark.parametrize(
    ("sql", "keys", "where"),
    [
        ('SELECT "City", "Month", "Amount of All Shops" FROM market', "Month", ""),
        (
            """SELECT "Month", "Amount of All Shops" FROM market WHERE "City" = 'North' AND "Channel" = 'web'""",
            *("Month", """"Channel" = 'web'"""),
        ),
        ("""SELECT "Month", "City", "All Days" FROM market WHERE "Weekday" = 'Friday'""", "City", ""),
        ("""SELECT "City", "All Channels" FROM market WHERE "Channel" = 'web'""", "City", ""),
        ('SELECT "Month", "Weekday", "All but Here" FROM market', "Month", ""),
        (
            """SELECT "Weekday", "Year", "All but Here" FROM market WHERE "Month" = '2024-01'""",
            *("Year", """"Month" = '2024-01'"""),
        ),
        (
            """SELECT "Channel", "All but Here" FROM market WHERE "Month" = '2024-01'""",
            *("Channel", """"Month" = '2024-01'"""),
        ),
    ],
)
def test_the_all_member_replaces_keys_and_conditions_of_its_dimension(
    star: AskedStar, sql: str, keys: str, where: str
) -> None:
    """Attributes whose current member a tuple names as well stay."""
    shift, own_keys, own_where = _shift(star, sql)

    assert (own_keys, own_where) == (keys, where)
    assert shift is not None
    assert (shift.move, shift.each) == (None, None)


@pytest.mark.parametrize(
    ("sql", "keys", "where", "member"),
    [
        (
            """SELECT "Month", "City", "Amount per City" FROM market WHERE "City" > 'A' AND "Channel" = 'web'""",
            *("Month", """"City" > 'A' AND "Channel" = 'web' AND NOT "City" IS NULL""", "avg City"),
        ),
        ('SELECT "Shop", "Amount per City" FROM market', "Shop", 'NOT "City" IS NULL', "avg City"),
        ('SELECT "Month", "Customers of Cities" FROM market', "Month", 'NOT "City" IS NULL', ""),
        (
            """SELECT "Year", "City", "Amount of Spring" FROM market WHERE "Month" = '2025-01' AND "Channel" = 'web'""",
            *("City", """"Channel" = 'web' AND "Month" >= '2024-02' AND "Month" <= '2024-03'""", "sum Month"),
        ),
        (
            'SELECT "City", "Customers of Spring" FROM market',
            *("City", """"Month" >= '2024-02' AND "Month" <= '2024-03'""", ""),
        ),
        (
            """SELECT "Weekday", "Early Weekdays" FROM market WHERE "Month" = '2024-01'""",
            *("", """"Month" = '2024-01' AND "Weekday" >= 'Friday' AND "Weekday" <= 'Tuesday'""", "sum Weekday"),
        ),
    ],
)
def test_a_function_over_members_groups_by_them_and_brings_them_together(
    star: AskedStar, sql: str, keys: str, where: str, member: str
) -> None:
    """``Aggregate`` measures all of them at once. Filters on a range's own dimension are overridden, others hold."""
    _, fact_query = star.only_part(sql)
    shift, own_keys, own_where = _shift(star, sql)

    assert (own_keys, own_where) == (keys, where)
    assert shift is not None
    name = fact_query.attributes[shift.each].attribute.name if shift.each is not None else ""
    assert f"{shift.function} {name}".strip() == member


def _move_text(move: Move | None) -> str:
    match move:
        case Lagged(lag=lag):
            return f"lag {lag}"
        case Parallel(level=level, lag=lag):
            return f"{level} {lag} ago"
        case UpTo(level=level, function=function):
            return f"{function} up to date in {level}"
        case Window(function=function, first=first, last=last):
            return f"{function} from {first} to {last} before"
    return ""


@pytest.mark.parametrize(
    ("sql", "move", "level"),
    [
        ('SELECT "Month", "Amount Before" FROM market', "lag 1", "Month"),
        ('SELECT "Year", "Month", "Amount Before" FROM market', "lag 1", "Month"),
        ('SELECT "Year", "City", "Amount Before" FROM market', "lag 1", "Year"),
        ('SELECT "Year", "Month", "Amount Year Ago" FROM market', "Year 1 ago", "Month"),
        ('SELECT "Year", "Amount Year Ago" FROM market', "lag 1", "Year"),
        ('SELECT "Month", "Month Ago" FROM market', "lag 1", "Month"),
        ('SELECT "Day", "Month Ago" FROM market', "Month 1 ago", "Day"),
        ('SELECT "Month", "Amount to Date" FROM market', "aggregate up to date in Year", "Month"),
        ('SELECT "Month", "Month to Date" FROM market', "aggregate from 0 to 0 before", "Month"),
        ('SELECT "Month", "Moving Amount" FROM market', "avg from 1 to 0 before", "Month"),
        ('SELECT "Day", "Amount Around" FROM market', "sum from 1 to -1 before", "Day"),
    ],
)
def test_the_current_member_is_that_of_the_finest_level_that_is_grouped_by(
    star: AskedStar, sql: str, move: str, level: str
) -> None:
    shift, *_ = _shift(star, sql)

    assert shift is not None
    assert shift.calendar is not None
    assert (_move_text(shift.move), shift.calendar.level) == (move, level)


@pytest.mark.parametrize(
    ("sql", "where", "beside"),
    [
        ("""SELECT "Month", "Amount Before" FROM market WHERE "Year" = 2024""", "", []),
        ("""SELECT "Year", "Amount Before" FROM market WHERE "Month" > '2024-01'""", "", []),
        (
            """SELECT "Month", "Amount Before" FROM market WHERE "Channel" = 'web' AND "City" <> 'South'""",
            *(""""Channel" = 'web' AND "City" <> 'South'""", []),
        ),
        ("""SELECT "Day", "Amount Before" FROM market WHERE "Weekday" = 'Friday'""", "", []),
        (
            """SELECT "Month", "Amount Before" FROM market WHERE "Weekday" = 'Friday'""",
            *(""""Weekday" = 'Friday'""", ["Weekday"]),
        ),
    ],
    ids=["coarser level", "finer level", "other dimensions", "determined", "not determined"],
)
def test_a_move_overrides_the_conditions_on_levels_and_on_what_the_level_determines(
    star: AskedStar, sql: str, where: str, beside: list[str]
) -> None:
    shift, _, own_where = _shift(star, sql)

    assert own_where == where
    assert shift is not None
    assert shift.calendar is not None
    assert [bound.attribute.name for bound in shift.calendar.beside] == beside


@pytest.mark.parametrize(
    "sql",
    [
        'SELECT "City", "Amount Before" FROM market',
        'SELECT "City", "Amount to Date" FROM market',
        'SELECT "City", "Two Before" FROM market',
        'SELECT "Year", "Month to Date" FROM market',
        'SELECT "Year", "Month Ago" FROM market',
    ],
)
def test_a_metric_is_empty_where_it_stands_at_no_member(star: AskedStar, sql: str) -> None:
    """The All member has no neighbours, and a level has no place within a level below it."""
    _, fact_query = star.only_part(sql)

    assert fact_query.metrics == {}


def test_a_window_around_the_all_member_is_the_all_member(star: AskedStar) -> None:
    shift, keys, _ = _shift(star, 'SELECT "City", "Amount Around" FROM market')

    assert keys == "City"
    assert shift is not None
    assert (shift.function, shift.move) == ("", None)


@pytest.mark.parametrize(
    ("sql", "is_over_rows"),
    [
        ('SELECT "Month", "Amount to Date" FROM market', False),
        ('SELECT "Month", "Mean to Date" FROM market', True),
        ('SELECT "Month", "Moving Amount" FROM market', False),
    ],
)
def test_rows_are_counted_at_each_member_anew_where_values_do_not_add_up(
    star: AskedStar, sql: str, is_over_rows: bool
) -> None:
    shift, *_ = _shift(star, sql)

    assert shift is not None
    assert shift.is_over_rows is is_over_rows


@pytest.mark.parametrize(
    ("sql", "clause", "reason"),
    [
        (
            'SELECT "City" || "Month" AS x, "Amount of All Shops" FROM market',
            *('`"City" || "Month"`', "it binds `City`, which a calculated metric of `Amount` replaces"),
        ),
        (
            """SELECT "Month", "Amount of All Shops" FROM market WHERE "City" = 'North' OR "Month" = '2024-01'""",
            *('OR "Month"', "Put them into conditions of their own"),
        ),
        (
            'SELECT "Weekday", "All but Here" FROM market',
            *("`Amount`", "the current member of `Year`, `Month`, `Day` is not told by the query"),
        ),
        (
            'SELECT UPPER("Month") AS m, "Amount Before" FROM market',
            *("`Amount`", 'the query groups by `UPPER("Month")`, not by a level'),
        ),
        (
            'SELECT "Weekday", "Amount Before" FROM market',
            *("`Amount`", "Group by a level of `Calendar levels` instead"),
        ),
        (
            'SELECT "Weekday", "Amount of Spring" FROM market',
            *('`"Weekday"`', "the current level does not determine it"),
        ),
        (
            """SELECT "City", "Amount of Spring" FROM market WHERE "Weekday" = 'Friday'""",
            *("""`"Weekday" = 'Friday'`""", "in which a calculated metric of `Amount` fixes members"),
        ),
        ('SELECT "City", "Visitors per Channel" FROM market', "`Visitors`", "its fact does not reach `Channel`"),
        ('SELECT "City", "Amount per Kind" FROM market', "`Amount`", "rows have several members of `Kind`, which"),
        (
            'SELECT "City", "Amount of Shops" FROM market',
            "`Amount`",
            "members of `Shop` have a key that queries do not",
        ),
        ('SELECT "Kind", "Kind Before" FROM market', "`Amount`", "rows have several members of `Kind`."),
    ],
)
def test_a_query_that_mixes_what_is_replaced_with_what_holds_is_refused(
    star: AskedStar, sql: str, clause: str, reason: str
) -> None:
    with pytest.raises(UnsupportedQueryError) as error:
        star.split(sql)

    assert clause in str(error.value)
    assert reason in str(error.value)
