"""Tests for the check with sessions that are lost."""

from __future__ import annotations

from airflow_atscale_aggs.engine.lifecycle.conformance.capability import Verdict
from airflow_atscale_aggs.engine.lifecycle.conformance.check_context import CheckContext
from airflow_atscale_aggs.engine.lifecycle.conformance.lost_session_check import check_lost_session
from tests.support.stars.tiny_star import run_sql


def test_a_batch_that_loses_its_sessions_is_resumed_and_leaves_nothing(built: CheckContext) -> None:
    before = len(built.workspace.read.batches.find(built.workspace.read.models.get("check_sales").id, 9))
    (found,) = check_lost_session(built)

    assert (found.verdict, found.detail) == (
        Verdict.WORKS,
        "the old aggregates served on, the batch was resumed, and nothing was left",
    )
    # The sessions were really lost: the batch failed, and took up further attempts.
    assert len(built.workspace.read.batches.find(built.workspace.read.models.get("check_sales").id, 9)) == before + 1
    assert {attempt for row in built.workspace.read.instances.find() for attempt in [row.attempt]} >= {1, 2}


def test_a_table_that_nobody_wrote_down_is_found(built: CheckContext) -> None:
    run_sql(built.workspace, "CREATE TABLE scratch.as_agg_00000000_stray_a1 AS SELECT 1 AS a")
    (found,) = check_lost_session(built)

    assert (found.verdict, found.detail) == (
        Verdict.FAILS,
        "A table is there that nobody wrote down: `as_agg_00000000_stray_a1`.",
    )
