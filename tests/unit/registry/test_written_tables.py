"""Tables that the registry has written down: which nothing needs any more, which are back, and which are adopted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pytest

from airflow_atscale_aggs.engine.aggregates.segment import BuiltSegment, SegmentKey
from airflow_atscale_aggs.engine.registry.records import BuiltParts
from airflow_atscale_aggs.engine.registry.registry import Registry
from tests.support.registry_content import (
    HOUR,
    LATER,
    MODEL,
    NOW,
    REVENUE,
    UNITS,
    build,
    make_deployment,
    make_step,
    make_steps,
    open_batch,
    run_batch,
    with_segments,
)
from tests.support.statement_plans import plans_of, scanned

_SOON = NOW
"""Leases and delays are not over."""

_LATE = LATER + HOUR
"""All leases and delays are over."""


def _claim(registry: Registry, instance_id: str = "b-revenue") -> None:
    registry.attempts.claim(instance_id, owner="me", now=NOW)


def _fail(registry: Registry) -> None:
    registry.attempts.fail(registry.attempts.claim("b-revenue", owner="me", now=NOW), error="broken", now=NOW)


def _to_drop(registry: Registry, now: datetime = _LATE) -> list[tuple[str, str]]:
    return [(table.attempt.table.removeprefix("as_agg_"), table.why) for table in registry.read.tables.to_drop(now)]


def _segments_to_drop(registry: Registry, now: datetime = _LATE) -> list[tuple[str, str]]:
    return [(item.table.removeprefix("as_seg_"), item.why) for item in registry.read.tables.segments_to_drop(now)]


def _cancel(registry: Registry) -> None:
    registry.batches.cancel("b", now=NOW)


def _fail_batch(registry: Registry) -> None:
    registry.batches.fail("b", owner="me", now=NOW)


def _activate(registry: Registry) -> None:
    registry.batches.activate("b", owner="me", now=NOW, drop_after=LATER)


@pytest.mark.parametrize(
    ("story", "soon", "late"),
    [
        ([_claim], [], []),
        ([_fail], [], [("b_revenue_a1", "attempt 1 was failed")]),
        ([_fail, _fail_batch], [("b_revenue_a1", "attempt 1 was failed")], [("b_revenue_a1", "attempt 1 was failed")]),
        (
            [_claim, _claim],
            [("b_revenue_a1", "attempt 1 was interrupted")],
            [("b_revenue_a1", "attempt 1 was interrupted")],
        ),
        (
            [_claim, _cancel],
            [("b_revenue_a1", "its instance is cancelled")],
            [("b_revenue_a1", "its instance is cancelled")],
        ),
    ],
    ids=["running", "failed in a batch with a live lease", "failed in a failed batch", "overtaken", "cancelled"],
)
def test_tables_of_attempts_that_came_to_nothing_may_be_dropped(
    registry: Registry,
    story: list[Callable[[Registry], None]],
    soon: list[tuple[str, str]],
    late: list[tuple[str, str]],
) -> None:
    """The newest attempt of a batch in progress only when its lease is over: its owner may still write."""
    open_batch(registry)
    for chapter in story:
        chapter(registry)

    assert _to_drop(registry, _SOON) == soon
    assert _to_drop(registry, _LATE) == late


def test_tables_that_serve_or_are_staged_are_needed(registry: Registry) -> None:
    """Those of superseded instances until their time is over; kept ones have none."""
    run_batch(registry, "b")
    registry.models.record_deployments([make_deployment(REVENUE, content="2")], now=NOW)
    run_batch(registry, "c")
    open_batch(registry, "d")
    build(registry, "d-revenue")

    assert _to_drop(registry, LATER - HOUR / 2) == []
    assert _to_drop(registry, LATER) == [("b_revenue_a1", "its instance is superseded")]


def test_a_table_that_is_to_go_is_told_with_all_that_a_sweep_must_know(registry: Registry) -> None:
    open_batch(registry, "b", schema="aggs")
    _fail(registry)

    (table,) = registry.read.tables.to_drop(_LATE)

    assert (table.schema, table.aggregate, table.view) == ("aggs", "revenue", "agg_revenue")
    assert (table.attempt.instance_id, table.attempt.number) == ("b-revenue", 1)
    assert table.attempt.drop_sql == "DROP TABLE as_agg_b_revenue_a1"


def test_what_was_dropped_is_not_to_be_dropped_again(registry: Registry) -> None:
    """An instance without its winning table is deleted; a lost attempt says nothing of its instance."""
    open_batch(registry)
    _claim(registry)
    build(registry, "b-revenue", "b-units")
    _activate(registry)
    registry.tables.record_drop("b-revenue", 1, NOW)
    assert registry.read.instances.get("b-revenue").status == "active"
    run_batch(registry, "c")

    registry.tables.record_drop("b-revenue", 2, LATER)

    assert registry.read.instances.get("b-revenue").status == "deleted"
    assert _to_drop(registry) == [("b_units_a1", "its instance is superseded")]
    dropped = [attempt.dropped_at for attempt in registry.read.attempts.find(instance_id="b-revenue")]
    assert dropped == [NOW, LATER]


def test_tables_that_were_dropped_and_are_there_again_are_told(registry: Registry) -> None:
    """A server may go on with a statement whose client is gone."""
    open_batch(registry)
    _fail(registry)
    _fail(registry)
    registry.tables.record_drop("b-revenue", 1, NOW)

    def back(*existing: str) -> list[str]:
        return [table.attempt.table for table in registry.read.tables.that_came_back(frozenset(existing))]

    assert back("as_agg_b_revenue_a1", "as_agg_b_revenue_a2", "others") == ["as_agg_b_revenue_a1"]
    assert back("as_agg_b_revenue_a2") == []


def test_all_names_that_were_ever_written_down_are_known(registry: Registry) -> None:
    open_batch(registry, steps=[with_segments(make_step(REVENUE), (None, 10)), make_step(UNITS, position=1)])
    _claim(registry)
    registry.tables.adopt("aggs", ["theirs"], now=NOW)

    assert registry.read.tables.names() == {"as_agg_b_revenue_a1", "as_seg_b_revenue_1_a1", "theirs"}


def test_tables_are_adopted_once(registry: Registry) -> None:
    """Another schema may hold tables of the same names."""
    registry.tables.adopt("aggs", ["a", "b"], now=NOW)
    registry.tables.adopt("aggs", ["b", "c", "c"], now=LATER)
    registry.tables.adopt("other", ["b"], now=LATER)
    registry.tables.adopt("other", [], now=LATER)

    assert registry.read.tables.names() == {"a", "b", "c"}


def test_views_of_what_serves_or_has_served_are_known(registry: Registry) -> None:
    """Not of what was never active, nor once the table is dropped."""
    run_batch(registry, "b")
    registry.models.record_deployments([make_deployment(REVENUE, content="2")], now=NOW)
    run_batch(registry, "c")
    open_batch(registry, "d")
    assert registry.read.tables.views() == {"agg_revenue", "agg_units"}

    registry.tables.record_drop("b-units", 1, NOW)
    assert registry.read.tables.views() == {"agg_revenue"}


def _open_segmented(registry: Registry, batch: str = "b") -> None:
    step = with_segments(make_step(REVENUE, batch), (None, 10), (10, 15))
    open_batch(registry, batch, steps=[step])


def _finish_segmented(registry: Registry, batch: str = "b") -> None:
    claim = registry.attempts.claim(f"{batch}-revenue", owner="me", now=NOW)
    numbers = (1, 2)
    parts = BuiltParts(
        rows=9,
        segments=tuple(BuiltSegment(number=number, rows=4, fact_rows=40) for number in numbers),
        uses=tuple(SegmentKey(f"{batch}-revenue", claim.attempt, number) for number in numbers),
    )
    registry.attempts.finish(claim, parts, seconds=1, source="sales", now=NOW)


@pytest.mark.parametrize(
    ("story", "soon", "late", "why"),
    [
        ([_claim], 0, 0, ""),
        ([_fail], 0, 2, "attempt 1 was failed"),
        ([_claim, _claim], 2, 2, "attempt 1 was interrupted"),
        ([_claim, _cancel], 2, 2, "no instance consists of it, its own is cancelled"),
        ([_finish_segmented], 0, 0, ""),
        ([_finish_segmented, _activate], 0, 0, ""),
        ([_finish_segmented, _cancel], 2, 2, "no instance consists of it, its own is cancelled"),
    ],
    ids=["running", "failed", "overtaken", "cancelled", "staged", "active", "staged and cancelled"],
)
def test_segments_are_needed_by_instances_that_consist_of_them(
    registry: Registry, story: list[Callable[[Registry], None]], soon: int, late: int, why: str
) -> None:
    _open_segmented(registry)
    for chapter in story:
        chapter(registry)

    names = ["b_revenue_1_a1", "b_revenue_2_a1"]
    assert _segments_to_drop(registry, _SOON) == [(name, why) for name in names[:soon]]
    assert _segments_to_drop(registry, _LATE) == [(name, why) for name in names[:late]]


def test_segments_of_a_superseded_instance_are_needed_until_its_time_is_over(registry: Registry) -> None:
    _open_segmented(registry)
    _finish_segmented(registry)
    _activate(registry)
    _open_segmented(registry, "c")
    _finish_segmented(registry, "c")
    registry.batches.activate("c", owner="me", now=NOW, drop_after=LATER)

    assert _segments_to_drop(registry, LATER - HOUR / 2) == []
    why = "no instance consists of it, its own is superseded"
    assert _segments_to_drop(registry, LATER) == [("b_revenue_1_a1", why), ("b_revenue_2_a1", why)]


def test_segments_of_a_kept_instance_are_needed(registry: Registry) -> None:
    _open_segmented(registry)
    _finish_segmented(registry)
    _activate(registry)
    registry.models.record_deployments([make_deployment(UNITS, content="2")], now=NOW)
    run_batch(registry, "c", steps=make_steps([UNITS], "c"))

    assert registry.read.instances.get("b-revenue").drop_after is None
    assert _segments_to_drop(registry) == []


def test_a_segment_that_was_dropped_is_told_only_when_it_is_there_again(registry: Registry) -> None:
    _open_segmented(registry)
    _fail(registry)
    registry.tables.record_segment_drop(SegmentKey("b-revenue", 1, 1), NOW)

    assert _segments_to_drop(registry) == [("b_revenue_2_a1", "attempt 1 was failed")]
    existing = frozenset({"as_seg_b_revenue_1_a1", "as_seg_b_revenue_2_a1"})
    (segment,) = registry.read.tables.segments_that_came_back(existing)
    assert (segment.key, segment.drop_sql) == (SegmentKey("b-revenue", 1, 1), "DROP TABLE as_seg_b_revenue_1_a1")
    assert (segment.aggregate, segment.schema) == ("revenue", "")
    assert registry.read.tables.segments_that_came_back(frozenset()) == ()


def test_what_came_back_is_looked_up_by_name(registry: Registry) -> None:
    """However many tables there were before."""
    with plans_of(registry) as plans:
        registry.read.tables.that_came_back({"as_agg_b_revenue_a1"})
        registry.read.tables.segments_that_came_back({"as_seg_b_revenue_a1_s1"})

    assert plans
    assert scanned(plans, "attempts", "segments", "instances", "steps") == []


def test_views_of_superseded_instances_are_told_with_what_drops_them(registry: Registry) -> None:
    """By schema and name; those that only serve are not among them."""
    first = [replace(step, drop_view_sql=f"DROP VIEW {step.view}") for step in make_steps([REVENUE, UNITS], "a")]
    open_batch(registry, "a", steps=first, schema="aggs")
    build(registry, *(step.instance_id for step in first))
    registry.batches.activate("a", owner="me", now=NOW, drop_after=LATER)
    assert registry.read.tables.superseded_views(MODEL) == {}
    open_batch(registry, "b", steps=[make_step(REVENUE)], now=LATER)
    build(registry, "b-revenue", now=LATER)
    registry.batches.activate("b", owner="me", now=LATER, drop_after=LATER)

    assert registry.read.tables.superseded_views(MODEL) == {("aggs", "agg_revenue"): "DROP VIEW agg_revenue"}
    assert registry.read.tables.superseded_views("another model") == {}
