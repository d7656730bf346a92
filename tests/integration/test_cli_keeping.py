"""``evaluate``, ``prune``, ``block``, ``unblock`` as people and programs see them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from airflow_atscale_aggs.cli.main import run
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import answer
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace
from tests.support.stars import tiny_star
from tests.support.strategies.system_definitions import define

_QUERY = 'SELECT "Month", SUM("Quantity") FROM tiny_sales GROUP BY 1'


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    """Options of a built star with two definitions at one grain, one of them used once."""
    registry, warehouse = f"sqlite:///{tmp_path}/r.sqlite", f"duckdb:///{tmp_path}/w.duckdb"
    with open_workspace(registry=registry, warehouse=warehouse, aggregate_schema="aggs") as place:
        with place.warehouse.session() as session:
            for statement in tiny_star.SETUP_SQL:
                session.execute(statement)
        deploy(
            place,
            tiny_star.write_model(tmp_path / "model", {"by_city": (("City",), ("Amount",))}),
            now=datetime.now(UTC),
        )
        define(place, {"m_quantity": (("Month",), ("Quantity",)), "m_amount": (("Month",), ("Amount",))})
        run_batch(place, "tiny_sales", owner="test")
        answer(place, _QUERY)
    return ["--registry", registry, "--warehouse", warehouse, "--schema", "aggs"]


def test_evaluate_tells_and_applies(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A table and sentences; the same as a document."""
    assert run(["evaluate", "tiny_sales", *options]) == 0
    told = capsys.readouterr()
    assert "m_quantity" in told.out
    assert "payback" in told.out
    assert "`m_amount` could give way to `m_amount_union`" in told.err
    assert "Nothing was changed (--apply does it)." in told.err
    assert run(["evaluate", "tiny_sales", "--apply", "--json", *options]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["supersede"]["defined"] == ["m_amount_union"]
    (used,) = [one for one in document["evaluations"] if one["aggregate"] == "m_quantity"]
    assert (used["uses"], used["rows_saved"], used["fact_rows"], used["measured_share"]) == (1, 56, 60, 0.0)
    assert set(used["parts"]) == {"payback", "recency", "compression"}


def test_prune_lists_and_lets_go(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """First a dry run, then for good."""
    for key, value in (("desiredInstances", "1"), ("excessInstances", "1"), ("removeUnusedDays", "0")):
        assert run(["settings", "set", f"aggregates.retention.{key}", value, *options]) == 0
    assert run(["prune", "tiny_sales", "--dry-run", "--json", *options]) == 0
    told = capsys.readouterr()
    assert [one["aggregate"] for one in json.loads(told.out)["pruned"]] == ["m_amount"]
    assert "warning: Setting `aggregates.retention.removeUnusedDays` is 0" in told.err
    assert run(["prune", "tiny_sales", *options]) == 0
    told = capsys.readouterr()
    assert "ranked 2 of 2, 1 are kept" in told.out
    assert "1 serves no more; `atscale-aggs sweep` drops their tables from " in told.err
    assert run(["prune", "tiny_sales", *options]) == 0
    assert "Nothing to prune." in capsys.readouterr().err


def test_block_and_unblock_by_name(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """With the reason, and near names for a mistyped one."""
    assert run(["block", "tiny_sales", "m_quantty", *options]) == 1
    assert "Did you mean `m_quantity`?" in capsys.readouterr().err
    assert run(["block", "tiny_sales", "m_quantity", "--why", "doubted", *options]) == 0
    assert run(["definitions", "--all", "--json", *options]) == 0
    stands = {one["name"]: (one["status"], one["status_reason"]) for one in json.loads(capsys.readouterr().out)}
    assert stands["m_quantity"] == ("blocked", "doubted")
    assert run(["query", _QUERY, "--format", "json", *options]) == 0
    capsys.readouterr()
    assert run(["unblock", "tiny_sales", "m_quantity", *options]) == 0
    assert capsys.readouterr().err == "`m_quantity` is defined.\n"
