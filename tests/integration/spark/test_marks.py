"""Marks of datasets on servers that speak Spark's protocols: by files on Spark, by values on Sail."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.build.source_marks import changed_datasets
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace, utc_now
from tests.support.stars import tiny_star


def test_a_load_is_seen_and_nothing_else(spark_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    registry = f"sqlite:///{tmp_path / 'registry.sqlite'}"
    with open_workspace(registry=registry, warehouse=spark_url, aggregate_schema="aggs") as workspace:
        tiny_star.run_sql(workspace, *tiny_star.SETUP_SQL)
        deploy(workspace, tiny_star.write_model(tmp_path / "model"), now=utc_now())
        batch = run_batch(workspace, "tiny_sales", owner="test").batch
        is_spark = "spark" in request.node.callspec.id

        with workspace.warehouse.session() as session:
            assert {"_metadata" in mark.sql for mark in batch.sources} == {is_spark}
            assert changed_datasets(session, batch.sources) == ()
            session.execute("INSERT INTO sales VALUES (1, 1, 1, 1)")
            assert changed_datasets(session, batch.sources) == ("sales",)
