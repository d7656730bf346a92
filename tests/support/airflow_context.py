"""What operators ask of the context of a task: its run, other tasks' states, and values passed on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace, utc_now
from tests.support.stars import tiny_star

DAG_ID, RUN_ID = "batch_build_tiny_sales", "manual__1"


class TaskInstance(SimpleNamespace):
    """A task instance of the run."""

    def xcom_push(self, *, key: str, value: Any) -> None:
        """Remember a value."""
        self.pushed[key] = value

    def xcom_pull(self, *, task_ids: str, key: str = "return_value", **_: Any) -> Any:
        """What a task was said to have passed on."""
        return self.passed.get((task_ids, key))

    def get_task_states(self, **_: Any) -> Mapping[str, Mapping[str, str]]:
        """The states of the run's tasks."""
        return {RUN_ID: self.states}


def task_context(
    task_id: str = "task",
    *,
    states: Mapping[str, str] | None = None,
    passed: Mapping[tuple[str, str], Any] | None = None,
    run_id: str = RUN_ID,
    conf: Mapping[str, Any] | None = None,
) -> Any:
    """The context of a task.

    Args:
        states: of the run's tasks; ``build_0`` is the first mapped one.
        passed: values by task and key.
    """
    ti = TaskInstance(dag_id=DAG_ID, task_id=task_id, run_id=run_id, try_number=1, max_tries=0, map_index=-1)
    ti.pushed, ti.states, ti.passed = {}, dict(states or {}), dict(passed or {})
    run = SimpleNamespace(dag_id=DAG_ID, run_id=run_id, conf=dict(conf or {}), run_after=utc_now(), clear_number=0)
    return {"ti": ti, "dag_run": run, "params": {}}


def deploy_tiny_star(folder: Path, monkeypatch: pytest.MonkeyPatch, *, conn_id: str = "tiny") -> dict[str, Any]:
    """The tiny star, deployed, behind an Airflow connection; the URLs of registry and warehouse, and the schema."""
    urls: dict[str, Any] = {
        "registry": f"sqlite:///{folder / 'registry.sqlite'}",
        "warehouse": f"duckdb:///{folder / 'warehouse.duckdb'}",
    }
    extra = {f"{name}_url": url for name, url in urls.items()} | {"aggregate_schema": "aggs"}
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps({"conn_type": "atscale_aggs", "extra": extra}))
    with open_workspace(**urls, aggregate_schema="aggs") as workspace:
        tiny_star.run_sql(workspace, *tiny_star.SETUP_SQL)
        deploy(workspace, tiny_star.write_model(folder / "model"), now=utc_now())
    return {**urls, "aggregate_schema": "aggs"}
