"""A snapshot knows a model as it is deployed, what serves it, and what an older snapshot has read."""

from __future__ import annotations

from pathlib import Path

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionStatus
from airflow_atscale_aggs.engine.lifecycle.query.model_snapshot import ModelSnapshot, read_model_snapshot
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from tests.support.stars import standing_star
from tests.support.stars.standing_star import LATER, MODEL, NOW, build, define, definition, redeploy, run_sql, serving

_BOTH = {"by_city", "by_day_and_shop"}


def _snapshot(workspace: Workspace) -> ModelSnapshot:
    return read_model_snapshot(workspace, workspace.read.models.get(MODEL), now=NOW)


def test_active_instances_serve_with_their_rows_and_tables(built_star: Workspace) -> None:
    snapshot = _snapshot(built_star)

    city = next(instance for instance in snapshot.index.instances if instance.aggregate == "by_city")
    active = serving(built_star, "by_city")
    assert (city.id, city.rows, city.table, city.schema) == (active.id, 4, active.table, "aggs")
    assert (city.as_of, city.definition_id) == (active.started_at, active.step.definition_id)
    assert (snapshot.not_serving, snapshot.taken_at, snapshot.whole) == ((), NOW, snapshot)


def test_a_table_that_is_away_is_as_it_was_last_seen(built_star: Workspace) -> None:
    """An ETL makes it anew; aggregates answer meanwhile, by what the data had proven."""
    run_sql(built_star, "DROP TABLE shop")

    snapshot = _snapshot(built_star)

    assert {instance.aggregate for instance in snapshot.index.instances} == _BOTH
    assert snapshot.sources["shop"].data_type("city") == "varchar"


def test_sizes_of_tables_are_asked_for_once(built_star: Workspace) -> None:
    sizes = _snapshot(built_star).sizes
    run_sql(built_star, "DROP TABLE day")

    rows = {place: table.rows for place, table in sizes.of(built_star.warehouse).items()}
    run_sql(built_star, "DROP TABLE sales")

    assert rows == {("main", "sales"): 60, ("main", "shop"): 4}
    assert {place: table.rows for place, table in sizes.of(built_star.warehouse).items()} == rows


def test_a_perspective_hides_a_part_of_the_model(deployed_star: Workspace, tmp_path: Path) -> None:
    perspective = "perspectives:\n  - {unique_name: days_only, dimensions: [{name: Shops}], metrics: [Amount]}\n"
    redeploy(deployed_star, tmp_path, ("model", "relationships:\n", f"{perspective}relationships:\n"))
    whole = _snapshot(deployed_star)

    shown = whole.seen_through("days_only")

    assert shown.record.perspective == "days_only"
    names = ("City", "Amount", "Quantity", "Day")
    assert [name for name in names if whole.names.has(name)] == list(names)
    assert [name for name in names if shown.names.has(name)] == ["Quantity", "Day"]
    assert whole.seen_through("days_only") is shown
    assert shown.whole is whole


def test_a_snapshot_that_knows_an_older_one_is_the_same_as_one_that_knows_none(
    built_star: Workspace, tmp_path: Path
) -> None:
    """After another batch, after something was blocked, and after another deployment."""
    record = built_star.read.models.get(MODEL)
    define(built_star, "advised", "quantity")
    older = _snapshot(built_star)

    build(built_star)
    again = read_model_snapshot(built_star, record, now=NOW, before=older)

    assert again.model is older.model
    assert {instance.aggregate for instance in again.index.instances} == {*_BOTH, "advised"}
    assert {i.id for i in again.index.instances}.isdisjoint(i.id for i in older.index.instances)
    _check_same(again, _snapshot(built_star))

    identity = definition(built_star, "by_city").definition.id
    built_star.registry.definitions.set_status(
        [identity], DefinitionStatus.BLOCKED, "", expected=DefinitionStatus.DEFINED, now=LATER
    )
    redeploy(built_star, tmp_path, ("dataset_day", "data_type: string", "data_type: text"))
    deployed = built_star.read.models.get(MODEL)
    last = read_model_snapshot(built_star, deployed, now=NOW, before=again)

    assert last.model is not again.model
    assert {instance.aggregate for instance in last.index.instances} == {"advised"}
    _check_same(last, _snapshot(built_star))


def _check_same(one: ModelSnapshot, other: ModelSnapshot) -> None:
    assert one.index.instances == other.index.instances
    assert one.not_serving == other.not_serving
    assert (one.version, one.meanings, one.model) == (other.version, other.meanings, other.model)


def test_a_snapshot_is_of_one_version_of_the_registry(tmp_path: Path) -> None:
    with standing_star.open_standing(tmp_path, standing_star.deploy_model) as workspace:
        before = _snapshot(workspace)
        build(workspace)

        assert _snapshot(workspace).version > before.version
