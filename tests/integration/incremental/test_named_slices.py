"""Slices that are named as changed: only the segments that they reach are made anew, however old they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.lifecycle.build.activate import BatchReport, cancel_batch
from airflow_atscale_aggs.engine.lifecycle.build.batch import BatchRequest, begin_batch
from airflow_atscale_aggs.engine.lifecycle.build.events import BuildEvent
from airflow_atscale_aggs.engine.lifecycle.build.named_slices import read_slices
from airflow_atscale_aggs.engine.lifecycle.build.verify import Finding, verify
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.settings import VerificationLevel
from tests.support.stars import incremental_star as star
from tests.support.stars import tiny_star
from tests.support.stars.incremental_star import MODEL, OWNER, START, DeployModel, Sale

_END = START + 120
_AGGREGATES = ("by_city", "by_month")
_SAME_TOTALS = "which were named as changed, are what they were."


def _written(at: int) -> str:
    """A second as it is named: `loaded_at` has no time zone."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _request(*ranges: tuple[int, int]) -> BatchRequest:
    texts = [("sales", f"{_written(first)}..{_written(last)}") for first, last in ranges]
    return BatchRequest(changed=read_slices(texts))


def _build(workspace: Workspace, *ranges: tuple[int, int], at: int = _END) -> BatchReport:
    return star.build(workspace, at=at, request=_request(*ranges))


def _keys(workspace: Workspace) -> list[tuple[str, int]]:
    """Instance and number of each segment of ``by_city``."""
    return [(segment.key.instance_id, segment.key.number) for segment in star.segments(workspace)]


