"""An attempt makes the new segments of an aggregate and the view of all, or keeps them where nothing has changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_atscale_aggs.engine.aggregates.build_step import BuildStep, SourceOption
from airflow_atscale_aggs.engine.aggregates.indicator import Indicator, IndicatorKind, IndicatorUnit, RowRange
from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus
from airflow_atscale_aggs.engine.aggregates.provenance import SourceState
from airflow_atscale_aggs.engine.aggregates.segment import BuiltSegment, Increment, NewSegment, SegmentKey
from airflow_atscale_aggs.engine.aggregates.verification import TABLE_ROWS, GroupsQuery, TotalsQuery, Verification
from airflow_atscale_aggs.engine.errors import PermanentWarehouseError, VerificationError
from airflow_atscale_aggs.engine.lifecycle.build.events import BuildEvent, EventSender
from airflow_atscale_aggs.engine.lifecycle.build.segment_tables import (
    NotComparableError,
    compare_merged_segments,
    fill_segments,
    find_replaced_table,
    reuse_segments,
)
from airflow_atscale_aggs.engine.registry.records import BuiltParts, Claim, InstanceRecord
from tests.support.stars.small_star import SmallStar, small_star

_KEPT = SegmentKey("older", 1, 1)
_LAST = SegmentKey("older", 1, 2)
_ROWS = RowRange(column="seq", kind=IndicatorKind.INTEGER, after=2, through=5)
_VIEW = "CREATE VIEW whole AS SELECT * FROM s1 UNION ALL SELECT * FROM s2"
_OF_S2 = NewSegment(
    number=1,
    table="s2",
    rows=_ROWS,
    is_settled=False,
    drop_sql="DROP TABLE IF EXISTS s2",
    count_sql="SELECT COUNT(*), SUM(n), 'a mark' FROM s2",
)
_FROM_SALES = SourceOption(
    instance_id=None,
    name="sales",
    create_sql="",
    segment_sqls=("CREATE TABLE s2 AS SELECT city, COUNT(*) AS n FROM sales WHERE seq > 2 GROUP BY 1",),
)
_INCREMENT = Increment(
    indicator=Indicator(column="seq", data_type="bigint", kind=IndicatorKind.INTEGER, unit=IndicatorUnit.PLAIN),
    grace_period="2",
    full_reason="",
    full_at=datetime(2026, 1, 1, tzinfo=UTC),
    kept=(_KEPT,),
    kept_rows=1,
    new=(_OF_S2,),
    create_view_sql=_VIEW,
    unchanged=GroupsQuery(
        sql="SELECT city FROM sales WHERE seq > 2 EXCEPT SELECT city FROM s2",
        keys=("city",),
        measures=(),
        is_sample=False,
    ),
    last=(_KEPT, _LAST),
    last_rows=3,
    unchanged_view_sql=_VIEW,
)
_REPLACED: dict[str, Any] = {
    "identities_sql": "SELECT 'sales', 'main.sales', '8'",
    "sources": SourceState(tables={"main.sales": "7"}),
}
"""The catalog's answer is another one than the one that was noted."""


@pytest.fixture
def star() -> Iterator[SmallStar]:
    """Sales in three cities; those up to 2 stand in a segment."""
    with small_star() as star:
        star.add("sales", "seq city:varchar", "1, 'N'", "2, 'N'", "3, 'N'", "4, 'S'", "5, 'S'")
        star.run("CREATE TABLE s1 AS SELECT city, COUNT(*) AS n FROM sales WHERE seq <= 2 GROUP BY 1")
        yield star


def _claim(increment: Increment | None) -> Claim:
    """The first attempt of an instance with this increment."""
    step = BuildStep(
        instance_id="i",
        definition_id="d",
        aggregate="by_city",
        fact="sales",
        position=0,
        sources=(_FROM_SALES,),
        table="whole",
        target_sql="whole",
        drop_sql="DROP VIEW IF EXISTS whole",
        count_sql="SELECT COUNT(*) FROM whole",
        view_statements=(),
        view="agg_by_city",
        increment=increment,
    )
    instance = InstanceRecord(id="i", batch_id="b", model_id="m", status=InstanceStatus.IN_PROGRESS, step=step)
    return Claim(instance=instance, attempt=1, owner="me", planned=instance.step)


