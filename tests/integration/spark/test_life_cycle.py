"""What becomes of aggregates on Spark Connect: recommended, built, used, verified, blocked, pruned, swept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sail_server import shared_session

from airflow_atscale_aggs.engine.lifecycle.advise.recommend import recommend
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.build.verify import Finding, verify
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter, answer
from airflow_atscale_aggs.engine.lifecycle.retain.block import block_definition
from airflow_atscale_aggs.engine.lifecycle.retain.evaluate import evaluate
from airflow_atscale_aggs.engine.lifecycle.retain.sweep import sweep
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from airflow_atscale_aggs.engine.settings import VerificationLevel
from tests.support.stars import tiny_star

_MORE_FACTS = "INSERT INTO sales SELECT a.day_id, b.shop_id, a.quantity, b.amount FROM sales a CROSS JOIN sales b"
_QUERIES = (
    'SELECT "Month", "Amount" FROM tiny_sales',
    'SELECT "City", "Quantity" FROM tiny_sales WHERE "Month" = \'month 1\'',
    'SELECT "Shop", "Average Amount" FROM tiny_sales',
)
_LONG_AFTER = timedelta(days=30)


@pytest.fixture
def workspace(sail_address: str, tmp_path: Path) -> Iterator[Workspace]:
    """The tiny star with some thousand facts, deployed."""
    registry = f"sqlite:///{tmp_path / 'registry.sqlite'}"
    with open_workspace(registry=registry, warehouse=shared_session(sail_address), aggregate_schema="aggs") as opened:
        tiny_star.run_sql(opened, *tiny_star.SETUP_SQL, _MORE_FACTS)
        deploy(opened, tiny_star.write_model(tmp_path / "model", {}), now=utc_now())
        yield opened


def _tables(workspace: Workspace) -> frozenset[str]:
    with workspace.warehouse.session() as session:
        return session.tables("aggs")


def test_asked_recommended_built_used_evaluated_swept_and_blocked(workspace: Workspace) -> None:
    """Answers stay what they were, from aggregates and, when these are blocked, from the facts."""
    with QueryRouter(workspace) as router:
        before = [sorted(map(str, router.answer(sql).rows)) for sql in _QUERIES]
    report = recommend(workspace, "tiny_sales", apply=True, now=utc_now())
    assert report.recommendations
    run_batch(workspace, "tiny_sales", owner="test")

    results = [answer(workspace, sql) for sql in _QUERIES]

    assert all(result.plan.uses_aggregates for result in results)
    assert [sorted(map(str, result.rows)) for result in results] == before
    evaluate(workspace, "tiny_sales", now=utc_now())
    assert not recommend(workspace, "tiny_sales", now=utc_now()).recommendations
    first = workspace.read.instances.find()
    run_batch(workspace, "tiny_sales", owner="test")
    assert {instance.table for instance in first} < _tables(workspace)

    swept = sweep(workspace, dry_run=False, now=utc_now() + _LONG_AFTER)

    assert {(table.table, table.dropped) for table in swept.tables} == {(instance.table, True) for instance in first}
    assert _tables(workspace).isdisjoint(str(instance.table) for instance in first)
    for recommendation in report.recommendations:
        block_definition(workspace, "tiny_sales", recommendation.definition.name, why="a test", now=utc_now())
    results = [answer(workspace, sql) for sql in _QUERIES]
    assert not any(result.plan.uses_aggregates for result in results)
    assert [sorted(map(str, result.rows)) for result in results] == before


def test_a_table_that_somebody_changed_is_found(workspace: Workspace, tmp_path: Path) -> None:
    """One row too many; the facts say so at every level."""
    wanted = {"by_city": tiny_star.AGGREGATES["by_city"]}
    deploy(workspace, tiny_star.write_model(tmp_path / "model", wanted), now=utc_now())
    (instance,) = run_batch(workspace, "tiny_sales", owner="test").instances
    tiny_star.run_sql(workspace, f"INSERT INTO aggs.{instance.table} SELECT * FROM aggs.{instance.table} LIMIT 1")

    (found,) = verify(workspace, "tiny_sales", level=VerificationLevel.TOTALS).instances

    assert found.finding is Finding.DIFFERS
    assert found.differences
