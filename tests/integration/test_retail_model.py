"""Our own retail model on TPC-DS data: what is derived from other aggregates equals what is built from the facts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, process_owner, utc_now
from airflow_atscale_aggs.engine.registry.records import InstanceRecord
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession
from tests.support.stars.retail_model import MODEL_FOLDER, SCALE, SCHEMA, TABLES
from tests.support.stars.tpc_data import generate, load_duckdb, load_postgres

RELATIVE_TOLERANCE = 1e-9
"""Of squared deviations, which are floating point and come out of another order of additions."""


@pytest.fixture(scope="module")
def parquet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generated TPC-DS data."""
    return generate("tpcds", SCALE, tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module", params=["duckdb", "postgres"])
def workspace(
    request: pytest.FixtureRequest, parquet: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workspace]:
    """The data loaded and the model deployed."""
    folder = tmp_path_factory.mktemp("retail")
    registry = f"sqlite:///{folder / 'registry.sqlite'}"
    if request.param == "duckdb":
        load_duckdb(parquet, folder / "warehouse.duckdb", SCHEMA)
        with open_workspace(
            registry=registry, warehouse=f"duckdb:///{folder / 'warehouse.duckdb'}", aggregate_schema="aggs"
        ) as opened:
            yield opened
        return
    with request.getfixturevalue("postgres_database")("retail") as url:
        load_postgres(parquet, url, SCHEMA, TABLES, folder)
        with open_workspace(registry=registry, warehouse=url, aggregate_schema="aggs") as opened:
            yield opened


def test_derived_aggregates_equal_those_built_from_the_facts(workspace: Workspace) -> None:
    """Twenty and more aggregates, at least ten of them derived; every table, group by group."""
    (model,) = deploy(workspace, MODEL_FOLDER, now=utc_now()).models
    derived = run_batch(workspace, model.model, owner=process_owner(), jobs=2).instances
    workspace.registry.settings.put(model.model_id, "aggregates.batch.buildFromExisting.enabled", "false")
    direct = {
        instance.step.aggregate: instance
        for instance in run_batch(workspace, model.model, owner=process_owner()).instances
    }

    assert len(derived) == len(direct) >= 20
    assert all(instance.source == instance.step.fact for instance in direct.values())
    assert len([instance for instance in derived if instance.source != instance.step.fact]) >= 10
    with workspace.warehouse.session() as session:
        for instance in derived:
            assert instance.rows == direct[instance.step.aggregate].rows, instance.step.aggregate
            assert _differences(session, instance, direct[instance.step.aggregate]) == [], (
                f"{instance.step.aggregate} from {instance.source}"
            )


def _differences(session: WarehouseSession, first: InstanceRecord, second: InstanceRecord) -> list[object]:
    """Some of the rows that only one of two tables has; squared deviations may differ a little."""
    tables = [("aggs", str(instance.table)) for instance in (first, second)]
    (columns,) = session.columns([(None, *tables[0])]).values()
    squares = [name for name in columns if name.startswith("squares_")]
    exact = [name for name in columns if name not in squares]
    listed = ", ".join(f'"{name}"' for name in exact)
    first_table, second_table = (f'"{schema}"."{table}"' for schema, table in tables)
    differing_rows: list[object] = []
    for here, there in ((first_table, second_table), (second_table, first_table)):
        differing_rows += session.fetch_all(f"SELECT {listed} FROM {here} EXCEPT SELECT {listed} FROM {there} LIMIT 3")
    listed_squares = ", ".join(f'"{name}"' for name in squares)
    for name in squares:
        both = " UNION ALL ".join(
            f"SELECT {listed}, {listed_squares} FROM {table}" for table in (first_table, second_table)
        )
        far = f'MAX("{name}") - MIN("{name}") > {RELATIVE_TOLERANCE} * (1 + MAX("{name}"))'
        differing_rows += session.fetch_all(
            f"SELECT {listed} FROM ({both}) AS rows_of_both GROUP BY {listed} "
            f'HAVING {far} OR COUNT("{name}") NOT IN (0, 2) LIMIT 3'
        )
    return differing_rows
