"""Apache Spark's thrift server, where Java and the engine are."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError, WarehouseError
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import answer
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace, utc_now
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse
from tests.support.spark_server import reason_without_spark, spark_thrift_server
from tests.support.stars import tiny_star

pytestmark = [pytest.mark.spark, pytest.mark.xdist_group("spark")]


@pytest.fixture(scope="module")
def thrift_url() -> Iterator[str]:
    """A server that runs."""
    reason = reason_without_spark()
    if reason:
        pytest.skip(reason)
    with spark_thrift_server() as url:
        yield url


@pytest.fixture
def session(thrift_url: str) -> Iterator[WarehouseSession]:
    """An open session."""
    warehouse = open_warehouse(thrift_url)
    with warehouse.session() as session:
        yield session
    warehouse.close()


def test_values_errors_and_settings(session: WarehouseSession) -> None:
    """Dates are dates; a message is one sentence without a stack; a setting is as before after its block."""
    assert session.fetch_all("SELECT DATE '2024-02-29', CAST(1.5 AS DECIMAL(9, 2)), NULL, true") == [
        (date(2024, 2, 29), Decimal("1.50"), None, True)
    ]
    with pytest.raises(PermanentWarehouseError) as raised:
        session.fetch_all("SELECT 1 / 0")
    assert raised.value.reason.startswith("[DIVIDE_BY_ZERO] Division by zero.")
    assert "java" not in raised.value.reason
    assert session.columns([(None, None, "nope")]) == {}
    zone = session.settings()["spark.sql.session.timeZone"]
    with session.apply_settings({"spark.sql.session.timeZone": "America/New_York"}):
        assert session.fetch_all("SELECT current_timezone()") == [("America/New_York",)]
    assert session.fetch_all("SELECT current_timezone()") == [(zone,)]


def test_a_statement_that_runs_is_stopped(session: WarehouseSession) -> None:
    """By another thread, which asks until it has ended; the session goes on."""
    is_over = threading.Event()

    def stop() -> None:
        while not is_over.wait(1.0):
            session.cancel()

    stopper = threading.Thread(target=stop)
    stopper.start()
    try:
        with pytest.raises(WarehouseError):
            session.fetch_all("SELECT SUM(id % 7) FROM range(1000000000000)")
    finally:
        is_over.set()
        stopper.join()

    assert session.fetch_all("SELECT 1") == [(1,)]


def test_a_model_is_built_and_asked(thrift_url: str, tmp_path: Path) -> None:
    """Two aggregates, compared with their facts; routed and base answers agree."""
    wanted = {name: tiny_star.AGGREGATES[name] for name in ("by_city", "by_month")}
    registry = f"sqlite:///{tmp_path / 'registry.sqlite'}"
    with open_workspace(registry=registry, warehouse=thrift_url, aggregate_schema="aggs") as workspace:
        tiny_star.run_sql(workspace, *tiny_star.SETUP_SQL)
        deploy(workspace, tiny_star.write_model(tmp_path / "model", wanted), now=utc_now())
        report = run_batch(workspace, "tiny_sales", owner="test")
        sql = 'SELECT "City", "Amount" FROM tiny_sales ORDER BY 1'
        routed, base = answer(workspace, sql), answer(workspace, sql, use_aggregates=False)

    assert len(report.instances) == 2
    assert [source.aggregate for source in routed.plan.sources] == ["by_city"]
    assert routed.rows == base.rows
    assert routed.fallback_reason == ""