@pytest.fixture
def long_star(deploy_model: DeployModel) -> Workspace:
    """Three minutes of facts in segments of at most half a minute: eight of them, the last one unsettled."""
    workspace = deploy_model(aggregates={name: star.AGGREGATES[name] for name in _AGGREGATES})
    star.put_setting(workspace, "aggregate.incrementalUpdate.maxSegmentLength", "30s")
    star.load(
        workspace, *(Sale(at=START + age, day=age // 5, shop=1 + age % 3, amount=age) for age in range(5, 121, 5))
    )
    star.build(workspace, BuildType.FULL, at=_END)
    ends = [segment.through // 10**6 - START for segment in star.segments(workspace)]
    assert ends == [-51, -21, 9, 39, 69, 99, 109, 120]
    return workspace


def test_only_segments_of_named_slices_are_made_anew(long_star: Workspace) -> None:
    """A correction, a deletion and late rows are found. The unsettled segment is read when it is named, or has got
    rows.
    """
    before = _keys(long_star)
    tiny_star.run_sql(long_star, "UPDATE sales SET amount = 500, shop_id = 3 WHERE seq = 5")
    star.load(long_star, Sale(at=START + 3, amount=900, shop=2), Sale(at=START + 4, amount=-3))
    tiny_star.run_sql(long_star, "DELETE FROM sales WHERE seq = -15")

    report = _build(long_star, (START - 15, START + 5))

    assert set(star.reasons(report).values()) == {""}
    star.check_views(long_star, _AGGREGATES)
    now = _keys(long_star)
    assert [place for place, (was, is_) in enumerate(zip(before, now, strict=True)) if was != is_] == [2]
    findings = verify(long_star, MODEL, level=VerificationLevel.FULL).instances
    assert {instance.finding for instance in findings} == {Finding.AGREES}

    tiny_star.run_sql(long_star, "UPDATE sales SET amount = amount + 1 WHERE seq < -20 OR seq = 120")
    _build(long_star, (START - 60, START - 25), (START + 115, START + 200))
    star.check_views(long_star, _AGGREGATES)
    star.load(long_star, Sale(at=_END + 5, amount=4))
    tiny_star.run_sql(long_star, "DELETE FROM sales WHERE seq = -60")
    _build(long_star, (START - 60, START - 60), at=_END + 5)
    star.check_views(long_star, _AGGREGATES)
    tiny_star.run_sql(long_star, "UPDATE sales SET amount = amount * 2")
    report = _build(long_star, (START - 1000, _END + 5), at=_END + 5)
    assert set(star.reasons(report).values()) == {""}
    star.check_views(long_star, _AGGREGATES)
    # What comes then goes on from there.
    star.load(long_star, Sale(at=_END + 30, amount=8))
    report = star.build(long_star, at=_END + 30)
    assert set(star.reasons(report).values()) == {""}
    star.check_views(long_star, _AGGREGATES)


def test_what_changed_and_was_not_named_is_found_by_the_next_increment(long_star: Workspace) -> None:
    """Who names a slice has nothing else looked at. A late row is counted later, a lost one means a full rebuild."""
    star.load(long_star, Sale(at=START - 40, amount=7), Sale(at=START + 31, amount=9))

    report = _build(long_star, (START + 30, START + 32))

    assert any(note.startswith("`sales` was named as changed") and "1 more" in note for note in report.batch.notes)
    assert not any("came later than the grace period" in note for note in report.batch.notes)
    report = star.build(long_star, at=_END)
    assert any("1 row of sales came later than the grace period" in note for note in report.batch.notes)
    tiny_star.run_sql(long_star, "DELETE FROM sales WHERE seq BETWEEN -60 AND -30")
    report = _build(long_star, (START + 30, START + 32))
    assert set(star.reasons(report).values()) == {""}
    report = star.build(long_star, at=_END)
    assert all("rows of `sales` with `loaded_at` up to" in reason for reason in star.reasons(report).values())
    star.check_views(long_star, _AGGREGATES)


def test_a_slice_that_an_earlier_batch_left_due_is_no_reason_to_look_at_nothing_else(long_star: Workspace) -> None:
    star.load(long_star, Sale(at=START - 40, amount=7))
    now = datetime.fromtimestamp(_END, UTC)
    asked = _request((START - 60, START - 60))
    begun = begin_batch(long_star, MODEL, build_type=BuildType.INCREMENTAL, owner=OWNER, now=now, request=asked)
    cancel_batch(long_star, begun.batch.id, now=now)
    tiny_star.run_sql(long_star, "DELETE FROM sales WHERE seq BETWEEN 20 AND 60")

    report = star.build(long_star, at=_END)

    assert all("outside of what was named, are gone" in reason for reason in star.reasons(report).values())
    star.check_views(long_star, _AGGREGATES)


def test_a_pipeline_that_names_slices_with_every_batch_has_its_segments_merged(deploy_model: DeployModel) -> None:
    """Those alone are looked at. One that somebody has changed means a full rebuild, and is not hidden in another."""
    workspace = deploy_model(aggregates={"by_city": star.AGGREGATES["by_city"]})
    star.put_setting(workspace, "aggregate.incrementalUpdate.maxConsecutiveStaticPartitions", 3)
    star.build(workspace, BuildType.FULL, at=START)
    counts = []
    for number in range(1, 7):
        at = START + 30 * number
        star.load(workspace, Sale(at=at, amount=number))
        report = _build(workspace, (at - 5, at), at=at)
        assert star.reasons(report) == {"by_city": ""}
        counts.append(len(star.segments(workspace)))
        star.check_views(workspace, ["by_city"])
    assert max(counts) <= 4
    newer = star.segments(workspace)[1].table
    tiny_star.run_sql(workspace, f'UPDATE aggs."{newer}" SET row_count = row_count + 1')
    reasons: list[str] = []
    for number in range(7, 11):
        at = START + 30 * number
        star.load(workspace, Sale(at=at, amount=number))
        reasons += star.reasons(_build(workspace, (at - 5, at), at=at)).values()
    assert [newer in reason for reason in reasons if reason] == [True]
    star.check_views(workspace, ["by_city"])


def test_a_segment_that_somebody_has_changed_is_found_by_the_next_increment(long_star: Workspace) -> None:
    """A slice that is named leaves it as it is: what serves has shown it before."""
    first = star.segments(long_star)[0]
    tiny_star.run_sql(long_star, f'DELETE FROM aggs."{first.table}"')

    report = _build(long_star, (START + 30, START + 32))

    assert set(star.reasons(report).values()) == {""}
    report = star.build(long_star, at=_END)
    assert first.table in star.reasons(report)["by_city"]
    star.check_views(long_star, _AGGREGATES)


def test_what_was_named_and_has_not_changed_is_told(long_star: Workspace) -> None:
    """By checksums, where the warehouse makes them of all rows; else by the totals of the segments."""
    is_hashed = long_star.warehouse.dialect.name == "duckdb"
    events: list[BuildEvent] = []

    def build() -> str:
        report = star.build(long_star, at=_END, events=events, request=_request((START + 30, START + 32)))
        return "\n".join(report.batch.notes)

    notes = build()
    assert ("nothing is found to have changed there" in notes) is is_hashed
    assert notes.count(_SAME_TOTALS) == (0 if is_hashed else len(_AGGREGATES))
    tiny_star.run_sql(long_star, "UPDATE sales SET amount = amount + 1 WHERE seq = 30")
    notes = build()
    assert _SAME_TOTALS not in notes
    assert ("with other values" in notes) is is_hashed
    changes = [event.text for event in events if "has changed: " in event.text]
    assert len(changes) == (0 if is_hashed else len(_AGGREGATES))
    star.check_views(long_star, _AGGREGATES)
    star.put_setting(long_star, "aggregate.incrementalUpdate.checkOlderRows.enabled", value=False)
    assert build().count(_SAME_TOTALS) == len(_AGGREGATES)


def test_a_slice_stays_due_until_a_batch_with_it_serves(long_star: Workspace) -> None:
    """A cancelled batch, one that names other things and one that was begun before lose nothing."""
    model_id = long_star.read.models.get(MODEL).id
    tiny_star.run_sql(long_star, "UPDATE sales SET amount = amount + 5 WHERE seq = -60")
    begun = begin_batch(
        long_star,
        MODEL,
        build_type=BuildType.INCREMENTAL,
        owner=OWNER,
        now=datetime.fromtimestamp(_END, UTC),
        request=_request((START - 60, START - 60)),
    )
    assert begun.batch.slices_through == 1
    cancel_batch(long_star, begun.batch.id, now=datetime.fromtimestamp(_END, UTC))
    assert [named.number for named in long_star.read.slices.due(model_id)] == [1]

    # No range is named now; a subset of the aggregates is built first.
    star.build(long_star, at=_END, request=BatchRequest(aggregates=("by_city",)))
    star.check_views(long_star, ["by_city"])
    assert [named.number for named in long_star.read.slices.due(model_id)] == [1]
    report = star.build(long_star, at=_END)

    star.check_views(long_star, _AGGREGATES)
    assert report.batch.slices_through == 1
    assert long_star.read.slices.due(model_id) == ()


def test_a_batch_that_was_begun_before_is_not_gone_on_with(long_star: Workspace) -> None:
    """Its own run, which names the same slice again, goes on with it; a slice that is named meanwhile closes it."""
    now = datetime.fromtimestamp(_END, UTC)
    asked = _request((START - 60, START - 60))

    def begin(request: BatchRequest, owner: str = OWNER) -> tuple[str, bool]:
        begun = begin_batch(long_star, MODEL, build_type=BuildType.INCREMENTAL, owner=owner, now=now, request=request)
        return begun.batch.id, begun.is_resumed

    first, _ = begin(asked)
    assert begin(asked) == (first, True)
    second, is_resumed = begin(_request((START - 60, START - 60), (START, START)))
    assert not is_resumed
    later = BatchRequest(changed=asked.changed, is_new=True)
    now += timedelta(days=1)
    third, is_resumed = begin(later, "somebody else")
    assert (len({first, second, third}), is_resumed) == (3, False)
    assert long_star.read.batches.get(third).slices_through == 3


@pytest.mark.parametrize(
    ("indicator", "grace", "text"), [("plain", "10", "-60..-55"), ("instant", "10s", "2025-10-09T08:52+00:00")]
)
def test_every_kind_of_indicator_can_be_named(deploy_model: DeployModel, indicator: str, grace: str, text: str) -> None:
    chosen = {"by_city": star.AGGREGATES["by_city"]}
    workspace = deploy_model(indicator=indicator, grace=grace, aggregates=chosen)
    star.build(workspace, BuildType.FULL)
    tiny_star.run_sql(workspace, "UPDATE sales SET amount = amount + 3 WHERE seq = -60")

    report = star.build(workspace, request=BatchRequest(changed=read_slices([("sales", text)])))

    assert set(star.reasons(report).values()) == {""}
    star.check_views(workspace, ["by_city"])
