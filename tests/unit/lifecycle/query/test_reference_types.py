"""What a query refers to has the type that PostgreSQL would see."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.model_snapshot import ModelSnapshot, read_model_snapshot
from airflow_atscale_aggs.engine.lifecycle.query.reference_types import bound_of, type_of_references
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.paths import GrainAttribute, Role
from airflow_atscale_aggs.engine.rewriting.model_query import ModelQuery, Ref
from airflow_atscale_aggs.engine.rewriting.parse.model_statements import read_statement
from airflow_atscale_aggs.engine.rewriting.parse.select_reader import read_select
from tests.support.stars import standing_star, tiny_star
from tests.support.stars.standing_star import MODEL, NOW, run_sql

_METRICS = {
    "Mean Quantity": ("average", "quantity"),
    "Least": ("minimum", "amount"),
    "Spread": ("stddev_pop", "quantity"),
    "Lines": ("count non-null", "amount"),
    "Days": ("count distinct", "day_id"),
}
"""Metrics beside those of the star."""

_UNKNOWN = "a type that is not known here"


def _deploy_with_metrics(workspace: Workspace, folder: Path) -> None:
    """Deploy the star with more metrics, and drop the table of the days."""
    standing_star.lay_tables(workspace, folder)
    model = folder / "model" / "model.yml"
    listed = "".join(f"  - unique_name: {name}\n" for name in _METRICS)
    model.write_text(model.read_text().replace("metrics:\n", f"metrics:\n{listed}", 1))
    for name, (method, column) in _METRICS.items():
        text = tiny_star.METRIC.format(name=name, method=method, column=column)
        (folder / "model" / f"metric_{name}.yml").write_text(text)
    deploy(workspace, folder / "model", now=NOW)
    run_sql(workspace, "DROP TABLE day")


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelSnapshot]:
    with standing_star.open_standing(tmp_path_factory.mktemp("star"), _deploy_with_metrics) as workspace:
        yield read_model_snapshot(workspace, workspace.read.models.get(MODEL), now=NOW)


def _query(snapshot: ModelSnapshot, columns: str) -> ModelQuery:
    statement = read_statement(f"SELECT {columns} FROM tiny_sales", dialect="postgres", model=MODEL)
    return read_select(statement.selects[0], snapshot.names, snapshot.calculations, dialect="postgres")


@pytest.mark.parametrize(
    ("columns", "kind", "expected"),
    [
        ('"City"', Ref.ATTRIBUTE, ("text", None, False)),
        ('"Quantity"', Ref.METRIC, ("bigint", None, False)),
        ('"Amount"', Ref.METRIC, ("numeric", 2, False)),
        ('"Average Amount"', Ref.METRIC, ("numeric", None, True)),
        ('"Mean Quantity"', Ref.METRIC, ("numeric", None, True)),
        ('"Least"', Ref.METRIC, ("numeric", 2, False)),
        ('"Lines"', Ref.METRIC, ("bigint", None, False)),
        ('"Days"', Ref.METRIC, ("bigint", None, False)),
        ("COUNT(*)", Ref.METRIC, ("bigint", None, False)),
        pytest.param('"Day"', Ref.ATTRIBUTE, (_UNKNOWN, None, False), id="a table that is gone"),
    ],
)
def test_a_reference_has_the_type_of_its_column_or_of_what_is_measured(
    snapshot: ModelSnapshot, columns: str, kind: Ref, expected: tuple[str, int | None, bool]
) -> None:
    query = _query(snapshot, columns)

    sql_type = type_of_references(query, snapshot)(kind, 0)

    assert (str(sql_type.kind), sql_type.scale, sql_type.is_double) == expected


def test_another_method_of_a_metric_has_a_type_of_its_own(snapshot: ModelSnapshot) -> None:
    """Such as the greatest of what is summed up otherwise."""
    query = replace(_query(snapshot, '"Quantity"'), methods={0: "maximum"})

    assert str(type_of_references(query, snapshot)(Ref.METRIC, 0).kind) == "integer"


def test_an_attribute_that_no_fact_reaches_has_no_known_type(snapshot: ModelSnapshot) -> None:
    query = _query(snapshot, '"City"')
    away = GrainAttribute(Role("Owners"), "Owner")

    bound = bound_of(query.attributes[0], snapshot)
    assert bound is not None
    assert (bound.dataset, bound.name_column) == ("shop", "city")
    assert bound_of(away, snapshot) is None
    unknown = type_of_references(replace(query, attributes=(away,)), snapshot)
    assert str(unknown(Ref.ATTRIBUTE, 0).kind) == _UNKNOWN
