"""Fixtures of the tests of stable views."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.lifecycle.build import activate
from airflow_atscale_aggs.engine.lifecycle.stable_views import switch as views
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace
from tests.support.stars.shared_warehouse import Roles, Star, build_star


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers are waited for, but not for minutes."""
    monkeypatch.setattr(activate, "SWITCH_SECONDS", 1.0)
    monkeypatch.setattr(activate.switch_views, "__kwdefaults__", {"patience": 1.0})
    monkeypatch.setattr(views, "_TOGETHER_SECONDS", 0.2)


@pytest.fixture
def star(empty_workspace: Workspace, tmp_path: Path) -> Star:
    """The star, built once, on DuckDB and on PostgreSQL."""
    return build_star(empty_workspace, tmp_path)


@pytest.fixture
def postgres_star(postgres_url: str, tmp_path: Path) -> Iterator[Star]:
    """The star, built once, on PostgreSQL."""
    registry = f"sqlite:///{tmp_path / 'registry.sqlite'}"
    with open_workspace(registry=registry, warehouse=postgres_url, aggregate_schema="aggs") as workspace:
        yield build_star(workspace, tmp_path)


@pytest.fixture
def roles(postgres_url: str) -> Iterator[Roles]:
    """A maker of roles that belong to one test."""
    opened_roles = Roles(postgres_url)
    yield opened_roles
    opened_roles.drop()
