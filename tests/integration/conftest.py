"""Fixtures that several modules of integration tests share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, utc_now
from tests.conftest import PostgresDatabase, open_beside
from tests.support.stars import tiny_star


def _build(warehouse_url: str, folder: Path) -> None:
    with open_beside(warehouse_url, folder) as workspace:
        tiny_star.run_sql(workspace, *tiny_star.SETUP_SQL)
        deploy(workspace, tiny_star.write_model(folder / "model"), now=utc_now())
        run_batch(workspace, "tiny_sales", owner="test")


@pytest.fixture(scope="session")
def built_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny star in a DuckDB file, its model, and a registry; all its aggregates are built."""
    folder = tmp_path_factory.mktemp("built")
    _build(f"duckdb:///{folder / 'w.duckdb'}", folder)
    return folder


@dataclass
class KeptDatabase:
    """A PostgreSQL database with the same, once a first test has made it.

    What is registered knows its database by name, so all tests have it under one name, and this is a copy.
    """

    url: str
    is_built: bool = False


@pytest.fixture(scope="session")
def kept_database(postgres_database: PostgresDatabase) -> Iterator[KeptDatabase]:
    """An empty database for it."""
    with postgres_database(f"built_{os.getpid()}") as url:
        yield KeptDatabase(url)


@pytest.fixture
def workspace(request: pytest.FixtureRequest, warehouse_url: str, tmp_path: Path) -> Iterator[Workspace]:
    """A tiny star with its model deployed and all its aggregates built: a copy of one that is built once."""
    if warehouse_url.startswith("duckdb"):
        shutil.copytree(request.getfixturevalue("built_files"), tmp_path, dirs_exist_ok=True)
    else:
        kept, copy_database = request.getfixturevalue("kept_database"), request.getfixturevalue("copy_database")
        if kept.is_built:
            tiny_star.write_model(tmp_path / "model")
            copy_database(warehouse_url, kept.url)
        else:
            _build(warehouse_url, tmp_path)
            copy_database(kept.url, warehouse_url)
            kept.is_built = True
    with open_beside(warehouse_url, tmp_path) as opened:
        yield opened