def _fill(star: SmallStar, increment: Increment) -> tuple[BuiltParts, list[str]]:
    """What is made of an increment, and the texts of the events about segments."""
    claim, events = _claim(increment), list[BuildEvent]()
    tell = EventSender(claim.instance.step, 1, 1, events.append)
    parts = fill_segments(star.session, claim, increment, _FROM_SALES, None, tell)
    return parts, [event.text for event in events if event.kind == "segment"]


def _reuse(star: SmallStar, increment: Increment | None) -> BuiltParts | None:
    claim = _claim(increment)
    return reuse_segments(star.session, claim, EventSender(claim.instance.step, 1, 1, list[BuildEvent]().append))


def test_new_segments_are_made_beside_those_that_stay(star: SmallStar) -> None:
    parts, texts = _fill(star, _INCREMENT)

    assert parts == BuiltParts(
        rows=3,
        segments=(BuiltSegment(number=1, rows=2, fact_rows=3, mark="a mark"),),
        uses=(_KEPT, SegmentKey("i", 1, 1)),
    )
    assert texts == ["segment 1 (2, 5] unsettled: read 3 fact rows, wrote 2 rows"]
    assert star.rows("SELECT city, n FROM whole") == [("N", 1), ("N", 2), ("S", 2)]


@pytest.mark.parametrize(
    ("count_sql", "fact_rows_sql", "fact_rows", "mark", "message"),
    [
        pytest.param("SELECT 2, 3", "", 3, "", "read 3 fact rows", id="no mark"),
        pytest.param("SELECT 2, 3, NULL", "", 3, "", "read 3 fact rows", id="a mark that is nothing"),
        pytest.param("SELECT 2, NULL, 'm'", "SELECT 1200", 1200, "m", "read 1,200 fact rows", id="counted before"),
        pytest.param("SELECT 2, NULL, 'm'", "", None, "m", "fact rows not counted", id="not known"),
    ],
)
def test_fact_rows_are_told_by_the_table_or_counted_before_it_is_made(
    star: SmallStar, count_sql: str, fact_rows_sql: str, fact_rows: int | None, mark: str, message: str
) -> None:
    """A table of a many-to-many attribute cannot tell them."""
    segment = replace(_OF_S2, is_settled=True, count_sql=count_sql, fact_rows_sql=fact_rows_sql)

    parts, (text,) = _fill(star, replace(_INCREMENT, new=(segment,)))

    assert parts.segments == (BuiltSegment(number=1, rows=2, fact_rows=fact_rows, mark=mark),)
    assert f"settled: {message}" in text or text.endswith(f"{message}, wrote 2 rows")


def test_segments_are_kept_when_the_last_one_holds_what_its_facts_say(star: SmallStar) -> None:
    star.run(*_FROM_SALES.segment_sqls)

    assert _reuse(star, _INCREMENT) == BuiltParts(rows=3, uses=(_KEPT, _LAST))
    assert len(star.rows("SELECT * FROM whole")) == 3


@pytest.mark.parametrize(
    ("increment", "statement"),
    [
        pytest.param(_INCREMENT, "INSERT INTO sales VALUES (5, 'E')", id="a group is new"),
        pytest.param(replace(_INCREMENT, unchanged=None), "SELECT 1", id="rows have come or gone"),
        pytest.param(None, "SELECT 1", id="an aggregate of one table"),
    ],
)
def test_segments_are_not_kept_when_something_has_changed(
    star: SmallStar, increment: Increment | None, statement: str
) -> None:
    star.run(*_FROM_SALES.segment_sqls, statement)

    assert _reuse(star, increment) is None


