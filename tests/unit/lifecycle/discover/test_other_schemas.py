"""Schemas that do have tables are told, with what to try, and our own aggregates are no tables of anybody."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from airflow_atscale_aggs.engine.errors import WarehouseError
from airflow_atscale_aggs.engine.lifecycle.discover.discover import DiscoverRequest, discover
from airflow_atscale_aggs.engine.lifecycle.discover.other_schemas import of_others
from airflow_atscale_aggs.engine.sql.mark_reading import MARK_TABLE
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse

_STATEMENTS = (
    "CREATE SCHEMA sales",
    "CREATE TABLE sales.a (x INT)",
    'CREATE SCHEMA "Staging Area"',
    "CREATE SCHEMA aggs",
)
_VIEWS = tuple(f'CREATE VIEW "Staging Area".v{number} AS SELECT 1 AS x' for number in range(2))
_OURS = (f"CREATE TABLE aggs.{MARK_TABLE} (x INT)", "CREATE TABLE aggs.as_agg_12345678_sales_a1 (x INT)")


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (
            "",
            "there are tables in `Staging Area` (2 tables), `sales` (1 table). Try --from-schema 'Staging Area'",
        ),
        ("sale", "`sales` (1 table). Did you mean `sales`? Try --from-schema sales"),
        ("aggs", "schema `aggs` has no tables that this user can see; there are tables in"),
    ],
)
def test_schemas_with_tables_are_told(tmp_path: Path, schema: str, told: str) -> None:
    with duckdb.connect(str(tmp_path / "w.duckdb")) as connection:
        for statement in (*_STATEMENTS, *_VIEWS, *_OURS):
            connection.execute(statement)
    warehouse = open_warehouse(f"duckdb:///{tmp_path / 'w.duckdb'}")
    try:
        with pytest.raises(WarehouseError) as raised:
            discover(warehouse, DiscoverRequest(schema=schema))
    finally:
        warehouse.close()
    assert told in str(raised.value)
    assert "refused" not in str(raised.value)


def test_aggregates_are_left_out_where_they_bear_the_mark() -> None:
    assert of_others(frozenset({"b", "a", "as_agg_12345678_sales_a1"})) == ["a", "as_agg_12345678_sales_a1", "b"]
    assert of_others(frozenset({MARK_TABLE, "a", "as_agg_12345678_sales_a1"})) == ["a"]
