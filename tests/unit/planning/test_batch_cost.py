"""The cost of a batch is counted from its steps: who reads the fact, how often, and what is not known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from airflow_atscale_aggs.engine.aggregates.build_step import BuildStep, SourceOption
from airflow_atscale_aggs.engine.aggregates.indicator import RowRange
from airflow_atscale_aggs.engine.aggregates.segment import Increment, NewSegment
from airflow_atscale_aggs.engine.aggregates.verification import GroupsQuery, TotalsQuery, Verification
from airflow_atscale_aggs.engine.planning.batch_cost import (
    BatchCost,
    FactSize,
    IndicatorReads,
    PlanningReads,
    ReadReason,
    batch_cost,
    planning_reads,
)
from airflow_atscale_aggs.engine.settings import VerificationLevel
from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.fact_joins import ProvenConstraints
from airflow_atscale_aggs.engine.sql.sources import Sources
from tests.support.increment_cases import ID
from tests.support.stars.asked_star import AskedStar

_GROUPS = GroupsQuery(sql="", keys=(), measures=(), is_sample=True)
_FULL = "a full rebuild was asked for"


def _step(name: str, *parents: str, totals: str = "t", increment: Increment | None = None) -> BuildStep:
    totals_query = TotalsQuery(sql=totals, names=())
    facts = SourceOption(
        instance_id=None, name="sales", create_sql="", segment_sqls=("",) * (len(increment.new) if increment else 0)
    )
    return BuildStep(
        instance_id=name,
        definition_id=name,
        aggregate=name,
        fact="sales",
        position=0,
        sources=(*(replace(facts, instance_id=parent, name=parent) for parent in parents), facts),
        table="",
        target_sql="",
        drop_sql="",
        count_sql="",
        view_statements=(),
        view="",
        estimated_rows=10,
        verification=Verification(
            fact="sales", rows="r", facts=totals_query, table=totals_query, roundoff={}, groups=_GROUPS
        ),
        increment=increment,
    )


def _increment(number: int, *, full_reason: str = "", unchanged: bool = False, counts: bool = False) -> Increment:
    segment = NewSegment(
        number=1,
        table="",
        rows=RowRange(column="id", kind=ID.kind),
        is_settled=False,
        drop_sql="",
        count_sql="",
        fact_rows_sql="count" if counts else "",
    )
    return Increment(
        indicator=ID,
        grace_period="10",
        full_reason=full_reason,
        full_at=datetime(2026, 1, 1, tzinfo=UTC),
        kept=(),
        new=(segment,) * number,
        create_view_sql="",
        unchanged=_GROUPS if unchanged else None,
    )


def _cost(
    steps: Sequence[BuildStep],
    level: VerificationLevel = VerificationLevel.TOTALS,
    planning: PlanningReads = PlanningReads(),
    size: FactSize = FactSize(),
) -> BatchCost:
    return batch_cost(steps, level, planning, {"sales": size}, {("a", "sales"): 8.0}, {"sales": 1})


def _whole(cost: BatchCost) -> dict[str, int]:
    return {str(reason): number for reason, number in cost.facts[0].whole.items() if number}


def _ranges(cost: BatchCost) -> dict[str, int]:
    return {str(reason): number for reason, number in cost.facts[0].ranges.items() if number}


def test_only_what_derives_from_nothing_reads_the_fact_and_totals_are_taken_once() -> None:
    cost = _cost([_step("a"), _step("b", "a"), _step("c")])

    assert _whole(cost) == {"builds": 2, "verification": 1}
    assert (cost.from_facts, cost.derived, cost.estimates) == (2, 1, {"sales": 1})


@pytest.mark.parametrize(
    ("level", "readings"),
    [
        (VerificationLevel.OFF, 0),
        (VerificationLevel.TOTALS, 1),
        (VerificationLevel.SAMPLE, 3),
        (VerificationLevel.FULL, 3),
    ],
)
def test_groups_are_compared_with_the_fact_for_each_aggregate(level: VerificationLevel, readings: int) -> None:
    cost = _cost([_step("a"), _step("b", "a")], level)

    assert cost.facts[0].whole[ReadReason.VERIFICATION] == readings


def test_other_totals_than_those_of_its_source_are_taken_again() -> None:
    """Where members are many to many, a fact row counts once for each."""
    cost = _cost([_step("a"), _step("b", totals="other"), _step("c", "a", totals="other")])

    assert cost.facts[0].whole[ReadReason.VERIFICATION] == 3


def test_the_state_of_the_fact_is_compared_at_the_end_where_two_have_read_it() -> None:
    planning = PlanningReads(is_marked=frozenset({"sales"}))

    assert _whole(_cost([_step("a"), _step("b", "a")], VerificationLevel.OFF, planning)) == {"marks": 1, "builds": 1}
    assert _whole(_cost([_step("a"), _step("b")], VerificationLevel.OFF, planning)) == {"marks": 2, "builds": 2}


def test_segments_read_ranges_which_are_all_rows_only_when_all_are_made_anew() -> None:
    planning = PlanningReads(indicator={"sales": IndicatorReads(whole=3, ranges=2)})
    full = _cost([_step("a", increment=_increment(2, full_reason=_FULL))], planning=planning)
    some = _cost([_step("a", increment=_increment(2, unchanged=True, counts=True))], planning=planning)

    assert (_whole(full), _ranges(full)) == ({"indicator": 3}, {"indicator": 2, "builds": 2, "verification": 1})
    assert (_whole(some), _ranges(some)) == ({"indicator": 3}, {"indicator": 2, "builds": 4, "verification": 2})
    assert (full.facts[0].complete_readings, some.facts[0].complete_readings) == (5, 3)
    assert (full.facts[0].readings, some.facts[0].readings) == (8, 11)


def test_rows_and_bytes_are_told_as_far_as_they_are_known() -> None:
    steps = [_step("a"), replace(_step("b", "a"), estimated_rows=None), _step("c", increment=_increment(1))]
    known = _cost(steps[:2], size=FactSize(rows=1000, size_bytes=8000))
    unknown = _cost(steps)

    assert (known.facts[0].rows_read, known.facts[0].bytes_read) == (2000, 16_000)
    assert (unknown.facts[0].rows_read, unknown.facts[0].bytes_read) == (None, None)
    assert (known.rows_written, known.bytes_written, known.not_known) == (10, 80, ("b",))
    assert unknown.not_known == ("b", "c")


def test_a_batch_of_nothing_costs_nothing() -> None:
    assert batch_cost([], VerificationLevel.TOTALS, PlanningReads(), {}, {}, {}) == BatchCost(
        facts=(), from_facts=0, derived=0, rows_written=0, bytes_written=0
    )


def test_planning_reads_the_fact_for_claims_about_its_own_columns_and_for_marks(star: AskedStar) -> None:
    parts = [star.part(["City"], ["Amount"], "sales")]
    reads = planning_reads(parts, star.sources, star.proven(*parts), tried=["sales"], indicator={})

    assert reads == PlanningReads(is_marked=frozenset({"sales"}), proofs={"sales": 1})


def test_a_fact_that_is_not_there_is_not_marked(star: AskedStar) -> None:
    parts = [star.part(["City"], ["Amount"], "sales")]
    nothing = Sources({}, {}, find_dialect("duckdb"))

    assert planning_reads(parts, nothing, ProvenConstraints(), indicator={}) == PlanningReads()
