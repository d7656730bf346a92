"""`init` on a warehouse that speaks Spark: the same relationships, and aggregates that are built from them."""

from __future__ import annotations

from pathlib import Path

import pytest
from sail_server import shared_session

from airflow_atscale_aggs.engine.discovery.sml_documents import make_documents
from airflow_atscale_aggs.engine.errors import WarehouseError
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.discover.discover import DiscoverRequest, discover
from airflow_atscale_aggs.engine.lifecycle.discover.model_files import write_files
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace, process_owner, utc_now
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse

_STATEMENTS = (
    """CREATE TABLE init_star.shops USING parquet AS SELECT CAST(id AS INT) AS shop_id, concat('S', id) AS shop_name,
       concat('C', id % 4) AS city FROM range(1, 13)""",
    """CREATE TABLE init_star.sales USING parquet AS SELECT CAST(1 + id % 12 AS INT) AS shop_id,
       date_add(DATE '2024-01-01', CAST(id % 90 AS INT)) AS sold_on, CAST(id % 7 AS DECIMAL(9, 2)) AS amount
       FROM range(0, 3000)""",
)


def test_a_star_on_sail_gets_its_model(sail_address: str, tmp_path: Path) -> None:
    """Sampled by its first rows, since this warehouse takes no samples by a seed."""
    url = shared_session(sail_address)
    warehouse = open_warehouse(url)
    with warehouse.session() as session:
        session.execute("CREATE SCHEMA init_star")
        for statement in _STATEMENTS:
            session.execute(statement)
    with pytest.raises(WarehouseError, match=r"tables in .*`init_star` \(2 tables\).*Did you mean `init_star`"):
        discover(warehouse, DiscoverRequest(schema="init_stars"))
    proposal = discover(warehouse, DiscoverRequest(schema="init_star", model="shop", sample=1000))
    warehouse.close()

    assert [(found.table, *found.columns, found.to_table) for found in proposal.references] == [
        ("sales", "shop_id", "shops")
    ]
    assert {dimension.name for dimension in proposal.dimensions} == {"Shops", "Sold On"}
    write_files(tmp_path / "m", make_documents(proposal), force=False)
    registry = f"sqlite:///{tmp_path / 'r.sqlite'}"
    with open_workspace(registry=registry, warehouse=url, aggregate_schema="init_aggs") as workspace:
        report = deploy(workspace, tmp_path / "m", now=utc_now())
        assert report.issues == ()
        built = run_batch(workspace, "shop", owner=process_owner())
        assert len(built.instances) > 1
