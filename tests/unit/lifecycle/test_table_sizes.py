"""How many bytes aggregates take: asked of the warehouse, all tables at once, where it tells.

DuckDB does not tell, so that a query on its catalog stands in the row of its dialect: a hundred bytes for each row.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.lifecycle.table_sizes import bytes_of_instances
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace
from airflow_atscale_aggs.engine.warehouse.base import SeenRelation
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession
from tests.support.registry_content import MODEL, NOW, REVENUE, make_deployment, run_batch
from tests.support.stars.standing_star import model_id, run_sql, serving

_BYTES = """\
SELECT schema_name, table_name, estimated_size * 100 FROM duckdb_tables()
WHERE (schema_name, table_name) IN ({tables})"""


def _sizes(workspace: Workspace, query: str | None = _BYTES) -> Mapping[str, int]:
    """Bytes by aggregate of what serves."""
    instances = workspace.read.instances.serving(model_id(workspace))
    with workspace.warehouse.session() as session:
        session.dialect = replace(session.dialect, table_bytes=query)
        sizes = bytes_of_instances(session, workspace, instances)
        assert bytes_of_instances(session, workspace, []) == {}
    return {instance.step.aggregate: sizes[instance.id] for instance in instances if instance.id in sizes}


def test_sizes_are_told_by_instance(built_star: Workspace) -> None:
    """The rows of both were counted when they were built."""
    rows = {name: serving(built_star, name).rows or 0 for name in ("by_city", "by_day_and_shop")}

    assert _sizes(built_star) == {name: count * 100 for name, count in rows.items()}
    assert min(rows.values()) > 0


def test_a_table_that_is_gone_has_no_size(built_star: Workspace) -> None:
    run_sql(
        built_star, "DROP VIEW aggs.agg_tiny_sales_by_city", f"DROP TABLE aggs.{serving(built_star, 'by_city').table}"
    )

    assert _sizes(built_star).keys() == {"by_day_and_shop"}


def test_an_incremental_aggregate_takes_what_its_segments_take(incremental_star: Workspace) -> None:
    """Where one of them is gone, nobody knows."""
    segments = incremental_star.read.instances.segments(serving(incremental_star, "by_city").id)
    assert len(segments) > 1
    assert _sizes(incremental_star) == {"by_city": sum(segment.rows for segment in segments) * 100}

    run_sql(incremental_star, f"DROP TABLE aggs.{segments[0].table} CASCADE")
    assert _sizes(incremental_star) == {}


def test_a_warehouse_that_does_not_tell_is_not_asked(built_star: Workspace) -> None:
    assert _sizes(built_star, query=None) == {}


def test_a_batch_without_a_schema_has_its_tables_in_that_of_the_session(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'r.sqlite'}"
    with open_workspace(registry=url, warehouse="duckdb://?threads=1") as workspace:
        workspace.registry.models.record_deployments([make_deployment(REVENUE)], now=NOW)
        run_batch(workspace.registry)
        (instance,) = workspace.read.instances.serving(MODEL)
        run_sql(workspace, f"CREATE TABLE {instance.table} AS SELECT * FROM RANGE(7)")
        with workspace.warehouse.session() as session:
            session.dialect = replace(session.dialect, table_bytes=_BYTES)

            assert bytes_of_instances(session, workspace, [instance]) == {instance.id: 700}


def test_a_driver_that_looks_at_one_table_after_the_other_is_asked(
    built_star: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Spark, which has no query for that, and does not tell it of every table."""
    known = (serving(built_star, "by_city").table or "").casefold()

    def look_at(_: DbApiSession, schema: str, names: Collection[str]) -> Mapping[str, SeenRelation]:
        assert schema == "aggs"
        return {
            name.casefold(): SeenRelation("table", size_bytes=673 if name.casefold() == known else None)
            for name in names
        }

    monkeypatch.setattr(DbApiSession, "look_at", look_at)

    assert _sizes(built_star, query=None) == {"by_city": 673}
