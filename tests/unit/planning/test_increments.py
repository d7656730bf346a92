"""Full or by increments, decided on values alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition
from airflow_atscale_aggs.engine.aggregates.indicator import GracePeriod, IndicatorKind, IndicatorUnit, RowRange
from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.aggregates.measures import StoredFunction, StoredMeasure
from airflow_atscale_aggs.engine.aggregates.named_slice import NamedSlice
from airflow_atscale_aggs.engine.aggregates.provenance import Checksum, SourceState
from airflow_atscale_aggs.engine.model.datasets import Dataset
from airflow_atscale_aggs.engine.planning.decisions import Decision, FullTable, Segmented
from airflow_atscale_aggs.engine.planning.increments import (
    LastBuild,
    Prospect,
    decide,
    moments,
    prospect,
    refusal,
)
from airflow_atscale_aggs.engine.settings import Settings
from airflow_atscale_aggs.engine.sql.indicator_lookup import IndicatorFacts
from tests.support.increment_cases import (
    ID,
    NOW,
    START,
    city_part,
    definition_of,
    increment_of,
    incremental_datasets,
    increments_input,
    last_build,
    segment_of,
)

_SECONDS = int(NOW.timestamp())


def _prospect(last: LastBuild | None, **changes: Any) -> Prospect:
    """What is known of the aggregate by city before the indicator is looked up."""
    definition = definition_of(city_part())
    batch_input = increments_input(last={(definition.id, "sales"): last} if last is not None else {}, **changes)
    candidate = prospect(definition, city_part(), batch_input)
    assert isinstance(candidate, Prospect)
    return candidate


def _decide(last: LastBuild | None, lookup: IndicatorFacts, **changes: Any) -> Decision:
    return decide(_prospect(last, **changes), lookup, increments_input(**changes))


def _segmented(last: LastBuild | None, lookup: IndicatorFacts, **changes: Any) -> Segmented:
    decision = _decide(last, lookup, **changes)
    assert isinstance(decision, Segmented)
    return decision


@pytest.mark.parametrize(
    ("definition", "fact", "reason"),
    [
        (
            definition_of(city_part("returns"), city_part()),
            *("sales", "it has metrics of several facts: returns, sales"),
        ),
        (definition_of(city_part("returns")), "returns", "dataset `returns` has no `incremental` in the model"),
        (definition_of(city_part("nowhere")), "nowhere", "dataset `nowhere` has no `incremental` in the model"),
        (
            definition_of(city_part("sales", StoredMeasure(StoredFunction.COUNT_DISTINCT, "sales", "shop_id"))),
            *("sales", "exact distinct values of `shop_id` cannot be combined from segments"),
        ),
    ],
)
def test_some_aggregates_are_never_built_by_increments(definition: AggregateDefinition, fact: str, reason: str) -> None:
    """They are one table, with the reason."""
    part = next(part for part in definition.parts if part.fact == fact)

    assert prospect(definition, part, increments_input()) == FullTable(reason=reason)


def _with_mutable_shops() -> dict[str, Dataset]:
    datasets = incremental_datasets()
    return {**datasets, "shop": replace(datasets["shop"], immutable=False)}


@pytest.mark.parametrize(
    ("changes", "reason", "is_refused"),
    [
        (
            {"settings": Settings(incremental=False)},
            *("aggregate.incrementalUpdate.enabled is off", False),
        ),
        (
            {"datasets": _with_mutable_shops()},
            *("it joins `shop`, not `immutable` in the model", False),
        ),
        (
            {"datasets": _with_mutable_shops(), "settings": Settings(joins_may_prevent_incremental=False)},
            *("and aggregate.create.joins.allowPreventIncremental.enabled is off", True),
        ),
        (
            {"datasets": incremental_datasets("id", "two days")},
            *("the grace period `two days` of dataset `sales` is not of the form 12h", False),
        ),
        ({"datasets": incremental_datasets("shop")}, "`shop`", False),
        ({"datasets": incremental_datasets("amount_", "1d")}, "`amount_`", False),
    ],
    ids=["setting", "joins", "joins, refused", "grace period", "no such column", "no such column, a day"],
)
def test_settings_and_the_model_keep_others_in_one_table(
    changes: dict[str, Any], reason: str, is_refused: bool
) -> None:
    decision = prospect(definition_of(city_part()), city_part(), increments_input(**changes))

    assert isinstance(decision, FullTable)
    assert reason in decision.reason
    assert decision.is_refused is is_refused


def test_the_error_of_a_refused_aggregate_says_what_to_do() -> None:
    error = refusal(FullTable(reason="it joins `shop`", is_refused=True))

    assert str(error) == "it joins `shop`. Mark the dataset `immutable`, or switch the setting on."


_CHECKSUM = Checksum(columns=("id",), buckets={"1": (50, 7)})
_STATE = SourceState(columns={"sales": "table", "sales.id": "bigint"}, tables={"sales": "17"})
_NOTED = increment_of(sources=_STATE)


@pytest.mark.parametrize(
    ("last", "changes", "reason"),
    [
        (last_build(50, 5), {"build_type": BuildType.FULL}, "a full rebuild was asked for"),
        (None, {}, "it has not been built before"),
        (last_build(50, 5, increment=None), {}, "it was built as one table the last time"),
        (last_build(50, 5, segments=()), {}, "it was built as one table the last time"),
        (last_build(50, 5, deployment_id="another"), {}, "the model was edited since it was built"),
        (
            last_build(50, 5, increment=increment_of(replace(ID, column="sold"))),
            {},
            "the indicator was `sold` of type BIGINT and is now `id` of type BIGINT",
        ),
        (
            last_build(50, 5, increment=increment_of(replace(ID, data_type="integer"))),
            {},
            "the indicator was `id` of type INTEGER and is now `id` of type BIGINT",
        ),
        (last_build(50, 5, are_there=False), {}, "tables of its segments are not in the warehouse any more"),
        (last_build(50, 5, moved="a setting is another", damage="a table was changed"), {}, "a setting is another"),
        (last_build(50, 5, damage="a table was changed"), {}, "a table was changed"),
        (
            last_build(50, 5, increment=increment_of(full_at=NOW - timedelta(days=7))),
            {"settings": Settings(full_rebuild_after_days=7)},
            "its last full rebuild is 7 days ago or more (aggregate.incrementalUpdate.fullRebuildAfterDays)",
        ),
        (
            last_build(50, 5, increment=increment_of(full_at=NOW - timedelta(days=6))),
            {"settings": Settings(full_rebuild_after_days=7)},
            "",
        ),
        (last_build(50, 5), {}, ""),
    ],
)
def test_all_segments_are_made_anew_where_the_last_build_cannot_be_added_to(
    last: LastBuild | None, changes: dict[str, Any], reason: str
) -> None:
    assert _prospect(last, **changes).full_reason == reason


@pytest.mark.parametrize(
    ("before", "now", "reason"),
    [
        (_NOTED, _STATE, ""),
        (_NOTED, None, ""),
        (increment_of(), _STATE, "it was built by a version that did not note what its columns are"),
        (
            _NOTED,
            replace(_STATE, columns={"sales": "table", "sales.id": "integer"}),
            "`sales.id` was bigint and is now integer",
        ),
        (
            _NOTED,
            replace(_STATE, tables={"sales": "18"}),
            "table `sales` is not the one that it was built from, or was truncated or written anew",
        ),
    ],
)
def test_all_segments_are_made_anew_where_the_sources_are_not_what_they_were(
    before: Any, now: SourceState | None, reason: str
) -> None:
    definition = definition_of(city_part())
    states = {(definition.id, "sales"): now} if now is not None else {}

    assert _prospect(last_build(50, 5, increment=before), states=states).full_reason == reason


def test_an_increment_begins_at_the_end_of_what_is_settled() -> None:
    candidate = _prospect(last_build(50, 5))

    assert (candidate.start, [segment.through for segment in candidate.kept]) == (START, [START])


_THREE = LastBuild(
    deployment_id="d",
    increment=increment_of(),
    segments=(
        segment_of(1, None, 60, 30),
        segment_of(2, 60, START, 20),
        segment_of(3, START, 100, 5, is_settled=False),
    ),
)


@pytest.mark.parametrize(
    ("period", "last", "ends_of_segments", "reason"),
    [
        ("15", _THREE, [60], ""),
        ("5", _THREE, [60, 89], ""),
        ("15", replace(_THREE, increment=increment_of(newest=500)), [60, 89], ""),
        ("60", _THREE, [], "the grace period reaches back to the first row"),
        ("2d", _THREE, [], "a grace period of 2d says nothing about plain numbers"),
    ],
    ids=["longer", "shorter", "by the newest that is not in the future", "too long", "a time"],
)
def test_a_grace_period_of_a_batch_says_how_far_back_is_read(
    period: str, last: LastBuild, ends_of_segments: list[int], reason: str
) -> None:
    candidate = _prospect(last, grace_periods={"sales": period})

    assert [segment.through for segment in candidate.kept] == ends_of_segments
    assert candidate.full_reason == reason


def test_what_the_grace_period_cannot_reach_any_more_is_settled() -> None:
    decision = _segmented(last_build(50, 5), IndicatorFacts(greatest=130, above={START: 20}, up_to={START: 52}))

    assert [(rows.after, rows.through) for rows in decision.ranges] == [(START, 119), (119, 130)]
    assert [(rows.after, rows.through) for rows in decision.covered] == [(START, 130)]
    assert (decision.full_reason, decision.late, decision.may_be_unchanged) == ("", 2, False)
    assert [segment.through for segment in decision.kept] == [START]


def test_nothing_is_counted_as_late_where_nobody_counted() -> None:
    lookup = IndicatorFacts(greatest=130, above={START: 20})

    assert _segmented(last_build(50, 5), lookup).late is None


def test_a_first_build_reads_all_rows() -> None:
    decision = _segmented(None, IndicatorFacts(greatest=130))

    assert [(rows.after, rows.through) for rows in decision.ranges] == [(None, 119), (119, 130)]
    assert (decision.is_first, decision.full_at, decision.full_reason) == (True, NOW, "it has not been built before")


def test_settled_segments_are_merged_when_there_are_too_many() -> None:
    lookup = IndicatorFacts(greatest=130, above={START: 20}, up_to={START: 50})
    few = _segmented(_THREE, lookup, settings=Settings(max_static_segments=3, small_segments_rows=0))
    many = _segmented(_THREE, lookup, settings=Settings(max_static_segments=2, small_segments_rows=0))

    assert ([segment.through for segment in few.kept], few.merged) == ([60, START], ())
    assert ([segment.through for segment in many.merged], many.kept) == ([60, START], ())


def test_settled_segments_that_are_small_together_are_merged_by_each_increment() -> None:
    """The oldest stays as it is."""
    lookup = IndicatorFacts(greatest=130, above={START: 20}, up_to={START: 50})
    oldest = (segment_of(4, None, 40, 10), segment_of(1, 40, 60, 20))
    four = replace(_THREE, segments=(*oldest, *_THREE.segments[1:]))
    three, small = (_segmented(base, lookup, settings=Settings()) for base in (_THREE, four))

    assert ([segment.through for segment in three.kept], three.merged) == ([60, START], ())
    assert [segment.through for segment in small.merged] == [60, START]
    assert [segment.through for segment in small.kept] == [40]


_NAMED = (NamedSlice(dataset="sales", first="10", last="12", number=1),)


@pytest.mark.parametrize(
    ("named", "late", "gone"),
    [(frozenset(), 1, "1 of the 20 rows of `sales`"), (frozenset({"sales"}), None, "")],
    ids=["by a batch before", "by this request"],
)
def test_what_a_request_does_not_name_is_not_looked_at(named: frozenset[str], late: int | None, gone: str) -> None:
    """Neither counts nor checksums of it decide, and its segments are not merged. The next increment looks at all."""
    checksum = Checksum(columns=("id",), buckets={"1": (20, 7)})
    segments = (_THREE.segments[0], segment_of(2, 60, START, 20, checksum=checksum), _THREE.segments[2])
    last = replace(_THREE, segments=segments, named=_NAMED)
    candidate = _prospect(last, named=named)
    settings = Settings(max_static_segments=2, small_segments_rows=0)
    counts: dict[str, Any] = {"within": {(None, 60): 31}} if named else {"up_to": {60: 31, START: 52}}
    lookup = IndicatorFacts(greatest=130, above={START: 20}, **counts)

    assert candidate.is_narrow is bool(named)
    assert (candidate.settled_checksum, candidate.hashed_columns) == (None if named else checksum, ("id",))
    decision = _segmented(last, lookup, named=named, settings=settings)
    assert (decision.late, decision.full_reason, decision.counts, decision.merged) == (late, "", (31,), ())
    fewer = lookup if named else replace(lookup, up_to={60: 31, START: 50})
    assert gone in _segmented(last, fewer, named=named, settings=settings).full_reason


def test_nothing_is_merged_that_was_not_looked_at() -> None:
    settings = Settings(max_static_segments=2, small_segments_rows=0)
    last = replace(_THREE, named=(replace(_NAMED[0], first="95", last="95"),))
    lookup = IndicatorFacts(greatest=130, above={START: 20}, up_to={START: 50})

    named = frozenset({"sales"})
    seen = replace(last, seen=last.may_merge(settings))

    assert len(_segmented(last, lookup, settings=settings).merged) == 2
    assert _segmented(last, lookup, settings=settings, named=named).merged == ()
    assert _segmented(seen, lookup, settings=settings, named=named).merged == last.segments[:2] == seen.seen
    assert replace(last, increment=None).may_merge(settings) == ()


@pytest.mark.parametrize(
    ("rows", "greatest", "may_be_unchanged"),
    [(5, 100, True), (5, 95, True), (6, 100, False), (5, 101, False), (0, None, False)],
)
def test_the_last_segment_may_be_unchanged_when_the_window_holds_as_many_rows(
    rows: int, greatest: int | None, may_be_unchanged: bool
) -> None:
    """As many rows in the window as before, and none beyond it; the build then compares groups."""
    lookup = IndicatorFacts(greatest=greatest or 80, above={START: rows}, up_to={START: 50})
    decision = _segmented(last_build(50, 5), lookup)

    assert decision.full_reason == ""
    assert decision.may_be_unchanged is may_be_unchanged


@pytest.mark.parametrize(
    ("fact_rows", "lookup", "reason"),
    [
        ((50, 5), IndicatorFacts(greatest=100, above={START: 5}, up_to={START: 49}), "1 of the 50 rows of `sales`"),
        (
            (None, 5),
            IndicatorFacts(greatest=80, above={START: 0}, up_to={START: 50}),
            "nobody knows whether the older ones",
        ),
        ((50, 5), IndicatorFacts(greatest=100, above={START: 5}), ""),
        ((None, 0), IndicatorFacts(greatest=80, above={START: 0}, up_to={START: 50}), ""),
    ],
)
def test_history_is_not_trusted_when_rows_below_the_window_may_be_gone(
    fact_rows: tuple[int | None, int], lookup: IndicatorFacts, reason: str
) -> None:
    """Rows below the window are gone, or cannot be told to be there while the window is empty."""
    decision = _segmented(last_build(*fact_rows), lookup)

    assert (reason in decision.full_reason) if reason else decision.full_reason == ""


@pytest.mark.parametrize(
    ("buckets", "reason"),
    [
        ({"1": (50, 7)}, ""),
        ({"1": (50, 8)}, "`id` up to 89 are not what they were: it was reloaded, or rows older than the grace period"),
        ({"1": (51, 9)}, "`id` up to 89 have become so many more that nobody can tell"),
        (None, ""),
    ],
    ids=["the same", "changed", "all buckets grew", "nobody asked"],
)
def test_history_is_not_trusted_when_its_checksum_is_another(
    buckets: dict[str, tuple[int, int]] | None, reason: str
) -> None:
    checksums: dict[tuple[tuple[RowRange, ...], tuple[str, ...]], Checksum] = {}
    if buckets is not None:
        up_to_start = RowRange(column="id", kind=IndicatorKind.INTEGER, through=START)
        checksums[(up_to_start,), ("id",)] = Checksum(columns=("id",), buckets=buckets)
    lookup = IndicatorFacts(greatest=100, above={START: 5}, up_to={START: 50}, checksums=checksums)

    decision = _segmented(last_build(50, 5, checksum=_CHECKSUM), lookup)

    assert (reason in decision.full_reason) if reason else decision.full_reason == ""


@pytest.mark.parametrize(
    ("lookup", "reason"),
    [
        (IndicatorFacts(greatest=130, nulls=2, above={START: 5}), "`id` is NULL in 2 rows of `sales`"),
        (IndicatorFacts(greatest=130, nulls=1, above={START: 5}), "`id` is NULL in 1 row of `sales`"),
        (IndicatorFacts(greatest=None, is_readable=False), "the greatest `id` of `sales` is no finite value"),
        (IndicatorFacts(), "`sales` holds no rows"),
    ],
)
def test_rows_that_are_in_no_range_make_it_one_table(lookup: IndicatorFacts, reason: str) -> None:
    """Whatever else holds."""
    assert _decide(last_build(50, 5), lookup) == FullTable(reason=reason)


_BY_SECONDS: dict[str, Any] = {"datasets": incremental_datasets("seconds", "10s")}
_EPOCH = replace(ID, column="seconds", unit=IndicatorUnit.SECONDS)


def _epoch_build() -> LastBuild:
    segments = (
        segment_of(1, None, _SECONDS - 100, 50),
        segment_of(2, _SECONDS - 100, _SECONDS - 60, 5, is_settled=False),
    )
    return LastBuild(deployment_id="d", increment=increment_of(_EPOCH, newest=_SECONDS - 60), segments=segments)


def test_a_unit_that_nobody_knows_makes_it_one_table() -> None:
    decision = _decide(None, IndicatorFacts(greatest=20260101), **_BY_SECONDS)

    assert isinstance(decision, FullTable)
    assert "the unit of `seconds` is not known: 20260101 is no epoch time" in decision.reason


def test_a_unit_that_is_another_than_before_makes_all_segments_anew() -> None:
    start = _SECONDS - 100
    candidate = _prospect(_epoch_build(), **_BY_SECONDS)
    later = (_SECONDS + 5) * 1000
    lookup = IndicatorFacts(greatest=later, above={start: 1}, newest={_SECONDS * 1000: later - 9000})

    decision = decide(candidate, lookup, increments_input(**_BY_SECONDS))

    assert isinstance(decision, Segmented)
    assert decision.full_reason == "`seconds` was read in seconds and is now in milliseconds"


def test_rows_of_the_future_alone_keep_unit_and_window() -> None:
    """The greatest value lies ahead, and the clock of the batch has reached no row since."""
    start = _SECONDS - 100
    lookup = IndicatorFacts(greatest=_SECONDS + 9999, above={start: 6}, up_to={start: 50})

    decision = _segmented(_epoch_build(), lookup, **_BY_SECONDS)

    assert (decision.indicator.unit, decision.newest) == (IndicatorUnit.SECONDS, _SECONDS - 60)
    assert [(rows.after, rows.through) for rows in decision.ranges] == [(start, _SECONDS + 9999)]


def test_moments_are_those_at_which_the_clock_may_stand() -> None:
    assert moments(_prospect(None), increments_input()) == ()
    assert moments(_prospect(None, **_BY_SECONDS), increments_input(**_BY_SECONDS)) == (
        _SECONDS,
        _SECONDS * 1000,
        _SECONDS * 10**6,
    )


def test_the_grace_period_in_force_is_that_of_the_batch() -> None:
    candidate = _prospect(_THREE, grace_periods={"sales": "15"})

    assert (candidate.grace, candidate.model_grace) == (GracePeriod(15, ""), GracePeriod(10, ""))
