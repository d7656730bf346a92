"""A name in FROM is a model or a table of the warehouse, and no model hides a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from sqlglot import exp, parse_one

from airflow_atscale_aggs.engine.errors import NotRegisteredError
from airflow_atscale_aggs.engine.lifecycle.query.name_meanings import Meanings, resolve_names, written_name
from airflow_atscale_aggs.engine.lifecycle.query.snapshot_cache import SnapshotCache
from airflow_atscale_aggs.engine.lifecycle.query.table_cache import WarehouseTables
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from tests.support.stars import standing_star
from tests.support.stars.standing_star import NOW, run_sql


@pytest.fixture(scope="module")
def star(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A schema of the warehouse has a table of the model's name."""
    with standing_star.open_standing(tmp_path_factory.mktemp("star"), standing_star.deploy_model) as workspace:
        run_sql(workspace, "CREATE SCHEMA other", "CREATE TABLE other.tiny_sales AS SELECT 1 AS x")
        yield workspace


def _tables(sql: str) -> list[exp.Table]:
    return list(parse_one(sql, read="postgres").find_all(exp.Table))


def _resolve(workspace: Workspace, *names: str) -> Meanings:
    cache = SnapshotCache(workspace)
    cache.look(NOW)
    tables = [table for name in names for table in _tables(f"SELECT * FROM {name}")]
    return resolve_names(tables, cache, WarehouseTables(workspace))


_SURE = "`tiny.tiny_sales` is the model `tiny.tiny_sales`."
_UNSURE = "`tiny_sales` is the model `tiny.tiny_sales`: the warehouse has no table of this name."


@pytest.mark.parametrize(
    ("names", "models", "notes"),
    [
        (["tiny.tiny_sales"], ["tiny_sales"], [_SURE]),
        (["tiny_sales"], ["tiny_sales"], [_UNSURE]),
        (
            ["main.tiny_sales"],
            ["tiny_sales"],
            ["`main.tiny_sales` is the model `tiny.tiny_sales`: the warehouse has no table of this name."],
        ),
        (["tiny.tiny_sales", "tiny.tiny_sales"], ["tiny_sales", "tiny_sales"], [_SURE]),
        (["tiny.tiny_sales", "shop"], ["tiny_sales"], [_SURE]),
        (["shop", "day"], [], []),
        (["other.tiny_sales"], [], []),
        (["nothing"], [], []),
    ],
)
def test_names_are_models_where_the_warehouse_has_no_such_table(
    star: Workspace, names: Sequence[str], models: list[str], notes: list[str]
) -> None:
    meanings = _resolve(star, *names)

    assert [record.name for _, record in meanings.models] == models
    assert list(meanings.notes) == notes


def test_a_table_of_the_warehouse_is_hidden_by_no_model(tmp_path: Path) -> None:
    with standing_star.open_standing(tmp_path, standing_star.deploy_model) as workspace:
        run_sql(workspace, "CREATE TABLE tiny_sales AS SELECT 1 AS x")

        plain, sure = _resolve(workspace, "tiny_sales"), _resolve(workspace, "tiny.tiny_sales")

    assert plain.models == ()
    assert plain.notes == (
        "`tiny_sales` is the warehouse's table. Write `tiny.tiny_sales` for the model of this name.",
    )
    # The answer of the warehouse is kept, since the meaning depends on it.
    assert dict(plain.looked_up) == {(None, None, "tiny_sales"): True}
    assert [record.name for _, record in sure.models] == ["tiny_sales"]
    assert dict(sure.looked_up) == {}


def test_a_name_that_is_nothing_is_told_beside_a_model(star: Workspace) -> None:
    """By itself it is left to the warehouse, which may know more."""
    message = r"no model, and the warehouse no table, `tiny_sale`\. Did you mean `tiny\.tiny_sales`"

    with pytest.raises(NotRegisteredError, match=message):
        _resolve(star, "tiny.tiny_sales", "tiny_sale")
    looked_up = _resolve(star, "tiny.tiny_sales", "shop").looked_up
    assert dict(looked_up) == {(None, None, "shop"): True}


@pytest.mark.parametrize("name", ["shop", "main.shop", "w.main.shop"])
def test_a_name_is_told_with_what_stands_before_it(name: str) -> None:
    (table,) = _tables(f"SELECT * FROM {name}")

    assert written_name(table) == name
