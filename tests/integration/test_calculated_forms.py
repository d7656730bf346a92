"""Calculated metrics at other members than a row's equal SELECTs written by hand; what cannot be proven is refused by name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from calendar_star import CALCULATIONS, MODEL, SCHEMA, setup_sql, tables, write_model
from query_cases import QueryCase

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.lifecycle.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.define import deploy
from airflow_atscale_aggs.engine.lifecycle.use import QueryRouter
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, process_owner, utc_now

AGGREGATES = """
aggregates:
  - unique_name: by month
    label: By month
    metrics: [Sales, Lines, Lowest, Mean]
    attributes:
      - {name: Month, dimension: Dates, relationships_path: [sold_day]}
      - {name: Year, dimension: Dates, relationships_path: [sold_day]}
"""

Asked = tuple[Workspace, QueryRouter]


@pytest.fixture(scope="module", params=["duckdb", pytest.param("postgres", marks=pytest.mark.postgres)])
def forms(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    """The model, built, on a warehouse of each kind."""
    folder = tmp_path_factory.mktemp("forms")
    if request.param == "duckdb":
        yield from _built(f"duckdb:///{folder / 'w.duckdb'}", f"sqlite:///{folder / 'r.sqlite'}", folder)
    else:
        with request.getfixturevalue("postgres_database")("forms") as url:
            yield from _built(url, f"sqlite:///{folder / 'r.sqlite'}", folder)


def _built(warehouse: str, registry: str, folder) -> Iterator[Asked]:
    model = write_model(folder / "model", AGGREGATES)
    with open_workspace(registry=registry, warehouse=warehouse, aggregate_schema="aggs") as workspace:
        with workspace.warehouse.session() as session:
            session.execute(f"CREATE SCHEMA {SCHEMA}")
            for statement in setup_sql(tables(), SCHEMA):
                session.execute(statement)
        deploy(workspace, model, now=utc_now())
        run_batch(workspace, MODEL, owner=process_owner())
        yield workspace, QueryRouter(workspace)


@pytest.mark.parametrize("case", QueryCase.read("forms"), ids=lambda case: case.name)
def test_a_form_equals_the_select_written_by_hand(forms: Asked, case: QueryCase) -> None:
    """From the facts and routed."""
    workspace, router = forms

    case.check(router, workspace, SCHEMA)
