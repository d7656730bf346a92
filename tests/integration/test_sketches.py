"""Sketched group counts on real warehouses, for few groups and many, with NULLs."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.lifecycle.build.estimates import count_groups
from airflow_atscale_aggs.engine.model.datasets import Dataset, table_key
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute, Role
from airflow_atscale_aggs.engine.sql.fact_joins import ProvenConstraints
from airflow_atscale_aggs.engine.sql.sketches import sketch_error
from airflow_atscale_aggs.engine.sql.sources import Sources
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse

_ROWS = 150_000
_SERIES = {"duckdb": f"range({_ROWS}) AS t(i)", "postgres": f"generate_series(0, {_ROWS - 1}) AS t(i)"}
_COLUMNS = {
    "few": "CASE WHEN i % 7 > 0 THEN i % 7 END",
    "text": "'name ' || CAST(i % 900 AS VARCHAR(9))",
    "many": "i % 40009",
    "date": "DATE '2020-01-01' + CAST(i % 365 AS INTEGER)",
}
_GRAINS = (("few",), ("text",), ("many",), ("few", "date"), ("text", "few"), ("many", "few"), ("text", "many", "few"))


def _attribute(name: str) -> BoundAttribute:
    return BoundAttribute(
        attribute=GrainAttribute(Role("D"), name), label=name, dataset="facts", key_columns=(name,), name_column=name
    )


@pytest.mark.parametrize("dialect", ["duckdb", "postgres"])
def test_estimates_lie_within_the_error_that_is_told(
    request: pytest.FixtureRequest, dialect: str, tmp_path: Path
) -> None:
    """One statement counts all grains; twice the error is allowed, as one in twenty is outside of it."""
    url = request.getfixturevalue("postgres_url") if dialect == "postgres" else f"duckdb:///{tmp_path / 'w.duckdb'}"
    dataset = Dataset(name="facts", table="facts", columns={})
    warehouse = open_warehouse(url, aggregate_schema="")
    with warehouse.session() as session:
        columns = ", ".join(f'{text} AS "{name}"' for name, text in _COLUMNS.items())
        session.execute(f"CREATE TABLE facts AS SELECT {columns} FROM {_SERIES[dialect]}")
        key = table_key(dataset)
        assert key is not None
        sources = Sources({"facts": dataset}, session.columns([key]), warehouse.dialect)
        parts = [FactPart(fact="facts", attributes=tuple(map(_attribute, grain)), measures=()) for grain in _GRAINS]
        estimates = count_groups(session, parts, sources, ProvenConstraints())
        for grain, estimate in zip(_GRAINS, estimates, strict=True):
            listed = ", ".join(f'"{name}"' for name in grain)
            ((exact,),) = session.fetch_all(f"SELECT COUNT(*) FROM (SELECT DISTINCT {listed} FROM facts) AS g")
            assert abs(estimate - exact) <= max(1.0, 2 * sketch_error(warehouse.dialect) * exact), grain
    warehouse.close()
