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
    with open_workspace(registry=registry, warehouse=warehouse, aggregate_schema="aggs") as workspace:
        tiny_star.run_sql(workspace, *tiny_star.SETUP_SQL)
        deploy(
            workspace,
            tiny_star.write_model(tmp_path / "model", {"by_city": (("City",), ("Amount",))}),
            now=datetime.now(UTC),
        )
        define(workspace, {"m_quantity": (("Month",), ("Quantity",)), "m_amount": (("Month",), ("Amount",))})
        run_batch(workspace, "tiny_sales", owner="test")
        answer(workspace, _QUERY)
    return ["--registry", registry, "--warehouse", warehouse, "--schema", "aggs"]


def test_evaluate_tells_and_applies(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """They come as a table with sentences, and as a document."""
    assert run(["evaluate", "tiny_sales", *options]) == 0
    captured = capsys.readouterr()
    assert "m_quantity" in captured.out
    assert "payback" in captured.out
    assert "`m_amount` could give way to `m_amount_union`" in captured.err
    assert "Nothing was changed (--apply does it)." in captured.err
    assert run(["evaluate", "tiny_sales", "--apply", "--json", *options]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["supersede"]["defined"] == ["m_amount_union"]
    (used,) = [evaluation for evaluation in document["evaluations"] if evaluation["aggregate"] == "m_quantity"]
    assert (used["uses"], used["rows_saved"], used["fact_rows"], used["measured_share"]) == (1, 56, 60, 0.0)
    assert set(used["parts"]) == {"payback", "recency", "compression"}


def test_prune_lists_and_lets_go(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The first run is a dry one, the second one is not."""
    for key, value in (("desiredInstances", "1"), ("excessInstances", "1"), ("removeUnusedDays", "0")):
        assert run(["settings", "set", f"aggregates.retention.{key}", value, *options]) == 0
    assert run(["prune", "tiny_sales", "--dry-run", "--json", *options]) == 0
    captured = capsys.readouterr()
    assert [pruned_aggregate["aggregate"] for pruned_aggregate in json.loads(captured.out)["pruned"]] == ["m_amount"]
    assert "warning: Setting `aggregates.retention.removeUnusedDays` is 0" in captured.err
    assert run(["prune", "tiny_sales", *options]) == 0
    captured = capsys.readouterr()
    assert "ranked 2 of 2, 1 are kept" in captured.out
    assert "1 serves no more; `atscale-aggs sweep` drops their tables from " in captured.err
    assert run(["prune", "tiny_sales", *options]) == 0
    assert "Nothing to prune." in capsys.readouterr().err


def test_block_and_unblock_by_name(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The reason is kept, and a mistyped name gets near names."""
    assert run(["block", "tiny_sales", "m_quantty", *options]) == 1
    assert "Did you mean `m_quantity`?" in capsys.readouterr().err
    assert run(["block", "tiny_sales", "m_quantity", "--why", "doubted", *options]) == 0
    assert run(["definitions", "--all", "--json", *options]) == 0
    stands = {
        definition["name"]: (definition["status"], definition["status_reason"])
        for definition in json.loads(capsys.readouterr().out)
    }
    assert stands["m_quantity"] == ("blocked", "doubted")
    assert run(["query", _QUERY, "--format", "json", *options]) == 0
    capsys.readouterr()
    assert run(["unblock", "tiny_sales", "m_quantity", *options]) == 0
    assert capsys.readouterr().err == "`m_quantity` is defined.\n"
