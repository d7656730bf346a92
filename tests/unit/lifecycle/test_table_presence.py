"""Instances whose tables are no longer in the warehouse, although nobody has told the registry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from airflow_atscale_aggs.engine.errors import WarehouseError
from airflow_atscale_aggs.engine.lifecycle.table_presence import (
    describe_missing_tables,
    missing_of_active,
    missing_tables,
)
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse
from tests.support.stars.standing_star import LATER, begin, model_id, run_sql, serving


def test_a_table_that_somebody_has_dropped_is_missing(built_star: Workspace) -> None:
    """Other instances are absent from the answer."""
    gone = serving(built_star, "by_city")
    instances = built_star.read.instances.serving(model_id(built_star))
    with built_star.warehouse.session() as session:
        assert missing_tables(built_star.read, session, instances) == {}

    run_sql(built_star, "DROP VIEW aggs.agg_tiny_sales_by_city", f"DROP TABLE aggs.{gone.table}")

    with built_star.warehouse.session() as session:
        assert missing_tables(built_star.read, session, instances) == {gone.id: (gone.table,)}
        assert missing_tables(built_star.read, session, []) == {}


def test_a_table_of_the_same_name_in_another_schema_is_another_table(built_star: Workspace) -> None:
    gone = serving(built_star, "by_city")
    run_sql(
        built_star,
        "DROP VIEW aggs.agg_tiny_sales_by_city",
        f"CREATE TABLE main.{gone.table} AS SELECT * FROM aggs.{gone.table}",
        f"DROP TABLE aggs.{gone.table}",
    )

    assert missing_of_active(built_star, [gone]) == {gone.id: (gone.table,)}


@pytest.mark.parametrize("dropped", ["view", "segment", "both"])
def test_an_incremental_aggregate_needs_its_view_and_its_segments(incremental_star: Workspace, dropped: str) -> None:
    """The stable view reads the view of the instance, which reads the tables of the segments."""
    instance = serving(incremental_star, "by_city")
    view, segment = str(instance.table), incremental_star.read.instances.segments(instance.id)[0].table
    missing = {"view": [view], "segment": [segment], "both": [view, segment]}[dropped]

    for name in missing:
        run_sql(incremental_star, f"DROP {'VIEW' if name == view else 'TABLE'} aggs.{name}")

    assert missing_of_active(incremental_star, [instance]) == {instance.id: tuple(missing)}


def test_only_what_serves_is_asked_about(built_star: Workspace) -> None:
    """Nothing is asked of the warehouse where nothing serves; here it could not even answer."""
    waiting = begin(built_star, now=LATER).instances
    unreachable = replace(built_star, warehouse=open_warehouse("duckdb:////no/such/folder/w.duckdb"))

    assert missing_of_active(unreachable, waiting) == {}
    with pytest.raises(WarehouseError, match="/no/such/folder"):
        missing_of_active(unreachable, [*waiting, serving(built_star, "by_city")])


@pytest.mark.parametrize(
    ("tables", "sentence"),
    [
        (["a"], "`a` is not in the warehouse any more; build again"),
        (["a", "b"], "`a`, `b` are not in the warehouse any more; build again"),
        (["a", "b", "c"], "`a`, `b`, `c` are not in the warehouse any more; build again"),
        (["a", "b", "c", "d", "e"], "`a`, `b`, `c` and 2 more are not in the warehouse any more; build again"),
    ],
)
def test_missing_tables_are_told_in_a_sentence(tables: Sequence[str], sentence: str) -> None:
    assert describe_missing_tables(tables) == sentence
