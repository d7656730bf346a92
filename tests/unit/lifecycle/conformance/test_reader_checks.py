"""Tests for the check with readers during activation."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.lifecycle.conformance import reader_checks
from airflow_atscale_aggs.engine.lifecycle.conformance.capability import Verdict
from airflow_atscale_aggs.engine.lifecycle.conformance.check_context import CheckContext
from airflow_atscale_aggs.engine.lifecycle.conformance.check_star import StarRows, read_rows
from airflow_atscale_aggs.engine.lifecycle.conformance.reader_checks import check_readers
from tests.support.stars.tiny_star import run_sql


def test_readers_of_duckdb_see_no_error_and_no_mixture(built: CheckContext) -> None:
    views, models = check_readers(built)

    assert (views.verdict, models.verdict) == (Verdict.WORKS, Verdict.WORKS)
    assert "during 3 switches, none failed, none mixed" in views.detail


def test_views_that_are_switched_one_after_the_other_are_told(
    built: CheckContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here one of the two never is of the batch of the other: it is filtered by somebody."""
    run_sql(built.workspace, "CREATE VIEW scratch.half AS SELECT 1 AS row_count")
    both = reader_checks._both_counts
    monkeypatch.setattr(reader_checks, "_both_counts", lambda views, *rest: both([views[0], "half"], *rest))
    views, models = check_readers(built)

    assert (views.verdict, models.verdict) == (Verdict.DIFFERS, Verdict.WORKS)
    assert "saw two views of different batches" in views.detail


def test_readers_who_find_no_view_are_told(built: CheckContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_checks, "_both_counts", lambda *_: "SELECT 1, 1 FROM scratch.gone")
    views, _ = check_readers(built)

    assert views.verdict is Verdict.FAILS
    assert "reads failed" in views.detail
    assert "gone" in views.detail


def test_both_counts_are_read_by_one_statement(built: CheckContext) -> None:
    dialect = built.workspace.warehouse.dialect
    query = reader_checks._both_counts(["a", "b"], "s", dialect)

    assert query == ('SELECT (SELECT SUM("row_count") FROM "s"."a"), (SELECT SUM("row_count") FROM "s"."b")')


def test_an_answer_of_two_batches_does_not_work(built: CheckContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of no known day are counted by one of the two aggregates only."""
    rows = read_rows("check_sale")
    nowhere = next(row for row in rows.rows if row[1] == "99" and row[6] is not None)
    monkeypatch.setattr(reader_checks, "_one_row", lambda _: StarRows(rows.columns, (nowhere,)))
    _, models = check_readers(built)

    assert models.verdict is Verdict.FAILS
    assert "an answer was made of aggregates of two batches" in models.detail
