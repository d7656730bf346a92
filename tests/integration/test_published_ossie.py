"""Ossie's published examples, converted, answer with the numbers that plain SQL on their tables gives."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
import yaml

from airflow_atscale_aggs.engine.converting.findings import Outcome
from airflow_atscale_aggs.engine.errors import ModelFileError
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter
from airflow_atscale_aggs.engine.lifecycle.transfer.convert_model import ConversionWish, convert_ossie_file
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace, utc_now
from tests.support.oracles.published_ossie import PublishedModel

pytestmark = pytest.mark.skipif(
    "ATSCALE_AGGS_OSSIE" not in os.environ, reason="ATSCALE_AGGS_OSSIE names no clone of apache/ossie"
)


def _files() -> Iterator[tuple[str, bytes]]:
    """Semantic models of the clone, by path; it may have no work tree."""
    if "ATSCALE_AGGS_OSSIE" not in os.environ:
        return
    clone = ["git", "-C", os.environ["ATSCALE_AGGS_OSSIE"]]
    names = subprocess.run([*clone, "ls-tree", "-r", "--name-only", "HEAD"], check=True, capture_output=True, text=True)
    for name in names.stdout.splitlines():
        if name.endswith((".yaml", ".yml")):
            data = subprocess.run([*clone, "show", f"HEAD:{name}"], check=True, capture_output=True).stdout
            if b"\nsemantic_model:" in data:
                yield name, data


@pytest.mark.parametrize(("name", "data"), [pytest.param(*each, id=each[0]) for each in _files()])
def test_numbers_are_those_of_sql(name: str, data: bytes, tmp_path: Path) -> None:
    """Each metric that is not left out: its total, and by each attribute, by each way that leads there."""
    file = tmp_path / "model.yaml"
    file.write_bytes(data)
    try:
        findings = convert_ossie_file(file, tmp_path / "sml", ConversionWish()).findings
    except ModelFileError as error:
        pytest.skip(f"it is no semantic model: {error}")
    out = {(found.kind, found.name) for found in findings if found.outcome is Outcome.LEFT_OUT}
    (model,) = yaml.safe_load(data)["semantic_model"]
    published = PublishedModel(model, frozenset(name for kind, name in out if kind != "field"))
    database = tmp_path / f"{published.database or 'w'}.duckdb"
    with duckdb.connect(str(database)) as connection:
        for statement in published.statements():
            connection.execute(statement)
        metrics = frozenset(m["name"] for m in model.get("metrics") or () if ("metric", m["name"]) not in out)
        expected = {question: connection.execute(question.sql).fetchall() for question in published.questions(metrics)}
    with open_workspace(
        registry=f"sqlite:///{tmp_path / 'r.sqlite'}", warehouse=f"duckdb:///{database}", aggregate_schema="aggs"
    ) as place:
        report = deploy(place, tmp_path / "sml", now=utc_now())
        assert [str(issue) for issue in report.issues if issue.is_error] == []
        (deployed,) = report.models
        router = QueryRouter(place)
        for question, rows in expected.items():
            shown = f'"{question.attribute}", ' if question.attribute else ""
            answer = router.answer(f'SELECT {shown}"{question.metric}" FROM "{deployed.model}"')
            assert _rows(answer.rows) == _rows(rows), (name, question)
    print(f"{name}: {len(expected)} questions about {len(metrics)} metrics")


def _rows(rows: list[tuple[object, ...]]) -> Counter[tuple[str, ...]]:
    return Counter(tuple(_text(value) for value in row) for row in rows)


def _text(value: object) -> str:
    """Numbers to nine digits."""
    return f"{float(value):.9f}" if isinstance(value, (int, float, Decimal)) else str(value)
