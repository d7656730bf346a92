"""Which aggregates that demand has defined give way to others."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from airflow_atscale_aggs.engine.advising.advisor import Advice, FactWorkload, advise
from airflow_atscale_aggs.engine.advising.selection import Budget
from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, DefinitionOrigin, DefinitionStatus
from airflow_atscale_aggs.engine.lifecycle.advise.make_room import (
    NOTHING,
    Replaceable,
    best_way,
    served_long,
    ways_to_make_room,
)
from airflow_atscale_aggs.engine.registry.records import DefinitionRecord, ServiceRecord
from airflow_atscale_aggs.engine.settings import Settings
from tests.support.advice_cases import defined_part, sales_part, sales_requirement, sales_workload


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


def test_only_those_that_had_time_to_be_used_give_way() -> None:
    by_day = defined_part("by_day", "Day", rows=1000, is_demanded=True)
    workload = sales_workload(sales_requirement("Month", weight=1), defined=(by_day,))

    assert ways_to_make_room([workload], frozenset(), builds=1, in_bytes=False) == []


@pytest.mark.parametrize(
    ("size", "names"), [(0, ()), (-3, ()), (5, ("a",)), (6, ("a", "b")), (12, ("a", "b")), (99, ("a", "b", "c"))]
)
def test_no_more_give_way_than_room_is_needed(size: float, names: tuple[str, ...]) -> None:
    replaceable = Replaceable(sizes={"a": 5, "b": 7, "c": 9})

    assert (replaceable.first(size), replaceable.size) == (names, 21)


def test_ways_to_make_room_become_larger_the_least_worth_for_its_size_first() -> None:
    """Months are asked ten times as often as days, so that the aggregate of days is worth less for its size."""
    defined = (
        defined_part("by_day", "Day", rows=1000, is_demanded=True),
        defined_part("by_month", "Month", rows=30, is_demanded=True),
    )
    workload = sales_workload(
        sales_requirement("Month", weight=10), sales_requirement("Day", weight=1), defined=defined
    )

    ways = ways_to_make_room([workload], frozenset({"by_day", "by_month"}), builds=1, in_bytes=False)

    assert [dict(way.sizes) for way in ways] == [{"by_day": 1000}, {"by_day": 1000, "by_month": 30}]


def test_without_a_way_nothing_gives_way() -> None:
    workload = sales_workload(sales_requirement("Month", weight=1))

    def advised(workloads: Sequence[FactWorkload], way: Replaceable) -> Advice:
        return advise(workloads, Settings(), budget=Budget(size=0, count=5), builds=1)

    assert best_way([workload], [], advised, builds=1) == NOTHING


@pytest.mark.parametrize(("days", "names"), [(10, {"old", "young"}), (11, {"old"}), (30, {"old"}), (31, set())])
def test_an_aggregate_had_time_to_be_used_when_it_serves_for_some_days(days: int, names: set[str]) -> None:
    """One that has never served had none."""
    now = datetime(2026, 3, 1, tzinfo=UTC)
    levels = {"old": "Day", "young": "Month", "new": ""}
    records = [
        DefinitionRecord(
            definition=AggregateDefinition(
                model_id="m",
                name=name,
                label=name,
                origin=DefinitionOrigin.DEMAND_DEFINED,
                metrics=(),
                parts=(sales_part(*level.split()),),
            ),
            status=DefinitionStatus.DEFINED,
            created_at=now,
        )
        for name, level in levels.items()
    ]
    since = {"old": now - timedelta(days=30), "young": now - timedelta(days=10)}
    services = {
        record.definition.id: ServiceRecord(first_at=moment, since=moment, builds=1, build_seconds=1.0)
        for record in records
        if (moment := since.get(record.definition.name)) is not None
    }

    assert served_long(records, services, days=days, now=now) == names
