"""Loads the retailer's tables from Parquet files and says so with an asset; the batch build is scheduled on it."""

from __future__ import annotations

import os
from datetime import timedelta

from airflow.sdk import Asset, Param, dag, task

TABLES = (
    *("date_dim", "time_dim", "item", "customer", "customer_address", "store", "promotion", "warehouse"),
    *("store_sales", "web_sales", "catalog_sales", "inventory"),
)
SOURCES = {"duckdb": ("read_parquet({})", "'"), "spark": ("parquet.{}", "`")}
"""How a Parquet file is read in SQL, and how its name is quoted, by warehouse."""


@dag(
    schedule=None,
    catchup=False,
    max_active_runs=1,
    tags=["etl"],
    params={
        "data_folder": Param(
            os.environ.get("RETAIL_DATA_FOLDER", "data"),
            type="string",
            description="Folder with one Parquet file a table",
        ),
        "source": Param(
            os.environ.get("RETAIL_SOURCE", "duckdb"),
            enum=list(SOURCES),
            description="Whose SQL reads the files: that of the warehouse behind the connection",
        ),
    },
)
def etl_retail() -> None:
    """Replace all tables, in one transaction where the warehouse has them, then tell whoever waits for the facts."""

    @task(retries=2, retry_delay=timedelta(seconds=10), outlets=[Asset("retail_facts_loaded")])
    def load(params: dict[str, str] | None = None) -> dict[str, int]:
        from airflow_atscale_aggs.hooks.aggregates import AggregatesHook

        folder, (source, quote) = (params or {})["data_folder"], SOURCES[(params or {})["source"]]
        rows: dict[str, int] = {}
        with (
            AggregatesHook("retail_aggs").get_conn() as workspace,
            workspace.warehouse.session() as session,
            session.transaction(),
        ):
            session.execute("CREATE SCHEMA IF NOT EXISTS retail")
            for table in TABLES:
                file = f"{folder}/{table}.parquet".replace(quote, quote * 2)
                session.execute(f"DROP TABLE IF EXISTS retail.{table}")
                session.execute(
                    f"CREATE TABLE retail.{table} AS SELECT * FROM {source.format(f'{quote}{file}{quote}')}"
                )
                ((rows[table],),) = session.fetch_all(f"SELECT COUNT(*) FROM retail.{table}")
        return rows

    load()


etl_retail()
