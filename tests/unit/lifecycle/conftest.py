"""The workspaces on which the rules of the life cycle are shown: a registry in SQLite, a star in DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
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
