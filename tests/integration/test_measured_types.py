"""Measures of every type of column: the same on facts and aggregates, or refused by name before anything is built."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.errors import AggregatesRefusedError, QueryError
from airflow_atscale_aggs.engine.lifecycle.build.batch import BatchRequest, run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, utc_now
from tests.support.stars import tiny_star

_METHODS = {
    "Total": "sum",
    "Mean": "average",
    "Spread": "var_samp",
    "Least": "minimum",
    "Most": "maximum",
    "Filled": "count non-null",
}
_TYPES = {
    "boolean": "day_id % 3 = 0",
    "interval": "CAST('25 hours' AS INTERVAL)",
    "date": "CAST('2026-02-01' AS DATE)",
    "time": "CAST('10:30:00' AS TIME)",
    "uuid": "CAST('00000000-0000-0000-0000-000000000001' AS UUID)",
    "json": "CAST('{}' AS JSON)",
    "smallint": "CAST(32767 AS SMALLINT)",
    "varchar(9)": "'note'",
}
_ON_POSTGRES = {"money": "CAST('12.34' AS MONEY)", "jsonb": "CAST('{}' AS JSONB)", "bytea": "CAST('a' AS BYTEA)"}


@pytest.fixture
def star(empty_workspace: Workspace, tmp_path: Path) -> Callable[[str, str], Workspace]:
    """The tiny star with a column `thing` of a type, measured by every method, and one aggregate for each."""

    def make(kind: str, value: str) -> Workspace:
        workspace, folder = empty_workspace, tiny_star.write_model(tmp_path / "model")
        tiny_star.run_sql(workspace, *tiny_star.SETUP_SQL, f"ALTER TABLE sales ADD COLUMN thing {kind}")
        tiny_star.run_sql(workspace, f"UPDATE sales SET thing = {value} WHERE day_id <> 7")
        dataset, model = folder / "dataset_sales.yml", folder / "model.yml"
        dataset.write_text(dataset.read_text() + f"  - {{name: thing, data_type: '{kind}'}}\n")
        text = model.read_text().partition("aggregates:")[0]
        text += "".join(f"  - unique_name: {name}\n" for name in _METHODS) + "aggregates:\n"
        for name, method in _METHODS.items():
            (folder / f"{name}.yml").write_text(tiny_star.METRIC.format(name=name, method=method, column="thing"))
            text += (
                f"  - unique_name: by_city_{name}\n    label: by city {name}\n    metrics: [{name}]\n"
                "    attributes:\n      - {name: City, dimension: Shops}\n"
            )
        model.write_text(text)
        deploy(workspace, folder, now=utc_now())
        return workspace

    return make


@pytest.mark.parametrize("kind", [*_TYPES, *_ON_POSTGRES])
def test_a_measure_is_built_and_answered_or_refused_by_name(
    star: Callable[[str, str], Workspace], warehouse_url: str, kind: str
) -> None:
    """The warehouse raises no error, neither in a build nor in a query, and nobody else is stopped."""
    if kind in _ON_POSTGRES and not warehouse_url.startswith("postgres"):
        pytest.skip("DuckDB has no such type")
    workspace = star(kind, {**_TYPES, **_ON_POSTGRES}[kind])

    report = run_batch(workspace, "tiny_sales", owner="test")

    built_names = {instance.step.aggregate.removeprefix("by_city_") for instance in report.instances}
    refused = {note.partition(" is not built: column `thing`")[0] for note in report.batch.notes}
    assert refused == {f"by_city_{name}" for name in _METHODS.keys() - built_names}
    assert "Filled" in built_names
    router = QueryRouter(workspace)
    for name in _METHODS:
        query = f'SELECT "City", "{name}" FROM tiny_sales GROUP BY 1 ORDER BY 1'
        try:
            from_facts = router.answer(query, use_aggregates=False)
        except QueryError as error:
            assert "column `thing`" in str(error)
            # A mean is kept as sum and count, which there may be all the same.
            assert name not in built_names or name == "Mean"
            with pytest.raises(QueryError, match="column `thing`"):
                router.answer(query)
        else:
            answer = router.answer(query)
            assert answer.plan.sources[0].aggregate is not None
            assert answer.rows == from_facts.rows


def test_a_batch_of_nothing_is_refused_when_a_column_became_text(
    star: Callable[[str, str], Workspace],
) -> None:
    """Everything that is asked for measures it, so that no batch ends well without having built anything."""
    workspace = star("varchar(9)", "'note'")

    with pytest.raises(AggregatesRefusedError, match=r"by_city_Total: column `thing`.*texts"):
        run_batch(workspace, "tiny_sales", owner="test", request=BatchRequest(aggregates=("by_city_Total",)))

    assert workspace.read.batches.find() == ()
