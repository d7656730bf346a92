"""The workspaces that advice is given on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.lifecycle.query.model_snapshot import ModelSnapshot, read_model_snapshot
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from tests.support.stars import wide_star
from tests.support.stars.standing_star import MODEL, NOW, open_standing


@pytest.fixture
def wide(tmp_path: Path) -> Iterator[Workspace]:
    """Some thousand facts, the model without aggregates; its files are in ``model``."""
    with open_standing(tmp_path, wide_star.deploy_model) as workspace:
        yield workspace


@pytest.fixture(scope="module")
def shared_wide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """The same with metrics that are hard to store, for tests that change nothing of it."""
    with open_standing(tmp_path_factory.mktemp("star"), wide_star.deploy_with_distinct_metrics) as workspace:
        yield workspace


@pytest.fixture(scope="module")
def snapshot(shared_wide: Workspace) -> ModelSnapshot:
    return read_model_snapshot(shared_wide, shared_wide.read.models.get(MODEL), now=NOW)
