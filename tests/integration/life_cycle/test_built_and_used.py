"""Aggregates that are built, used and judged: two parts of the page "Life Cycle of Aggregate Tables".

Each sentence of the page is a test.
"""

from __future__ import annotations

from functools import partial

import pytest

from airflow_atscale_aggs.engine.lifecycle.query.router import answer
from airflow_atscale_aggs.engine.lifecycle.retain.evaluate import evaluate
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, utc_now
from airflow_atscale_aggs.engine.registry.records import QuerySource
from tests.support.query_records import make_query_record
from tests.support.stars.life_cycle_star import (
    MODEL,
    QUANTITY_BY_MONTH,
    active_aggregates,
    build,
    model_id,
    source_of,
)
from tests.support.strategies.system_definitions import define


def test_the_next_build_process_builds_the_first_instance_of_a_system_defined_table(workspace: Workspace) -> None:
    """It is built together with the others of the model; then queries are directed to it, and it is counted."""
    define(workspace, {"month": (("Month",), ("Quantity",))})
    build(workspace)

    assert active_aggregates(workspace) == {"by_city", "month"}
    assert source_of(workspace, QUANTITY_BY_MONTH) == "month"


def test_the_engine_continuously_evaluates_the_quality_of_the_aggregate_table(workspace: Workspace) -> None:
    """Uses, rows and seconds saved, cost and size, one score with its parts; each judgement is kept."""
    ids = define(workspace, {"month": (("Month",), ("Quantity",))}, evidence={"predicted_rows": 5.0})
    build(workspace)
    before = evaluate(workspace, MODEL, now=utc_now())
    answer(workspace, QUANTITY_BY_MONTH)
    answer(workspace, QUANTITY_BY_MONTH)
    after = evaluate(workspace, MODEL, now=utc_now())

    judged = {evaluation.definition.definition.name: evaluation.record for evaluation in after.evaluations}["month"]
    assert (judged.uses, judged.rows, judged.fact_rows, judged.rows_saved) == (2, 4, 60, 2 * (60 - 4))
    assert (judged.predicted_rows, judged.builds) == (5.0, 1)
    assert judged.build_seconds > 0
    assert judged.parts["compression"] == pytest.approx(1 - 4 / 60)
    assert judged.score == pytest.approx(
        100 * judged.parts["payback"] * judged.parts["recency"] * judged.parts["compression"]
    )
    assert {evaluation.record.score for evaluation in before.evaluations} == {0.0}
    evaluations = workspace.read.evaluations.find(model_id(workspace), definition_id=ids["month"])
    assert [evaluation.uses for evaluation in evaluations] == [2, 0]


@pytest.mark.parametrize(("both_ways", "share"), [(True, 1.0), (False, 0.0)])
def test_seconds_saved_are_measured_where_a_query_ran_both_ways_and_estimated_elsewhere(
    workspace: Workspace, both_ways: bool, share: float
) -> None:
    """An estimate takes the shortest build from the facts, and is marked."""
    ids = define(workspace, {"month": (("Month",), ("Quantity",))})
    build(workspace)
    from_facts, from_aggregate = (
        QuerySource(fact="sales"),
        QuerySource(fact="sales", aggregate="month", definition_id=ids["month"]),
    )
    query = partial(make_query_record, model_id=model_id(workspace), asked_at=utc_now())
    workspace.registry.queries.record(
        [
            query(from_aggregate, fingerprint="q", seconds=0.5, weight=10),
            query(from_facts, fingerprint="q" if both_ways else "other", seconds=2.0),
            query(from_facts, fingerprint="far", seconds=4.0),
        ]
    )

    (judged,) = [
        evaluation.record
        for evaluation in evaluate(workspace, MODEL, now=utc_now()).evaluations
        if evaluation.definition.definition.name == "month"
    ]

    each = 2.0 if both_ways else workspace.read.instances.shortest_builds(model_id(workspace))["sales"]
    assert judged.seconds_saved == pytest.approx(10 * (each - 0.5))
    assert judged.measured_share == share


# Deleted
