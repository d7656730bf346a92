"""Lists of batches with the counts of their instances, and how long batches and builds usually take."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus, InstanceStatus
from airflow_atscale_aggs.engine.errors import CursorError, NotRegisteredError
from airflow_atscale_aggs.engine.registry.batch_lists import BatchFilter
from airflow_atscale_aggs.engine.registry.registry import Registry
from tests.support.registry_content import HOUR, MODEL, NOW, OTHER_MODEL, build, open_batch, run_batch


def test_batches_are_listed_newest_first_with_the_counts_of_their_instances(any_registry: Registry) -> None:
    registry = any_registry
    run_batch(registry, "a")
    run_batch(registry, "b", now=NOW + HOUR)
    open_batch(registry, "c", now=NOW + 2 * HOUR)
    build(registry, "c-units")
    lists = registry.read.lists.batches

    assert [(row.batch.id, row.instances) for row in lists.page().rows] == [
        ("c", {InstanceStatus.NEW: 1, InstanceStatus.DONE: 1}),
        ("b", {InstanceStatus.ACTIVE: 2}),
        ("a", {InstanceStatus.SUPERSEDED: 2}),
    ]
    assert lists.page().rows[0] == lists.get("c")
    assert lists.page().rows[0].batch == registry.read.batches.get("c")
    assert [row.batch.id for row in lists.page(BatchFilter(statuses=[BatchStatus.DONE])).rows] == ["b", "a"]
    assert lists.page(BatchFilter(model_ids=[OTHER_MODEL])).rows == ()
    assert lists.count(BatchFilter(model_ids=[MODEL])).number == 3


def test_batches_are_found_by_who_drives_them(registry: Registry) -> None:
    """By a name, or by its begin, in which no character stands for others."""
    for batch, owner in (("a", "airflow:d_g/1"), ("b", "airflow:d_g/2"), ("c", "airflow:dag/1"), ("d", "me")):
        open_batch(registry, batch, owner=owner)
        registry.batches.cancel(batch, now=NOW)

    def found(**which: str) -> list[str]:
        return sorted(row.batch.id for row in registry.read.lists.batches.page(BatchFilter(**which)).rows)  # type: ignore[arg-type]

    assert found(owner="airflow:d_g/2") == ["b"]
    assert found(owner_begins="airflow:d_g/") == ["a", "b"]
    assert found(owner="\0") == found(owner="airflow:d_g/2", owner_begins="me") == []


def test_pages_of_batches_together_are_the_whole_list(any_registry: Registry) -> None:
    """Two began at the same moment."""
    for number, batch in enumerate("abcde"):
        run_batch(any_registry, batch, now=NOW + number // 2 * HOUR)
    lists = any_registry.read.lists.batches
    first = lists.page(limit=2)
    second = lists.page(limit=2, cursor=first.next_cursor)
    third = lists.page(limit=2, cursor=second.next_cursor)

    assert [row.batch.id for page in (first, second, third) for row in page.rows] == ["e", "d", "c", "b", "a"]
    assert third.next_cursor is None


def test_what_is_no_cursor_or_no_batch_is_refused(registry: Registry) -> None:
    with pytest.raises(CursorError, match="list of batches: it is damaged"):
        registry.read.lists.batches.page(cursor="x")
    with pytest.raises(NotRegisteredError, match="no batch `x`"):
        registry.read.lists.batches.get("x")


def test_a_usual_batch_is_the_median_of_those_that_ended_well(any_registry: Registry) -> None:
    """Those that failed or were cancelled do not count."""
    registry = any_registry
    assert registry.read.lists.batches.usual_duration(MODEL) is None
    for number, minutes in enumerate((50, 1, 3, 200)):
        batch, begin = f"b{number}", NOW + number * timedelta(days=1)
        open_batch(registry, batch, now=begin)
        if minutes == 200:
            registry.batches.cancel(batch, now=begin + timedelta(minutes=minutes))
        else:
            registry.batches.activate(batch, owner="me", now=begin + timedelta(minutes=minutes), drop_after=NOW)

    assert registry.read.lists.batches.usual_duration(MODEL) == 180.0
    assert registry.read.lists.batches.usual_duration(OTHER_MODEL) is None


def test_how_long_builds_usually_take_is_known_from_the_begin_of_a_batch(registry: Registry) -> None:
    """What happens later does not change it."""
    run_batch(registry, "a")
    open_batch(registry, "b", now=NOW + HOUR)

    assert registry.read.lists.batches.usual_seconds("b") == {"b-revenue": 0.5, "b-units": 0.5}
    assert registry.read.lists.batches.usual_seconds("a") == {}
