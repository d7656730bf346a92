"""What a model's structure speaks for is defined with its deployment, and revised where the model has changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionOrigin
from airflow_atscale_aggs.engine.lifecycle.advise.predict import PredictReport, predict
from airflow_atscale_aggs.engine.lifecycle.advise.recommend import RecommendRequest, recommend
from airflow_atscale_aggs.engine.lifecycle.deployed_model import read_deployed_model
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from tests.support.stars import wide_star
from tests.support.stars.standing_star import (
    LATER,
    MODEL,
    build,
    definition,
    model_id,
    open_standing,
    put_settings,
    run_sql,
)

_TOTAL = "sales_total"
_MONTHS = "day_by_month"
"""Days of months: four hundred and twenty of them in five months pay; four shops in two cities do not."""

_METRICS = ("Amount", "Average Amount", "Quantity")


def _deploy_predicted(workspace: Workspace, folder: Path) -> None:
    """Deploy the model with a catalog that wants predictions."""
    wide_star.lay_tables(workspace, folder)
    run_sql(
        workspace,
        "INSERT INTO day SELECT 100 + a.day_id * 20 + b.day_id, a.day_name, 'month 9' FROM day AS a, day AS b",
    )
    wide_star.redeploy(workspace, folder / "model", ("catalog", "aggs: false", "aggs: true"))


@pytest.fixture
def predicted(tmp_path: Path) -> Iterator[Workspace]:
    with open_standing(tmp_path, _deploy_predicted) as workspace:
        yield workspace


def _again(workspace: Workspace, folder: Path, *edits: tuple[str, str, str]) -> PredictReport:
    """The prediction of another deployment, after edits of the model."""
    (report,) = wide_star.redeploy(workspace, folder / "model", *edits).predictions
    return report


def _origins(workspace: Workspace) -> dict[str, DefinitionOrigin]:
    records = workspace.read.definitions.of_model(model_id(workspace))
    return {record.definition.name: record.definition.origin for record in records}


def test_totals_and_lists_and_likely_grains_are_defined(predicted: Workspace) -> None:
    origins = _origins(predicted)

    assert {_TOTAL, _MONTHS} < set(origins)
    assert "shop_by_city" not in origins
    assert set(origins.values()) == {DefinitionOrigin.PREDICTION_DEFINED}
    total, months = definition(predicted, _TOTAL), definition(predicted, _MONTHS)
    assert (total.definition.metrics, len(total.definition.grain)) == (_METRICS, 0)
    assert total.evidence["predicted_rows"] == 1
    assert total.reason == "all 3 storable metrics of `sales`, for queries without attributes"
    assert months.reason.startswith("lists of `day`: 420 rows become about 5")
    assert months.evidence["dimension_rows"] == 420
    likely = {name for name in origins if name not in {_TOTAL, _MONTHS}}
    assert {definition(predicted, name).definition.metrics for name in likely} == {_METRICS}


def test_a_deployment_that_changes_nothing_keeps_all(predicted: Workspace, tmp_path: Path) -> None:
    before = _origins(predicted)

    report = _again(predicted, tmp_path, ("metric_Amount", "label: Amount", "label: Money"))

    assert (report.appeared, dict(report.retired), set(report.kept)) == ((), {}, set(before))
    assert _origins(predicted) == before


def test_what_changed_is_defined_anew_and_the_rest_is_left_alone(predicted: Workspace, tmp_path: Path) -> None:
    """Retired, never deleted: with the metric the old ones come back."""
    old = definition(predicted, _TOTAL).definition
    metric = "  - unique_name: Quantity\n"

    report = _again(predicted, tmp_path, ("model", metric, ""))

    assert report.retired[_TOTAL] == "the metrics of `sales` changed, or are predicted no more"
    assert _MONTHS in report.kept
    assert predicted.read.definitions.get(old.id).status == "retired"
    totals = [r.definition for r in predicted.read.definitions.of_model(model_id(predicted)) if not r.definition.grain]
    assert [total.metrics for total in totals] == [("Amount", "Average Amount")]

    _again(predicted, tmp_path, ("model", "metrics:\n", f"metrics:\n{metric}"))
    assert predicted.read.definitions.get(old.id).status == "defined"


def test_what_serves_is_built_on_until_its_heir_is_active(predicted: Workspace, tmp_path: Path) -> None:
    old = definition(predicted, _TOTAL).definition
    build(predicted, _TOTAL)

    report = _again(predicted, tmp_path, ("model", "  - unique_name: Quantity\n", ""))

    heir = report.giving_way[_TOTAL]
    assert (heir in report.appeared, _TOTAL in report.retired) == (True, False)
    assert predicted.read.definitions.get(old.id).status == "defined"
    build(predicted, heir, now=LATER)
    record = predicted.read.definitions.get(old.id)
    assert record.status == "retired"
    assert f"superseded by `{heir}`: redeployed: the metrics of `sales` changed" in record.status_reason


def test_what_is_spoken_for_again_does_not_give_way_any_more(predicted: Workspace, tmp_path: Path) -> None:
    metric = "  - unique_name: Quantity\n"
    build(predicted, _TOTAL)
    _again(predicted, tmp_path, ("model", metric, ""))
    assert len(predicted.read.successions.find(model_id(predicted), pending=True)) == 1

    report = _again(predicted, tmp_path, ("model", "metrics:\n", f"metrics:\n{metric}"))

    assert _TOTAL in report.kept
    assert predicted.read.successions.find(model_id(predicted), pending=True) == ()


@pytest.mark.parametrize(
    ("settings", "name", "reason"),
    [
        ({"predict_all_members": False}, _TOTAL, "the metrics of `sales` changed, or are predicted no more"),
        ({"predict_dimensions": False}, _MONTHS, "dimension-only aggregates are switched off"),
        ({"predict_structure": False}, "", "nothing is predicted for `sales` any more"),
    ],
)
def test_each_kind_can_be_switched_off(
    predicted: Workspace, tmp_path: Path, settings: dict[str, bool], name: str, reason: str
) -> None:
    before = set(_origins(predicted))
    put_settings(predicted, **settings)

    report = _again(predicted, tmp_path)

    gone = {name} if name else before - {_TOTAL, _MONTHS}
    assert dict(report.retired) == dict.fromkeys(gone, reason)
    assert set(_origins(predicted)) == before - gone


def test_all_are_retired_when_the_catalog_wants_none_any_more(predicted: Workspace, tmp_path: Path) -> None:
    before = set(_origins(predicted))

    report = _again(predicted, tmp_path, ("catalog", "aggs: true", "aggs: false"))

    assert dict(report.retired) == dict.fromkeys(before, "`build_speculative_aggs` is off")
    assert _origins(predicted) == {}


def test_what_somebody_has_chosen_from_advice_is_left_alone(predicted: Workspace, tmp_path: Path) -> None:
    """Whatever the catalog wants and however the model changes."""
    put_settings(predicted, predict_structure=False)
    _again(predicted, tmp_path, ("metric_Amount", "label: Amount", "label: Money"))
    request = RecommendRequest(from_structure=True, most=1)
    (chosen,) = recommend(predicted, MODEL, request=request, apply=True, now=LATER).recommendations
    name = chosen.definition.name
    record = definition(predicted, name)
    assert (record.definition.origin, record.status) == (DefinitionOrigin.PREDICTION_DEFINED, "defined")
    assert record.reason.startswith("chosen from advice: likely by the model's structure: ")

    report = _again(predicted, tmp_path, ("catalog", "aggs: true", "aggs: false"))

    assert name not in report.retired
    assert set(_origins(predicted)) == {name}


def test_a_list_that_does_not_pay_any_more_is_retired(predicted: Workspace, tmp_path: Path) -> None:
    """Each day is a month of its own now."""
    report = _again(predicted, tmp_path, ("calendar", "key_columns: [month]", "key_columns: [day_id]"))

    assert report.retired[_MONTHS] == "dimension `Calendar` changed"
    assert _TOTAL in report.kept


def test_without_the_warehouse_only_totals_are_predicted(predicted: Workspace, tmp_path: Path) -> None:
    """What would need a look at the data stays as it is until the next deployment."""
    before = set(_origins(predicted))
    record = predicted.read.models.get(MODEL)
    model = read_deployed_model(predicted.read, record)
    predicted.warehouse.close()
    (tmp_path / "w.duckdb").rename(tmp_path / "away.duckdb")
    (tmp_path / "w.duckdb").mkdir()

    report = predict(predicted, model, record.id, previous=None, now=LATER)

    assert set(report.kept) == before
    (note,) = report.notes
    assert note.startswith("the warehouse did not answer, so only all-member aggregates are predicted; deploy again")


def test_nothing_is_predicted_for_a_model_with_row_security(predicted: Workspace, tmp_path: Path) -> None:
    (tmp_path / "model" / "security.yml").write_text(wide_star.ROW_SECURITY)

    report = _again(predicted, tmp_path)

    assert "the model has row security" in report.notes[0]
    assert _origins(predicted) == {}
