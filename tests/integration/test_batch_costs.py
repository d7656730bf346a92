"""What a plan says of the readings of facts is what a batch then does: every statement of the batch is looked at."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.lifecycle.build.plan import plan_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from airflow_atscale_aggs.engine.planning.batch_cost import BatchCost
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession
from tests.support.command_line import run_command
from tests.support.stars import incremental_star, tiny_star
from tests.support.stars.incremental_star import START, Sale

_FACT = "sales"


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement that a session of a warehouse runs from now on."""
    seen: list[str] = []
    for name in ("execute", "fetch_all", "result_types"):

        def record(self: DbApiSession, sql: str, run: Any = getattr(DbApiSession, name)) -> Any:
            seen.append(sql)
            return run(self, sql)

        monkeypatch.setattr(DbApiSession, name, record)
    return seen


@pytest.fixture
def star(tmp_path: Path) -> Iterator[Workspace]:
    """The tiny star, without a model."""
    with open_workspace(
        registry=f"sqlite:///{tmp_path / 'registry.sqlite'}",
        warehouse=f"duckdb:///{tmp_path / 'w.duckdb'}",
        aggregate_schema="aggs",
    ) as opened:
        tiny_star.run_sql(opened, *tiny_star.SETUP_SQL)
        yield opened


@pytest.fixture
def incremental_sales(tmp_path: Path) -> Iterator[Workspace]:
    """Sales with an indicator, and tags of shops that are many to many."""
    with incremental_star.open_star(tmp_path) as opened:
        tiny_star.run_sql(opened, *incremental_star.TAG_SQL)
        deploy(opened, incremental_star.add_tags(incremental_star.write_model(tmp_path / "model")), now=utc_now())
        yield opened


def _readings(statements: list[str]) -> int:
    """How often the fact stands in statements that read rows."""
    number = 0
    for sql in statements:
        if _FACT not in sql:
            continue
        tree = sqlglot.parse_one(sql, dialect="duckdb")
        number += sum(table.name == _FACT for table in tree.find_all(exp.Table))
    return number


def _cost(workspace: Workspace, build_type: BuildType = BuildType.FULL, *, at: int | None = None) -> BatchCost:
    now = utc_now() if at is None else datetime.fromtimestamp(at, UTC)
    plan = plan_batch(
        workspace, "tiny_sales", build_type=build_type, now=now, new_id=lambda: str(uuid.uuid4()), with_cost=True
    )
    assert plan.cost is not None
    return plan.cost


def _told(cost: BatchCost) -> int:
    (fact,) = cost.facts
    return fact.readings


@pytest.mark.parametrize(
    ("changes", "readings"),
    [
        ({}, 3),
        ({"aggregates.batch.verify": "off"}, 2),
        ({"aggregates.batch.verify": "sample"}, 7),
        ({"aggregates.batch.verify": "full"}, 7),
        ({"aggregates.batch.buildFromExisting.enabled": "false"}, 7),
    ],
    ids=["by default", "not verified", "sampled", "every group", "nothing derived"],
)
def test_a_batch_reads_its_fact_as_often_as_its_plan_says(
    star: Workspace, tmp_path: Path, statements: list[str], changes: dict[str, str], readings: int
) -> None:
    deploy(star, tiny_star.write_model(tmp_path / "model"), now=utc_now())
    for key, value in changes.items():
        star.registry.settings.put(None, key, value)
    cost = _cost(star)
    statements.clear()
    incremental_star.build(star, BuildType.FULL)

    assert _told(cost) == _readings(statements)
    assert _told(cost) == readings


def test_segments_are_read_by_range_at_first_and_by_increment(
    incremental_sales: Workspace, statements: list[str]
) -> None:
    for build_type, at in ((BuildType.FULL, START), (BuildType.INCREMENTAL, START + 60)):
        incremental_star.load(incremental_sales, Sale(at=at))
        cost = _cost(incremental_sales, build_type, at=at)
        statements.clear()
        incremental_star.build(incremental_sales, build_type, at=at)

        assert _told(cost) == _readings(statements)
        assert cost.facts[0].passes > 0 if build_type is BuildType.FULL else cost.facts[0].passes == 0


def test_the_command_tells_the_cost_in_a_table_and_as_a_document(star: Workspace, tmp_path: Path) -> None:
    tiny_star.write_model(tmp_path / "m")
    star.warehouse.close()
    options = ("--warehouse", f"duckdb:///{tmp_path / 'w.duckdb'}", "--registry", f"sqlite:///{tmp_path / 'r.sqlite'}")
    assert run_command(tmp_path, "deploy", "m", *options)[0] == 0

    _, out, err = run_command(tmp_path, "plan", "tiny_sales", *options)
    _, document, _ = run_command(tmp_path, "plan", "tiny_sales", "--json", "--no-estimate", *options)

    lines = [line.split() for line in out.splitlines()]
    assert ["sales", "60", "1.2", "kB", "3", "1", "1", "1", "180", "3.6", "kB"] in lines
    assert "1 aggregate built from facts, 3 derived from other aggregates. About 80 rows" in err
    assert "took 1 reading of `sales`, which a build does not make" in err
    cost = json.loads(document)["cost"]
    assert (cost["built_from_facts"], cost["derived"], cost["rows_not_known"]) == (
        1,
        3,
        ["by_day_and_shop", "by_month_and_city", "by_city", "by_month"],
    )
    assert cost["facts"][0]["whole"] == {"marks": 1, "proofs": 0, "indicator": 0, "builds": 1, "verification": 1}
