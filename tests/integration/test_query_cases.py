"""Queries on models equal SELECTs written by hand (`tests/cases/queries`), from the facts and routed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, process_owner, utc_now
from airflow_atscale_aggs.server.serve import ServerOptions
from tests.server.conftest import running
from tests.support.oracles.query_cases import CASES_FOLDER, QueryCase
from tests.support.oracles.query_oracle import same_rows
from tests.support.pgjdbc import rows_over_pgjdbc
from tests.support.stars.retail_model import MODEL_FOLDER
from tests.support.stars.retail_model import TABLES as RETAIL_TABLES
from tests.support.stars.tpc_data import generate, load_duckdb, load_postgres
from tests.support.stars.tpcds_model import DATABASE
from tests.support.stars.tpcds_model import TABLES as TPCDS_TABLES

SCALE = os.environ.get("TPCDS_SCALE", "0.01")


@pytest.fixture(scope="module")
def parquet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generated TPC-DS data."""
    return generate("tpcds", SCALE, tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module", params=["duckdb", pytest.param("postgres", marks=pytest.mark.postgres)])
def tpcds(request: pytest.FixtureRequest, parquet: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a warehouse with the data in the schemas that both models want."""
    folder = tmp_path_factory.mktemp("warehouse")
    if request.param == "duckdb":
        file = folder / f"{DATABASE}.duckdb"
        load_duckdb(parquet, file, "retail")
        load_duckdb(parquet, file, "tpcds")
        yield f"duckdb:///{file}"
        return
    with request.getfixturevalue("postgres_database")(DATABASE) as url:
        load_postgres(parquet, url, "retail", RETAIL_TABLES, folder)
        load_postgres(parquet, url, "tpcds", TPCDS_TABLES, folder)
        yield url


def _open_built(warehouse: str, model: Path, folder: Path) -> Iterator[tuple[Workspace, QueryRouter]]:
    registry = f"sqlite:///{folder / 'registry.sqlite'}"
    with open_workspace(registry=registry, warehouse=warehouse, aggregate_schema=f"aggs_{model.name}") as workspace:
        (deployed,) = deploy(workspace, model, now=utc_now()).models
        run_batch(workspace, deployed.model, owner=process_owner(), jobs=2)
        yield workspace, QueryRouter(workspace)


@pytest.fixture(scope="module")
def retail(tpcds: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Workspace, QueryRouter]]:
    """Our own model, built."""
    yield from _open_built(tpcds, MODEL_FOLDER, tmp_path_factory.mktemp("retail"))


@pytest.fixture(scope="module")
def tpcds_sample(
    tpcds: str, sample_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Workspace, QueryRouter]]:
    """The TPC-DS sample model, built."""
    yield from _open_built(tpcds, sample_models / "tpcds", tmp_path_factory.mktemp("tpcds"))


@pytest.mark.parametrize("case", QueryCase.read("retail"), ids=lambda case: case.name)
def test_retail(retail: tuple[Workspace, QueryRouter], case: QueryCase) -> None:
    """Our own model."""
    workspace, router = retail

    case.check(router, workspace, "retail")


@pytest.mark.parametrize("case", QueryCase.read("tpcds_sample"), ids=lambda case: case.name)
def test_tpcds_sample(tpcds_sample: tuple[Workspace, QueryRouter], case: QueryCase) -> None:
    """The TPC-DS sample model."""
    workspace, router = tpcds_sample

    case.check(router, workspace, "tpcds")


@pytest.mark.parametrize("case", QueryCase.read("retail"), ids=lambda case: case.name)
def test_retail_plainly_said(retail: tuple[Workspace, QueryRouter], case: QueryCase) -> None:
    """The SELECT written by hand, sent as it stands: rewritten or not, the answer is the warehouse's."""
    workspace, router = retail

    case.check_plain(router, workspace, "retail")


@pytest.mark.parametrize("case", QueryCase.read("tpcds_sample"), ids=lambda case: case.name)
def test_tpcds_sample_plainly_said(tpcds_sample: tuple[Workspace, QueryRouter], case: QueryCase) -> None:
    """The same for the TPC-DS sample model."""
    workspace, router = tpcds_sample

    case.check_plain(router, workspace, "tpcds")


def test_tpcds_sample_over_pgjdbc(
    tpcds_sample: tuple[Workspace, QueryRouter], postgres_server: str, tmp_path: Path
) -> None:
    """Through `serve`, as tools on the JVM ask."""
    workspace, _ = tpcds_sample
    cases = QueryCase.read("tpcds_sample")
    with running(workspace, postgres_server, ServerOptions(port=0, without_password=True)) as served:
        url = f"jdbc:postgresql://{served.host}:{served.port}/tpcds"
        answers = rows_over_pgjdbc(url, [case.query for case in cases], tmp_path)

    differing = {}
    with workspace.warehouse.session() as session:
        for number, case in enumerate(cases):
            wanted = session.fetch_all(case.sql_for("tpcds", workspace.warehouse.dialect))
            shown = [[value.isoformat() if isinstance(value, date) else value for value in row] for row in wanted]
            for way in ("whole", "parts"):
                differing[case.name, way] = same_rows(answers[way, number], shown)
    assert {name: told for name, told in differing.items() if told} == {}


def test_the_cases_are_enough() -> None:
    """At least sixty, and no name twice."""
    names = [case.name for file in sorted(CASES_FOLDER.glob("*.sql")) for case in QueryCase.read(file.stem)]

    assert len(names) == len(set(names)) >= 60
