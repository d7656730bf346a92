"""Every verb that shows seconds saved says the same for the same log."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from airflow_atscale_aggs.cli.main import run
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from airflow_atscale_aggs.engine.registry.records import QueryRecord, QuerySource
from tests.support.query_records import make_query_record
from tests.support.stars import tiny_star

_MODEL = "tiny_sales"
_AGGREGATES = {name: tiny_star.AGGREGATES[name] for name in ("by_city", "by_month")}
_FACTS = QuerySource(fact="sales")


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    """Options of the command line that lead to registry and warehouse."""
    registry, warehouse = f"sqlite:///{tmp_path}/r.sqlite", f"duckdb:///{tmp_path}/w.duckdb?threads=1"
    return ["--registry", registry, "--warehouse", warehouse, "--schema", "aggs"]


@pytest.fixture
def workspace(options: list[str], tmp_path: Path) -> Iterator[Workspace]:
    """The tiny star with two aggregates, both built."""
    with open_workspace(registry=options[1], warehouse=options[3], aggregate_schema=options[5]) as opened:
        tiny_star.run_sql(opened, *tiny_star.SETUP_SQL)
        deploy(opened, tiny_star.write_model(tmp_path / "model", _AGGREGATES), now=utc_now())
        run_batch(opened, _MODEL, owner="test")
        yield opened


def _source(workspace: Workspace, name: str) -> QuerySource:
    definitions = {
        record.definition.name: record.definition.id
        for record in workspace.read.definitions.of_model(_model_id(workspace))
    }
    return QuerySource(fact="sales", aggregate=name, definition_id=definitions[name])


def _model_id(workspace: Workspace) -> str:
    return workspace.read.models.get(_MODEL).id


def _query(workspace: Workspace) -> Callable[..., QueryRecord]:
    return partial(make_query_record, model_id=_model_id(workspace), asked_at=utc_now())


def _documents(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """What `definitions` and `evaluate` say of each aggregate with ``--json``."""
    capsys.readouterr()
    assert run(["definitions", "--json", *options]) == 0
    listed = {document["name"]: document for document in json.loads(capsys.readouterr().out)}
    assert run(["evaluate", _MODEL, "--json", *options]) == 0
    judged = {document["aggregate"]: document for document in json.loads(capsys.readouterr().out)["evaluations"]}
    assert set(listed) == set(judged)
    return {name: (document, judged[name]) for name, document in listed.items()}


def _cells(arguments: list[str], column: str, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """One column of a table for each aggregate, right-aligned under its heading."""
    capsys.readouterr()
    assert run(arguments) == 0
    heading, *lines = capsys.readouterr().out.splitlines()
    end = heading.index(column) + len(column)
    return {line.split()[0]: line[heading.index(column) - 2 : end].strip() for line in lines if line.split()}


def test_a_slow_run_on_the_facts_changes_neither_figure(
    workspace: Workspace, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """One use took 1 s, and the same query on the facts 2, 3 and 40 s: 2 s are saved, measured by the median."""
    query = _query(workspace)
    workspace.registry.queries.record(
        [
            query(_source(workspace, "by_city"), seconds=1.0),
            *(query(_FACTS, seconds=seconds) for seconds in (2.0, 3.0, 40.0)),
        ]
    )
    workspace.close()

    listed, judged = _documents(options, capsys)["by_city"]

    assert (listed["average_saving_seconds"], listed["average_saving_measured_share"]) == (2.0, 1.0)
    assert (judged["uses"], judged["seconds_saved"], judged["measured_share"]) == (1, 2.0, 1.0)
    assert _cells(["definitions", *options], "saves each", capsys) == {"by_city": "2.000 s", "by_month": ""}
    assert _cells(["evaluate", _MODEL, *options], "seconds saved", capsys) == {"by_city": "2.000", "by_month": "0.000"}


def test_uses_times_the_average_is_what_all_uses_saved(
    workspace: Workspace, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """It holds with estimates, with records of several queries and with queries of several parts; both are marked."""
    city, month, query = _source(workspace, "by_city"), _source(workspace, "by_month"), _query(workspace)
    workspace.registry.queries.record(
        [
            query(city, fingerprint="both ways", seconds=0.5, weight=6),
            query(_FACTS, fingerprint="both ways", seconds=2.5),
            query(city, month, fingerprint="of two parts", seconds=1.0),
            query(_FACTS, _FACTS, fingerprint="of two parts", seconds=4.0),
            query(city, fingerprint="never on the facts", seconds=0.25),
        ]
    )
    build = workspace.read.instances.shortest_builds(_model_id(workspace))["sales"]
    workspace.close()

    documents = _documents(options, capsys)

    for listed, judged in documents.values():
        assert judged["uses"] == listed["uses"]
        assert judged["seconds_saved"] == pytest.approx(listed["uses"] * listed["average_saving_seconds"])
        assert judged["measured_share"] == listed["average_saving_measured_share"]
    of_city, of_month = documents["by_city"][1], documents["by_month"][1]
    assert of_city["seconds_saved"] == pytest.approx(6 * 2.0 + 3.0 / 2 + build - 0.25)
    assert (of_city["uses"], of_city["measured_share"]) == (8, 7 / 8)
    assert (of_month["seconds_saved"], of_month["measured_share"]) == (1.5, 1.0)
    each = _cells(["definitions", *options], "saves each", capsys)
    together = _cells(["evaluate", _MODEL, *options], "seconds saved", capsys)
    assert [cells[name][0] == "~" for cells in (each, together) for name in ("by_city", "by_month")] == [
        *(True, False),
        *(True, False),
    ]
