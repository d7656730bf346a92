"""Fixtures that several modules of integration tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, utc_now
from tests.support.stars import tiny_star


@pytest.fixture
def workspace(empty_workspace: Workspace, tmp_path: Path) -> Workspace:
    """A tiny star with its model deployed and all its aggregates built."""
    tiny_star.run_sql(empty_workspace, *tiny_star.SETUP_SQL)
    deploy(empty_workspace, tiny_star.write_model(tmp_path / "model"), now=utc_now())
    run_batch(empty_workspace, "tiny_sales", owner="test")
    return empty_workspace
