"""The operator that recommends aggregates, inside Airflow's own machinery."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace
from airflow_atscale_aggs.operators.aggregates import RecommendAggregatesOperator
from tests.support.stars import tiny_star

pytestmark = pytest.mark.airflow

_QUERIES = ('SELECT "Month", "Amount" FROM tiny_sales',)


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A star with some thousand fact rows behind the connection `advised`."""
    urls: dict[str, Any] = {
        "registry": f"sqlite:///{tmp_path / 'r.sqlite'}",
        "warehouse": f"duckdb:///{tmp_path / 'w.duckdb'}",
    }
    with open_workspace(**urls) as workspace:
        tiny_star.run_sql(
            workspace,
            *tiny_star.SETUP_SQL,
            "INSERT INTO sales SELECT a.day_id, b.shop_id, a.quantity, b.amount FROM sales a, sales b",
        )
        deploy(workspace, tiny_star.write_model(tmp_path / "model", {}), now=datetime.now(UTC))
    extra = {f"{name}_url": url for name, url in urls.items()}
    monkeypatch.setenv("AIRFLOW_CONN_ADVISED", json.dumps({"conn_type": "atscale_aggs", "extra": extra}))
    return urls["registry"]


def test_it_tells_and_defines(registry: str) -> None:
    """Without ``apply`` nothing is defined; what it returns can go through XCom."""
    options: dict[str, Any] = {"model": "tiny_sales", "queries": _QUERIES, "aggs_conn_id": "advised"}
    recommended = RecommendAggregatesOperator(task_id="look", **options).execute({})
    defined = RecommendAggregatesOperator(task_id="define", apply=True, **options).execute({})

    assert [(entry["aggregate"], entry["rows"], entry["outcome"]) for entry in recommended] == [
        ("sales_by_month", 4, "")
    ]
    assert json.loads(json.dumps(defined))[0]["outcome"] == "added"
    with open_workspace(registry=registry, warehouse="duckdb:///:memory:") as workspace:
        (record,) = workspace.read.definitions.of_model(workspace.read.models.get("tiny_sales").id)
    assert record.definition.name == "sales_by_month"


def test_an_unknown_model_fails_the_task_for_good(registry: str) -> None:
    """The next try would be as wrong."""
    operator = RecommendAggregatesOperator(task_id="look", model="tiny_sale", aggs_conn_id="advised")

    with pytest.raises(AirflowFailException, match="Did you mean `tiny_sales`"):
        operator.execute({})


@pytest.mark.parametrize(
    ("autonomy", "dry_run", "outcome"),
    [("suggest", "False", ""), ("define", "True", ""), ("define", "False", "added"), ("define and build", "", "added")],
)
def test_maintenance_defines_what_a_setting_allows(registry: str, autonomy: str, dry_run: str, outcome: str) -> None:
    """It defines nothing in a dry run."""
    with open_workspace(registry=registry, warehouse="duckdb:///:memory:") as workspace:
        model = workspace.read.models.get("tiny_sales").id
        workspace.registry.settings.put(model, "aggregates.maintenance.autonomy", autonomy)
    operator = RecommendAggregatesOperator(
        task_id="recommend",
        model="tiny_sales",
        apply=None,
        dry_run=dry_run,
        queries=_QUERIES,
        aggs_conn_id="advised",
    )

    assert [entry["outcome"] for entry in operator.execute({})] == [outcome]
