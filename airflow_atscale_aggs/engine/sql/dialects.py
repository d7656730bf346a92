"""The capability table: one row per warehouse dialect, and how a row is found."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_atscale_aggs.engine.errors import UnsupportedOnDialectError, near_names
from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.sql.dialect_rows.clickhouse_row import CLICKHOUSE
from airflow_atscale_aggs.engine.sql.dialect_rows.cloud_rows import BIGQUERY, REDSHIFT, SNOWFLAKE, TRINO, TSQL
from airflow_atscale_aggs.engine.sql.dialect_rows.duckdb_row import DUCKDB
from airflow_atscale_aggs.engine.sql.dialect_rows.postgres_row import POSTGRES
from airflow_atscale_aggs.engine.sql.dialect_rows.spark_rows import DATABRICKS, SPARK

_ROWS = (DUCKDB, POSTGRES, CLICKHOUSE, SNOWFLAKE, BIGQUERY, DATABRICKS, SPARK, REDSHIFT, TRINO, TSQL)

DIALECTS: Mapping[str, Dialect] = {row.name: row for row in _ROWS}
"""Every dialect by name. DuckDB and PostgreSQL are proven by running; the others by rendering and parsing back."""


def find_dialect(name: str) -> Dialect:
    """The row of a dialect.

    Raises:
        UnsupportedOnDialectError: no such row; names near ones.
    """
    row = DIALECTS.get(name)
    if row is None:
        near = ", ".join(near_names(name, DIALECTS)) or ", ".join(DIALECTS)
        raise UnsupportedOnDialectError(name, "", f"there is no capability row for this dialect; known: {near}")
    return row


def dialect_of_url(url: str) -> Dialect:
    """The row for a warehouse URL.

    >>> dialect_of_url("postgresql+psycopg://host/db").name
    'postgres'

    Raises:
        UnsupportedOnDialectError: no row has this scheme.
    """
    scheme = url.partition(":")[0].partition("+")[0].casefold()
    for row in _ROWS:
        if scheme in row.schemes:
            return row
    schemes = ", ".join(scheme for row in _ROWS for scheme in row.schemes)
    raise UnsupportedOnDialectError(scheme, "", f"no warehouse dialect has this URL scheme; known: {schemes}")
