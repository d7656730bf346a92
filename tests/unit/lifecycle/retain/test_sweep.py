"""Tables that nothing needs any more are dropped, from the registry alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.errors import SchemaOwnedError
from airflow_atscale_aggs.engine.lifecycle.build.activate import activate_batch, cancel_batch
from airflow_atscale_aggs.engine.lifecycle.retain.sweep import SweptTable, sweep
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace
from tests.support.stars import incremental_star as incremental
from tests.support.stars.incremental_star import START
from tests.support.stars.standing_star import (
    LATER,
    OWNER,
    begin,
    model_id,
    open_batch,
    run_sql,
    serving,
    tables_of,
)

_DELAY_OVER = LATER + timedelta(hours=1)


def _sweep(workspace: Workspace, *, now: datetime = _DELAY_OVER, dry_run: bool = False) -> dict[str, SweptTable]:
    """What was found, by aggregate; one table of each."""
    report = sweep(workspace, dry_run=dry_run, now=now)
    by_aggregate = {swept.aggregate: swept for swept in report.tables}
    assert len(by_aggregate) == len(report.tables)
    return by_aggregate


def _activate(workspace: Workspace) -> None:
    activate_batch(workspace, open_batch(workspace).id, owner=OWNER, now=LATER)


def test_superseded_tables_go_when_their_delay_is_over(staged_star: Workspace) -> None:
    old = {name: serving(staged_star, name).table for name in ("by_city", "by_day_and_shop")}
    _activate(staged_star)
    assert _sweep(staged_star, now=_DELAY_OVER - timedelta(seconds=1)) == {}

    swept = _sweep(staged_star)

    assert {name: (table.table, table.schema, table.dropped) for name, table in swept.items()} == {
        name: (table, "aggs", True) for name, table in old.items()
    }
    assert not tables_of(staged_star) & set(old.values())
    # Those that serve stay, and nothing is found a second time.
    assert {serving(staged_star, name).table for name in old} <= tables_of(staged_star)
    assert _sweep(staged_star) == {}
    instances = staged_star.read.instances.find(model_id=model_id(staged_star))
    assert sorted(str(instance.status) for instance in instances) == ["active", "active", "deleted", "deleted"]


def test_a_dry_run_drops_nothing(staged_star: Workspace) -> None:
    _activate(staged_star)
    before = tables_of(staged_star)

    swept = _sweep(staged_star, dry_run=True)

    assert {(name, table.dropped, table.kept_for, table.error) for name, table in swept.items()} == {
        ("by_city", False, "", ""),
        ("by_day_and_shop", False, "", ""),
    }
    assert tables_of(staged_star) == before
    assert set(_sweep(staged_star)) == {"by_city", "by_day_and_shop"}


def test_tables_of_cancelled_batches_and_failed_attempts_go_at_once(staged_star: Workspace) -> None:
    batch = open_batch(staged_star)
    assert _sweep(staged_star, now=LATER) == {}
    cancel_batch(staged_star, batch.id, now=LATER)

    assert {name: table.dropped for name, table in _sweep(staged_star, now=LATER).items()} == {
        "by_city": True,
        "by_day_and_shop": True,
    }


def test_what_an_owner_with_a_lease_writes_is_not_touched(deployed_star: Workspace) -> None:
    begun = begin(deployed_star, "by_city", now=LATER)
    claim = deployed_star.registry.attempts.claim(begun.instances[0].id, owner=OWNER, now=LATER)
    run_sql(deployed_star, f'CREATE TABLE aggs."{claim.instance.step.table}" AS SELECT 1 AS x')
    late = deployed_star.registry.attempts.claim(begun.instances[0].id, owner=OWNER, now=LATER)

    swept = _sweep(deployed_star, now=LATER)

    # The attempt that was fenced off has lost; the other one is being written.
    assert [(table.table, table.dropped) for table in swept.values()] == [(claim.instance.step.table, True)]
    assert late.instance.step.table not in {table.table for table in swept.values()}


def test_a_table_that_somebody_reads_is_kept_for_them(staged_star: Workspace) -> None:
    old = serving(staged_star, "by_city").table
    run_sql(staged_star, f'CREATE VIEW report AS SELECT * FROM aggs."{old}"')
    _activate(staged_star)

    swept = _sweep(staged_star)

    assert (swept["by_city"].dropped, swept["by_day_and_shop"].dropped) == (False, True)
    assert "report" in swept["by_city"].kept_for
    assert old in tables_of(staged_star)

    run_sql(staged_star, "DROP VIEW report")
    assert _sweep(staged_star)["by_city"].dropped


def test_a_stable_view_goes_with_its_last_table(built_star: Workspace) -> None:
    city = serving(built_star, "by_city")
    built_star.registry.instances.let_go(city.model_id, [city.id], {}, now=LATER, drop_after=LATER)

    assert _sweep(built_star, dry_run=True)["by_city"].kept_for == ""
    assert _sweep(built_star)["by_city"].dropped
    assert not {city.table, "agg_tiny_sales_by_city"} & tables_of(built_star)


def test_a_stable_view_that_somebody_reads_stays_with_its_table(built_star: Workspace) -> None:
    city = serving(built_star, "by_city")
    run_sql(built_star, "CREATE VIEW report AS SELECT * FROM aggs.agg_tiny_sales_by_city")
    built_star.registry.instances.let_go(city.model_id, [city.id], {}, now=LATER, drop_after=LATER)

    report = sweep(built_star, dry_run=False, now=LATER)

    (note,) = report.notes
    assert "Stable view `agg_tiny_sales_by_city` stays as it is" in note
    assert "report" in note
    (swept,) = report.tables
    assert "agg_tiny_sales_by_city" in swept.kept_for
    assert {city.table, "agg_tiny_sales_by_city"} <= tables_of(built_star)


def test_a_table_that_came_back_is_dropped_again(staged_star: Workspace) -> None:
    """A server has finished what a killed client had asked for."""
    _activate(staged_star)
    gone = _sweep(staged_star)["by_city"].table
    run_sql(staged_star, f'CREATE TABLE aggs."{gone}" AS SELECT 1 AS x')

    assert _sweep(staged_star)["by_city"].dropped
    assert gone not in tables_of(staged_star)


def test_a_table_that_cannot_be_dropped_is_told_and_tried_again(staged_star: Workspace) -> None:
    """Somebody has put a view in its place."""
    old = serving(staged_star, "by_city").table
    run_sql(staged_star, f'DROP TABLE aggs."{old}" CASCADE', f'CREATE VIEW aggs."{old}" AS SELECT 1 AS x')
    _activate(staged_star)

    swept = _sweep(staged_star)["by_city"]

    assert not swept.dropped
    assert str(old) in swept.error
    run_sql(staged_star, f'DROP VIEW aggs."{old}"')
    assert _sweep(staged_star)["by_city"].dropped


def test_a_table_that_a_transaction_holds_is_left_for_the_next_sweep(staged_star: Workspace) -> None:
    old = serving(staged_star, "by_city").table
    _activate(staged_star)

    with staged_star.warehouse.session() as session, session.transaction():
        session.execute(f'ALTER TABLE aggs."{old}" ADD COLUMN note INTEGER')
        swept = _sweep(staged_star)["by_city"]

    assert (swept.dropped, swept.error) == (False, "")
    assert swept.kept_for.startswith("a query that holds it (")
    assert _sweep(staged_star)["by_city"].dropped


def test_segments_go_when_no_instance_consists_of_them(incremental_star: Workspace) -> None:
    settled, unsettled = (segment.table for segment in incremental.segments(incremental_star))
    incremental.load(incremental_star, incremental.Sale(at=START + 30))
    incremental.build(incremental_star, BuildType.INCREMENTAL, at=START + 60)

    report = sweep(incremental_star, dry_run=False, now=LATER)

    dropped = {swept.table for swept in report.tables}
    assert all(swept.dropped for swept in report.tables)
    assert unsettled in dropped
    # The settled one is a part of what serves.
    assert settled in tables_of(incremental_star) - dropped
    incremental.check_views(incremental_star, ["by_city"])

    run_sql(incremental_star, f'CREATE TABLE aggs."{unsettled}" AS SELECT 1 AS x')
    assert [swept.table for swept in sweep(incremental_star, dry_run=False, now=LATER).tables] == [unsettled]


def test_views_that_wait_are_switched_first(staged_star: Workspace) -> None:
    """A process died between the activation and the switch."""
    batch = open_batch(staged_star)
    staged_star.registry.batches.activate(batch.id, owner=OWNER, now=LATER, drop_after=LATER)

    swept = _sweep(staged_star)

    assert all(table.dropped for table in swept.values())
    assert not staged_star.read.batches.get(batch.id).views_pending


def test_nothing_is_dropped_in_the_schema_of_another_registry(staged_star: Workspace, tmp_path: Path) -> None:
    _activate(staged_star)
    before = tables_of(staged_star)
    with (
        open_workspace(registry=f"sqlite:///{tmp_path / 'other.sqlite'}", warehouse="duckdb:///:memory:") as other,
        pytest.raises(SchemaOwnedError, match="Nothing was changed"),
    ):
        sweep(replace(staged_star, registry=other.registry), dry_run=False, now=_DELAY_OVER)

    assert tables_of(staged_star) == before
