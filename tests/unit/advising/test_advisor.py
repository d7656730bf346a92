"""Which aggregates are advised for the queries of a fact: what they save, what they cost, what is predicted of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_atscale_aggs.engine.advising.advisor import (
    Advice,
    FactWorkload,
    Proposal,
    advise,
    answers,
    measures_at_most,
    servable,
)
from airflow_atscale_aggs.engine.advising.candidates import JoinLimits
from airflow_atscale_aggs.engine.advising.grains import GrainSpace
from airflow_atscale_aggs.engine.advising.query_requirements import QueryRequirement, combine_requirements
from airflow_atscale_aggs.engine.advising.selection import Budget
from airflow_atscale_aggs.engine.advising.widths import RowWidths
from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.measures import row_count
from airflow_atscale_aggs.engine.settings import Settings
from tests.support.advice_cases import (
    DAY,
    MANY_ROWS,
    MONTH,
    defined_part,
    sales_part,
    sales_requirement,
    sales_workload,
)
from tests.support.grain_cases import CUSTOMERS, LEVELS, PROVEN

_BUDGET = Budget(size=MANY_ROWS, count=10)


def _advise(*workloads: FactWorkload, builds: float = 0, budget: Budget = _BUDGET, **settings: Any) -> Advice:
    return advise(workloads, replace(Settings(), **settings), budget=budget, builds=builds)


def _grain(proposal: Proposal) -> str:
    return " ".join(bound.attribute.name for bound in proposal.part.attributes)


def _grains(advice: Advice) -> set[str]:
    return {_grain(proposal) for proposal in advice.proposals}


def test_upkeep_is_what_the_nearest_chosen_source_costs() -> None:
    """A month's aggregate is built from the day's: thirty rows are worth it where a scan of the facts would not be."""
    workload = sales_workload(sales_requirement("Day", weight=100), sales_requirement("Month", weight=30))
    advice = _advise(workload, builds=10)
    by_grain = {_grain(proposal): proposal for proposal in advice.proposals}

    assert set(by_grain) == {"Day", "Month"}
    assert by_grain["Day"].upkeep == 10 * (MANY_ROWS + 1000)
    assert by_grain["Month"].upkeep == 10 * (1000 + 30)
    assert by_grain["Month"].saved == 30 * (MANY_ROWS - 30)
    assert advice.cost_after == 100 * 1000 + 30 * 30


def test_increments_read_the_fact_once_together() -> None:
    """So an aggregate pays that would not pay if it were built in full each time."""
    requirement = sales_requirement("Month", weight=5)
    full = _advise(sales_workload(requirement), builds=10)
    incremental = _advise(sales_workload(requirement, is_incremental=True), builds=10)

    assert (_grains(full), _grains(incremental)) == (set(), {"Month"})
    assert incremental.proposals[0].upkeep == MANY_ROWS + 10 * 30


def test_upkeep_is_told_for_one_build_where_nobody_knows_how_many_there_are() -> None:
    (proposal,) = _advise(sales_workload(sales_requirement("Month", weight=1))).proposals

    assert proposal.upkeep == MANY_ROWS + 30


def test_what_a_defined_aggregate_gives_is_what_it_costs_today() -> None:
    """Another one must be better than that."""
    by_day = defined_part("by_day", "Day", rows=1000)
    workload = sales_workload(sales_requirement("Month", weight=10), defined=(by_day,))
    advice = _advise(workload)

    assert advice.cost_before == 10 * 1000
    assert _grains(advice) == {"Month"}
    assert _grains(_advise(workload, builds=100)) == set()


def test_the_most_saving_proposal_comes_first_and_says_for_which_query() -> None:
    workload = sales_workload(
        sales_requirement("Day", weight=2), sales_requirement("Month", weight=9), sales_requirement(weight=1)
    )
    first, *others = _advise(workload).proposals

    assert (_grain(first), first.queries, first.heaviest_cost) == ("Month", 9, MANY_ROWS)
    assert first.heaviest.grain == {MONTH.attribute}
    assert first.saved == 9 * (MANY_ROWS - 30)
    assert {_grain(proposal) for proposal in others} == {"Day", ""}
    assert [proposal.saved for proposal in others] == sorted((proposal.saved for proposal in others), reverse=True)


@pytest.mark.parametrize(
    ("budget", "grains"),
    [
        (Budget(size=1030, count=10), {"Day", "Month"}),
        (Budget(size=1029, count=10), {"Day Month"}),
        (Budget(size=999, count=10), {"Month"}),
        (Budget(size=1030, count=1), {"Day Month"}),
        (Budget(size=29, count=10), set()),
        (Budget(size=1030, count=0), set()),
    ],
)
def test_a_budget_limits_rows_and_number(budget: Budget, grains: set[str]) -> None:
    """A day's aggregate serves both queries where there is no room for a month's, and then stores the month as well."""
    workload = sales_workload(sales_requirement("Day", weight=100), sales_requirement("Month", weight=30))

    assert _grains(_advise(workload, budget=budget)) == grains


def test_a_budget_in_bytes_is_never_exceeded() -> None:
    """Rows are as wide as they could become: two attributes, and the two measures that may be stored."""
    widths = RowWidths(attributes={DAY.attribute: 4, MONTH.attribute: 6}, measure=8, row=24)
    workload = sales_workload(sales_requirement("Day", weight=100), sales_requirement("Month", weight=1), widths=widths)
    most = 1000 * (24 + 4 + 6 + 2 * 8)
    fitting, tight = (_advise(workload, budget=Budget(size=size, count=10, in_bytes=True)) for size in (most, most - 1))

    assert (_grains(fitting), _grains(tight)) == ({"Day Month"}, {"Month"})
    (proposal,) = fitting.proposals
    assert (proposal.rows, proposal.size_bytes) == (1000, most)


def test_estimates_are_to_be_measured_before_advice_is_followed() -> None:
    shop = LEVELS["Shop"]
    counts = {frozenset({bound.attribute}): rows for bound, rows in ((MONTH, 30.0), (shop, 50.0))}
    space = GrainSpace((MONTH, shop), PROVEN, fact_rows=MANY_ROWS, measured=counts)
    workload = replace(sales_workload(sales_requirement("Month", "Shop", weight=10)), space=space)

    (estimated,) = (before := _advise(workload)).proposals
    space.learn({frozenset({MONTH.attribute, shop.attribute}): 900.0})
    (measured,) = (after := _advise(workload)).proposals

    assert (estimated.is_measured, measured.is_measured, measured.rows) == (False, True, 900)
    assert estimated.rows == pytest.approx(30 * 50, rel=0.01)
    assert (before.to_measure, after.to_measure) == ((estimated.part,), ())


def test_requirements_that_no_aggregate_may_answer_are_told_with_the_reason() -> None:
    workload = sales_workload(sales_requirement("Day", weight=1), sales_requirement(weight=1))
    advice = _advise(workload, joins=False)

    assert _grains(advice) == {""}
    ((requirement, reason),) = advice.refused
    assert requirement.grain == {DAY.attribute}
    assert reason == "`Day` is joined, which `aggregates.create.joins.enabled` forbids"
    fitting, refused = servable(workload, replace(Settings(), joins=False))
    assert ([requirement.grain for requirement in fitting], refused) == ([frozenset()], list(advice.refused))


@pytest.mark.parametrize(
    ("settings", "grains"),
    [
        ({"create_threshold": True, "create_compression": 1000}, {"Day"}),
        ({"create_threshold": True, "create_compression": 1001}, set()),
        ({"create_threshold": False, "create_compression": 1001}, {"Day"}),
    ],
)
def test_an_aggregate_must_be_so_much_smaller_than_its_fact(settings: dict[str, Any], grains: set[str]) -> None:
    assert _grains(_advise(sales_workload(sales_requirement("Day", weight=1)), **settings)) == grains


def test_a_defined_system_aggregate_of_the_same_grain_is_widened() -> None:
    """The proposal has its measures too, so that it can take its place."""
    by_month = defined_part("by_month", "Month", rows=30, is_system=True)
    workload = sales_workload(sales_requirement("Month", weight=10, columns="quantity"), defined=(by_month,))
    (wide,) = _advise(workload).proposals
    (narrow,) = _advise(workload, widening=False).proposals

    assert (wide.metrics, narrow.metrics) == (("amount", "quantity"), ("quantity",))


@pytest.mark.parametrize(
    ("room", "metrics"),
    [(0, ("amount",)), (1, ("amount", "tax")), (2, ("amount", "price", "quantity")), (3, None)],
)
def test_measures_are_added_while_there_is_room(room: int, metrics: tuple[str, ...] | None) -> None:
    """The heaviest requirement is stored whatever it needs; a lighter one is passed over when it needs too much."""
    workload = sales_workload(
        sales_requirement("Month", weight=9),
        sales_requirement("Month", weight=5, columns="quantity price"),
        sales_requirement("Month", weight=1, columns="tax"),
    )
    (first, *_) = _advise(workload, widening_measures=room).proposals

    assert first.metrics == (metrics or ("amount", "price", "quantity", "tax"))


@pytest.mark.parametrize(
    ("settings", "most"),
    [({"widening": False}, 2), ({"widening_measures": 1}, 3), ({"widening_measures": 9}, 4)],
)
def test_no_proposal_stores_more_measures_than_were_counted_on(settings: dict[str, Any], most: int) -> None:
    """The row count, one or two sums that are asked for, and one that a system-defined aggregate stores."""
    workload = sales_workload(
        sales_requirement("Month", weight=9),
        sales_requirement("Day", weight=5, columns="quantity"),
        defined=(
            defined_part("system", "Month", rows=30, columns="tax", is_system=True),
            defined_part("users", "Month", rows=30, columns="price"),
        ),
    )

    assert measures_at_most(workload, workload.requirements, replace(Settings(), **settings)) == most
    assert measures_at_most(replace(workload, defined=()), (), Settings()) == 0


@pytest.mark.parametrize(("narrowing", "grains"), [(True, {"Month"}), (False, set())])
def test_a_narrower_grain_than_a_defined_one_needs_a_setting(narrowing: bool, grains: set[str]) -> None:
    """The setting off, what a defined aggregate determines is not proposed; its own grain may be."""
    by_day = defined_part("by_day", "Day", rows=1000)
    workload = sales_workload(sales_requirement("Month", weight=10), defined=(by_day,))

    assert _grains(_advise(workload, narrowing=narrowing)) == grains
    own = sales_workload(sales_requirement("Day", weight=10, columns="quantity"), defined=(by_day,))
    assert _grains(_advise(own, narrowing=narrowing)) == {"Day"}


@pytest.mark.parametrize(("room", "metrics"), [(0, ("customers",)), (1, ("amount", "customers"))])
def test_an_exact_distinct_count_is_stored_at_its_own_grain(room: int, metrics: tuple[str, ...]) -> None:
    """With all attributes that are asked for; its measure comes first, however light its requirement is."""
    exact = FactPart(fact="sales", attributes=(DAY, MONTH), measures=tuple(sorted({row_count("sales"), CUSTOMERS})))
    needs = [QueryRequirement(part=exact, weight=3, metrics=("customers",)), sales_requirement("Day", weight=50)]
    workload = replace(sales_workload(), requirements=combine_requirements(needs))

    (proposal,) = _advise(workload, widening_measures=room).proposals

    assert (_grain(proposal), proposal.metrics) == ("Day Month", metrics)


def test_facts_share_one_budget() -> None:
    visits = replace(sales_workload(), fact="visits")
    part = FactPart(fact="visits", attributes=(MONTH,), measures=(row_count("visits"),))
    visits = replace(visits, requirements=(QueryRequirement(part=part, weight=50, metrics=("visitors",)),))
    workloads = (sales_workload(sales_requirement("Month", weight=10)), visits)

    advice_for_both, advice_for_visits = (_advise(*workloads, budget=Budget(size=size, count=9)) for size in (60, 59))

    assert [proposal.part.fact for proposal in advice_for_both.proposals] == ["visits", "sales"]
    assert [proposal.part.fact for proposal in advice_for_visits.proposals] == ["visits"]
    assert advice_for_both.cost_before == 60 * MANY_ROWS
    assert advice_for_visits.cost_after == 10 * MANY_ROWS + 50 * 30


def test_nothing_is_advised_where_nothing_is_asked() -> None:
    assert _advise() == _advise(sales_workload())
    assert _advise(sales_workload()).proposals == ()


def test_a_requirement_is_answered_by_what_the_lattice_derives_it_from() -> None:
    by_month = sales_requirement("Month", weight=1)

    assert answers(sales_part("Day", columns="amount quantity"), by_month, PROVEN)
    assert not answers(sales_part("Day"), by_month, frozenset())
    assert not answers(sales_part("Month", columns="quantity"), by_month, PROVEN)


def test_the_cost_of_today_is_the_smallest_defined_aggregate_that_answers() -> None:
    by_month = sales_requirement("Month", weight=1)
    workload = sales_workload(
        by_month,
        defined=(
            defined_part("by_day", "Day", rows=1000),
            defined_part("by_month", "Month", rows=30),
            defined_part("not_counted", "Month", rows=None),
            defined_part("of_another_measure", "Month", rows=1, columns="quantity"),
        ),
    )
    costs = [
        changed.cost_today(by_month)
        for changed in (workload, workload.without({"by_month"}), workload.without({"by_month", "by_day"}))
    ]

    assert costs == [30, 1000, MANY_ROWS]


@pytest.mark.parametrize(
    ("in_bytes", "spent"),
    [(False, {"counted": 1000, "told": 30, "new": 0}), (True, {"counted": 16_000, "told": 777, "new": 0})],
)
def test_what_demand_has_defined_is_spent(in_bytes: bool, spent: dict[str, float]) -> None:
    """Bytes are those of the table, or else rows times what the columns take."""
    workload = sales_workload(
        defined=(
            defined_part("counted", "Day", rows=1000, is_demanded=True),
            defined_part("told", "Month", rows=30, size_bytes=777, is_demanded=True),
            defined_part("new", "Month", rows=None, is_demanded=True),
            defined_part("users", "Month", rows=30),
        )
    )

    assert workload.spent(in_bytes=in_bytes) == spent


def test_an_aggregate_is_worth_what_it_saves_beside_all_others() -> None:
    """Days are read for both queries; months save little beside them, and a copy of the days nothing."""
    workload = sales_workload(
        sales_requirement("Day", weight=10),
        sales_requirement("Month", weight=20),
        defined=(
            defined_part("by_day", "Day", rows=1000, is_demanded=True),
            defined_part("by_month", "Month", rows=30, is_demanded=True),
            defined_part("of_nothing", "Month", rows=30, columns="quantity", is_demanded=True),
            defined_part("not_counted", "Day", rows=None, is_demanded=True),
            defined_part("users", "Day", rows=1000, columns="quantity"),
        ),
    )

    assert workload.upkeep(2) == {
        "by_day": 2 * (MANY_ROWS + 1000),
        "by_month": 2 * (1000 + 30),
        "of_nothing": 2 * (1000 + 30),
        "not_counted": 2 * (1000 + 0),
    }
    assert workload.worth(2) == {
        "by_day": 10 * (MANY_ROWS - 1000) - 2 * (MANY_ROWS + 1000),
        "by_month": 20 * (1000 - 30) - 2 * (1000 + 30),
        "of_nothing": -2 * (1000 + 30),
    }


def test_limits_of_an_incremental_fact_make_upkeep_cheaper() -> None:
    by_day = defined_part("by_day", "Day", rows=1000, is_demanded=True)
    workload = sales_workload(defined=(by_day,))
    incremental = replace(workload, limits=JoinLimits(key_values={}, is_incremental=True))

    assert incremental.upkeep(5) == {"by_day": MANY_ROWS + 5 * 1000}
    assert workload.upkeep(5) == {"by_day": 5 * (MANY_ROWS + 1000)}
