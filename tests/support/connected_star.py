"""The star with an indicator, deployed and not built, with an Airflow connection that leads to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace, utc_now
from tests.support.stars import incremental_star as star
from tests.support.stars import tiny_star
from tests.support.stars.incremental_star import START, Sale


def connect_star(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Make the star with ten fact rows; the URLs that `open_workspace` takes. The connection is called ``tiny``."""
    addresses: dict[str, Any] = {
        "registry": f"sqlite:///{folder / 'r.sqlite'}",
        "warehouse": f"duckdb:///{folder / 'w.duckdb'}",
    }
    extra = {f"{name}_url": url for name, url in addresses.items()} | {"aggregate_schema": "aggs"}
    monkeypatch.setenv("AIRFLOW_CONN_TINY", json.dumps({"conn_type": "atscale_aggs", "extra": extra}))
    with open_workspace(**addresses, aggregate_schema="aggs") as workspace:
        tiny_star.run_sql(workspace, *star.SETUP_SQL)
        star.load(workspace, *(Sale(at=START + 5 * n, day=n) for n in range(10)))
        deploy(workspace, star.write_model(folder / "model"), now=utc_now())
    return addresses
