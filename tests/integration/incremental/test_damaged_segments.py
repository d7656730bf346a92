"""Increments on segments that somebody changed, and comparisons that fail while they run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession
from tests.support.stars import incremental_star as star
from tests.support.stars.incremental_star import START, Sale

LATER = START + 20


DAMAGES: dict[str, Callable[[str], tuple[str, ...]]] = {
    "a row less": lambda table: (f"DELETE FROM {table} WHERE city = 'North'",),
    "emptied": lambda table: (f"DELETE FROM {table}",),
    "rows more": lambda table: (f"INSERT INTO {table} SELECT * FROM {table}",),
    "other counts": lambda table: (f"UPDATE {table} SET row_count = row_count + 1",),
    "other amounts": lambda table: (f"UPDATE {table} SET sum_amount = sum_amount + 1 WHERE city = 'North'",),
    "another table": lambda table: (
        f"CREATE TABLE aggs.other AS SELECT * FROM {table}",
        "UPDATE aggs.other SET sum_amount = 0",
        f"ALTER TABLE {table} RENAME TO gone",
        f"ALTER TABLE aggs.other RENAME TO {table.removeprefix('aggs.')}",
    ),
    "other columns": lambda table: (
        f"ALTER TABLE {table} RENAME TO gone",
        f"CREATE TABLE {table} AS SELECT 1 AS city",
    ),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_segment_that_somebody_changed_is_not_kept(workspace: Workspace, tmp_path: Path, kind: str) -> None:
    """The registry knows what it was made with."""
    star.deploy_and_build(workspace, tmp_path)
    segment = star.segments(workspace)[0].table

    reason = star.reason_of_rebuild(workspace, *DAMAGES[kind](f"aggs.{segment}"))

    assert f"`{segment}`" in reason
    assert star.is_incremental(star.reason_of_rebuild(workspace, at=LATER + 20))


def _failing(session: DbApiSession, sql: str) -> str:
    """A statement that fails while it runs, which ends the transaction that it is in."""
    return "SELECT CAST('x' || 'y' AS INTEGER)" if sql else sql


@pytest.mark.parametrize("level", ["totals", "off"])
def test_groups_that_cannot_be_compared_are_made_anew(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, level: str
) -> None:
    """What fails ends the transaction; the segments are made in a new one."""
    star.deploy_and_build(workspace, tmp_path)
    star.put_setting(workspace, "aggregates.batch.verify", level)
    before = star.segments(workspace)
    fetch_all, failed = DbApiSession.fetch_all, []

    def failing(session: DbApiSession, sql: str) -> Any:
        is_comparison = '"of_facts_0"' in sql
        failed.extend([sql] * is_comparison)
        return fetch_all(session, _failing(session, sql) if is_comparison else sql)

    monkeypatch.setattr(DbApiSession, "fetch_all", failing)
    star.build(workspace, at=START + 1)
    monkeypatch.undo()

    assert failed
    assert star.segments(workspace) != before
    star.check_views(workspace)


@pytest.mark.postgres
def test_statistics_that_cannot_be_gathered_cost_nothing(
    on_postgres: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ANALYZE fails where another session holds a lock, or rights are missing."""
    star.deploy_and_build(on_postgres, tmp_path)
    star.load(on_postgres, Sale(at=LATER))
    execute, failed = DbApiSession.execute, []

    def failing(session: DbApiSession, sql: str) -> Any:
        failed.extend([sql] * sql.startswith("ANALYZE"))
        return execute(session, _failing(session, sql) if sql.startswith("ANALYZE") else sql)

    monkeypatch.setattr(DbApiSession, "execute", failing)
    star.build(on_postgres, at=LATER)
    monkeypatch.undo()

    assert failed
    star.check_views(on_postgres)


def test_merged_segments_that_cannot_be_compared_serve(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says so; it does not spoil what was made with them."""
    star.deploy_and_build(workspace, tmp_path)
    star.put_setting(workspace, "aggregate.incrementalUpdate.maxConsecutiveStaticPartitions", 2)
    star.load(workspace, Sale(at=LATER))
    star.build(workspace, at=LATER)
    star.load(workspace, Sale(at=LATER + 30))
    fetch_all, failed = DbApiSession.fetch_all, []

    def failing(session: DbApiSession, sql: str) -> Any:
        is_comparison = (
            "UNION ALL" in sql and '"stored"' in sql and "_s1" in sql and '"t1"' in sql and "a1_s2" not in sql
        )
        failed.extend([sql] * is_comparison)
        return fetch_all(session, _failing(session, sql) if is_comparison else sql)

    monkeypatch.setattr(DbApiSession, "fetch_all", failing)
    star.build(workspace, at=LATER + 30)
    monkeypatch.undo()

    star.check_views(workspace)
