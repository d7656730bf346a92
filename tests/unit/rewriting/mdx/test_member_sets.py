"""The members at which a calculated metric is measured are looked up in a model, or refused by name."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.model.paths import GrainAttribute, Role
from airflow_atscale_aggs.engine.model.semantic_model import Perspective
from airflow_atscale_aggs.engine.rewriting.flat_table import SurfaceNames
from airflow_atscale_aggs.engine.rewriting.mdx.mdx_reader import Coordinate, MeasureAt, read_mdx
from airflow_atscale_aggs.engine.rewriting.mdx.member_sets import (
    Axis,
    Between,
    Each,
    Form,
    Frame,
    Lagged,
    Parallel,
    UpTo,
    Window,
    Without,
    resolve,
)
from tests.support.stars.shop_star import shop_model, shop_names, shop_paths

_CALENDAR, _SENT, _SHOPS = Role("Calendar"), Role("Calendar", "Sent {0}"), Role("Shops")
_LEVELS, _DAYS = ("Year", "Month", "Day"), frozenset({"Year", "Month", "Day", "Weekday"})
_MONTHS = Axis(_CALENDAR, "Months", _LEVELS, _DAYS)
_SENT_MONTHS = Axis(_SENT, "Sent Months", _LEVELS, _DAYS)
_WEEKS = Axis(_CALENDAR, "Weeks", ("Week", "Day"), frozenset({"Week", "Day", "Weekday"}))
_WEEKDAY = Axis(_CALENDAR, "Weekday", ("Weekday",), frozenset({"Weekday"}), is_hierarchy=False)
_MONTH, _CITY = GrainAttribute(_CALENDAR, "Month"), GrainAttribute(_SHOPS, "City")

_M = "[Measures].[Amount]"
_C = "[Calendar].[Months].CurrentMember"


def _coordinates(mdx: str) -> tuple[Coordinate, ...]:
    """Of the only measure in a text."""
    measures: list[MeasureAt] = []

    def put(measured: MeasureAt) -> str:
        measures.append(measured)
        return ""

    read_mdx(mdx, put)
    (measure,) = measures
    return measure.coordinates


@pytest.mark.parametrize(
    ("mdx", "form"),
    [
        (f"({_C}.PrevMember, {_M})", Lagged(_MONTHS, 1)),
        (f"({_C}.Lead(2), {_M})", Lagged(_MONTHS, -2)),
        (f"([calendar].[WEEKS].CurrentMember.Lag(3), {_M})", Lagged(_WEEKS, 3)),
        (f"([Sent Calendar].[Sent Months].CurrentMember.PrevMember, {_M})", Lagged(_SENT_MONTHS, 1)),
        (f"(ParallelPeriod([Calendar].[Months].[Year], 2), {_M})", Parallel(_MONTHS, "Year", 2)),
        (f"(ParallelPeriod([Calendar].[Months].[year], 1, {_C}), {_M})", Parallel(_MONTHS, "Year", 1)),
        (f"Sum({_C}.Lag(2):{_C}, {_M})", Window(_MONTHS, "sum", 2, 0)),
        (f"Avg({_C}.Lag(1):{_C}.Lead(1), {_M})", Window(_MONTHS, "avg", 1, -1)),
        (f"Aggregate(PeriodsToDate([Calendar].[Months].[Month], {_C}), {_M})", UpTo(_MONTHS, "Month", "aggregate")),
        (f"Max(PeriodsToDate([Calendar].[Weeks].[Week]), {_M})", UpTo(_WEEKS, "Week", "max")),
        (f"Avg([Calendar].[Months].[Month].Members, {_M})", Each(_MONTHS, _MONTH, "avg")),
        (f"Min([Calendar].[Weekday].Members, {_M})", Each(_WEEKDAY, GrainAttribute(_CALENDAR, "Weekday"), "min")),
        (
            f"Min([Calendar].[Months].[Weekday].Members, {_M})",
            Each(_WEEKDAY, GrainAttribute(_CALENDAR, "Weekday"), "min"),
        ),
        (
            f"Sum([Calendar].[Months].[Month].&[Jan]:[Calendar].[Months].[Month].&[Mar], {_M})",
            Between(_MONTHS, _MONTH, "sum", "Jan", "Mar"),
        ),
    ],
)
def test_a_form_of_time_is_looked_up_in_its_hierarchy(mdx: str, form: Form) -> None:
    """Names are compared without case, and roles are part of them."""
    assert resolve("Amount", _coordinates(mdx), shop_names()) == ((), Frame(form=form))


@pytest.mark.parametrize(
    ("mdx", "slices"),
    [
        (_M, ()),
        (f"([Shops].[City].&[North], {_M})", ((_CITY, "North"),)),
        (f"([Shops].[Places].[City].&[North], {_M})", ((_CITY, "North"),)),
        (
            f"([Shops].[City].&[North], [Calendar].[Month].&[Jan], {_M})",
            ((_CITY, "North"), (_MONTH, "Jan")),
        ),
        (f"([Sent Calendar].[Sent Month].&[Jan], {_M})", ((GrainAttribute(_SENT, "Month"), "Jan"),)),
        (f"({_C}, {_M})", ()),
    ],
)
def test_a_member_by_its_key_is_a_slice_and_the_current_member_changes_nothing(
    mdx: str, slices: tuple[tuple[GrainAttribute, str], ...]
) -> None:
    assert resolve("Amount", _coordinates(mdx), shop_names()) == (slices, None)


@pytest.mark.parametrize(
    ("mdx", "frame"),
    [
        (f"([Shops].[All], {_M})", Frame(without=(Without(_SHOPS, frozenset({"City", "Shop", "Size"})),))),
        (f"([Shops].[Size].[All], {_M})", Frame(without=(Without(_SHOPS, frozenset({"Size"})),))),
        (f"([Calendar].[Weeks].[All], {_M})", Frame(without=(Without(_CALENDAR, _WEEKS.belonging),))),
        (
            f"([Shops].[All], [Shops].[City].CurrentMember, {_M})",
            Frame(without=(Without(_SHOPS, frozenset({"City", "Shop", "Size"})),), current=(_CITY,)),
        ),
        (
            f"([Calendar].[Months].[All], [Shops].[City].CurrentMember, {_M})",
            Frame(without=(Without(_CALENDAR, _DAYS),)),
        ),
        (
            f"([Shops].[City].[All], {_C}.PrevMember, {_M})",
            Frame(without=(Without(_SHOPS, frozenset({"City"})),), form=Lagged(_MONTHS, 1)),
        ),
    ],
)
def test_the_all_member_leaves_the_attributes_of_a_hierarchy_out(mdx: str, frame: Frame) -> None:
    """What is said to be current stays current among what is left out."""
    assert resolve("Amount", _coordinates(mdx), shop_names()) == ((), frame)


def test_a_slice_and_a_form_of_another_dimension_go_together() -> None:
    slices, frame = resolve("Amount", _coordinates(f"({_C}.PrevMember, [Shops].[City].&[North], {_M})"), shop_names())

    assert slices == ((_CITY, "North"),)
    assert frame == Frame(form=Lagged(_MONTHS, 1))


@pytest.mark.parametrize(
    ("mdx", "reason"),
    [
        (f"({_C}.PrevMember, [Sent Calendar].[Sent Months].CurrentMember.PrevMember, {_M})", "two in one tuple"),
        (f"([Shops].[City].&[North], [Shops].[City].&[South], {_M})", "names another member of one attribute"),
        (f"({_C}.PrevMember, [Calendar].[Month].&[Jan], {_M})", "names two members of dimension `Calendar`"),
        (f"({_C}.PrevMember, [Calendar].[Weeks].[All], {_M})", "names two members of dimension `Calendar`"),
        (f"([Shops].[City].[All], [Shops].[City].&[North], {_M})", "names two members of dimension `Shops`"),
        (f"([Shops].[City].CurrentMember.PrevMember, {_M})", "`City` is an attribute, not a hierarchy"),
        (f"([Shops].[Towns].CurrentMember.PrevMember, {_M})", "`Shops.Towns` is no hierarchy of the model"),
        (f"([Ships].[Places].CurrentMember.PrevMember, {_M})", "`Ships.Places` names no dimension of the model"),
        (f"([Calendar].CurrentMember.PrevMember, {_M})", "`Calendar` is no hierarchy of the model"),
        (f"([Calendar].CurrentMember, {_M})", "the current member of `Calendar` is one of which hierarchy?"),
        (f"(ParallelPeriod([Calendar].[Months].[Decade]), {_M})", "hierarchy `Months` has no level `Decade`"),
        (f"(ParallelPeriod([Calendar].[Weeks].[Week], 1, {_C}), {_M})", "`Calendar.Months` is another hierarchy than"),
        (f"Sum(PeriodsToDate([Calendar].[Weeks].[Week], {_C}), {_M})", "is another hierarchy than `Weeks`"),
        (f"Sum({_C}.Lag(1):[Calendar].[Weeks].CurrentMember, {_M})", "is another hierarchy than `Months`"),
        (f"Sum({_C}:{_C}.Lag(1), {_M})", "its range ends before it begins"),
        (
            f"Sum([Calendar].[Month].&[Jan]:[Calendar].[Year].&[2000], {_M})",
            "its range begins and ends at members of two levels",
        ),
        (f"Sum([Calendar].[Weeks].[Month].Members, {_M})", "`Month` is no level of `Weeks`"),
        (f"Sum([Calendar].[Months].[Decade].Members, {_M})", "`Decade` is no attribute of the model"),
        (f"([Calendar].[Quantity].&[1], {_M})", "`Quantity` is no attribute"),
    ],
)
def test_what_the_model_does_not_have_or_a_tuple_says_twice_is_refused(mdx: str, reason: str) -> None:
    with pytest.raises(UnsupportedQueryError) as error:
        resolve("Amount", _coordinates(mdx), shop_names())

    assert reason in error.value.reason
    assert error.value.clause == "Amount"
    assert str(error.value).startswith("`Amount` is not answered: a calculated metric measures it elsewhere, and ")


def test_a_calculation_knows_what_a_perspective_hides() -> None:
    hiding = Perspective(name="p", metrics=frozenset(), attributes=frozenset({("Shops", "City")}))
    names = SurfaceNames(shop_model(), shop_paths(), hiding)

    assert not names.has("City")
    assert resolve("Amount", _coordinates(f"([Shops].[City].&[North], {_M})"), names) == (((_CITY, "North"),), None)
