"""A deployment: a folder is read, checked and recorded as a whole, or nothing of it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.errors import InvalidModelError, ModelFileError, UnknownNameError
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import DeployReport, deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.validation import ModelIssue
from tests.support.stars.standing_star import (
    AGGREGATES,
    LATER,
    MODEL,
    NOW,
    deploy_model,
    lay_tables,
    model_id,
    open_standing,
)
from tests.support.strategies.system_definitions import define


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the tiny star's model."""
    return tmp_path / "model"


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Workspace]:
    """The tables are there and the model is written; nothing is deployed."""
    with open_standing(tmp_path, lay_tables) as workspace:
        yield workspace


@pytest.fixture
def before(tmp_path: Path) -> Iterator[Workspace]:
    """The model was deployed."""
    with open_standing(tmp_path, deploy_model) as workspace:
        yield workspace


def _edit(folder: Path, file: str, old: str, new: str) -> None:
    path = folder / f"{file}.yml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def _defined(workspace: Workspace) -> dict[str, tuple[str, str]]:
    """Status and its reason by the name of each definition."""
    records = workspace.read.definitions.of_model(model_id(workspace), include_retired=True)
    return {record.definition.name: (record.status, record.status_reason) for record in records}


def test_a_model_is_recorded_with_its_aggregates(empty: Workspace, folder: Path) -> None:
    report = deploy(empty, folder, now=NOW)

    (outcome,) = report.models
    assert (outcome.model, outcome.version, outcome.is_new_version) == (MODEL, 1, True)
    assert set(outcome.appeared) == set(AGGREGATES)
    assert report == DeployReport(str(folder), (outcome,), (), report.looked_in)
    assert report.looked_in.missing == ()
    record = empty.read.models.get(MODEL)
    assert (record.id, record.catalog, record.connection) == (outcome.model_id, "tiny", "tiny_warehouse")
    assert record.deployed_at == NOW
    assert set(empty.read.models.datasets(record.deployment_id)) == {"sales", "shop", "day"}
    assert _defined(empty) == dict.fromkeys(AGGREGATES, ("defined", ""))


def test_the_same_content_makes_no_new_version(before: Workspace, folder: Path) -> None:
    """Comments and blank lines are no content."""
    path = folder / "model.yml"
    path.write_text(f"{path.read_text()}\n\n# a comment\n")

    (outcome,) = deploy(before, folder, now=LATER).models

    assert (outcome.version, outcome.is_new_version) == (1, False)
    assert (set(outcome.unchanged), outcome.appeared, outcome.changed) == (set(AGGREGATES), (), ())


def test_aggregates_appear_and_retire_with_their_model(before: Workspace, folder: Path) -> None:
    _edit(folder, "model", "unique_name: by_city\n", "unique_name: by_month\n")
    _edit(folder, "model", "- name: City\n        dimension: Shops", "- name: Month\n        dimension: Calendar")

    (outcome,) = deploy(before, folder, now=LATER).models

    assert (outcome.version, outcome.appeared, outcome.retired) == (2, ("by_month",), ("by_city",))
    assert _defined(before)["by_city"] == ("retired", "it left the model")


def test_errors_stop_the_deployment_with_all_issues(before: Workspace, folder: Path) -> None:
    """Nothing of it is recorded."""
    _edit(folder, "model", "unique_name: Quantity", "unique_name: Quantiti")
    _edit(folder, "shops", "filter_empty: 'yes'", "filter_empty: 'never'")

    with pytest.raises(InvalidModelError) as caught:
        deploy(before, folder, now=LATER)

    issues = {
        (issue.file, issue.is_error): issue.message for issue in caught.value.issues if isinstance(issue, ModelIssue)
    }
    assert "Did you mean `Quantity`?" in issues["model.yml", True]
    assert "none of `yes`, `no`, `always`" in issues["shops.yml", False]
    assert before.read.models.get(MODEL).version == 1


def test_warnings_are_returned_and_stop_nothing(empty: Workspace, folder: Path) -> None:
    """Those of the folder, and those of the checks."""
    _edit(folder, "shops", "filter_empty: 'yes'", "filter_empty: 'never'")
    _edit(folder, "metric_Amount", "column: amount", "column: gone")
    _edit(folder, "dataset_sales", "  - name: amount\n", "  - name: gone\n    data_type: int\n  - name: amount\n")

    report = deploy(empty, folder, now=NOW)

    assert {(issue.file, issue.code) for issue in report.issues} == {
        ("metric_Amount.yml", "missing-column"),
        ("shops.yml", "unknown-value"),
    }
    assert [outcome.model for outcome in report.models] == [MODEL]


def test_a_folder_that_is_not_there_holds_no_model(empty: Workspace, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="nowhere"):
        deploy(empty, tmp_path / "nowhere", now=NOW)


