"""The history of queries: what is remembered of each, and what is lost with a process."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy

from airflow_atscale_aggs.engine.lifecycle.query.query_log import BATCH, QueryHistory
from airflow_atscale_aggs.engine.lifecycle.query.router import answer
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace
from airflow_atscale_aggs.engine.registry.records import QueryRecord
from airflow_atscale_aggs.engine.settings import Settings

_BY_CITY = 'SELECT "City", "Amount" FROM tiny.tiny_sales WHERE "City" = \'North\''


def _now() -> datetime:
    return datetime.now(UTC)


def _model_id(workspace: Workspace) -> str:
    return workspace.read.models.get("tiny_sales").id


def test_a_query_is_remembered_without_its_values(workspace: Workspace) -> None:
    """The record has the fingerprint, names, sources and rows, but not the city that the query names."""
    answer(workspace, _BY_CITY, user="ann")
    answer(workspace, _BY_CITY.replace("North", "South"), use_aggregates=False)

    later, first = workspace.read.queries.find(_model_id(workspace))
    assert first.fingerprint == later.fingerprint
    assert (first.keys, first.metrics, first.predicates) == (("City",), ("Amount",), ("City",))
    assert (first.user, first.rows, first.weight, first.fallback_reason) == ("ann", 1, 1, "")
    assert [source.aggregate for source in (*first.actual, *later.actual)] == ["by_city", ""]
    assert "North" not in repr(first)
    (usage,) = workspace.read.queries.usages(_model_id(workspace))
    assert (usage.uses, usage.fact) == (1, "sales")
    answer(workspace, _BY_CITY)
    assert workspace.read.queries.usages(_model_id(workspace))[0].uses == 2


def test_conditions_of_metrics_are_remembered(workspace: Workspace) -> None:
    """An aggregate for such queries needs the attribute as well."""
    answer(workspace, """SELECT "Month", SUM("Amount") FILTER (WHERE "City" = 'North') AS north FROM tiny.tiny_sales""")

    (record,) = workspace.read.queries.find(_model_id(workspace))
    assert (record.keys, record.metrics, record.predicates) == (("Month",), ("Amount",), ("City",))
    assert [source.aggregate for source in record.actual] == ["by_month_and_city"]


def test_values_are_kept_where_a_setting_says_so(workspace: Workspace) -> None:
    """One setting keeps them; another one keeps no record at all."""
    model_id = _model_id(workspace)
    workspace.registry.settings.put(model_id, "query.history.literals", "true")
    answer(workspace, _BY_CITY)
    assert "'North'" in workspace.read.queries.find(model_id)[0].shape
    workspace.registry.settings.put(model_id, "query.history.enabled", "false")
    answer(workspace, _BY_CITY)
    assert len(workspace.read.queries.find(model_id)) == 1


def test_the_log_is_written_in_batches_and_sampled_under_load(workspace: Workspace) -> None:
    """A burst of a thousand queries becomes some records that stand for most; a broken registry loses no query."""
    history = QueryHistory(workspace.registry)
    moment = _now()
    answer(workspace, _BY_CITY)
    (record,) = workspace.read.queries.find(_model_id(workspace))
    for _ in range(1000):
        history.add(record)
    assert workspace.read.queries.find(_model_id(workspace)) == (record,)
    history.write(Settings(), now=moment)

    records = workspace.read.queries.find(_model_id(workspace))[: -1 or None]
    assert len(records) < 300
    assert sum(entry.weight for entry in records) >= 990
    _forget(workspace, record, moment)


def _forget(workspace: Workspace, record: QueryRecord, moment: datetime) -> None:
    history = QueryHistory(workspace.registry)
    history.add(record)
    history.write(Settings(), now=moment + timedelta(days=91))
    assert workspace.read.queries.find(_model_id(workspace)) == ()
    with workspace.registry.database.writing() as connection:
        connection.execute(sqlalchemy.text("ALTER TABLE atscale_aggs_queries RENAME TO gone"))
    assert answer(workspace, _BY_CITY).rows
    with workspace.registry.database.writing() as connection:
        connection.execute(sqlalchemy.text("ALTER TABLE gone RENAME TO atscale_aggs_queries"))


def test_a_killed_process_loses_no_more_than_a_batch(tmp_path: Path) -> None:
    """Queries are written in batches while it lives; only those that wait when it dies are lost."""
    program = f"""
import os, pathlib, datetime
from tests.support.stars import tiny_star
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import DeployReport, deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace
folder, now = pathlib.Path({str(tmp_path)!r}), datetime.datetime.now(datetime.UTC)
registry, warehouse = f"sqlite:///{{folder / 'r.sqlite'}}", f"duckdb:///{{folder / 'w.duckdb'}}"
with open_workspace(registry=registry, warehouse=warehouse, aggregate_schema="aggs") as place:
    tiny_star.run_sql(place, *tiny_star.SETUP_SQL)
    deploy(place, tiny_star.write_model(folder / "model"), now=now)
    router = QueryRouter(place, clock=lambda: now)
    for _ in range({BATCH} + 7):
        router.answer('SELECT "City", "Amount" FROM tiny_sales')
    os._exit(9)
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    died = subprocess.run([sys.executable, "-c", program], env=environment, check=False, timeout=300)

    assert died.returncode == 9
    address: dict[str, Any] = {
        "registry": f"sqlite:///{tmp_path / 'r.sqlite'}",
        "warehouse": f"duckdb:///{tmp_path / 'w.duckdb'}",
    }
    with open_workspace(**address, aggregate_schema="aggs") as workspace:
        assert len(workspace.read.queries.find(workspace.read.models.get("tiny_sales").id)) == BATCH
