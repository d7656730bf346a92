"""The sizes in the cost of a batch come from the catalog, from the last batch, and from the types of columns."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from airflow_atscale_aggs.cli.batch_costs import cost_sentences
from airflow_atscale_aggs.engine.errors import PermanentWarehouseError
from airflow_atscale_aggs.engine.lifecycle.build.plan import plan_batch
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.planning.batch_cost import BatchCost
from airflow_atscale_aggs.engine.warehouse.base import Row
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession
from tests.support.stars.standing_star import MODEL

_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _cost(workspace: Workspace, *, estimate: bool = False) -> BatchCost:
    plan = plan_batch(workspace, MODEL, now=_NOW, new_id=lambda: str(uuid.uuid4()), estimate=estimate, with_cost=True)
    assert plan.cost is not None
    return plan.cost


def _rows(workspace: Workspace) -> int:
    with workspace.warehouse.session() as session:
        return int(session.fetch_all("SELECT COUNT(*) FROM sales")[0][0])


def test_a_plan_costs_nothing_to_price_unless_asked(built_star: Workspace) -> None:
    assert plan_batch(built_star, MODEL, now=_NOW, new_id=lambda: str(uuid.uuid4())).cost is None


def test_the_catalog_tells_rows_and_types_tell_bytes(built_star: Workspace) -> None:
    (fact,) = _cost(built_star).facts

    assert fact.size.rows == _rows(built_star)
    assert fact.size.size_bytes is not None
    assert fact.size.size_bytes % _rows(built_star) == 0


@pytest.mark.parametrize("estimate", [True, False])
def test_the_readings_of_estimates_are_told_apart(built_star: Workspace, estimate: bool) -> None:
    assert _cost(built_star, estimate=estimate).estimates == ({"sales": 1} if estimate else {})


def test_where_the_catalog_refuses_the_last_batch_tells_the_rows(
    built_star: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch_all = DbApiSession.fetch_all

    def refuse(self: DbApiSession, sql: str) -> list[Row]:
        if "estimated_size" in sql:
            raise PermanentWarehouseError("duckdb", sql, "no right to read it")
        return fetch_all(self, sql)

    monkeypatch.setattr(DbApiSession, "fetch_all", refuse)

    assert _cost(built_star).facts[0].size.rows == _rows(built_star)


def test_a_first_plan_knows_no_seconds_and_a_later_one_those_of_the_tables_that_serve(built_star: Workspace) -> None:
    serving = built_star.read.instances.serving(built_star.read.models.get(MODEL).id)

    assert _cost(built_star).seconds.total == pytest.approx(sum(instance.seconds or 0.0 for instance in serving))


def test_a_plan_knows_whether_it_fits_beside_the_file(built_star: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _cost(built_star).fits

    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1))

    cost = _cost(built_star)
    assert cost.bytes_free == 1
    assert not cost.fits
    assert any(sentence.startswith("It will not fit: 1 B are free") for sentence in cost_sentences(cost))
