"""Clients find a model in the warehouse's own catalog, as a view with typed columns."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlglot import exp, parse_one

from airflow_atscale_aggs.engine.lifecycle.query.model_catalog import ModelCatalog, _number, may_ask_for_models
from airflow_atscale_aggs.engine.lifecycle.query.snapshot_cache import SnapshotCache
from airflow_atscale_aggs.engine.lifecycle.query.table_cache import WarehouseTables
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace
from tests.support.stars import standing_star
from tests.support.stars.standing_star import NOW, run_sql


def _catalog(workspace: Workspace) -> ModelCatalog:
    models = SnapshotCache(workspace)
    models.look(NOW)
    return ModelCatalog(workspace, models, WarehouseTables(workspace))


def _ask(workspace: Workspace, sql: str) -> list[tuple[Any, ...]] | None:
    """The sorted rows of a query on the catalog with the models in it; None when it cannot be answered for models."""
    root = parse_one(sql, read="duckdb")
    assert isinstance(root, exp.Query)
    text = root.sql("duckdb")
    if not _catalog(workspace).add_models(root, NOW):
        assert root.sql("duckdb") == text
        return None
    with workspace.warehouse.session() as session:
        return sorted(session.fetch_all(root.sql("duckdb")), key=str)


@pytest.fixture(scope="module")
def star(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with standing_star.open_standing(tmp_path_factory.mktemp("star"), standing_star.deploy_model) as workspace:
        yield workspace


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        (
            "SELECT table_schema, table_name, table_type FROM information_schema.tables WHERE table_name LIKE '%sales'",
            [("main", "sales", "BASE TABLE"), ("tiny", "tiny_sales", "VIEW")],
        ),
        (
            (
                "SELECT ordinal_position, column_name, data_type FROM information_schema.columns "
                "WHERE table_schema = 'tiny'"
            ),
            [
                (1, "Month", "VARCHAR"),
                (2, "Day", "VARCHAR"),
                (3, "City", "VARCHAR"),
                (4, "Shop", "VARCHAR"),
                (5, "Quantity", "HUGEINT"),
                (6, "Amount", "DECIMAL(38,2)"),
                (7, "Average Amount", "DOUBLE"),
            ],
        ),
        (
            "SELECT schema_name FROM information_schema.schemata WHERE catalog_name = 'w' AND schema_name < 'u'",
            [("aggs",), ("main",), ("tiny",)],
        ),
        ("SELECT table_name FROM information_schema.views WHERE table_schema = 'tiny'", [("tiny_sales",)]),
        ("SELECT viewname FROM pg_catalog.pg_views WHERE schemaname = 'tiny'", [("tiny_sales",)]),
        (
            (
                "SELECT n.nspname, c.relname, c.relkind FROM pg_class AS c JOIN pg_namespace AS n "
                "ON n.oid = c.relnamespace WHERE c.relname LIKE '%sales'"
            ),
            [("main", "sales", "r"), ("tiny", "tiny_sales", "v")],
        ),
        (
            (
                "SELECT a.attname FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_class AS c "
                "ON a.attrelid = c.oid WHERE c.relname = 'tiny_sales' AND a.attnum > 5"
            ),
            [("Amount",), ("Average Amount",)],
        ),
        # Names without their schema, and a column that is qualified with the view's whole name.
        ("SELECT pg_catalog.pg_views.viewname FROM pg_views WHERE schemaname = 'tiny'", [("tiny_sales",)]),
        (
            "SELECT t.table_name FROM (SELECT * FROM information_schema.tables) AS t WHERE t.table_schema = 'tiny'",
            [("tiny_sales",)],
        ),
        # What names the model in a text.
        ("SELECT 'tiny_sales'::regclass", [("tiny_sales",)]),
        ("SELECT relkind FROM pg_class WHERE oid = 'tiny.tiny_sales'::regclass", [("v",)]),
        ("SELECT has_table_privilege('tiny_sales', 'SELECT')", [(True,)]),
        # Views that DuckDB lacks are empty.
        (
            "SELECT relname FROM pg_class LEFT JOIN pg_inherits ON inhrelid = oid WHERE relname = 'tiny_sales'",
            [("tiny_sales",)],
        ),
        ("SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'tiny_sales'", [("duckdb",)]),
    ],
)
def test_a_model_stands_beside_what_the_warehouse_has(star: Workspace, sql: str, rows: list[tuple[Any, ...]]) -> None:
    assert _ask(star, sql) == rows


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param("SELECT city FROM shop", id="no view of the catalog"),
        pytest.param("SELECT * FROM information_schema.character_sets", id="a view that shows no relations"),
        pytest.param("SELECT relname FROM pg_class TABLESAMPLE (10 PERCENT)", id="a part of the rows"),
        pytest.param("SELECT pg_total_relation_size(oid) FROM pg_class", id="a function that looks up a relation"),
        pytest.param("SELECT 'shop'::regclass", id="a text that names a table"),
        pytest.param("WITH pg_class AS (SELECT 1 AS x) SELECT x FROM pg_class", id="a CTE of the view's name"),
        pytest.param("SELECT * FROM generate_series(1, 2)", id="a function in FROM"),
    ],
)
def test_what_cannot_be_answered_for_models_is_left_as_it_stands(star: Workspace, sql: str) -> None:
    assert _ask(star, sql) is None


def test_a_table_hides_a_model_and_a_view_of_the_catalog(tmp_path: Path) -> None:
    tables = "SELECT table_schema, table_type FROM information_schema.tables WHERE table_name = 'tiny_sales'"
    with standing_star.open_standing(tmp_path, standing_star.deploy_model) as workspace:
        run_sql(workspace, "CREATE TABLE tiny_sales AS SELECT 1 AS x")
        assert _ask(workspace, tables) == [("main", "BASE TABLE"), ("tiny", "VIEW")]
        # Its name alone does not mean the model any more.
        assert _ask(workspace, "SELECT 'tiny_sales'::regclass") is None
        assert _ask(workspace, "SELECT 'tiny.tiny_sales'::regclass") == [("tiny.tiny_sales",)]

        run_sql(workspace, "CREATE SCHEMA tiny", "CREATE TABLE tiny.tiny_sales AS SELECT 1 AS x")
        assert _ask(workspace, tables) is None

        run_sql(workspace, "CREATE TABLE main.pg_class AS SELECT 5 AS relname")
        assert _ask(workspace, "SELECT relname FROM pg_class") is None


def test_a_schema_of_the_catalogs_name_is_not_shown_twice(tmp_path: Path) -> None:
    with standing_star.open_standing(tmp_path, standing_star.deploy_model) as workspace:
        run_sql(workspace, "CREATE SCHEMA tiny")

        assert _ask(workspace, "SELECT nspname FROM pg_namespace WHERE nspname = 'tiny'") == [("tiny",)]
        assert _ask(
            workspace,
            "SELECT n.nspname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace "
            "WHERE c.relname = 'tiny_sales'",
        ) == [("tiny",)]


def test_without_models_the_catalog_is_the_warehouses(tmp_path: Path) -> None:
    with open_workspace(registry=f"sqlite:///{tmp_path / 'r.sqlite'}", warehouse="duckdb:///:memory:") as workspace:
        assert _ask(workspace, "SELECT relname FROM pg_class") is None


def test_where_the_warehouse_tells_no_types_models_are_not_shown(star: Workspace) -> None:
    silent = copy(star.warehouse)
    silent.dialect = replace(star.warehouse.dialect, type_of=None)

    assert _ask(replace(star, warehouse=silent), "SELECT table_name FROM information_schema.tables") is None


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT * FROM PG_Class", True),
        ("SELECT * FROM Information_Schema.tables", True),
        ("SELECT 'shop'::REGCLASS", True),
        ("SELECT has_table_privilege('shop', 'SELECT')", True),
        ("SELECT city FROM shop", False),
    ],
)
def test_most_queries_ask_for_nothing_of_the_catalog(sql: str, *, expected: bool) -> None:
    assert may_ask_for_models(sql) is expected


def test_a_number_depends_on_the_name_alone() -> None:
    """Unless two names have the same one; then the second takes the next that is free."""
    expected = 0xF0000000 | (zlib.crc32(b"model a") & 0x0FFFFFFF)
    numbers: dict[str, int] = {}
    taken = {"others": expected}

    assert _number(numbers, "model a") == _number(numbers, "model a") == expected
    assert _number(taken, "model a") == expected + 1
    assert _number({}, "model b") >= 0xF0000000
