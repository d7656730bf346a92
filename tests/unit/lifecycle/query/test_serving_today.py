"""Active instances serve while they mean what they meant when they were built."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionStatus
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.model_snapshot import ModelSnapshot, read_model_snapshot
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace
from airflow_atscale_aggs.engine.rewriting.match.miss import Miss
from tests.support.stars import tiny_star
from tests.support.stars.standing_star import (
    AGGREGATES,
    LATER,
    MODEL,
    NOW,
    build,
    define,
    definition,
    redeploy,
    run_sql,
    serving,
)

_BOTH = {"by_city", "by_day_and_shop"}


def _snapshot(workspace: Workspace) -> ModelSnapshot:
    return read_model_snapshot(workspace, workspace.read.models.get(MODEL), now=NOW)


def _serving(workspace: Workspace) -> set[str]:
    return {instance.aggregate for instance in _snapshot(workspace).index.instances}


def _misses(workspace: Workspace) -> dict[str, Miss]:
    return {candidate.aggregate: candidate.miss for candidate in _snapshot(workspace).not_serving}


def test_what_is_not_built_does_not_serve(deployed_star: Workspace) -> None:
    snapshot = _snapshot(deployed_star)

    assert snapshot.index.instances == ()
    assert {(c.aggregate, c.miss, c.change) for c in snapshot.not_serving} == {
        (name, Miss.NOT_BUILT, "build it: `atscale-aggs build tiny_sales`") for name in _BOTH
    }


def test_what_a_person_has_blocked_does_not_serve(built_star: Workspace) -> None:
    identity = definition(built_star, "by_city").definition.id
    built_star.registry.definitions.set_status(
        [identity], DefinitionStatus.BLOCKED, "", expected=DefinitionStatus.DEFINED, now=LATER
    )

    assert (_serving(built_star), _misses(built_star)) == ({"by_day_and_shop"}, {"by_city": Miss.BLOCKED})


def test_an_instance_whose_table_is_gone_does_not_serve(built_star: Workspace) -> None:
    table = serving(built_star, "by_city").table
    run_sql(built_star, f'DROP TABLE aggs."{table}" CASCADE')

    (candidate,) = _snapshot(built_star).not_serving

    assert (candidate.aggregate, candidate.miss, candidate.missing) == ("by_city", Miss.GONE, (table,))


@pytest.mark.parametrize(
    ("edits", "serving_on"),
    [
        pytest.param([("metric_Amount", "label: Amount", "label: Money")], _BOTH, id="a label"),
        pytest.param([("dataset_sales", "data_type: int", "data_type: long")], set(), id="types of the facts"),
        pytest.param([("dataset_day", "data_type: string", "data_type: text")], {"by_city"}, id="of one dimension"),
        pytest.param(
            [("shops", "key_columns: [city]", "key_columns: [shop_name]")], {"by_day_and_shop"}, id="what a city is"
        ),
        pytest.param([("dataset_shop", "table: shop\n", "table: branch\n")], set(), id="the table behind a dataset"),
        pytest.param(
            [("dataset_sales", "columns:\n", "columns:\n  - {name: twice, data_type: int, sql: amount * 2}\n")],
            set(),
            id="a new calculation, which others may use",
        ),
        pytest.param(
            [("dataset_sales", "columns:\n", "columns:\n  - {name: note, data_type: string}\n")],
            _BOTH,
            id="a new column",
        ),
    ],
)
def test_an_instance_serves_while_its_names_mean_what_they_meant(
    built_star: Workspace, tmp_path: Path, edits: Sequence[tuple[str, str, str]], serving_on: set[str]
) -> None:
    run_sql(built_star, "CREATE TABLE branch AS SELECT * FROM shop", "ALTER TABLE sales ADD COLUMN note VARCHAR")

    redeploy(built_star, tmp_path, *edits)

    assert _serving(built_star) == serving_on
    others = {candidate.aggregate: candidate for candidate in _snapshot(built_star).not_serving}
    assert {name for name, other in others.items() if other.miss is Miss.OTHER_VERSION} == _BOTH - serving_on
    assert all("build the model again: `atscale-aggs build tiny_sales`" in others[n].change for n in _BOTH - serving_on)


def test_system_defined_aggregates_serve_over_deployments(built_star: Workspace, tmp_path: Path) -> None:
    """No deployment declares them."""
    define(built_star, "advised", "quantity")
    build(built_star, "advised")

    redeploy(built_star, tmp_path, ("metric_Amount", "label: Amount", "label: Money"))

    assert _serving(built_star) == {*_BOTH, "advised"}


def test_an_aggregate_that_left_the_model_is_none_of_those_that_could_be_built(
    built_star: Workspace, tmp_path: Path
) -> None:
    """Its instance serves until the next batch."""
    tiny_star.write_model(tmp_path / "edited", {"by_day_and_shop": AGGREGATES["by_day_and_shop"]})
    deploy(built_star, tmp_path / "edited", now=LATER)

    assert (_serving(built_star), _misses(built_star)) == (_BOTH, {})


def test_an_instance_of_other_tables_of_the_same_names_does_not_serve(built_star: Workspace, tmp_path: Path) -> None:
    run_sql(
        built_star,
        "CREATE SCHEMA other",
        *(f"CREATE TABLE other.{name} AS SELECT * FROM {name}" for name in ("sales", "shop")),
    )
    built_star.close()
    with open_workspace(
        registry=f"sqlite:///{tmp_path / 'registry.sqlite'}",
        warehouse=f"duckdb:///{tmp_path / 'w.duckdb'}?threads=1&schema=other",
        aggregate_schema="aggs",
    ) as workspace:
        candidates = {candidate.aggregate: candidate for candidate in _snapshot(workspace).not_serving}

    city = candidates["by_city"]
    assert (city.miss, set(candidates)) == (Miss.OTHER_SETTINGS, _BOTH)
    assert city.missing == ("dataset `sales` was table `w.main.sales` and is now `w.other.sales`",)
    assert city.change.startswith("ask and build with connections of the same settings; ")
