"""The plan of a batch as a value: what it says when nothing else is said."""

from __future__ import annotations

from dataclasses import replace

from airflow_atscale_aggs.engine.aggregates.surroundings import Surroundings
from airflow_atscale_aggs.engine.planning.batch_plan import BatchPlan, RefusedPart

_PLAN = BatchPlan(
    model_id="m", deployment_id="d", batch_id="b", build_type="full", dialect="duckdb", schema="aggs", steps=()
)
_REFUSED = RefusedPart(aggregate="by city", definition_id="1", reason="column `city` cannot be read")


def test_a_refused_part_is_a_failure_unless_it_can_never_be_stored() -> None:
    assert _REFUSED.is_failure
    assert not replace(_REFUSED, is_failure=False).is_failure


def test_a_plan_is_ordered_by_derivability_and_refuses_nothing_unless_it_says_so() -> None:
    assert (_PLAN.ordering, _PLAN.refused, _PLAN.notes) == ("derivability", (), ())
    assert (_PLAN.surroundings, _PLAN.sources) == (Surroundings(), ())


def test_two_plans_are_equal_when_they_say_the_same() -> None:
    assert replace(_PLAN, refused=(_REFUSED,)) == replace(_PLAN, refused=(replace(_REFUSED),))
    assert replace(_PLAN, refused=(_REFUSED,)) != _PLAN
