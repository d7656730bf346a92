"""A check of DuckDB in memory, begun and not run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.lifecycle.conformance.build_checks import check_aggregates, check_tables
from airflow_atscale_aggs.engine.lifecycle.conformance.capability import Verdict
from airflow_atscale_aggs.engine.lifecycle.conformance.check_context import CheckContext
from airflow_atscale_aggs.engine.lifecycle.conformance.scratch import Scratch
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.registry.registry import open_registry
from airflow_atscale_aggs.engine.settings import Settings
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse


@pytest.fixture
def context(tmp_path: Path) -> Iterator[CheckContext]:
    """An empty schema `scratch`."""
    warehouse = open_warehouse("duckdb://?threads=1")
    registry = open_registry(f"sqlite:///{tmp_path / 'registry.sqlite'}")
    registry.settings.put(None, "aggregates.batch.max.failures", "100")
    scratch = Scratch(warehouse, "scratch")
    scratch.open()
    warehouse.aggregate_schema = "scratch"
    yield CheckContext(Workspace(registry, warehouse, Settings()), scratch, tmp_path, lambda _: None)
    registry.close()
    warehouse.close()


@pytest.fixture
def built(context: CheckContext) -> CheckContext:
    """The star is loaded, and its aggregates serve."""
    found = [*check_tables(context), *check_aggregates(context)]
    assert all(capability.verdict is not Verdict.FAILS for capability in found), found
    return context
