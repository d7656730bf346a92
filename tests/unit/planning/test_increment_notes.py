"""What people are told about full builds, units, precision, rows of the future and late rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_atscale_aggs.engine.aggregates.indicator import (
    GracePeriod,
    Indicator,
    IndicatorKind,
    IndicatorUnit,
    RowRange,
)
from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.planning.decisions import Decision, FullTable, Segmented
from airflow_atscale_aggs.engine.planning.increment_notes import notes_of
from airflow_atscale_aggs.engine.settings import IndicatorUnitSetting, Settings
from tests.support.increment_cases import ID, NOW, increments_input, segment_of

_SECONDS = int(NOW.timestamp())
_MICROSECONDS = _SECONDS * 10**6
_SECOND_UNIT = replace(ID, column="seconds", unit=IndicatorUnit.SECONDS)
_TIMESTAMP = Indicator(
    column="at", data_type="timestamp", kind=IndicatorKind.TIMESTAMP, unit=IndicatorUnit.MICROSECONDS
)


def _segmented(indicator: Indicator = ID, *, greatest: int = 130, after: int | None = 89, **changes: Any) -> Segmented:
    """An increment of the rows above 89."""
    ranges = (RowRange(column=indicator.column, kind=indicator.kind, after=after, through=greatest),)
    decision = Segmented(indicator=indicator, grace=GracePeriod(10, ""), full_reason="", full_at=NOW, ranges=ranges)
    return replace(decision, **changes)


def _notes(decision: Decision, **changes: Any) -> tuple[str, ...]:
    return notes_of({"by_city": decision}, increments_input(**changes), {"by_city": "sales"})


def test_nothing_is_told_of_an_increment_as_it_should_be() -> None:
    assert _notes(_segmented(late=0)) == ()
    assert _notes(_segmented(late=None)) == ()


@pytest.mark.parametrize(
    ("decision", "build_type", "notes"),
    [
        (FullTable(reason="it joins `shop`"), BuildType.INCREMENTAL, ("Built in full: by_city: it joins `shop`.",)),
        (
            _segmented(full_reason="the model was edited"),
            *(BuildType.INCREMENTAL, ("Built in full: by_city: the model was edited.",)),
        ),
        (FullTable(reason="it joins `shop`"), BuildType.FULL, ()),
        (FullTable(reason="it joins `shop`", is_refused=True), BuildType.INCREMENTAL, ()),
        (FullTable(reason=""), BuildType.INCREMENTAL, ()),
    ],
    ids=["one table", "all segments anew", "a full build was asked for", "refused", "no reason"],
)
def test_an_incremental_batch_tells_what_it_builds_in_full(
    decision: Decision, build_type: BuildType, notes: tuple[str, ...]
) -> None:
    assert _notes(decision, build_type=build_type) == notes


def test_one_sentence_serves_all_aggregates_of_one_reason() -> None:
    decisions: dict[str, Decision] = {
        "by_city": FullTable(reason="it joins `shop`"),
        "by_day": FullTable(reason="it joins `day`"),
        "by_shop": FullTable(reason="it joins `shop`"),
    }

    assert notes_of(decisions, increments_input(), dict.fromkeys(decisions, "sales")) == (
        "Built in full: by_city, by_shop: it joins `shop`.",
        "Built in full: by_day: it joins `day`.",
    )


def test_one_sentence_serves_all_aggregates_of_one_fact() -> None:
    late = _segmented(late=2)

    notes = notes_of({"a": late, "b": late, "c": late}, increments_input(), {"a": "sales", "b": "sales", "c": "visits"})

    assert [note.partition(" came")[0] for note in notes] == ["2 rows of sales", "2 rows of visits"]


@pytest.mark.parametrize(
    ("declared", "newest", "note"),
    [
        ("infer", _SECONDS, f"epoch seconds (inferred from {_SECONDS}); a grace period of 2h is 7,200 of them."),
        ("seconds", None, "epoch seconds (declared from 130); a grace period of 2h is 7,200 of them."),
    ],
)
def test_the_unit_of_a_number_is_told(declared: str, newest: int | None, note: str) -> None:
    settings = Settings(indicator_unit=IndicatorUnitSetting(declared))
    decision = _segmented(_SECOND_UNIT, grace=GracePeriod(2, "h"), newest=newest)

    assert _notes(decision, settings=settings) == (f"Indicator `seconds` of sales: {note}",)


@pytest.mark.parametrize(
    ("data_type", "is_told"), [("timestamp(9)", True), ("timestamp_ns", True), ("timestamp(6)", False)]
)
def test_digits_beyond_microseconds_are_told(data_type: str, is_told: bool) -> None:
    decision = _segmented(replace(_TIMESTAMP, data_type=data_type), greatest=_MICROSECONDS - 1)
    note = "Indicator `at` of sales has digits beyond microseconds, which are not kept: bounds are rounded up to whole"

    assert [text.startswith(note) for text in _notes(decision)] == [True] * is_told


@pytest.mark.parametrize(
    ("decision", "shown"),
    [
        (_segmented(_TIMESTAMP, greatest=_MICROSECONDS + 11 * 10**6), "2026-01-01 00:00:11.000000"),
        (_segmented(_TIMESTAMP, greatest=_MICROSECONDS + 9 * 10**6), ""),
        (_segmented(_SECOND_UNIT, greatest=_SECONDS + 11), str(_SECONDS + 11)),
        (_segmented(_SECOND_UNIT, greatest=_SECONDS + 10), ""),
        (_segmented(greatest=10**18), ""),
    ],
    ids=["later", "a wrong clock", "later, in steps", "a wrong clock, in steps", "plain numbers know no future"],
)
def test_rows_of_the_future_are_told_when_a_wrong_clock_cannot_be_the_reason(decision: Segmented, shown: str) -> None:
    """A grace period of 10, in seconds or in the indicator's own steps."""
    notes = _notes(decision)

    column = decision.indicator.column
    assert [note.partition(", in the future.")[0] for note in notes] == (
        [f"The greatest `{column}` of sales is {shown}"] if shown else []
    )


