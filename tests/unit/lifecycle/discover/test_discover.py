"""What is told where there is nothing to look at."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from airflow_atscale_aggs.engine.errors import UnknownNameError, WarehouseError
from airflow_atscale_aggs.engine.lifecycle.discover.discover import DiscoverRequest, discover
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse


def _run(tmp_path: Path, statements: str, request: DiscoverRequest) -> None:
    with duckdb.connect(str(tmp_path / "w.duckdb")) as connection:
        connection.execute(statements)
    warehouse = open_warehouse(f"duckdb:///{tmp_path / 'w.duckdb'}")
    try:
        discover(warehouse, request)
    finally:
        warehouse.close()


@pytest.mark.parametrize(
    ("statements", "request_", "message"),
    [
        ("SELECT 1", DiscoverRequest(), "has no tables that this user can see; no other schema has any"),
        ("CREATE TABLE t (a INT)", DiscoverRequest(exclude=("t",)), "none of 1 table of schema `main` is chosen"),
        ("CREATE TABLE t (a INT)", DiscoverRequest(), "has 1 table without rows, and a model is proven by its data"),
        ("CREATE VIEW v AS SELECT CAST('x' AS INT) AS a", DiscoverRequest(), "has no table that can be read"),
    ],
)
def test_nothing_to_see_is_told(tmp_path: Path, statements: str, request_: DiscoverRequest, message: str) -> None:
    with pytest.raises(WarehouseError, match=message):
        _run(tmp_path, statements, request_)


def test_a_fact_that_is_not_there_is_told_with_near_names(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"no table `sale`. Did you mean `sales`"):
        _run(tmp_path, "CREATE TABLE sales AS SELECT 1 AS a", DiscoverRequest(facts=("sale",)))
