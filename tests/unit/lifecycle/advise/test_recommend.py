"""What a model was asked decides which aggregates it should have, within a budget."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionOrigin, DefinitionStatus
from airflow_atscale_aggs.engine.errors import ModelRetiredError, NotRegisteredError
from airflow_atscale_aggs.engine.lifecycle.advise.make_room import MAKES_ROOM
from airflow_atscale_aggs.engine.lifecycle.advise.recommend import RecommendRequest, recommend
from airflow_atscale_aggs.engine.lifecycle.advise.recommendations import RecommendReport
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.registry.records import QueryRecord
from tests.support.query_records import make_query_record
from tests.support.stars import tiny_star, wide_star
from tests.support.stars.standing_star import (
    LATER,
    MODEL,
    NOW,
    build,
    definition,
    model_id,
    open_standing,
    put_settings,
)
from tests.support.stars.wide_star import FACT_ROWS

_BY_MONTH = 'SELECT "Month", "Amount" FROM tiny_sales'
_BY_CITY = 'SELECT "City", "Quantity" FROM tiny_sales WHERE "Month" = \'month 1\''
_BY_DAY = 'SELECT "Day", "Amount" FROM tiny_sales'
_BY_SHOP = 'SELECT "Month", "Shop", "Quantity" FROM tiny_sales'


def _recommend(workspace: Workspace, *queries: str, apply: bool = False, **more: Any) -> RecommendReport:
    """What is recommended for queries that stand for a history; for the log where there are none."""
    request = RecommendRequest(queries=queries or None, **more)
    return recommend(workspace, MODEL, request=request, apply=apply, now=LATER)


def _grains(report: RecommendReport) -> list[set[str]]:
    return [{attribute.query_name for attribute in r.definition.grain} for r in report.recommendations]


def test_a_recommendation_tells_what_it_saves(wide: Workspace) -> None:
    report = _recommend(wide, _BY_MONTH, _BY_MONTH)

    (recommendation,) = report.recommendations
    assert (report.source, report.queries, report.cost_before) == ("queries", 2, 2 * FACT_ROWS)
    assert report.cost_after == 2 * recommendation.rows
    assert recommendation.saved == report.cost_before - report.cost_after
    assert recommendation.share == pytest.approx(recommendation.saved / report.cost_before)
    assert (recommendation.definition.name, recommendation.definition.metrics) == ("sales_by_month", ("Amount",))
    # Four months and no month, sketched; reading all facts for a build, and writing the rows.
    assert recommendation.rows == pytest.approx(5, abs=1)
    assert (recommendation.error, recommendation.upkeep) == (0.06, FACT_ROWS + recommendation.rows)
    assert recommendation.reason == f"asked 2 times: Month reads {recommendation.rows} rows instead of {FACT_ROWS:,}"
    assert recommendation.outcome is None
    assert wide.read.definitions.of_model(report.model_id) == ()


def test_what_is_applied_is_defined_with_its_evidence(wide: Workspace) -> None:
    report = _recommend(wide, _BY_MONTH, apply=True)

    (recommendation,) = report.recommendations
    record = definition(wide, "sales_by_month")
    assert (recommendation.outcome, record.status) == ("added", "defined")
    assert record.definition == recommendation.definition
    assert record.definition.origin is DefinitionOrigin.DEMAND_DEFINED
    assert dict(record.evidence) == {
        "predicted_rows": recommendation.rows,
        "predicted_rows_error": 0.06,
        "predicted_bytes": recommendation.size_bytes,
        "predicted_saved_rows": recommendation.saved,
        "predicted_upkeep_rows": recommendation.upkeep,
        "queries": 1.0,
        "cost_before_rows": float(FACT_ROWS),
    }


def test_what_is_defined_and_built_is_not_recommended_again(wide: Workspace) -> None:
    _recommend(wide, _BY_MONTH, apply=True)
    build(wide)

    assert _recommend(wide, _BY_MONTH).recommendations == ()
    # As if it were not there.
    identity = definition(wide, "sales_by_month").definition.id
    assert _grains(_recommend(wide, _BY_MONTH, ignored=frozenset({identity}))) == [{"Month"}]


@pytest.mark.parametrize("metrics", [("Amount",), ("Amount", "Average Amount", "Quantity")])
def test_what_a_user_has_defined_is_not_recommended_again_for_a_sketch_that_is_smaller(
    tmp_path: Path, metrics: tuple[str, ...]
) -> None:
    """The table has a row for facts without a shop, which no sketch counts."""
    with open_standing(tmp_path, wide_star.lay_tables) as workspace:
        model = tiny_star.write_model(tmp_path / "model", {"by_city": (("City",), metrics)})
        deploy(workspace, model, now=NOW)
        build(workspace)
        asked = _recommend(workspace, 'SELECT "City", "Amount" FROM tiny_sales')
        likely = recommend(workspace, MODEL, request=RecommendRequest(from_structure=True, most=20), now=LATER)

    assert asked.recommendations == ()
    # The structure makes all metrics likely, so that it asks for more than an aggregate of one.
    assert ({"City"} in _grains(likely)) is (metrics == ("Amount",))


@pytest.mark.parametrize(
    ("more", "grains"),
    [
        pytest.param({}, [{"Day"}, {"Month", "City"}], id="the settings' budget"),
        pytest.param({"most": 1}, [{"Day", "Month", "City"}], id="one of them"),
        pytest.param({"most": 0}, [], id="none of them"),
        pytest.param({"percent": 0}, [], id="no rows"),
        pytest.param({"budget_bytes": 1}, [], id="too few bytes"),
    ],
)
def test_a_budget_limits_what_is_recommended(wide: Workspace, more: dict[str, Any], grains: list[set[str]]) -> None:
    report = _recommend(wide, _BY_DAY, _BY_DAY, _BY_CITY, **more)

    assert sorted(map(sorted, _grains(report))) == sorted(map(sorted, grains))
    assert report.budget.in_bytes is ("budget_bytes" in more)


def test_a_budget_of_the_settings_may_be_in_bytes(wide: Workspace) -> None:
    put_settings(wide, demand_bytes=1)

    assert _recommend(wide, _BY_MONTH).recommendations == ()
    # What is asked for wins.
    assert _grains(_recommend(wide, _BY_MONTH, percent=25)) == [{"Month"}]


def test_what_is_spent_already_counts_for_demand_and_not_for_predictions(wide: Workspace) -> None:
    _recommend(wide, _BY_DAY, apply=True)
    build(wide)

    assert _recommend(wide, _BY_MONTH).budget.spent == 20
    assert _recommend(wide, _BY_MONTH, origin=DefinitionOrigin.PREDICTION_DEFINED).budget.spent == 0


def test_a_blocked_one_is_told_and_not_proposed(wide: Workspace) -> None:
    (recommendation,) = _recommend(wide, _BY_MONTH, apply=True).recommendations
    wide.registry.definitions.set_status(
        [recommendation.definition.id], DefinitionStatus.BLOCKED, "", expected=DefinitionStatus.DEFINED, now=NOW
    )

    report = _recommend(wide, _BY_MONTH, apply=True)

    assert report.recommendations == ()
    assert [unserved.reason for unserved in report.unserved] == [
        "`sales_by_month` would answer, but a person has blocked it"
    ]
    assert definition(wide, "sales_by_month").status == "blocked"


def test_a_name_that_is_taken_gets_digits(wide: Workspace, tmp_path: Path) -> None:
    """A person's own aggregate has it."""
    aggregate = (
        "aggregates:\n  - {unique_name: sales_by_month, label: x, attributes: [{name: City, dimension: Shops}], "
    )
    file = tmp_path / "model" / "model.yml"
    file.write_text(f"{file.read_text()}{aggregate}metrics: [Amount]}}\n")
    wide_star.redeploy(wide, tmp_path / "model")

    (recommendation,) = _recommend(wide, _BY_MONTH, apply=True).recommendations

    assert recommendation.definition.name == f"sales_by_month_{recommendation.definition.fingerprint[:6]}"
    assert definition(wide, recommendation.definition.name).definition.id == recommendation.definition.id


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"joins": False}, "`Month` is joined, which `aggregates.create.joins.enabled` forbids"),
        ({"join_key_cardinality": 3}, "`Month` is joined by 20 keys"),
    ],
)
def test_what_settings_forbid_is_told(wide: Workspace, settings: dict[str, object], reason: str) -> None:
    put_settings(wide, **settings)

    report = _recommend(wide, _BY_MONTH)

    assert report.recommendations == ()
    assert [(u.query, u.weight, u.reason.startswith(reason)) for u in report.unserved] == [("Month", 1.0, True)]


