"""Servers that speak Spark's protocols, and what is built on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sail_server import shared_session

from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, process_owner, utc_now
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse
from tests.support.spark_server import reason_without_spark, spark_connect_server
from tests.support.stars.retail_model import MODEL_FOLDER, SCALE, TABLES
from tests.support.stars.tpc_data import generate, load_spark


@pytest.fixture(scope="session")
def apache_spark_address() -> Iterator[str]:
    """The address of a server of Apache Spark. Its tables are in a catalog that all sessions share."""
    reason = reason_without_spark()
    if reason:
        pytest.skip(reason)
    with spark_connect_server() as address:
        yield address


@pytest.fixture(params=["sail", pytest.param("spark", marks=[pytest.mark.spark, pytest.mark.xdist_group("spark")])])
def spark_url(request: pytest.FixtureRequest) -> str:
    """An empty warehouse on Sail, and on Apache Spark where it is."""
    if request.param == "sail":
        return shared_session(request.getfixturevalue("sail_address"))
    address = str(request.getfixturevalue("apache_spark_address"))
    _empty(address)
    return address


def _empty(url: str) -> None:
    """Drop what earlier tests have left in the catalog."""
    warehouse = open_warehouse(url)
    with warehouse.session() as session:
        session.execute("DROP SCHEMA IF EXISTS aggs CASCADE")
        for name in session.tables("default"):
            session.execute(f"DROP TABLE IF EXISTS default.`{name}`")
    warehouse.close()


@dataclass(frozen=True)
class Retail:
    """Our own model, built; and the files that its data came from."""

    workspace: Workspace
    router: QueryRouter
    parquet: Path


@pytest.fixture(scope="module")
def retail(sail_address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Retail]:
    """Our own model on Sail."""
    folder = tmp_path_factory.mktemp("retail")
    url = shared_session(sail_address)
    parquet = generate("tpcds", SCALE, folder)
    load_spark(parquet, url, "retail", TABLES)
    registry = f"sqlite:///{folder / 'registry.sqlite'}"
    with open_workspace(registry=registry, warehouse=url, aggregate_schema="aggs_retail") as workspace:
        (deployed,) = deploy(workspace, MODEL_FOLDER, now=utc_now()).models
        run_batch(workspace, deployed.model, owner=process_owner(), jobs=2)
        yield Retail(workspace, QueryRouter(workspace), parquet)
