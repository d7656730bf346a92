"""The operator and the hook that ask a model, inside Airflow's own machinery."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace
from airflow_atscale_aggs.hooks.aggregates import AggregatesHook
from airflow_atscale_aggs.operators.aggregates import AggregateAwareSQLOperator
from tests.support.stars import tiny_star

pytestmark = pytest.mark.airflow

_QUERY = 'SELECT "City", "Amount" FROM tiny.tiny_sales WHERE "City" = \'North\''


def _context() -> Any:
    """What the operator asks of a context."""
    return {"ti": SimpleNamespace(dag_id="report", task_id="ask")}


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A built star behind the connection `asked`."""
    urls: dict[str, Any] = {
        "registry": f"sqlite:///{tmp_path / 'r.sqlite'}",
        "warehouse": f"duckdb:///{tmp_path / 'w.duckdb'}",
    }
    with open_workspace(**urls, aggregate_schema="aggs") as workspace:
        tiny_star.run_sql(workspace, *tiny_star.SETUP_SQL)
        deploy(workspace, tiny_star.write_model(tmp_path / "model"), now=datetime.now(UTC))
        run_batch(workspace, "tiny_sales", owner="test")
    extra = {f"{name}_url": url for name, url in urls.items()} | {"aggregate_schema": "aggs"}
    monkeypatch.setenv("AIRFLOW_CONN_ASKED", json.dumps({"conn_type": "atscale_aggs", "extra": extra}))
    yield urls["registry"]


def test_the_operator_returns_rows_and_is_remembered(registry: str) -> None:
    """The log of queries knows which task asked."""
    operator = AggregateAwareSQLOperator(task_id="ask", sql=_QUERY, aggs_conn_id="asked")

    rows = operator.execute(_context())

    assert rows == [("North", Decimal("555.00"))]
    with open_workspace(registry=registry, warehouse="duckdb:///:memory:") as workspace:
        (record,) = workspace.read.queries.find(workspace.read.models.get("tiny_sales").id)
    assert (record.user, record.actual[0].aggregate) == ("airflow:report/ask", "by_city")


def test_the_hook_has_the_same_rows(registry: str) -> None:
    """The hook returns the same rows with aggregates and without."""
    hook = AggregatesHook("asked")

    assert hook.get_records(_QUERY) == hook.get_records(_QUERY, use_aggregates=False) == [("North", Decimal("555.00"))]


def test_plain_sql_is_answered_from_an_aggregate_or_run_as_it_stands(registry: str) -> None:
    """The operator and the hook answer alike, and the hook says why."""
    star = "FROM sales f JOIN shop s ON f.shop_id = s.shop_id WHERE s.city = 'North'"
    for measure, reasons in (
        ("SUM(f.amount)", ()),
        ("SUM(f.amount + 0)", ("`SUM(f.amount + 0)`: it does not aggregate one column of the fact table.",)),
    ):
        sql = f"SELECT s.city, {measure} {star} GROUP BY 1"
        operator = AggregateAwareSQLOperator(task_id="ask", sql=sql, aggs_conn_id="asked")
        rows = operator.execute(_context())

        result = AggregatesHook("asked").answer(sql)

        assert result.rows == rows == [("North", Decimal("555.00"))]
        assert (result.plan.uses_aggregates, result.plan.untouched) == (not reasons, reasons)


def test_a_wrong_query_fails_the_task_for_good(registry: str) -> None:
    """The next try would be as wrong."""
    operator = AggregateAwareSQLOperator(task_id="ask", sql=_QUERY.replace("City", "Ctiy"), aggs_conn_id="asked")

    with pytest.raises(AirflowFailException, match="Did you mean `City`"):
        operator.execute(_context())


def test_sql_is_templated() -> None:
    """The query may be a text or a file."""
    templated = {"aggs_conn_id", "sql", "model", "parameters", "as_user", "as_groups"}
    assert templated == set(AggregateAwareSQLOperator.template_fields)
    assert AggregateAwareSQLOperator.template_ext == (".sql",)