def test_nothing_is_recommended_for_a_model_with_row_security(wide: Workspace, tmp_path: Path) -> None:
    (tmp_path / "model" / "security.yml").write_text(wide_star.ROW_SECURITY)
    wide_star.redeploy(wide, tmp_path / "model")

    report = _recommend(wide, _BY_MONTH)
    assert (report.recommendations, report.queries) == ((), 1)
    assert "row security; `aggregates.create.securityDimensions.enabled` is false" in report.unserved[0].reason

    put_settings(wide, secure_dimensions=True)
    assert _grains(_recommend(wide, _BY_MONTH)) == [{"Month"}]


def test_structure_stands_for_queries_that_nobody_has_asked(wide: Workspace) -> None:
    report = recommend(wide, MODEL, request=RecommendRequest(from_structure=True), now=LATER)

    assert report.source == "structure"
    assert report.recommendations
    assert {r.definition.metrics for r in report.recommendations} == {("Amount", "Average Amount", "Quantity")}
    assert all(r.reason.startswith("likely by the model's structure: ") for r in report.recommendations)
    assert {r.definition.origin for r in report.recommendations} == {DefinitionOrigin.PREDICTION_DEFINED}
    nothing = recommend(wide, MODEL, request=RecommendRequest(from_structure=True, facts=()), now=LATER)
    assert (nothing.recommendations, nothing.scans) == ((), 0)


