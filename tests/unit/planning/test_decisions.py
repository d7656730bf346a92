"""What is read for a decision: ranges that are made anew, and the window, which may be left alone."""

from __future__ import annotations

from dataclasses import replace

from airflow_atscale_aggs.engine.aggregates.indicator import GracePeriod, IndicatorKind, RowRange
from airflow_atscale_aggs.engine.aggregates.provenance import Checksum
from airflow_atscale_aggs.engine.planning.decisions import Segmented
from tests.support.increment_cases import NOW, increment_of, last_build, segment_of

_ROWS = RowRange(column="id", kind=IndicatorKind.INTEGER, after=89, through=95)
_WINDOW = replace(_ROWS, after=95, through=100)
_OLD = replace(_ROWS, after=10, through=20)


def _segmented(*ranges: RowRange, anew: tuple[RowRange, ...] = ()) -> Segmented:
    return Segmented(
        indicator=increment_of().indicator,
        grace=GracePeriod(10, ""),
        full_reason="",
        full_at=NOW,
        ranges=ranges,
        anew=anew,
        last=(*last_build(5, 5).segments[:1], segment_of(2, 89, 100, 5, is_settled=False)),
    )


def test_ranges_that_touch_are_read_as_one() -> None:
    decision = _segmented(_ROWS, _WINDOW, anew=(_OLD, replace(_ROWS, after=80, through=89)))

    assert [(rows.after, rows.through) for rows in decision.covered] == [(10, 20), (80, 100)]
    assert decision.made == (_OLD, replace(_ROWS, after=80, through=89), _ROWS, _WINDOW)
    assert (decision.window.after, decision.window.through) == (89, 100)


def test_totals_are_compared_where_no_checksum_tells_of_all_rows() -> None:
    checksum = Checksum(columns=("id",), buckets={"1": (5, 7)})
    replaced = (segment_of(1, 10, 20, 5, checksum=checksum),)
    told = replace(_segmented(anew=(_OLD,)), replaced=replaced, checksums=(checksum, None))

    assert told.remade == ()
    assert replace(told, checksums=()).remade == (_OLD,)
    assert replace(told, checksums=(replace(checksum, columns=()), None)).remade == (_OLD,)
    assert replace(told, replaced=(segment_of(1, 10, 20, 5),)).remade == (_OLD,)


def test_a_window_that_is_left_alone_is_that_of_the_last_build() -> None:
    decision = _segmented(anew=(_OLD,))

    assert decision.covered == (_OLD,)
    assert (decision.window.after, decision.window.through) == (89, 100)
