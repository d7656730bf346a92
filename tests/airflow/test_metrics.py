"""Metrics of batches, builds and queries, as a StatsD server receives them over UDP."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from airflow.sdk.observability import stats
from airflow.sdk.observability.metrics.stats_utils import get_stats_factory

from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace
from airflow_atscale_aggs.metrics import emission
from airflow_atscale_aggs.operators.aggregates import (
    ActivateBatchOperator,
    AggregateAwareSQLOperator,
    BuildAggregateOperator,
    PlanBatchBuildOperator,
)
from tests.support.airflow_context import deploy_tiny_star, task_context
from tests.support.connected_star import connect_star
from tests.support.stars import incremental_star, tiny_star
from tests.support.stars.incremental_star import START, Sale
from tests.support.statsd_server import StatsdServer, statsd_server, without_durations

pytestmark = pytest.mark.airflow

_MODEL: dict[str, Any] = {"model": "tiny_sales", "aggs_conn_id": "tiny"}


@pytest.fixture
def server() -> Iterator[StatsdServer]:
    """A server, and Airflow's Stats as a task's process begins them."""
    with statsd_server(stats, get_stats_factory) as running:
        yield running


@pytest.fixture
def urls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    return deploy_tiny_star(tmp_path, monkeypatch)


def _plan(**options: Any) -> list[dict[str, Any]]:
    return PlanBatchBuildOperator(task_id="plan", **{**_MODEL, **options}).execute(task_context("plan"))


def _build(planned: list[dict[str, Any]]) -> None:
    for arguments in planned:
        BuildAggregateOperator(task_id="build", aggs_conn_id="tiny", **arguments).execute(task_context("build"))


def _activate() -> None:
    ActivateBatchOperator(task_id="activate", **_MODEL).execute(task_context("activate"))


def test_a_batch_is_counted_and_timed(server: StatsdServer, urls: dict[str, Any]) -> None:
    planned = _plan()
    assert without_durations(server.received()) == {"atscale_aggs.batches.begun,model=tiny_sales": ["1|c"]}

    _build(planned)
    received = without_durations(server.received())
    rows = [int(value.removesuffix("|c")) for value in received.pop("atscale_aggs.build.rows,model=tiny_sales")]
    assert received == {
        "atscale_aggs.builds.done,model=tiny_sales": ["1|c"] * 4,
        "atscale_aggs.build.duration,model=tiny_sales": ["…|ms"] * 4,
    }
    with open_workspace(**urls) as workspace:
        assert sorted(rows) == sorted(instance.rows or 0 for instance in workspace.read.instances.find())

    _activate()
    live = {
        "atscale_aggs.batches.live,model=tiny_sales": ["1|c"],
        "atscale_aggs.batch.duration,model=tiny_sales": ["…|ms"],
    }
    assert without_durations(server.received()) == live
    # The same tasks, cleared.
    _activate()
    assert server.received() == {}


def test_failures_and_answered_runs_are_counted(server: StatsdServer, urls: dict[str, Any]) -> None:
    (by_shop,) = _plan(aggregates=["by_day_and_shop"])
    with open_workspace(**urls) as workspace:
        tiny_star.run_sql(workspace, "ALTER TABLE sales RENAME TO gone")
    with pytest.raises(AirflowFailException):
        _build([by_shop])
    with pytest.raises(AirflowFailException):
        _activate()
    asked_before = task_context("plan", run_id="manual__2")
    asked_before["dag_run"].run_after -= timedelta(hours=1)
    operator = PlanBatchBuildOperator(task_id="plan", is_first=True, aggregates=["by_day_and_shop"], **_MODEL)
    assert operator.execute(asked_before) == []

    assert server.received() == {
        "atscale_aggs.batches.begun,model=tiny_sales": ["1|c"],
        "atscale_aggs.builds.failed,model=tiny_sales": ["1|c"],
        "atscale_aggs.batches.failed,model=tiny_sales": ["1|c"],
        "atscale_aggs.batches.answered,model=tiny_sales": ["1|c"],
    }


def test_queries_are_hits_misses_and_fallbacks(server: StatsdServer, urls: dict[str, Any]) -> None:
    """The operator and the hook count alike; what no model has to do with is not counted."""

    def ask(sql: str, **options: Any) -> dict[str, list[str]]:
        AggregateAwareSQLOperator(task_id="ask", sql=sql, aggs_conn_id="tiny", **options).execute(task_context("ask"))
        return without_durations(server.received())

    _build(_plan())
    _activate()
    server.received()
    by_city = 'SELECT "City", "Amount" FROM tiny.tiny_sales'
    timed = {"atscale_aggs.query.duration,model=tiny_sales": ["…|ms"]}

    assert ask(by_city) == {"atscale_aggs.queries.hits,model=tiny_sales": ["1|c"], **timed}
    assert ask(by_city, use_aggregates=False) == {"atscale_aggs.queries.misses,model=tiny_sales": ["1|c"], **timed}
    assert ask("SELECT 1") == {}
    with open_workspace(**urls) as workspace:
        for table in [instance.table for instance in workspace.read.instances.find()]:
            tiny_star.run_sql(workspace, f"ALTER TABLE aggs.{table} RENAME COLUMN sum_amount TO amount")
    assert ask(by_city) == {"atscale_aggs.queries.fallbacks,model=tiny_sales": ["1|c"], **timed}


def test_late_rows_are_a_gauge(server: StatsdServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the fact, though several aggregates of it find the same rows."""
    addresses = connect_star(tmp_path, monkeypatch)
    with open_workspace(**addresses, aggregate_schema="aggs") as workspace:
        incremental_star.build(workspace, BuildType.FULL, at=START + 50)
        incremental_star.load(workspace, Sale(at=START + 60), Sale(at=START + 1), Sale(at=START + 2))

    _plan(model=incremental_star.MODEL, build_type="incremental")

    received = server.received()
    late = {name: values for name, values in received.items() if "late_rows" in name}
    assert late == {f"atscale_aggs.late_rows,model={incremental_star.MODEL},fact=sales": ["2|g"]}