@pytest.mark.parametrize(
    ("decision", "begins", "bound"),
    [
        (_segmented(late=2), "2 rows of sales came later than the grace period of 10 allows", "`id` up to 89."),
        (_segmented(late=1), "1 row of sales came later than the grace period of 10 allows", "`id` up to 89."),
        (
            _segmented(_TIMESTAMP, greatest=_MICROSECONDS - 1, after=0, late=1),
            "1 row of sales came later",
            "`at` up to 1970-01-01 00:00:00.000000.",
        ),
    ],
)
def test_late_rows_are_counted(decision: Segmented, begins: str, bound: str) -> None:
    (note,) = _notes(decision)

    assert note.startswith(begins)
    assert bound in note
    assert note.endswith("Increments do not read that far back; a full rebuild does.")


def test_rows_that_went_are_no_late_ones() -> None:
    assert _notes(_segmented(late=-3)) == ()


@pytest.mark.parametrize(
    ("fact_rows", "length", "is_told"),
    [((30, 70), "", True), ((20, 80), "", False), ((30, 70), "7d", False), ((None, 70), "", False)],
    ids=["a large segment", "a small one", "lengths are bounded", "rows were not counted"],
)
def test_what_a_named_range_costs_is_told_where_segments_are_long(
    fact_rows: tuple[int | None, int], length: str, is_told: bool
) -> None:
    old, window = segment_of(1, None, 89, fact_rows[0]), segment_of(2, 89, 130, fact_rows[1], is_settled=False)
    anew = RowRange(column="id", kind=ID.kind, through=89)
    decision = _segmented(ranges=(), last=(old, window), kept=(window,), anew=(anew,), replaced=(old,), counts=(None,))

    notes = _notes(decision, settings=Settings(max_segment_length=length))

    assert any("bounds their length" in note for note in notes) is is_told
