"""Prediction-defined aggregates: defined at deploy, revised at redeploy, only where the model changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, DefinitionOrigin
from airflow_atscale_aggs.engine.lifecycle.advise.predict import PredictReport
from airflow_atscale_aggs.engine.lifecycle.advise.recommend import RecommendRequest, recommend
from airflow_atscale_aggs.engine.lifecycle.build.batch import BatchRequest, run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter, answer
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, process_owner, utc_now
from tests.support.stars import tiny_star

_MORE = (
    "INSERT INTO sales SELECT a.day_id, b.shop_id, a.quantity, b.amount FROM sales a CROSS JOIN sales b",
    "INSERT INTO day SELECT 100 + a.day_id * 20 + b.day_id, a.day_name, 'month 9' FROM day a CROSS JOIN day b",
)
_ALL_MEMBERS = "sales_total"
_MONTHS = "day_by_month"


@pytest.fixture
def warehouse(warehouse_url: str) -> str:
    """The tiny star with some thousand facts; 420 days in 5 months, 4 shops in 2 cities."""
    with open_workspace(registry="sqlite:///:memory:", warehouse=warehouse_url) as opened:
        tiny_star.run_sql(opened, *tiny_star.SETUP_SQL, *_MORE)
    return warehouse_url


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The model without user-defined aggregates; its catalog wants predictions."""
    model_folder = tiny_star.write_model(tmp_path / "m", {})
    _edit(model_folder, "catalog", "build_speculative_aggs: false", "build_speculative_aggs: true")
    return model_folder


@pytest.fixture
def workspace(warehouse: str, tmp_path: Path) -> Iterator[Workspace]:
    """A workspace on that warehouse where nothing is deployed yet."""
    with open_workspace(registry=f"sqlite:///{tmp_path / 'r.sqlite'}", warehouse=warehouse) as opened:
        yield opened


def _edit(folder: Path, file: str, old: str, new: str) -> None:
    path = folder / f"{file}.yml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def _deploy(workspace: Workspace, folder: Path) -> PredictReport:
    (report,) = deploy(workspace, folder, now=utc_now()).predictions
    return report


def _definitions(workspace: Workspace) -> dict[str, AggregateDefinition]:
    model_id = workspace.read.models.get("tiny_sales").id
    return {record.definition.name: record.definition for record in workspace.read.definitions.of_model(model_id)}


def test_all_three_kinds_are_defined_and_answer(workspace: Workspace, folder: Path) -> None:
    """Totals, lists of filter values and plain dashboards do not need the facts; a redeploy of the same changes
    nothing.
    """
    report = _deploy(workspace, folder)
    definitions = _definitions(workspace)

    assert {_ALL_MEMBERS, _MONTHS} < set(report.appeared)
    assert {definition.origin for definition in definitions.values()} == {DefinitionOrigin.PREDICTION_DEFINED}
    assert definitions[_ALL_MEMBERS].metrics == ("Amount", "Average Amount", "Quantity")
    assert {attribute.query_name for attribute in definitions[_MONTHS].grain} == {"Month"}
    assert "shop_by_city" not in definitions, "2 shops a city do not pay"
    queries = (
        'SELECT "Amount", "Quantity", "Average Amount" FROM tiny_sales',
        'SELECT DISTINCT "Month" FROM tiny_sales',
        'SELECT "Month", "Amount" FROM tiny_sales',
        'SELECT "City", "Month", "Quantity" FROM tiny_sales',
    )
    before = [sorted(map(str, answer(workspace, sql).rows)) for sql in queries]
    run_batch(workspace, "tiny_sales", owner=process_owner())
    after = [answer(workspace, sql) for sql in queries]
    assert [sorted(map(str, result.rows)) for result in after] == before
    assert all(result.plan.uses_aggregates for result in after)
    again = _deploy(workspace, folder)
    assert (again.appeared, dict(again.retired), set(again.kept)) == ((), {}, set(report.appeared))