def test_names_that_a_server_would_refuse_are_changed(server: StatsdServer) -> None:
    """A model may have any name; a backend logs an error for characters it does not know."""
    emission.emit_failed("Größe, in=Metern")
    emission.emit_age("shop", timedelta(hours=2))

    assert server.received() == {
        "atscale_aggs.batches.failed,model=Gr__e__in_Metern": ["1|c"],
        "atscale_aggs.oldest_aggregate.age,model=shop": ["7200.0|g"],
    }


def test_a_backend_that_fails_fails_no_task(urls: dict[str, Any]) -> None:
    """Somebody's own client may raise anything."""

    def refuse() -> Any:
        raise RuntimeError

    stats.initialize(factory=refuse, export_legacy_names=False)
    try:
        with pytest.raises(RuntimeError):
            stats.incr("x")
        assert len(_plan()) == 4
    finally:
        stats.initialize(factory=get_stats_factory(), export_legacy_names=False)


def test_the_page_lists_every_metric() -> None:
    """What the module emits is what its table and the page say."""
    source = Path(str(sys.modules[emission.__name__].__file__)).read_text()
    page = (Path(__file__).parents[2] / "docs" / "airflow.md").read_text()
    listed = {
        f"atscale_aggs.{stem}{end}"
        for stem, ends in re.findall(r"^\| `atscale_aggs\.([a-z_.]+)(?:\{([a-z,]+)\})?`", page, re.MULTILINE)
        for end in (ends or "").split(",")
    }
    emitted = {
        f"atscale_aggs.{stem}{end}"
        for stem, ends in re.findall(r"^    atscale_aggs\.([a-z_.]+)(?:\{([a-z,]+)\})?", source, re.MULTILINE)
        for end in (ends or "").split(",")
    }
    assert listed == emitted
    assert len(listed) == 15
