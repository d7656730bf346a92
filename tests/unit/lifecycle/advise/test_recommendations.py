"""What is recommended is applied: all of it, or what somebody has chosen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_atscale_aggs.engine.advising.selection import Budget
from airflow_atscale_aggs.engine.errors import UnknownNameError
from airflow_atscale_aggs.engine.lifecycle.advise.make_room import NOTHING, Replaceable
from airflow_atscale_aggs.engine.lifecycle.advise.recommend import RecommendRequest, recommend
from airflow_atscale_aggs.engine.lifecycle.advise.recommendations import (
    Allowance,
    RecommendReport,
    apply_recommendations,
    choose_giving_way,
    make_proposal,
)
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from tests.support.stars.standing_star import LATER, MODEL, definition, model_id

_BY_CITY = 'SELECT "City", "Quantity" FROM tiny_sales WHERE "Month" = \'month 1\''
_BY_DAY = 'SELECT "Day", "Amount" FROM tiny_sales'


def _recommend(workspace: Workspace, **more: Any) -> RecommendReport:
    """Two aggregates: by day, and by month and city."""
    request = RecommendRequest(queries=(_BY_DAY, _BY_DAY, _BY_CITY))
    return recommend(workspace, MODEL, request=request, now=LATER, **more)


@pytest.mark.parametrize(
    ("spent", "released", "expected"),
    [(30.0, 0.0, 70.0), (130.0, 0.0, 0.0), (130.0, 50.0, 20.0)],
)
def test_an_allowance_remains_for_new_ones(spent: float, released: float, expected: float) -> None:
    allowance = Allowance(size=100.0, spent=spent, count=3, in_bytes=True, released=Replaceable(sizes={"a": released}))

    assert allowance.remaining == Budget(size=expected, count=3, in_bytes=True)


def test_what_is_chosen_is_defined_and_nothing_else(wide: Workspace) -> None:
    names = [recommendation.definition.name for recommendation in _recommend(wide).recommendations]
    assert len(names) == 2

    report = _recommend(wide, apply=True, only=[names[1]])

    outcomes = {recommendation.definition.name: recommendation.outcome for recommendation in report.recommendations}
    assert outcomes == {names[0]: None, names[1]: "added"}
    defined = wide.read.definitions.of_model(report.model_id)
    assert [record.definition.name for record in defined] == [names[1]]


def test_where_nothing_is_chosen_all_is_defined(wide: Workspace) -> None:
    report = _recommend(wide, apply=True)

    assert {recommendation.outcome for recommendation in report.recommendations} == {"added"}
    assert len(wide.read.definitions.of_model(report.model_id)) == 2
    assert _recommend(wide, apply=True).recommendations == ()


def test_what_is_not_recommended_cannot_be_chosen(wide: Workspace) -> None:
    """Nothing is defined then."""
    with pytest.raises(
        UnknownNameError, match=r"no recommended aggregate `sales_by_dai`\. Did you mean `sales_by_day`"
    ):
        _recommend(wide, apply=True, only=["sales_by_day", "sales_by_dai"])
    with pytest.raises(UnknownNameError):
        recommend(wide, MODEL, request=RecommendRequest(queries=()), apply=True, only=["x"], now=LATER)

    assert wide.read.definitions.of_model(model_id(wide)) == ()


def test_as_many_give_way_as_the_chosen_ones_need(wide: Workspace) -> None:
    """Two old ones of ten rows would give way to both; the smaller of the new ones needs one of them."""
    report = _recommend(wide)
    by_rows = sorted(report.recommendations, key=lambda recommendation: recommendation.rows)
    rows = [recommendation.rows for recommendation in by_rows]
    old = Replaceable(sizes={"old_1": float(rows[0]), "old_2": float(sum(rows))})
    full = Allowance(size=100.0, spent=100.0, count=9, in_bytes=False, released=old)

    both = choose_giving_way(replace(report, budget=full), {})
    one = choose_giving_way(replace(report, budget=full, recommendations=(by_rows[0],)), {})
    none = choose_giving_way(replace(report, budget=replace(full, released=NOTHING)), {})

    assert set(both.giving_way) == {"old_1", "old_2"}
    assert len(one.giving_way) == 1
    assert set(one.giving_way.values()) == {by_rows[0].definition.name}
    assert none.giving_way == {}


def test_what_stays_is_not_recommended_again(wide: Workspace) -> None:
    report = _recommend(wide)
    first = report.recommendations[0]
    released = Replaceable(sizes={"its_old_name": 10.0})
    budget = Allowance(size=0.0, spent=10.0, count=9, in_bytes=False, released=released)

    kept = choose_giving_way(replace(report, budget=budget), {first.definition.id: "its_old_name"})

    assert first not in kept.recommendations
    assert kept.giving_way == {}


def test_a_proposal_carries_the_figures_that_speak_for_it(wide: Workspace) -> None:
    report = _recommend(wide)
    recommendation = replace(report.recommendations[0], error=None)

    proposal = make_proposal(recommendation, report)

    assert proposal.definition == recommendation.definition
    assert proposal.evidence["predicted_rows"] == recommendation.rows
    assert "predicted_rows_error" not in proposal.evidence
    applied = apply_recommendations(wide, report, now=LATER).recommendations[0]
    assert definition(wide, applied.definition.name).evidence["cost_before_rows"] == report.cost_before
