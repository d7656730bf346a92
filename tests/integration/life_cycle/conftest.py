"""Fixtures of the tests of the life cycle."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace
from tests.support.stars.life_cycle_star import (
    SCHEMA,
    fill_star,
)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """The tiny star with one user-defined aggregate."""
    urls: dict[str, Any] = {
        "registry": f"sqlite:///{tmp_path}/r.sqlite",
        "warehouse": f"duckdb:///{tmp_path}/w.duckdb?threads=1",
    }
    with open_workspace(**urls, aggregate_schema=SCHEMA) as opened:
        fill_star(opened, tmp_path)
        yield opened


@pytest.fixture
def on_postgres(tmp_path: Path, postgres_url: str) -> Iterator[Workspace]:
    """The same, registry and warehouse in one PostgreSQL."""
    with open_workspace(registry=postgres_url, warehouse=postgres_url, aggregate_schema=SCHEMA) as opened:
        fill_star(opened, tmp_path)
        yield opened
