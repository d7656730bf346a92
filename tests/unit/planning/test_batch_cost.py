"""The cost of a batch is counted from its steps: who reads the fact, how often, and what is not known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from airflow_atscale_aggs.engine.aggregates.build_step import BuildStep
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
from tests.support.stars.asked_star import AskedStar
from tests.support.step_cases import build_step, step_increment

_FULL = "a full rebuild was asked for"


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
    cost = _cost([build_step("a"), build_step("b", "a"), build_step("c")])

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
    cost = _cost([build_step("a"), build_step("b", "a")], level)

    assert cost.facts[0].whole[ReadReason.VERIFICATION] == readings


def test_other_totals_than_those_of_its_source_are_taken_again() -> None:
    """Where members are many to many, a fact row counts once for each."""
    cost = _cost([build_step("a"), build_step("b", totals="other"), build_step("c", "a", totals="other")])

    assert cost.facts[0].whole[ReadReason.VERIFICATION] == 3


def test_the_state_of_the_fact_is_compared_at_the_end_where_two_have_read_it() -> None:
    planning = PlanningReads(is_marked=frozenset({"sales"}))

    assert _whole(_cost([build_step("a"), build_step("b", "a")], VerificationLevel.OFF, planning)) == {
        "marks": 1,
        "builds": 1,
    }
    assert _whole(_cost([build_step("a"), build_step("b")], VerificationLevel.OFF, planning)) == {
        "marks": 2,
        "builds": 2,
    }


def test_segments_read_ranges_which_are_all_rows_only_when_all_are_made_anew() -> None:
    planning = PlanningReads(indicator={"sales": IndicatorReads(whole=3, ranges=2)})
    full = _cost([build_step("a", increment=step_increment(2, full_reason=_FULL))], planning=planning)
    some = _cost([build_step("a", increment=step_increment(2, unchanged=True, counts=True))], planning=planning)

    assert (_whole(full), _ranges(full)) == ({"indicator": 3}, {"indicator": 2, "builds": 2, "verification": 1})
    assert (_whole(some), _ranges(some)) == ({"indicator": 3}, {"indicator": 2, "builds": 4, "verification": 2})
    assert (full.facts[0].complete_readings, some.facts[0].complete_readings) == (5, 3)
    assert (full.facts[0].readings, some.facts[0].readings) == (8, 11)


def test_rows_and_bytes_are_told_as_far_as_they_are_known() -> None:
    steps = [
        build_step("a"),
        replace(build_step("b", "a"), estimated_rows=None),
        build_step("c", increment=step_increment(1)),
    ]
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
    listed = planning_reads(parts, star.sources, star.proven(*parts), listed=["sales"], indicator={})
    assert listed == PlanningReads()


def test_a_fact_that_is_not_there_is_not_marked(star: AskedStar) -> None:
    parts = [star.part(["City"], ["Amount"], "sales")]
    nothing = Sources({}, {}, find_dialect("duckdb"))

    assert planning_reads(parts, nothing, ProvenConstraints(), indicator={}) == PlanningReads()
