"""Prediction answers a fair share of plain dashboards on our own retail model on TPC-DS data, freshly deployed and
without a query before.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import yaml

from airflow_atscale_aggs.engine.lifecycle.advise.recommend import RecommendRequest, recommend
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import answer
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace, process_owner, utc_now
from tests.support.stars.retail_model import MODEL_FOLDER, SCALE, SCHEMA
from tests.support.stars.tpc_data import generate, load_duckdb

_DASHBOARDS = (
    'SELECT "Store Revenue", "Store Profit" FROM retail',
    'SELECT "Sold Year", "Store Revenue" FROM retail',
    'SELECT "Category", "Store Revenue" FROM retail',
    'SELECT "Store State", "Store Profit" FROM retail',
    'SELECT "Sold Year", "Category", "Web Revenue" FROM retail',
    'SELECT "Ship Year", "Catalog Revenue" FROM retail',
    'SELECT "Category", "Web Quantity" FROM retail WHERE "Sold Year" = 2001',
    'SELECT DISTINCT "Category" FROM retail',
    'SELECT DISTINCT "Sold Year" FROM retail',
    'SELECT "Promotion", "Store Revenue" FROM retail',
    'SELECT "Counted Month", "Lowest Stock" FROM retail',
    'SELECT "Class", "Catalog Profit" FROM retail',
)


def _fresh_model(folder: Path) -> Path:
    """The retail model without user-defined aggregates; its catalog wants predictions."""
    shutil.copytree(MODEL_FOLDER, folder)
    for name, key, value in (
        ("catalog.yml", "build_speculative_aggs", True),
        ("models/retail.yml", "aggregates", None),
    ):
        path = folder / name
        path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), key: value}, sort_keys=False))
    return folder


def test_plain_dashboards_are_answered_and_right(tmp_path: Path) -> None:
    """Prediction answers half of them; after `recommend` with these queries nearly all are, with the facts' answers."""
    load_duckdb(generate("tpcds", SCALE, tmp_path), tmp_path / "w.duckdb", SCHEMA)
    urls: dict[str, Any] = {
        "registry": f"sqlite:///{tmp_path / 'r.sqlite'}",
        "warehouse": f"duckdb:///{tmp_path / 'w.duckdb'}",
    }
    with open_workspace(**urls, aggregate_schema="aggs") as workspace:
        (predicted,) = deploy(workspace, _fresh_model(tmp_path / "m"), model="retail", now=utc_now()).predictions
        run_batch(workspace, "retail", owner=process_owner())
        expected_rows = [sorted(map(str, answer(workspace, sql, use_aggregates=False).rows)) for sql in _DASHBOARDS]
        results = [answer(workspace, sql) for sql in _DASHBOARDS]

        assert len(predicted.appeared) > 10
        assert sum(result.plan.uses_aggregates for result in results) >= len(_DASHBOARDS) / 2
        assert [sorted(map(str, result.rows)) for result in results] == expected_rows

        request = RecommendRequest(queries=_DASHBOARDS)
        report = recommend(workspace, "retail", request=request, apply=True, now=utc_now())
        run_batch(workspace, "retail", owner=process_owner())
        again = [answer(workspace, sql) for sql in _DASHBOARDS]
        assert sum(result.plan.uses_aggregates for result in again) >= len(_DASHBOARDS) - len(report.unserved)
        assert [sorted(map(str, result.rows)) for result in again] == expected_rows
