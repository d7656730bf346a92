"""Which aggregates that demand has defined give way to others."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from airflow_atscale_aggs.engine.advising.advisor import Advice, FactWorkload, advise
from airflow_atscale_aggs.engine.advising.selection import Budget
from airflow_atscale_aggs.engine.lifecycle.advise.make_room import Replaceable, best_way, ways_to_make_room
from airflow_atscale_aggs.engine.settings import Settings
from tests.support.advice_cases import defined_part, sales_requirement, sales_workload


@pytest.mark.parametrize(("weight", "leaving"), [(100, {"by_day"}), (10, set())])
def test_an_aggregate_makes_room_when_queries_read_clearly_less_without_it(weight: float, leaving: set[str]) -> None:
    """Months may be read from days, 1000 rows each time; a table of 30 rows has no room beside it. 5 % is too little to
    change.
    """
    by_day = defined_part("by_day", "Day", rows=1000, is_demanded=True)
    by_user = defined_part("by_user", "Day", rows=1000, columns="quantity")
    workload = sales_workload(sales_requirement("Month", weight=weight), defined=(by_day, by_user))
    ways = ways_to_make_room([workload], frozenset({"by_day", "by_user"}), builds=1, in_bytes=False)

    def advised(workloads: Sequence[FactWorkload], way: Replaceable) -> Advice:
        return advise(workloads, Settings(), budget=Budget(size=10 + way.size, count=5), builds=1)

    assert [set(way.sizes) for way in ways] == [{"by_day"}]
    assert set(best_way([workload], ways, advised, builds=1).sizes) == leaving


def test_the_least_worth_go_first_until_there_is_room() -> None:
    assert Replaceable(sizes={"a": 5, "b": 7, "c": 9}).first(6) == ("a", "b")


def test_only_those_that_had_time_to_be_used_give_way() -> None:
    by_day = defined_part("by_day", "Day", rows=1000, is_demanded=True)
    workload = sales_workload(sales_requirement("Month", weight=1), defined=(by_day,))

    assert ways_to_make_room([workload], frozenset(), builds=1, in_bytes=False) == []
