"""Tables of aggregates, or of facts, that somebody has dropped: said by name wherever they matter."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_atscale_aggs.cli.main import run
from airflow_atscale_aggs.engine.lifecycle.build.verify import verify
from airflow_atscale_aggs.engine.lifecycle.query.router import answer, explain
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.rewriting.match.miss import Miss
from airflow_atscale_aggs.engine.settings import VerificationLevel
from tests.support.stars.tiny_star import run_sql

_QUERY = 'SELECT "City", "Amount" FROM tiny_sales GROUP BY 1 ORDER BY 1'


def _drop_table_of(workspace: Workspace, aggregate: str) -> str:
    (record,) = workspace.read.models.current()
    (instance,) = [
        instance for instance in workspace.read.instances.serving(record.id) if instance.step.aggregate == aggregate
    ]
    run_sql(workspace, f'DROP TABLE aggs."{instance.table}" CASCADE')
    return str(instance.table)


def _findings(workspace: Workspace) -> dict[str, str]:
    report = verify(workspace, "tiny_sales", level=VerificationLevel.TOTALS)
    return {instance.aggregate: str(instance.finding) for instance in report.instances}


def test_verify_fails_for_the_aggregate_whose_table_is_gone(workspace: Workspace) -> None:
    """The others are compared as before."""
    table = _drop_table_of(workspace, "by_city")

    report = verify(workspace, "tiny_sales", level=VerificationLevel.TOTALS)

    assert report.has_mismatch
    assert _findings(workspace) == dict.fromkeys(("by_day_and_shop", "by_month", "by_month_and_city"), "agrees") | {
        "by_city": "gone"
    }
    (gone,) = [instance for instance in report.instances if instance.finding == "gone"]
    assert gone.undecided == (f"`{table}` is not in the warehouse any more; build again",)


def test_verify_fails_where_the_facts_are_gone(workspace: Workspace) -> None:
    """Nothing was compared, so nothing is well."""
    run_sql(workspace, "DROP TABLE sales CASCADE")
    report = verify(workspace, "tiny_sales", level=VerificationLevel.TOTALS)

    assert report.has_mismatch
    assert {str(instance.finding) for instance in report.instances} == {"unreadable"}


def test_what_is_gone_is_not_said_to_answer(workspace: Workspace) -> None:
    """The next best answers, and the reason against the other is told."""
    table = _drop_table_of(workspace, "by_city")

    plan = explain(workspace, _QUERY)
    result = answer(workspace, _QUERY)

    assert plan.sources[0].aggregate == result.plan.sources[0].aggregate == "by_month_and_city"
    assert result.fallback_reason == ""
    (by_city,) = [candidate for candidate in plan.candidates[0] if candidate.aggregate == "by_city"]
    assert (by_city.miss, by_city.missing) == (Miss.GONE, (table,))


def test_the_command_line_tells_what_is_gone(
    workspace: Workspace, tmp_path: Path, warehouse_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """`verify` ends with exit code 1, `instances` names the aggregate."""
    table = _drop_table_of(workspace, "by_month")
    workspace.close()
    registry = str(workspace.registry.database.url.render_as_string(hide_password=False))
    options = ["--registry", registry, "--warehouse", warehouse_url, "--schema", "aggs"]

    assert run(["verify", "tiny_sales", *options]) == 1
    assert f"gone: by_month: `{table}`" in capsys.readouterr().err

    assert run(["instances", *options]) == 0
    assert f"`by_month` is active and cannot answer: `{table}` is not in the warehouse" in capsys.readouterr().err

    assert run(["instances", "--json", *options]) == 0
    missing_tables = {
        instance["aggregate"]: instance["missing_tables"] for instance in json.loads(capsys.readouterr().out)
    }
    assert missing_tables == {"by_city": [], "by_day_and_shop": [], "by_month": [table], "by_month_and_city": []}
