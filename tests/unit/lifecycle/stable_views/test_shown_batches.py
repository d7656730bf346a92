"""Which batch a stable view shows is told by the tables that it reads."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.lifecycle.build.activate import switch_pending_views
from airflow_atscale_aggs.engine.lifecycle.stable_views.shown_batches import shown_batches, views_that_lag
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.warehouse.dbapi import DbApiSession
from tests.support.stars.standing_star import LATER, OWNER, model_id, open_batch, run_sql

CITY = "agg_tiny_sales_by_city"


def test_a_view_shows_what_serves(built_star: Workspace) -> None:
    shown = shown_batches(built_star, model_id(built_star))

    assert {view.view for view in shown} == {CITY, "agg_tiny_sales_by_day_and_shop"}
    assert all(view.is_current and view.serving for view in shown)


def test_a_view_of_segments_shows_what_serves(incremental_star: Workspace) -> None:
    (shown,) = shown_batches(incremental_star, model_id(incremental_star))

    assert shown.is_current


def test_views_that_were_not_switched_are_told_until_they_are(staged_star: Workspace) -> None:
    """The registry has activated the batch, and then the process died."""
    before = {view.view: view.shown for view in shown_batches(staged_star, model_id(staged_star))}
    batch = open_batch(staged_star)
    staged_star.registry.batches.activate(batch.id, owner=OWNER, now=LATER, drop_after=LATER)

    lagging = views_that_lag(staged_star, model_id(staged_star))

    assert {view.view: (view.serving, view.shown) for view in lagging} == {
        view: (batch.id, shown) for view, shown in before.items()
    }
    assert str(lagging[0]).endswith(f", and batch {batch.id} serves")
    assert switch_pending_views(staged_star, patience=1) == ()
    assert views_that_lag(staged_star, model_id(staged_star)) == ()


def test_a_view_that_is_gone_shows_none(built_star: Workspace) -> None:
    run_sql(built_star, f"DROP VIEW aggs.{CITY}")

    (shown,) = [view for view in shown_batches(built_star, model_id(built_star)) if view.view == CITY]

    assert str(shown) == f"view `{CITY}` shows none of its batches, and batch {shown.serving} serves"


def test_the_warehouse_is_not_asked_while_no_switch_is_open(
    built_star: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(DbApiSession, "fetch_all", refuse)

    assert views_that_lag(built_star, model_id(built_star)) == ()
