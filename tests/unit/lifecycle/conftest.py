"""The workspaces on which the rules of the life cycle are shown: a registry in SQLite, a star in DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from tests.support.stars import standing_star


@pytest.fixture
def deployed_star(tmp_path: Path) -> Iterator[Workspace]:
    """The tiny star is deployed, and nothing is built."""
    with standing_star.open_standing(tmp_path, standing_star.deploy_model) as workspace:
        yield workspace


@pytest.fixture
def built_star(tmp_path: Path) -> Iterator[Workspace]:
    """The tiny star is deployed, and ``by_day_and_shop`` and ``by_city`` serve."""
    with standing_star.open_standing(tmp_path, standing_star.build_aggregates) as workspace:
        yield workspace


@pytest.fixture
def staged_star(tmp_path: Path) -> Iterator[Workspace]:
    """As the built star, and a second batch has built both anew, of a sale more; it waits for its activation."""
    with standing_star.open_standing(tmp_path, standing_star.stage_batch) as workspace:
        yield workspace


@pytest.fixture
def incremental_star(tmp_path: Path) -> Iterator[Workspace]:
    """The incremental star is deployed, and ``by_city`` serves in segments."""
    with standing_star.open_standing(tmp_path, standing_star.build_incremental) as workspace:
        yield workspace


@pytest.fixture
def waiting_star(deployed_star: Workspace) -> Workspace:
    """The star on a warehouse whose row says that statements wait more than they work; no aggregate is derived."""
    warehouse = deployed_star.warehouse
    warehouse.dialect = replace(warehouse.dialect, statements_at_once=2, begin_snapshot=None)
    standing_star.put_settings(deployed_star, build_from_existing=False)
    return deployed_star
