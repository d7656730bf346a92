"""Segments: written down before they exist, made by one attempt, and shared by later instances."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.aggregates.provenance import Checksum
from airflow_atscale_aggs.engine.aggregates.segment import BuiltSegment, Segment, SegmentKey
from airflow_atscale_aggs.engine.errors import StaleStatusError
from airflow_atscale_aggs.engine.registry.records import BuiltParts, Claim
from airflow_atscale_aggs.engine.registry.registry import Registry
from tests.support.registry_content import (
    HOUR,
    LATER,
    NOW,
    REVENUE,
    make_step,
    open_batch,
    with_segments,
)

_FIRST, _SECOND = SegmentKey("b-revenue", 1, 1), SegmentKey("b-revenue", 1, 2)
_SUM = Checksum(columns=("amount",), buckets={"0": (3, 12345)})


def _claim(registry: Registry, batch: str = "b") -> Claim:
    return registry.attempts.claim(f"{batch}-revenue", owner="me", now=NOW)


def _finish(registry: Registry, claim: Claim, *segments: BuiltSegment, uses: tuple[SegmentKey, ...]) -> None:
    parts = BuiltParts(rows=9, segments=segments, uses=uses)
    registry.attempts.finish(claim, parts, seconds=1, source="sales", now=NOW)


def _build_two_segments(registry: Registry, checksum: Checksum | None = None) -> None:
    """A batch ``b`` with an instance of two segments, which serves."""
    step = with_segments(make_step(REVENUE, "b"), (None, 10), (10, 15), checksum=checksum)
    open_batch(registry, "b", steps=[step])
    segments = (
        BuiltSegment(number=1, rows=6, fact_rows=60, mark="mark 1"),
        BuiltSegment(number=2, rows=3, fact_rows=None),
    )
    _finish(registry, _claim(registry), *segments, uses=(_FIRST, _SECOND))
    registry.batches.activate("b", owner="me", now=NOW, drop_after=LATER)


def _segments_to_drop(registry: Registry) -> list[str]:
    return [segment.table for segment in registry.read.tables.segments_to_drop(LATER + HOUR)]


def test_segments_of_an_attempt_are_written_down_with_its_claim(registry: Registry) -> None:
    """So that a sweep knows their tables, whatever becomes of the attempt."""
    open_batch(registry, "b", steps=[with_segments(make_step(REVENUE, "b"), (None, 10), (10, 15))])
    _claim(registry)

    assert registry.read.tables.names() >= {"as_seg_b_revenue_1_a1", "as_seg_b_revenue_2_a1"}
    assert registry.read.instances.segments("b-revenue") == ()


@pytest.mark.parametrize("checksum", [None, _SUM])
def test_an_instance_consists_of_the_segments_that_its_attempt_has_made(
    registry: Registry, checksum: Checksum | None
) -> None:
    _build_two_segments(registry, checksum)

    assert registry.read.instances.segments("b-revenue") == (
        Segment(
            key=_FIRST,
            table="as_seg_b_revenue_1_a1",
            after=None,
            through=10,
            is_settled=True,
            rows=6,
            fact_rows=60,
            mark="mark 1",
            checksum=checksum,
        ),
        Segment(
            key=_SECOND,
            table="as_seg_b_revenue_2_a1",
            after=10,
            through=15,
            is_settled=False,
            rows=3,
            fact_rows=None,
            checksum=checksum,
        ),
    )


def test_bounds_may_be_longer_than_the_numbers_of_a_database(registry: Registry) -> None:
    step = with_segments(make_step(REVENUE, "b"), (-(2**70), 2**70))
    open_batch(registry, "b", steps=[step])
    _finish(registry, _claim(registry), BuiltSegment(number=1, rows=6, fact_rows=60), uses=(_FIRST,))

    (segment,) = registry.read.instances.segments("b-revenue")
    assert (segment.after, segment.through) == (-(2**70), 2**70)


def test_an_increment_shares_older_segments_in_the_order_of_their_ranges(registry: Registry) -> None:
    """What the older instance alone consisted of goes when that one goes."""
    _build_two_segments(registry)
    new = SegmentKey("c-revenue", 1, 1)
    open_batch(registry, "c", steps=[with_segments(make_step(REVENUE, "c"), (10, 20), older=(_FIRST,))])
    _finish(registry, _claim(registry, "c"), BuiltSegment(number=1, rows=4, fact_rows=40), uses=(_FIRST, new))
    registry.batches.activate("c", owner="me", now=NOW, drop_after=LATER)

    assert [segment.key for segment in registry.read.instances.segments("c-revenue")] == [_FIRST, new]
    assert [segment.key for segment in registry.read.instances.segments("b-revenue")] == [_FIRST, _SECOND]
    assert _segments_to_drop(registry) == ["as_seg_b_revenue_2_a1"]


def test_a_segment_that_was_planned_and_not_made_is_none(registry: Registry) -> None:
    """Nothing has changed in its range, so that its table was never there."""
    open_batch(registry, "b", steps=[with_segments(make_step(REVENUE, "b"), (None, 10), (10, 15))])
    _finish(registry, _claim(registry), BuiltSegment(number=1, rows=6, fact_rows=60), uses=(_FIRST,))

    assert [segment.key for segment in registry.read.instances.segments("b-revenue")] == [_FIRST]
    assert _segments_to_drop(registry) == []


def test_a_second_attempt_replaces_what_the_instance_consists_of(registry: Registry) -> None:
    open_batch(registry, "b", steps=[with_segments(make_step(REVENUE, "b"), (None, 10), (10, 15))])
    _finish(
        registry,
        _claim(registry),
        BuiltSegment(number=1, rows=6, fact_rows=60),
        BuiltSegment(number=2, rows=3, fact_rows=30),
        uses=(_FIRST, _SECOND),
    )
    again = registry.attempts.claim("b-revenue", owner="me", now=NOW, rebuild=True)
    keys = (SegmentKey("b-revenue", 2, 1), SegmentKey("b-revenue", 2, 2))
    _finish(
        registry,
        again,
        BuiltSegment(number=1, rows=7, fact_rows=70),
        BuiltSegment(number=2, rows=3, fact_rows=30),
        uses=keys,
    )

    assert [segment.key for segment in registry.read.instances.segments("b-revenue")] == list(keys)
    assert _segments_to_drop(registry) == ["as_seg_b_revenue_1_a1", "as_seg_b_revenue_2_a1"]


def test_an_attempt_that_was_overtaken_records_no_parts(registry: Registry) -> None:
    open_batch(registry, "b", steps=[with_segments(make_step(REVENUE, "b"), (None, 10))])
    old = _claim(registry)
    _claim(registry)

    with pytest.raises(StaleStatusError):
        _finish(registry, old, BuiltSegment(number=1, rows=6, fact_rows=60), uses=(_FIRST,))
    assert registry.read.instances.segments("b-revenue") == ()
