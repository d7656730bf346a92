"""Queries on models equal SELECTs written by hand (`tests/cases/queries`), from the facts and routed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from query_oracle import same_rows

from airflow_atscale_aggs.engine.lifecycle.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.define import deploy
from airflow_atscale_aggs.engine.lifecycle.use import QueryRouter
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, process_owner, utc_now
from tests.integration.test_retail_model import MODEL_FOLDER
from tests.integration.test_retail_model import TABLES as RETAIL_TABLES
from tests.integration.test_tpcds_aggregates import DATABASE
from tests.integration.test_tpcds_aggregates import TABLES as TPCDS_TABLES
from tests.tpc_data import generate, load_duckdb, load_postgres

SCALE = os.environ.get("TPCDS_SCALE", "0.01")
_CASES = Path(__file__).parents[1] / "cases" / "queries"


@dataclass(frozen=True)
class QueryCase:
    """A query on a model and what it must equal. See the folder's README."""

    name: str
    source: str
    query: str
    equals: str
    is_ordered: bool

    @classmethod
    def read(cls, model: str) -> list[QueryCase]:
        """All cases of a file."""
        text = (_CASES / f"{model}.sql").read_text(encoding="utf-8")
        return [cls.parse(block) for block in text.split("-- case: ")[1:]]

    @classmethod
    def parse(cls, block: str) -> QueryCase:
        """One block of the file."""
        name, _, rest = block.partition("\n")
        source, _, rest = rest.removeprefix("-- from: ").partition("\n")
        is_ordered = "-- ordered equals\n" in rest
        query, _, equals = rest.partition("-- ordered equals\n" if is_ordered else "-- equals\n")
        return cls(name, source, query.strip(), equals.strip(), is_ordered)

    def check(self, router: QueryRouter, workspace: Workspace, schema: str) -> None:
        """Base answer, routed answer and the SELECT agree; the answer comes from where the case says."""
        with workspace.warehouse.session() as session:
            session.execute(f"SET search_path = '{schema}'")
            wanted = session.fetch_all(self.equals)
        base = router.answer(self.query, use_aggregates=False)
        routed = router.answer(self.query)

        assert same_rows(base.rows, wanted) == "", base.plan.sql
        assert same_rows(routed.rows, wanted) == "", routed.plan.sql
        assert routed.fallback_reason == ""
        if self.is_ordered:
            assert [row[0] for row in routed.rows] == [row[0] for row in wanted] == [row[0] for row in base.rows]
        if self.source != "any":
            found = ", ".join(source.aggregate or "facts" for source in routed.plan.sources)
            assert found == self.source, routed.plan.sql


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


def _built(warehouse: str, model: Path, folder: Path) -> Iterator[tuple[Workspace, QueryRouter]]:
    registry = f"sqlite:///{folder / 'registry.sqlite'}"
    with open_workspace(registry=registry, warehouse=warehouse, aggregate_schema=f"aggs_{model.name}") as workspace:
        (deployed,) = deploy(workspace, model, now=utc_now()).models
        run_batch(workspace, deployed.model, owner=process_owner(), jobs=2)
        yield workspace, QueryRouter(workspace)


@pytest.fixture(scope="module")
def retail(tpcds: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Workspace, QueryRouter]]:
    """Our own model, built."""
    yield from _built(tpcds, MODEL_FOLDER, tmp_path_factory.mktemp("retail"))


@pytest.fixture(scope="module")
def tpcds_sample(
    tpcds: str, sample_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Workspace, QueryRouter]]:
    """The TPC-DS sample model, built."""
    yield from _built(tpcds, sample_models / "tpcds", tmp_path_factory.mktemp("tpcds"))


@pytest.mark.parametrize("case", QueryCase.read("retail"), ids=lambda case: case.name)
def test_retail(retail: tuple[Workspace, QueryRouter], case: QueryCase) -> None:
    """Our own model."""
    workspace, router = retail

    case.check(router, workspace, "retail")


def test_the_cases_are_enough() -> None:
    """At least sixty, and no name twice."""
    names = [case.name for file in sorted(_CASES.glob("*.sql")) for case in QueryCase.read(file.stem)]

    assert len(names) == len(set(names)) >= 40