def test_without_the_catalogs_switch_nothing_is_predicted(folder: Path, tmp_path: Path) -> None:
    """A warehouse that is not there stops nothing; it is told, since joins could not be checked."""
    _edit(folder, "catalog", "build_speculative_aggs: true", "build_speculative_aggs: false")
    nowhere = f"duckdb:///{tmp_path / 'no' / 'such' / 'folder.duckdb'}"
    with open_workspace(registry=f"sqlite:///{tmp_path / 'r.sqlite'}", warehouse=nowhere) as workspace:
        report = deploy(workspace, folder, now=utc_now())

    assert report.predictions == ()
    assert [issue.code for issue in report.issues] == ["columns-not-checked"]


def test_a_warehouse_that_does_not_answer_delays_what_needs_statistics(folder: Path, tmp_path: Path) -> None:
    """All-member aggregates are defined; the rest comes with the next deployment."""
    registry = f"sqlite:///{tmp_path / 'r.sqlite'}"
    with open_workspace(registry=registry, warehouse=f"duckdb:///{tmp_path / 'no' / 'such.duckdb'}") as workspace:
        report = _deploy(workspace, folder)
    assert report.appeared == (_ALL_MEMBERS,)
    assert "the warehouse did not answer" in report.notes[0]

    with duckdb.connect(str(tmp_path / "w.duckdb")) as connection:
        for statement in (*tiny_star.SETUP_SQL, *_MORE):
            connection.execute(statement)
    with open_workspace(registry=registry, warehouse=f"duckdb:///{tmp_path / 'w.duckdb'}") as workspace:
        later = _deploy(workspace, folder)
    assert later.kept == (_ALL_MEMBERS,)
    assert _MONTHS in later.appeared


def test_a_changed_metric_set_is_a_new_all_member_aggregate(workspace: Workspace, folder: Path) -> None:
    """The old one is retired with the reason, not deleted, and comes back; the dimensions' are left alone."""
    _deploy(workspace, folder)
    old = _definitions(workspace)
    _edit(folder, "model", "  - unique_name: Quantity\n", "")
    report = _deploy(workspace, folder)
    definitions = _definitions(workspace)

    (new,) = [definition for definition in definitions.values() if not definition.grain]
    assert new.metrics == ("Amount", "Average Amount")
    assert definitions[_MONTHS] == old[_MONTHS]
    assert _MONTHS in report.kept
    record = workspace.read.definitions.get(old[_ALL_MEMBERS].id)
    assert record.status == "retired"
    assert record.status_reason == "the metrics of `sales` changed, or are predicted no more"
    _edit(folder, "model", "metrics:\n", "metrics:\n  - unique_name: Quantity\n")
    _deploy(workspace, folder)
    assert workspace.read.definitions.get(old[_ALL_MEMBERS].id).status == "defined"


def test_the_old_all_member_aggregate_serves_until_the_new_one_does(workspace: Workspace, folder: Path) -> None:
    """AtScale, "Life Cycle of Aggregate Tables", Superseded: also over batches that do not build the new one; uses pass
    on.
    """
    total = 'SELECT "Amount" FROM tiny_sales'
    workspace.registry.settings.put(None, "aggregates.predictionDefined.structure.enabled", "false")
    _deploy(workspace, folder)
    run_batch(workspace, "tiny_sales", owner=process_owner())
    old = _definitions(workspace)[_ALL_MEMBERS]
    with QueryRouter(workspace) as router:
        before = router.answer(total).rows
    _edit(folder, "model", "  - unique_name: Quantity\n", "")
    report = _deploy(workspace, folder)
    (new,) = [
        definition
        for definition in _definitions(workspace).values()
        if not definition.grain and definition.id != old.id
    ]

    assert (report.giving_way, dict(report.retired)) == ({_ALL_MEMBERS: new.name}, {})
    only = BatchRequest(aggregates=(_MONTHS,))
    run_batch(workspace, "tiny_sales", owner=process_owner(), request=only)
    assert answer(workspace, total).plan.sources[0].definition_id == old.id
    run_batch(workspace, "tiny_sales", owner=process_owner())
    after = answer(workspace, total)
    assert (after.plan.sources[0].definition_id, after.rows) == (new.id, before)
    record = workspace.read.definitions.get(old.id)
    assert (record.status, record.status_reason) == (
        "retired",
        f"superseded by `{new.name}`: redeployed: the metrics of `sales` changed, or are predicted no more",
    )
    (used,) = [usage for usage in workspace.read.queries.usages(new.model_id) if usage.definition_id == new.id]
    assert used.inherited == 2


