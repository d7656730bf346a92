"""Every verb that shows seconds saved says the same for the same log."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from airflow_atscale_aggs.cli.main import run
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.retain.savings import build_seconds
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from airflow_atscale_aggs.engine.registry.records import QueryRecord, QuerySource
from tests.support.query_records import make_query_record
from tests.support.stars import tiny_star

_MODEL = "tiny_sales"
_AGGREGATES = {name: tiny_star.AGGREGATES[name] for name in ("by_city", "by_month")}
_FACTS = QuerySource(fact="sales")


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    """Of the command line: where registry and warehouse are."""
    registry, warehouse = f"sqlite:///{tmp_path}/r.sqlite", f"duckdb:///{tmp_path}/w.duckdb?threads=1"
    return ["--registry", registry, "--warehouse", warehouse, "--schema", "aggs"]


@pytest.fixture
def place(options: list[str], tmp_path: Path) -> Iterator[Workspace]:
    """The tiny star with two aggregates, both built."""
    with open_workspace(registry=options[1], warehouse=options[3], aggregate_schema=options[5]) as workspace:
        tiny_star.run_sql(workspace, *tiny_star.SETUP_SQL)
        deploy(workspace, tiny_star.write_model(tmp_path / "model", _AGGREGATES), now=utc_now())
        run_batch(workspace, _MODEL, owner="test")
        yield workspace


def _source(place: Workspace, name: str) -> QuerySource:
    definitions = {it.definition.name: it.definition.id for it in place.read.definitions.of_model(_id(place))}
    return QuerySource(fact="sales", aggregate=name, definition_id=definitions[name])


def _id(place: Workspace) -> str:
    return place.read.models.get(_MODEL).id


def _query(place: Workspace) -> Callable[..., QueryRecord]:
    return partial(make_query_record, model_id=_id(place), asked_at=utc_now())


def _documents(options: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, tuple[dict, dict]]:  # type: ignore[type-arg]
    """By aggregate: what `definitions` and what `evaluate` says with ``--json``."""
    capsys.readouterr()
    assert run(["definitions", "--json", *options]) == 0
    listed = {document["name"]: document for document in json.loads(capsys.readouterr().out)}
    assert run(["evaluate", _MODEL, "--json", *options]) == 0
    judged = {document["aggregate"]: document for document in json.loads(capsys.readouterr().out)["evaluations"]}
    assert set(listed) == set(judged)
    return {name: (document, judged[name]) for name, document in listed.items()}


def _cells(arguments: list[str], column: str, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """By aggregate: one column of a table, right-aligned under its heading."""
    capsys.readouterr()
    assert run(arguments) == 0
    heading, *lines = capsys.readouterr().out.splitlines()
    end = heading.index(column) + len(column)
    return {line.split()[0]: line[heading.index(column) - 2 : end].strip() for line in lines if line.split()}


def test_a_slow_run_on_the_facts_changes_neither_figure(
    place: Workspace, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """One use at 1 s, the same query on the facts at 2, 3 and 40 s: 2 s are saved, by the median, and that is measured."""
    query = _query(place)
    place.registry.queries.record(
        [
            query(_source(place, "by_city"), seconds=1.0),
            *(query(_FACTS, seconds=seconds) for seconds in (2.0, 3.0, 40.0)),
        ]
    )
    place.close()

    listed, judged = _documents(options, capsys)["by_city"]

    assert (listed["average_saving_seconds"], listed["average_saving_measured_share"]) == (2.0, 1.0)
    assert (judged["uses"], judged["seconds_saved"], judged["measured_share"]) == (1, 2.0, 1.0)
    assert _cells(["definitions", *options], "saves each", capsys) == {"by_city": "2.000 s", "by_month": ""}
    assert _cells(["evaluate", _MODEL, *options], "seconds saved", capsys) == {"by_city": "2.000", "by_month": "0.000"}


def test_uses_times_the_average_is_what_all_uses_saved(
    place: Workspace, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """With estimates, with records that stand for several queries, and with queries of several parts; both are marked."""
    city, month, query = _source(place, "by_city"), _source(place, "by_month"), _query(place)
    place.registry.queries.record(
        [
            query(city, fingerprint="both ways", seconds=0.5, weight=6),
            query(_FACTS, fingerprint="both ways", seconds=2.5),
            query(city, month, fingerprint="of two parts", seconds=1.0),
            query(_FACTS, _FACTS, fingerprint="of two parts", seconds=4.0),
            query(city, fingerprint="never on the facts", seconds=0.25),
        ]
    )
    build = build_seconds(place.read.instances.find(model_id=_id(place)))["sales"]
    place.close()

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
