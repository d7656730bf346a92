"""Tables are made as the connection says."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from sail_server import shared_session

from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import answer
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace, utc_now
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse
from tests.support.stars import tiny_star


@pytest.mark.parametrize(
    ("options", "provider"),
    [
        ("", "parquet"),
        ("?table_options=USING%20delta", "delta"),
        ("?table_options=USING%20iceberg%20TBLPROPERTIES%20('write.format.default'%20=%20'parquet')", "iceberg"),
    ],
)
def test_tables_have_the_format_of_the_connection(
    sail_address: str, tmp_path: Path, options: str, provider: str
) -> None:
    """Parquet where it says nothing; Delta and Iceberg, with metadata of their own, where it says so."""
    registry = f"sqlite:///{tmp_path / 'registry.sqlite'}"
    url = f"{shared_session(sail_address)}{options}"
    # Sail makes tables of Iceberg in schemas with an absolute place only.
    with contextlib.closing(open_warehouse(url)) as warehouse, warehouse.session() as session:
        session.execute(f"CREATE SCHEMA aggs LOCATION '{tmp_path / 'aggs'}'")
    with open_workspace(registry=registry, warehouse=url, aggregate_schema="aggs") as workspace:
        tiny_star.run_sql(workspace, *tiny_star.SETUP_SQL)
        deploy(workspace, tiny_star.write_model(tmp_path / "model"), now=utc_now())
        report = run_batch(workspace, "tiny_sales", owner="test")

        with workspace.warehouse.session() as session:
            for instance in report.instances:
                rows = session.fetch_all(f"DESCRIBE TABLE EXTENDED aggs.`{instance.table}`")
                facts = {str(row[0]): str(row[1]) for row in rows}
                assert facts["Provider"].casefold() == provider
        assert answer(workspace, 'SELECT SUM("Amount") FROM tiny_sales').plan.uses_aggregates
