"""Every user-defined aggregate of the TPC-DS sample model equals a SELECT written by hand (`tests/cases/tpcds`).

``TPCDS_SCALE`` sets the scale of the data, 0.01 when it is not set.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace, process_owner, utc_now
from tests.support.oracles.hand_written import BuiltModel, Case
from tests.support.stars.tpc_data import generate, load_duckdb, load_postgres
from tests.support.stars.tpcds_model import DATABASE, SCALE, TABLES

CASES = [
    Case.parse(path.read_text(encoding="utf-8"))
    for path in sorted((Path(__file__).parents[1] / "cases" / "tpcds").glob("*.sql"))
]


@pytest.fixture(scope="module")
def parquet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generated TPC-DS data."""
    return generate("tpcds", SCALE, tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module", params=["duckdb", "postgres"])
def warehouse(request: pytest.FixtureRequest, parquet: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a warehouse named as the sample's query datasets want it."""
    folder = tmp_path_factory.mktemp("warehouse")
    if request.param == "duckdb":
        load_duckdb(parquet, folder / f"{DATABASE}.duckdb", "tpcds")
        yield f"duckdb:///{folder / f'{DATABASE}.duckdb'}"
        return
    with request.getfixturevalue("postgres_database")(DATABASE) as url:
        load_postgres(parquet, url, "tpcds", TABLES, folder)
        yield url


@pytest.fixture(scope="module")
def built_model(warehouse: str, sample_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BuiltModel]:
    """The model deployed, all its aggregates built and activated in one batch."""
    registry = f"sqlite:///{tmp_path_factory.mktemp('registry') / 'registry.sqlite'}"
    with open_workspace(registry=registry, warehouse=warehouse, aggregate_schema="aggs") as workspace:
        (model,) = deploy(workspace, sample_models / "tpcds", now=utc_now()).models
        yield BuiltModel.of(workspace, run_batch(workspace, model.model, owner=process_owner()))


def test_every_aggregate_of_the_sample_has_a_case(built_model: BuiltModel) -> None:
    """26 aggregates, one of them over two facts; none is left out, none failed."""
    cases = {(case.aggregate, case.fact) for case in CASES}

    assert len({aggregate for aggregate, _ in cases}) == 26
    assert len(cases) == len(CASES) == 27
    assert built_model.parts.keys() == built_model.instances.keys() == cases
    assert {str(instance.status) for instance in built_model.instances.values()} == {"active"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.aggregate}-{case.fact}")
def test_an_aggregate_equals_the_select_written_by_hand(built_model: BuiltModel, case: Case) -> None:
    """Row count, totals of measures, number of groups and every group are equal."""
    built_model.check(case, search_path="tpcds")
