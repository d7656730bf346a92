"""A step as data: tokens give way to numbers of attempts, and its statements come in order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_atscale_aggs.engine.aggregates.build_step import (
    SOURCE_ATTEMPT,
    TARGET_ATTEMPT,
    BuildStep,
    SourceOption,
)
from airflow_atscale_aggs.engine.aggregates.indicator import Indicator, IndicatorKind, IndicatorUnit, RowRange
from airflow_atscale_aggs.engine.aggregates.segment import Increment, NewSegment, SegmentKey
from airflow_atscale_aggs.engine.aggregates.verification import GroupsQuery, TotalsQuery, Verification

_TABLE = f"agg_{TARGET_ATTEMPT}"
_DERIVED = SourceOption(
    instance_id="i0",
    name="Fine",
    create_sql=f"CREATE TABLE {_TABLE} AS SELECT * FROM fine_{SOURCE_ATTEMPT}",
    segment_sqls=(f"CREATE TABLE {_TABLE}_1 AS SELECT * FROM fine_{SOURCE_ATTEMPT}_1",),
)
_FACTS = SourceOption(instance_id=None, name="sales", create_sql=f"CREATE TABLE {_TABLE} AS SELECT * FROM sales")
_VERIFICATION = Verification(
    fact="sales",
    rows="count_rows(sales)",
    facts=TotalsQuery(sql="SELECT COUNT(*) FROM sales", names=("count_rows(sales)",)),
    table=TotalsQuery(sql=f"SELECT SUM(n) FROM {_TABLE}", names=("count_rows(sales)",)),
    roundoff={},
    groups=GroupsQuery(sql=f"SELECT * FROM {_TABLE}", keys=(), measures=(), is_sample=False),
)
_STEP = BuildStep(
    instance_id="i1",
    definition_id="d1",
    aggregate="Coarse",
    fact="sales",
    position=1,
    sources=(_DERIVED, _FACTS),
    table=_TABLE,
    target_sql=f'"aggs"."{_TABLE}"',
    drop_sql=f"DROP TABLE IF EXISTS {_TABLE}",
    count_sql=f"SELECT COUNT(*) FROM {_TABLE}",
    view_statements=(f"CREATE OR REPLACE VIEW coarse AS SELECT * FROM {_TABLE}",),
    view="coarse",
    analyze_sql=f"ANALYZE {_TABLE}",
    verification=_VERIFICATION,
)


def _segment(number: int, **more: Any) -> NewSegment:
    name = f"{_TABLE}_{number}"
    segment = NewSegment(
        number=number,
        table=name,
        rows=RowRange(column="at", kind=IndicatorKind.INTEGER),
        is_settled=True,
        drop_sql=f"DROP TABLE IF EXISTS {name}",
        count_sql=f"SELECT COUNT(*) FROM {name}",
    )
    return replace(segment, **more)


def _increment(*segments: NewSegment, full_reason: str = "") -> Increment:
    return Increment(
        indicator=Indicator(column="at", data_type="bigint", kind=IndicatorKind.INTEGER, unit=IndicatorUnit.PLAIN),
        grace_period="10",
        full_reason=full_reason,
        full_at=datetime(2026, 1, 1, tzinfo=UTC),
        kept=(),
        new=segments,
        create_view_sql=f"CREATE VIEW {_TABLE} AS SELECT * FROM {_TABLE}_1",
        unchanged_view_sql=f"CREATE VIEW {_TABLE} AS SELECT 1",
    )


_MERGING = _segment(
    0,
    merges=(SegmentKey("i", 1, 0), SegmentKey("i", 1, 1)),
    create_sql=f"CREATE TABLE {_TABLE}_0 AS SELECT * FROM old_1 UNION ALL SELECT * FROM old_2",
    verification=_VERIFICATION,
    analyze_sql=f"ANALYZE {_TABLE}_0",
)
_SEGMENTED = replace(_STEP, increment=_increment(_MERGING, _segment(1)))


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (_STEP, "full"),
        (replace(_STEP, increment=_increment(_segment(1), full_reason="the first build")), "full"),
        (_SEGMENTED, "increment"),
    ],
    ids=["one table", "all segments anew", "some segments"],
)
def test_a_step_is_full_or_an_increment(step: BuildStep, kind: str) -> None:
    assert step.kind == kind


@pytest.mark.parametrize("step", [_STEP, _SEGMENTED], ids=["one table", "segments"])
def test_the_number_of_the_attempt_stands_wherever_its_token_stood(step: BuildStep) -> None:
    """The token of the source stays: which attempt won there is known when the build begins."""
    attempt = step.of_attempt(7)

    assert TARGET_ATTEMPT in repr(step)
    assert TARGET_ATTEMPT not in repr(attempt)
    assert repr(attempt) == repr(step).replace(TARGET_ATTEMPT, "7")


@pytest.mark.parametrize(
    ("step", "source", "source_attempt", "statements"),
    [
        (_STEP, _FACTS, None, ["CREATE TABLE agg_7 AS SELECT * FROM sales"]),
        (_STEP, _DERIVED, 3, ["CREATE TABLE agg_7 AS SELECT * FROM fine_3"]),
        (
            _SEGMENTED,
            _DERIVED,
            3,
            [
                "CREATE TABLE agg_7_0 AS SELECT * FROM old_1 UNION ALL SELECT * FROM old_2",
                "CREATE TABLE agg_7_1 AS SELECT * FROM fine_3_1",
                "CREATE VIEW agg_7 AS SELECT * FROM agg_7_1",
            ],
        ),
    ],
    ids=["from the facts", "from another aggregate", "segments"],
)
def test_statements_that_fill_a_table(
    step: BuildStep, source: SourceOption, source_attempt: int | None, statements: list[str]
) -> None:
    """A merging segment has a statement of its own, the others have those of the source; the view comes last."""
    attempt = step.of_attempt(7)
    source = source.replace_text(TARGET_ATTEMPT, "7")

    assert list(attempt.create_statements(source, source_attempt)) == statements
    assert attempt.create_statement(source, source_attempt) == ";\n".join(statements)


@pytest.mark.parametrize(
    ("step", "statements"),
    [
        (_STEP, ["DROP TABLE IF EXISTS agg_7"]),
        (
            _SEGMENTED,
            ["DROP TABLE IF EXISTS agg_7", "DROP TABLE IF EXISTS agg_7_0", "DROP TABLE IF EXISTS agg_7_1"],
        ),
    ],
    ids=["one table", "a view, then its tables"],
)
def test_all_relations_of_an_attempt_are_dropped(step: BuildStep, statements: list[str]) -> None:
    assert list(step.of_attempt(7).drop_statements()) == statements
