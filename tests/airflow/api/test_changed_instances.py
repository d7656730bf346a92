"""What the API tells of an instance when its data change: segments of increments, tables that somebody dropped.

These tests add instances and drop tables. They have a server of their own, so that the lists of
`test_definition_routes` hold in every order of tests.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from airflow_atscale_aggs.engine.aggregates.segment import BuiltSegment, SegmentKey
from airflow_atscale_aggs.engine.registry.records import BuiltParts
from tests.support.api_server import ApiServer
from tests.support.registry_content import make_step, open_batch, with_segments

pytestmark = pytest.mark.airflow

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def test_the_warehouse_is_asked_only_where_somebody_wants_it(server: ApiServer) -> None:
    (row,) = server.get("connections/tiny/instances", "tiny_viewer", table="by_day_and")["items"]
    path = f"connections/tiny/instances/{row['id']}"
    assert server.get(path, "tiny_viewer", check_tables=True)["missing_tables"] == []
    with server.workspace() as workspace, workspace.warehouse.session() as session:
        session.execute(f"DROP VIEW aggs.{server.get(path)['view']}")
        session.execute(f"DROP TABLE aggs.{row['table']}")

    assert server.get(path, "tiny_viewer", check_tables=True)["missing_tables"] == [row["table"]]
    assert server.get(path, "tiny_viewer")["missing_tables"] is None


def test_an_incremental_instance_tells_its_segments(server: ApiServer) -> None:
    """With bounds as people write them; the table is then a view over them."""
    registry = server.registry
    model_id = registry.read.models.get("tiny_sales").id
    ids = registry.read.definitions.ids_of_names(model_id, ["by_city"])
    (record,) = registry.read.definitions.some([ids["by_city"]])
    step = with_segments(make_step(record.definition, "seg"), (None, 5), (5, 9))
    segments = tuple(f"CREATE TABLE part_{number} AS SELECT 1" for number in (1, 2))
    step = replace(step, sources=tuple(replace(source, segment_sqls=segments) for source in step.sources))
    open_batch(registry, "seg", model=model_id, steps=[step])
    claim = registry.attempts.claim(step.instance_id, owner="me", now=NOW)
    keys = tuple(SegmentKey(step.instance_id, 1, number) for number in (1, 2))
    parts = tuple(BuiltSegment(number=number, rows=number * 10, fact_rows=50) for number in (1, 2))
    built = BuiltParts(rows=30, segments=parts, uses=keys)
    registry.attempts.finish(claim, built, seconds=1.0, source="sales", now=NOW)

    instance = server.get(f"connections/tiny/instances/{step.instance_id}", "tiny_viewer")
    registry.batches.cancel("seg", now=NOW)

    assert (instance["build"], instance["rows"], instance["status"]) == ("increment", 30, "staged")
    bounds = [(part["after"], part["through"], part["is_settled"], part["rows"]) for part in instance["segments"]]
    assert bounds == [(None, "5", True, 10), ("5", "9", False, 20)]
    assert instance["sql"].startswith("CREATE TABLE part_1 AS")
    assert "CREATE VIEW" in instance["sql"]
    # No run of Airflow drives it, so that there is no task to clear.
    assert (instance["dag_id"], instance["run_id"], instance["task_id"], instance["map_index"]) == (None,) * 4
