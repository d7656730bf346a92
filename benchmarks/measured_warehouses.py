"""Warehouses that a comparison runs on, with TPC-DS data, and how bare statements are sent over each one's driver."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb

ROOT = Path(__file__).resolve().parents[1]
# What the tests share, and the demo's servers.
sys.path[:0] = [str(ROOT), str(ROOT / "dags" / "demo")]

from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse  # noqa: E402 - the path is set above

_DUCKDB = """\
import json, sys, duckdb
connection = duckdb.connect(sys.argv[1], config={"threads": 1})
for statement in json.load(open(sys.argv[2])):
    connection.execute(statement)
"""
_SPARK_CONNECT = """\
import json, sys
from pyspark.sql.connect.session import SparkSession
spark = SparkSession.builder.remote(sys.argv[1]).create()
for statement in json.load(open(sys.argv[2])):
    spark.sql(statement)
"""
_POSTGRES = """\
import json, sys, psycopg
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    for statement in json.load(open(sys.argv[2])):
        connection.execute(statement)
"""


@contextlib.contextmanager
def measured_warehouse(named: str, folder: Path) -> Iterator[str]:
    """The URL of a warehouse: one that is started here, or the one that is named.

    Args:
        named: ``duckdb`` (a file in the folder, on one thread), ``sail``, ``spark`` (which `make spark` installs), or a
            URL of DuckDB, PostgreSQL or Spark Connect.
    """
    from sail_server import sail_server, shared_session

    from tests.support.spark_server import reason_without_spark, spark_connect_server

    if named == "duckdb":
        yield f"duckdb:///{folder / 'warehouse.duckdb'}?threads=1"
    elif named == "sail":
        with sail_server() as address:
            yield shared_session(address)
    elif named == "spark":
        if reason_without_spark():
            sys.exit(reason_without_spark())
        with spark_connect_server() as address:
            yield address
    else:
        yield named


def load_retail(url: str, scale: str, folder: Path) -> None:
    """Generate TPC-DS data and load the tables of the retail model into the schema ``retail``, which must not be there.

    Args:
        folder: for the files, which are thrown away.
    """
    from tests.support.stars.retail_model import SCHEMA, TABLES
    from tests.support.stars.tpc_data import generate, load_postgres, load_spark

    parquet = generate("tpcds", scale, folder)
    if url.startswith("sc:"):
        load_spark(parquet, url, SCHEMA, TABLES)
    elif url.startswith("postgresql"):
        load_postgres(parquet, url, SCHEMA, TABLES, folder)
    else:
        with contextlib.closing(duckdb.connect(_file_of(url))) as connection:
            connection.execute(f"CREATE SCHEMA {SCHEMA}")
            for table in TABLES:
                connection.execute(f"CREATE TABLE {SCHEMA}.{table} AS SELECT * FROM '{parquet / table}.parquet'")
    shutil.rmtree(parquet)


def bare_command(url: str, statements: list[str], folder: Path) -> list[str]:
    """The command of a process that sends the statements in one session, over the warehouse's own driver."""
    listing, program = folder / "statements.json", folder / "bare.py"
    listing.write_text(json.dumps(statements), encoding="utf-8")
    if url.startswith("sc:"):
        text, place = _SPARK_CONNECT, url.partition("?")[0]
    elif url.startswith("postgresql"):
        text, place = _POSTGRES, url.replace("+psycopg", "", 1)
    else:
        text, place = _DUCKDB, _file_of(url)
    program.write_text(text, encoding="utf-8")
    return [sys.executable, str(program), place, str(listing)]


def drop_tables(url: str, prefix: str) -> None:
    """Drop the tables of the default schema whose names begin with a prefix."""
    warehouse = open_warehouse(url)
    try:
        with warehouse.session() as session:
            for name in sorted(session.tables("")):
                if name.startswith(prefix):
                    session.execute(f"DROP TABLE {name}")
    finally:
        warehouse.close()


def _file_of(url: str) -> str:
    return url.removeprefix("duckdb:///").partition("?")[0]