def test_groups_that_cannot_be_compared_are_made_anew(star: SmallStar) -> None:
    """The table of the last segment is gone."""
    with pytest.raises(NotComparableError, match="s2"):
        _reuse(star, _INCREMENT)


def test_nothing_is_added_to_segments_of_a_table_that_was_replaced(star: SmallStar) -> None:
    increment = replace(_INCREMENT, **_REPLACED)

    with pytest.raises(PermanentWarehouseError, match=r"`main\.sales` was replaced, truncated or written anew after"):
        _fill(star, increment)
    with pytest.raises(PermanentWarehouseError, match="Begin a new batch; it reads all rows"):
        _reuse(star, increment)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, "", id="no identities"),
        pytest.param(_REPLACED, "main.sales", id="another identity"),
        pytest.param({**_REPLACED, "identities_sql": "SELECT 'sales', 'main.sales', '7'"}, "", id="the same"),
        pytest.param({**_REPLACED, "identities_sql": "SELECT 'sales', 'main.sales', NULL"}, "", id="nobody knows"),
        pytest.param({**_REPLACED, "identities_sql": "SELECT 'a', 'b', 'c' WHERE FALSE"}, "main.sales", id="gone"),
        pytest.param({**_REPLACED, "kept": (), "last": ()}, "", id="no segment stays"),
        pytest.param({**_REPLACED, "sources": None}, "", id="not noted"),
    ],
)
def test_a_replaced_table_is_told_by_its_identity(star: SmallStar, changes: dict[str, Any], expected: str) -> None:
    assert find_replaced_table(star.session, replace(_INCREMENT, **changes)) == expected


_MERGED = replace(
    _OF_S2,
    merges=(_KEPT, _LAST),
    is_settled=True,
    create_sql="CREATE TABLE s2 AS SELECT city, SUM(n) AS n FROM s1 GROUP BY 1",
    verification=Verification(
        fact="sales",
        rows="rows",
        facts=TotalsQuery(sql="SELECT SUM(n) FROM s1", names=("rows",)),
        table=TotalsQuery(sql="SELECT COUNT(*), SUM(n) FROM s2", names=(TABLE_ROWS, "rows")),
        roundoff={},
    ),
)
_MERGE = replace(_INCREMENT, kept=(), kept_rows=0, new=(_MERGED,))


def test_merged_segments_are_made_of_those_that_they_replace(star: SmallStar) -> None:
    parts, texts = _fill(star, _MERGE)

    assert texts == ["segment 1 (2, 5] merged from 2: read 2 fact rows, wrote 1 rows"]
    assert compare_merged_segments(star.session, _claim(_MERGE), parts) == ()


@pytest.mark.parametrize(
    ("increment", "is_made"),
    [(None, True), (_INCREMENT, True), pytest.param(_MERGE, False, id="nothing was merged this time")],
)
def test_what_was_not_merged_is_not_compared(star: SmallStar, increment: Increment | None, *, is_made: bool) -> None:
    """There is no table that could be compared."""
    parts = BuiltParts(rows=1, segments=(BuiltSegment(number=1, rows=1, fact_rows=2),) if is_made else ())

    assert compare_merged_segments(star.session, _claim(increment), parts) == ()


def test_a_merged_segment_that_lacks_rows_is_a_mismatch(star: SmallStar) -> None:
    parts, _ = _fill(star, _MERGE)
    star.run("UPDATE s2 SET n = 1")

    with pytest.raises(VerificationError, match="`rows` should be 2 but is 1"):
        compare_merged_segments(star.session, _claim(_MERGE), parts)


def test_merged_segments_that_cannot_be_compared_are_undecided(star: SmallStar) -> None:
    parts, _ = _fill(star, _MERGE)
    star.run("DROP TABLE s1 CASCADE")

    (reason,) = compare_merged_segments(star.session, _claim(_MERGE), parts)

    assert reason.startswith("merged segments: the comparison failed: ")