_SECOND_MODEL = """\
unique_name: second
object_type: model
label: Second
relationships:
  - unique_name: sales_shop
    from: {{dataset: sales, join_columns: [shop_id]}}
    to: {{dimension: Shops, level: Shop}}
metrics:
  - unique_name: {metric}
"""


def _add_model(folder: Path, metric: str = "Amount") -> None:
    (folder / "second.yml").write_text(_SECOND_MODEL.format(metric=metric))


@pytest.mark.parametrize(("model", "names"), [(None, {MODEL, "second"}), ("second", {"second"})])
def test_all_models_are_deployed_or_the_one_that_is_named(
    empty: Workspace, folder: Path, model: str | None, names: set[str]
) -> None:
    _add_model(folder)

    report = deploy(empty, folder, model=model, now=NOW)

    assert {outcome.model for outcome in report.models} == names
    assert {record.name for record in empty.read.models.current()} == names


def test_a_model_that_is_not_there_has_near_names(empty: Workspace, folder: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"no model `tiny_sale`\. Did you mean `tiny_sales`\?"):
        deploy(empty, folder, model="tiny_sale", now=NOW)


def test_a_model_that_cannot_be_read_is_told_by_its_own_errors(empty: Workspace, folder: Path) -> None:
    """Not as one that is not there."""
    _edit(folder, "model", "relationships:\n", "relationships: 5\nothers:\n")

    with pytest.raises(InvalidModelError, match=r"model\.yml:1: `relationships` of model `tiny_sales` must be a list"):
        deploy(empty, folder, model=MODEL, now=NOW)


@pytest.mark.parametrize("model", [None, MODEL, "second"])
def test_errors_of_other_models_do_not_stop_the_one_that_is_named(
    empty: Workspace, folder: Path, model: str | None
) -> None:
    """They are warnings then."""
    _add_model(folder)
    _edit(folder, "second", "relationships:\n", "relationships: 5\nothers:\n")

    if model == MODEL:
        issues = deploy(empty, folder, model=model, now=NOW).issues
        assert {(issue.file, issue.is_error) for issue in issues} == {("second.yml", False)}
    else:
        with pytest.raises(InvalidModelError, match=r"second\.yml:1: `relationships` of model `second` must be a list"):
            deploy(empty, folder, model=model, now=NOW)
    assert [record.name for record in empty.read.models.current()] == ([MODEL] if model == MODEL else [])


def test_a_metric_that_is_not_there_stops_its_model_alone(empty: Workspace, folder: Path) -> None:
    _add_model(folder, metric="Nothing")

    assert deploy(empty, folder, model=MODEL, now=NOW).issues == ()
    with pytest.raises(InvalidModelError, match=r"second\.yml:.*`Nothing`"):
        deploy(empty, folder, now=LATER)


def test_system_defined_aggregates_are_bound_to_the_new_model_or_leave_it(before: Workspace, folder: Path) -> None:
    """Joins and columns are those of today; what lacks a column or a metric cannot stay, and the reason is kept."""
    ids = define(before, {"cities": (("City",), ("Average Amount",)), "months": (("Month",), ("Quantity",))})
    _edit(folder, "shops", "key_columns: [city]\n    name_column: city", "key_columns: [town]\n    name_column: town")
    _edit(folder, "dataset_shop", "- name: city", "- name: town")
    _edit(folder, "model", "  - unique_name: Quantity\n", "")
    _edit(folder, "model", "      - Quantity\n", "")
    (folder / "metric_Quantity.yml").unlink()

    (outcome,) = deploy(before, folder, now=LATER).models

    assert outcome.left == ("months",)
    status, reason = _defined(before)["months"]
    assert status == "retired"
    assert "Quantity" in reason
    cities = before.read.definitions.get(ids["cities"])
    assert cities.status == "defined"
    assert [bound.key_columns for bound in cities.definition.parts[0].attributes] == [("town",)]


def test_prediction_defined_aggregates_come_with_the_catalogs_switch(before: Workspace, folder: Path) -> None:
    """They are revised by later deployments, also when the switch is off again."""
    _edit(folder, "catalog", "build_speculative_aggs: false", "build_speculative_aggs: true")
    first = deploy(before, folder, now=NOW)
    again = deploy(before, folder, now=LATER)
    _edit(folder, "catalog", "build_speculative_aggs: true", "build_speculative_aggs: false")
    off = deploy(before, folder, now=LATER)

    (prediction,) = first.predictions
    assert prediction.appeared
    assert [(report.appeared, dict(report.retired)) for report in again.predictions] == [((), {})]
    assert {name for report in off.predictions for name in report.retired} == set(prediction.appeared)