def _logged(workspace: Workspace, sql: str, *, days: int = 0, times: int = 5) -> QueryRecord:
    """A query that was asked some days after `LATER`."""
    asked_at = LATER + timedelta(days=days)
    record = make_query_record(
        model_id=model_id(workspace), fingerprint=sql, asked_at=asked_at, weight=times, seconds=0.1
    )
    return replace(record, shape=sql)


def test_what_is_asked_less_often_than_it_is_built_is_not_worth_it(wide: Workspace) -> None:
    """A build reads the facts as a query does."""
    wide.registry.queries.record([_logged(wide, _BY_MONTH, times=1)])
    assert _grains(_recommend(wide)) == []

    wide.registry.queries.record([_logged(wide, _BY_MONTH, times=5)])
    report = _recommend(wide)

    assert (report.source, report.queries) == ("history", 6)
    assert _grains(report) == [{"Month"}]


def test_what_queries_need_no_more_makes_room_for_what_they_need_now(wide: Workspace) -> None:
    """One percent of the facts' rows holds one of two aggregates of twenty rows."""
    put_settings(wide, demand_percent=1)
    wide.registry.queries.record([_logged(wide, _BY_DAY)])
    (old,) = recommend(wide, MODEL, apply=True, now=LATER).recommendations
    build(wide, now=LATER)
    wide.registry.queries.record([_logged(wide, _BY_SHOP, days=days) for days in (1, 60)])

    soon = recommend(wide, MODEL, apply=True, now=LATER + timedelta(days=1))
    later = recommend(wide, MODEL, apply=True, now=LATER + timedelta(days=60))

    assert soon.recommendations == ()
    (new,) = later.recommendations
    assert dict(later.giving_way) == {old.definition.name: new.definition.name}
    (succession,) = wide.read.successions.find(later.model_id, pending=True)
    assert (succession.old_name, succession.new_name) == (old.definition.name, new.definition.name)
    assert succession.reason == MAKES_ROOM
    # The old one serves until the new one does.
    assert definition(wide, old.definition.name).status == "defined"


def test_a_model_that_nobody_asks_needs_nothing(wide: Workspace) -> None:
    report = recommend(wide, MODEL, now=LATER)

    assert (report.queries, report.recommendations, report.scans, report.cost_before) == (0, (), 0, 0)


def test_only_a_deployed_model_is_advised(wide: Workspace) -> None:
    with pytest.raises(NotRegisteredError, match="no model `tiny`"):
        recommend(wide, "tiny", now=LATER)
    wide.registry.models.retire(model_id(wide), why="", now=NOW, drop_after=NOW)
    with pytest.raises(ModelRetiredError):
        recommend(wide, MODEL, now=LATER)
