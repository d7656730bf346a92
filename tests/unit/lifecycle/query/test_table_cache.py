"""What the warehouse has under a name is asked once a minute at most."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlglot import exp, parse_one

from airflow_atscale_aggs.engine.lifecycle.query.table_cache import KEPT_FOR, WarehouseTables, key_of
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.model.datasets import TableKey
from tests.support.stars.standing_star import NOW, run_sql

_SHOP: TableKey = (None, None, "shop")


@pytest.mark.parametrize(
    ("key", "columns"),
    [
        (_SHOP, {"shop_id": "INTEGER", "shop_name": "VARCHAR", "city": "VARCHAR"}),
        ((None, "main", "day"), {"day_id": "INTEGER", "day_name": "VARCHAR", "month": "VARCHAR"}),
        # DuckDB takes names without regard to case.
        ((None, None, "SHOP"), {"shop_id": "INTEGER", "shop_name": "VARCHAR", "city": "VARCHAR"}),
        ((None, "elsewhere", "shop"), None),
        ((None, None, "tiny_sales"), None),
    ],
)
def test_columns_are_those_of_the_table_that_a_name_means(
    asked_star: Workspace, key: TableKey, columns: dict[str, str] | None
) -> None:
    (table,) = WarehouseTables(asked_star).find([key])

    assert (None if table is None else dict(table)) == columns


def test_answers_come_in_the_order_of_the_names(asked_star: Workspace) -> None:
    tables = WarehouseTables(asked_star)
    keys: list[TableKey] = [(None, None, "day"), (None, None, "nothing"), _SHOP, (None, None, "day")]

    assert [table is not None and table.spelled[2] for table in tables.find(keys)] == ["day", False, "shop", "day"]
    assert tables.are_there(keys) == [True, False, True, True]
    assert (tables.find([]), tables.are_there([])) == ([], [])


def test_what_was_asked_holds_for_a_minute(deployed_star: Workspace) -> None:
    tables = WarehouseTables(deployed_star)
    tables.forget_old(NOW)
    assert tables.are_there([_SHOP]) == [True]
    (before,) = tables.find([_SHOP])
    run_sql(deployed_star, "DROP TABLE shop")

    tables.forget_old(NOW + KEPT_FOR)

    assert tables.find([_SHOP]) == [before]
    assert tables.holds({_SHOP: True})

    tables.forget_old(NOW + KEPT_FOR + timedelta(seconds=1))

    assert tables.find([_SHOP]) == [None]
    assert not tables.holds({_SHOP: True})
    assert tables.holds({_SHOP: False})


def test_a_clock_that_was_put_back_forgets_as_well(deployed_star: Workspace) -> None:
    tables = WarehouseTables(deployed_star)
    tables.forget_old(NOW)
    assert tables.are_there([_SHOP]) == [True]
    run_sql(deployed_star, "DROP TABLE shop")

    tables.forget_old(NOW - timedelta(seconds=1))

    assert tables.are_there([_SHOP]) == [False]


def test_here_are_the_default_schema_and_the_database(asked_star: Workspace) -> None:
    assert WarehouseTables(asked_star).here() == {"main", "w"}


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("shop", (None, None, "shop")),
        ("main.shop", (None, "main", "shop")),
        ('"W"."Main"."Shop" AS s', ("W", "Main", "Shop")),
    ],
)
def test_a_key_has_the_parts_of_a_name_as_they_are_written(name: str, key: TableKey) -> None:
    (table,) = parse_one(f"SELECT * FROM {name}", read="postgres").find_all(exp.Table)

    assert key_of(table) == key