def test_the_old_dimension_only_aggregate_serves_until_the_new_one_does(workspace: Workspace, folder: Path) -> None:
    """A dimension that gets a level between gets another aggregate; lists of values are served all the time."""
    months = 'SELECT DISTINCT "Month" FROM tiny_sales'
    workspace.registry.settings.put(None, "aggregates.predictionDefined.structure.enabled", "false")
    _deploy(workspace, folder)
    run_batch(workspace, "tiny_sales", owner=process_owner())
    old = _definitions(workspace)[_MONTHS]
    text = (folder / "calendar.yml").read_text()
    begin = text.index("  - unique_name: Month\n    label")
    end = text.index("  - unique_name: Day\n    label")
    name = text[begin:end].replace("Month", "Day Name").replace("[month]", "[day_name]").replace("month", "day_name")
    text = text[:end] + name + text[end:]
    text = text.replace(
        "      - unique_name: Month\n", "      - unique_name: Month\n      - unique_name: Day Name\n", 1
    )
    (folder / "calendar.yml").write_text(text)
    report = _deploy(workspace, folder)

    assert list(report.giving_way) == [_MONTHS], report
    assert answer(workspace, months).plan.sources[0].definition_id == old.id
    run_batch(workspace, "tiny_sales", owner=process_owner())
    source = answer(workspace, months).plan.sources[0]
    assert source.aggregate == report.giving_way[_MONTHS]


def test_who_is_wanted_again_does_not_give_way(workspace: Workspace, folder: Path) -> None:
    """The model is changed back before the next batch: what had been to come goes, and what serves stays."""
    workspace.registry.settings.put(None, "aggregates.predictionDefined.structure.enabled", "false")
    _deploy(workspace, folder)
    run_batch(workspace, "tiny_sales", owner=process_owner())
    old = _definitions(workspace)[_ALL_MEMBERS]
    _edit(folder, "model", "  - unique_name: Quantity\n", "")
    (new,) = _deploy(workspace, folder).giving_way.values()
    _edit(folder, "model", "metrics:\n", "metrics:\n  - unique_name: Quantity\n")
    report = _deploy(workspace, folder)

    assert set(report.retired) == {new}
    assert workspace.read.successions.find(old.model_id, pending=True) == ()
    run_batch(workspace, "tiny_sales", owner=process_owner())
    assert set(_definitions(workspace)) == {_ALL_MEMBERS, _MONTHS}


def test_a_changed_dimension_is_looked_at_again(workspace: Workspace, folder: Path) -> None:
    """One that had none may get one; a level that goes takes its aggregate along."""
    _deploy(workspace, folder)
    workspace.registry.settings.put(None, "aggregates.predictionDefined.dimensionOnly.compression", "1")
    changed = _deploy(workspace, folder)
    assert _MONTHS in changed.kept
    assert "shop_by_city" in changed.appeared, "it had none, so it was looked at again"
    _edit(folder, "calendar", "label: Month\n", "label: Month\n    exclude_from_dim_agg: true\n")
    report = _deploy(workspace, folder)

    assert report.retired[_MONTHS] == "dimension `Calendar` changed"
    assert "shop_by_city" in report.kept


@pytest.mark.parametrize(
    ("key", "gone"),
    [
        ("allMember.enabled", {_ALL_MEMBERS}),
        ("dimensionOnly.enabled", {_MONTHS}),
    ],
)
def test_each_kind_has_a_switch(workspace: Workspace, folder: Path, key: str, gone: set[str]) -> None:
    """What is switched off is retired at the next deployment."""
    before = set(_deploy(workspace, folder).appeared)
    workspace.registry.settings.put(None, f"aggregates.predictionDefined.{key}", "false")

    assert set(_deploy(workspace, folder).retired) == gone
    assert set(_definitions(workspace)) == before - gone


