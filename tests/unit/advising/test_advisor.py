"""Advice without a warehouse: upkeep, incremental facts, limits on joins, structure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from airflow_atscale_aggs.engine.advising.advisor import Advice, DefinedPart, FactWorkload, advise
from airflow_atscale_aggs.engine.advising.candidates import JoinLimits, unwanted_attributes
from airflow_atscale_aggs.engine.advising.grains import GrainSpace
from airflow_atscale_aggs.engine.advising.query_requirements import QueryRequirement, combine_requirements
from airflow_atscale_aggs.engine.advising.selection import Budget
from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.lattice import dependency_of
from airflow_atscale_aggs.engine.aggregates.measures import StoredFunction, StoredMeasure, row_count
from airflow_atscale_aggs.engine.lifecycle.advise.make_room import Replaceable, best_way, ways_to_make_room
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute, JoinKind, JoinStep, Role
from airflow_atscale_aggs.engine.settings import Settings

_FACT = 1_000_000
_STEP = JoinStep(JoinKind.UNIQUE_KEY, "sales", ("day_id",), "day", ("day_id",))
_BUDGET = Budget(size=_FACT, count=10)


def _bound(name: str, column: str, determines: frozenset[str]) -> BoundAttribute:
    return BoundAttribute(
        attribute=GrainAttribute(Role("Calendar"), name),
        label=name,
        dataset="day",
        key_columns=(column,),
        name_column=column,
        steps=(_STEP,),
        determines=determines,
    )


_DAY = _bound("Day", "day_id", frozenset({"Month"}))
_MONTH = _bound("Month", "month", frozenset())
_CLAIM = dependency_of(_MONTH, _DAY)
_PROVEN = frozenset({_CLAIM}) if _CLAIM is not None else frozenset()
_MEASURED = {frozenset({_DAY.attribute}): 1000.0, frozenset({_MONTH.attribute}): 30.0}


def _need(*attributes: BoundAttribute, weight: float, column: str = "amount") -> QueryRequirement:
    measures = (StoredMeasure(StoredFunction.SUM, "sales", column), row_count("sales"))
    part = FactPart(fact="sales", attributes=attributes, measures=tuple(sorted(measures)))
    return QueryRequirement(part=part, weight=weight, metrics=(column,))


def _demand(
    *needs: QueryRequirement, is_incremental: bool = False, defined: tuple[DefinedPart, ...] = ()
) -> FactWorkload:
    return FactWorkload(
        fact="sales",
        space=GrainSpace((_DAY, _MONTH), _PROVEN, fact_rows=_FACT, measured=_MEASURED),
        requirements=combine_requirements(needs),
        limits=JoinLimits(key_values={"day": 1000}, is_incremental=is_incremental),
        proven=_PROVEN,
        defined=defined,
    )


def _grains(advice: Advice) -> set[str]:
    return {"+".join(bound.attribute.name for bound in one.part.attributes) for one in advice.proposals}


def test_upkeep_is_what_the_nearest_chosen_source_costs() -> None:
    """A month's aggregate is built from the day's: thirty rows are worth it where a scan of the facts would not be."""
    demand = _demand(_need(_DAY, weight=100), _need(_MONTH, weight=30))
    advice = advise([demand], Settings(), budget=_BUDGET, builds=10)
    by_name = {one.part.attributes[0].attribute.name: one for one in advice.proposals}

    assert _grains(advice) == {"Day", "Month"}
    assert by_name["Day"].upkeep == 10 * (_FACT + 1000)
    assert by_name["Month"].upkeep == 10 * (1000 + 30)
    assert by_name["Month"].saved == 30 * (_FACT - 30)
    assert advice.cost_after == 100 * 1000 + 30 * 30


def test_increments_read_the_fact_once_together() -> None:
    """So an aggregate pays that would not pay if it were built in full each time."""
    needs = (_need(_MONTH, weight=5),)
    full = advise([_demand(*needs)], Settings(), budget=_BUDGET, builds=10)
    incremental = advise([_demand(*needs, is_incremental=True)], Settings(), budget=_BUDGET, builds=10)

    assert (_grains(full), _grains(incremental)) == (set(), {"Month"})
    assert incremental.proposals[0].upkeep == _FACT + 10 * 30


def test_what_a_defined_aggregate_gives_is_what_it_costs_today() -> None:
    """Another one must be better than that."""
    by_day = DefinedPart(name="by_day", part=_need(_DAY, weight=1).part, rows=1000)
    demand = _demand(_need(_MONTH, weight=10), defined=(by_day,))
    advice = advise([demand], Settings(), budget=_BUDGET, builds=0)

    assert advice.cost_before == 10 * 1000
    assert _grains(advice) == {"Month"}
    assert _grains(advise([demand], Settings(), budget=_BUDGET, builds=100)) == set()


def test_a_defined_system_aggregate_of_the_same_grain_is_widened() -> None:
    """The proposal has its measures too, so that it can take its place."""
    by_month = DefinedPart(
        name="by_month", part=_need(_MONTH, weight=1).part, rows=30, metrics=("amount",), is_system=True
    )
    demand = _demand(_need(_MONTH, weight=10, column="quantity"), defined=(by_month,))
    (one,) = advise([demand], Settings(), budget=_BUDGET, builds=0).proposals
    (narrow,) = advise([demand], replace(Settings(), widening=False), budget=_BUDGET, builds=0).proposals

    assert (one.metrics, narrow.metrics) == (("amount", "quantity"), ("quantity",))


def test_datasets_that_change_under_an_incremental_aggregate() -> None:
    """Joined unless a setting forbids it; immutable ones always."""
    space = GrainSpace((_MONTH,), frozenset(), fact_rows=_FACT, measured=_MEASURED)
    limits = JoinLimits(key_values={"day": 1000}, is_incremental=True, unsafe=frozenset({"day"}))
    strict = replace(Settings(), joins_may_prevent_incremental=False)

    assert unwanted_attributes(space, limits, Settings()) == {}
    reasons = unwanted_attributes(space, limits, strict)
    assert reasons == {
        _MONTH.attribute: "`Month` is in `day`, which is not immutable, and the fact is built by increments"
    }
    assert unwanted_attributes(space, replace(limits, unsafe=frozenset()), strict) == {}
    assert unwanted_attributes(space, replace(limits, is_incremental=False), strict) == {}


@pytest.mark.parametrize(("weight", "leaving"), [(100, {"by_day"}), (10, set())])
def test_who_makes_room(weight: float, leaving: set[str]) -> None:
    """Months may be read from days, 1000 rows each time; a table of 30 rows has no room beside it. 5 % is too little to
    change.
    """
    by_day = DefinedPart(name="by_day", part=_need(_DAY, weight=1).part, rows=1000, is_demanded=True)
    by_user = DefinedPart(name="by_user", part=_need(_DAY, weight=1, column="quantity").part, rows=1000)
    demand = _demand(_need(_MONTH, weight=weight), defined=(by_day, by_user))
    ways = ways_to_make_room([demand], frozenset({"by_day", "by_user"}), builds=1, in_bytes=False)

    def advised(demands: Sequence[FactWorkload], way: Replaceable) -> Advice:
        return advise(demands, Settings(), budget=Budget(size=10 + way.size, count=5), builds=1)

    assert [set(one.sizes) for one in ways] == [{"by_day"}]
    assert set(best_way([demand], ways, advised, builds=1).sizes) == leaving
    assert Replaceable(sizes={"a": 5, "b": 7, "c": 9}).first(6) == ("a", "b")
    assert ways_to_make_room([demand], frozenset(), builds=1, in_bytes=False) == []
