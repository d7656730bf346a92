"""Fixtures of the tests of incremental rebuilds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, utc_now
from tests.support.stars import incremental_star as star
from tests.support.stars.incremental_star import DeployModel


@pytest.fixture(params=["duckdb", pytest.param("postgres", marks=pytest.mark.postgres)])
def workspace(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workspace]:
    """The tables with a minute of facts; nothing is deployed."""
    url = str(request.getfixturevalue("postgres_url")) if request.param == "postgres" else ""
    with star.open_star(tmp_path, url) as opened:
        yield opened


@pytest.fixture
def deploy_model(workspace: Workspace, tmp_path: Path) -> DeployModel:
    """A function that deploys the model with an indicator, by default the timestamp with ten seconds of grace."""

    def deploy_star(**options: Any) -> Workspace:
        deploy(workspace, star.write_model(tmp_path / "model", **options), now=utc_now())
        return workspace

    return deploy_star


@pytest.fixture
def built_star(deploy_model: DeployModel) -> Workspace:
    """The star, deployed and built in full at START."""
    workspace = deploy_model()
    star.build(workspace, BuildType.FULL)
    return workspace


@pytest.fixture
def on_postgres(tmp_path: Path, postgres_url: str) -> Iterator[Workspace]:
    """The same on PostgreSQL alone."""
    with star.open_star(tmp_path, postgres_url) as opened:
        yield opened