def test_the_structures_kind_has_a_switch_and_the_catalog_has_one_for_all(workspace: Workspace, folder: Path) -> None:
    """First the third kind goes, then all."""
    _deploy(workspace, folder)
    workspace.registry.settings.put(None, "aggregates.predictionDefined.structure.enabled", "false")
    _deploy(workspace, folder)
    assert set(_definitions(workspace)) == {_ALL_MEMBERS, _MONTHS}

    _edit(folder, "catalog", "build_speculative_aggs: true", "build_speculative_aggs: false")
    assert set(_deploy(workspace, folder).retired) == {_ALL_MEMBERS, _MONTHS}
    assert _definitions(workspace) == {}


def test_dataset_that_may_not_be_aggregated(workspace: Workspace, folder: Path) -> None:
    """Neither the fact nor the dimension gets an aggregate."""
    _edit(
        folder,
        "catalog",
        "version: 1.6\n",
        "version: 1.6\ndataset_properties: {sales: {allow_aggregates: false}, day: {allow_aggregates: false}}\n",
    )
    _deploy(workspace, folder)

    assert _definitions(workspace) == {}


def test_row_security_keeps_predictions_away(workspace: Workspace, folder: Path) -> None:
    """A setting allows them."""
    (folder / "security.yml").write_text(
        "unique_name: s\nobject_type: row_security\nlabel: s\ndataset: shop\nfilter_key_column: city\n"
        "ids_column: shop_name\nid_type: user\nscope: all\n"
    )
    report = _deploy(workspace, folder)

    assert report.appeared == ()
    assert "row security" in report.notes[0]
    workspace.registry.settings.put(None, "aggregates.create.securityDimensions.enabled", "true")
    assert _ALL_MEMBERS in _deploy(workspace, folder).appeared


def test_a_definition_keeps_its_meaning_on_other_columns(workspace: Workspace, folder: Path) -> None:
    """After an attribute moves to another column the old instance serves no more, and the next build stores the new
    one.
    """
    request = RecommendRequest(queries=['SELECT "City", "Amount" FROM tiny_sales'])
    workspace.registry.settings.put(None, "aggregates.predictionDefined.structure.enabled", "false")
    _deploy(workspace, folder)
    recommend(workspace, "tiny_sales", request=request, apply=True, now=utc_now())
    run_batch(workspace, "tiny_sales", owner=process_owner())
    sql = 'SELECT "City", "Amount" FROM tiny_sales'
    assert answer(workspace, sql).plan.uses_aggregates
    text = (folder / "shops.yml").read_text()
    (folder / "shops.yml").write_text(
        text.replace("key_columns: [city]", "key_columns: [shop_name]").replace(
            "name_column: city", "name_column: shop_name"
        )
    )
    _deploy(workspace, folder)

    result = answer(workspace, sql)
    assert not result.plan.uses_aggregates
    assert {"North 1", "North 2"} <= {row[0] for row in result.rows}
    run_batch(workspace, "tiny_sales", owner=process_owner())
    again = answer(workspace, sql)
    assert again.plan.uses_aggregates
    assert sorted(map(str, again.rows)) == sorted(map(str, result.rows))


def test_what_left_the_model_retires_system_defined_aggregates(workspace: Workspace, folder: Path) -> None:
    """The reason names what left; an aggregate comes back when it is asked for again."""
    workspace.registry.settings.put(None, "aggregates.predictionDefined.structure.enabled", "false")
    deploy(workspace, folder, now=utc_now())
    request = RecommendRequest(queries=['SELECT "City", "Quantity" FROM tiny_sales'])
    (recommendation,) = recommend(workspace, "tiny_sales", request=request, apply=True, now=utc_now()).recommendations
    (folder / "metric_Quantity.yml").unlink()
    _edit(folder, "model", "  - unique_name: Quantity\n", "")
    (outcome,) = deploy(workspace, folder, now=utc_now()).models

    assert recommendation.definition.name in outcome.left
    assert (
        workspace.read.definitions.get(recommendation.definition.id).status_reason == "metric `Quantity` left the model"
    )
