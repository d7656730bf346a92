"""Stable views are switched together; one that cannot be switched stays as it is and stops no other one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from airflow_atscale_aggs.engine.aggregates.build_step import BuildStep
from airflow_atscale_aggs.engine.lifecycle.stable_views.switch import ViewTask, drop_task, show_task, switch
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse
from tests.support.stars.stable_views import forget_catalog
from tests.support.stars.standing_star import LATER, OWNER, model_id, open_batch, rows_of, run_sql, serving, tables_of

CITY = "agg_tiny_sales_by_city"
DAY = "agg_tiny_sales_by_day_and_shop"
_AMOUNT = 60 * 0.25 + sum(range(60))
"""Of the 60 sales of 0.25, 1.25, …, 59.25. The staged batch has seen one more, of 1000."""


@pytest.fixture
def tasks(staged_star: Workspace) -> list[ViewTask]:
    """What makes both views show what the second batch has built. It serves; only the views are behind."""
    batch = open_batch(staged_star)
    staged_star.registry.batches.activate(batch.id, owner=OWNER, now=LATER, drop_after=LATER)
    return [show_task(instance, "aggs") for instance in staged_star.read.instances.find(batch_id=batch.id)]


def _switch(workspace: Workspace, tasks: Sequence[ViewTask]) -> dict[str, str]:
    """One try; the reasons by view."""
    problems = switch(workspace, model_id(workspace), tasks, patience=0)
    assert {schema for schema, _ in problems} <= {"aggs"}
    return {view: why for (_, view), why in problems.items()}


def _drop_task(step: BuildStep) -> ViewTask:
    return drop_task(step.view, "aggs", step.drop_view_sql)


def _shown(workspace: Workspace, view: str) -> bool:
    """Whether a view shows the second batch."""
    ((total,),) = rows_of(workspace, f"SELECT SUM(sum_amount) FROM aggs.{view}")
    assert total in {_AMOUNT, _AMOUNT + 1000}
    return bool(total == _AMOUNT + 1000)


def test_all_views_are_switched(staged_star: Workspace, tasks: list[ViewTask]) -> None:
    """Nothing else is left in the schema."""
    before = tables_of(staged_star)
    assert not _shown(staged_star, CITY)

    assert _switch(staged_star, tasks) == {}

    assert (_shown(staged_star, CITY), _shown(staged_star, DAY)) == (True, True)
    assert tables_of(staged_star) == before


def test_a_task_shows_the_table_of_the_winning_attempt(built_star: Workspace) -> None:
    instance = serving(built_star, "by_city")

    task = show_task(instance, "aggs")

    assert (task.view, task.schema) == (CITY, "aggs")
    assert task.step is not None
    assert f'FROM "aggs"."{instance.table}"' in task.step.view_statements[-1]
    assert _drop_task(instance.step) == ViewTask(
        view=CITY, schema="aggs", step=None, drop_sql=f'DROP VIEW IF EXISTS "aggs"."{CITY}"'
    )


def test_nothing_to_do_needs_no_warehouse(built_star: Workspace) -> None:
    nowhere = replace(built_star, warehouse=open_warehouse("duckdb:////no/such/folder/w.duckdb"))

    assert switch(nowhere, model_id(built_star), [], patience=0) == {}


def test_what_is_in_the_way_of_one_view_stops_no_other(staged_star: Workspace, tasks: list[ViewTask]) -> None:
    run_sql(staged_star, f"DROP VIEW aggs.{CITY}", f"CREATE TABLE aggs.{CITY} AS SELECT 42 AS mine")

    assert _switch(staged_star, tasks) == {CITY: "a table has its name; rename the table, or drop it"}

    assert _shown(staged_star, DAY)
    assert rows_of(staged_star, f"SELECT mine FROM aggs.{CITY}") == [(42,)]


def test_a_statement_that_the_warehouse_refuses_stops_no_other_view(
    staged_star: Workspace, tasks: list[ViewTask]
) -> None:
    """Here the new table is gone."""
    run_sql(staged_star, f"DROP TABLE aggs.{serving(staged_star, 'by_city').table}")

    problems = _switch(staged_star, tasks)

    assert problems.keys() == {CITY}
    assert problems[CITY].startswith("the warehouse refuses it: ")
    assert "does not exist" in problems[CITY]
    assert (_shown(staged_star, DAY), _shown(staged_star, CITY)) == (True, False)


def test_a_view_that_somebody_holds_waits_and_stops_no_other(staged_star: Workspace, tasks: list[ViewTask]) -> None:
    """Together they cannot be switched; then each goes by itself."""
    with staged_star.warehouse.session() as other:
        other.execute("BEGIN")
        other.execute(f"COMMENT ON VIEW aggs.{CITY} IS 'held'")

        problems = _switch(staged_star, tasks)

        other.execute("ROLLBACK")
    assert problems.keys() == {CITY}
    assert problems[CITY].startswith("others hold it, or the warehouse cannot be reached (TransactionContext Error")
    assert (_shown(staged_star, DAY), _shown(staged_star, CITY)) == (True, False)

    assert _switch(staged_star, tasks) == {}
    assert _shown(staged_star, CITY)


def test_a_warehouse_that_cannot_be_reached_holds_all_views(staged_star: Workspace, tasks: list[ViewTask]) -> None:
    url = "duckdb:////no/such/folder/w.duckdb"
    nowhere = replace(staged_star, warehouse=open_warehouse(url, aggregate_schema="aggs"))

    problems = _switch(nowhere, tasks)

    assert problems.keys() == {CITY, DAY}
    assert all("/no/such/folder" in why for why in problems.values())


@pytest.mark.parametrize("is_read", [False, True])
def test_the_view_of_an_aggregate_that_is_gone_is_dropped_unless_somebody_reads_it(
    built_star: Workspace, is_read: bool
) -> None:
    if is_read:
        run_sql(built_star, f"CREATE VIEW report AS SELECT city FROM aggs.{CITY}")

    problems = _switch(built_star, [_drop_task(serving(built_star, "by_city").step)])

    assert (CITY in tables_of(built_star)) is is_read
    assert problems.keys() == ({CITY} if is_read else set())
    assert all("view main.report reads it" in why for why in problems.values())


def test_one_view_goes_and_another_one_is_switched_together(staged_star: Workspace, tasks: list[ViewTask]) -> None:
    step = serving(staged_star, "by_city").step
    day = [task for task in tasks if task.view == DAY]

    assert _switch(staged_star, [_drop_task(step), *day]) == {}

    assert CITY not in tables_of(staged_star)
    assert _shown(staged_star, DAY)


def test_every_switch_begins_with_the_statements_of_its_dialect(staged_star: Workspace, tasks: list[ViewTask]) -> None:
    """Inside the transaction, so that a try that fails takes them back."""
    run_sql(
        staged_star, "CREATE TABLE begun (n INTEGER)", f"DROP VIEW aggs.{CITY}", f"CREATE TABLE aggs.{CITY} (a INTEGER)"
    )
    warehouse = staged_star.warehouse
    warehouse.dialect = replace(warehouse.dialect, before_switch=("INSERT INTO begun VALUES (1)",))

    assert _switch(staged_star, tasks).keys() == {CITY}

    assert rows_of(staged_star, "SELECT COUNT(*) FROM begun") == [(1,)]


def test_a_warehouse_whose_catalog_nobody_knows_runs_the_statements_of_the_plan(
    staged_star: Workspace, tasks: list[ViewTask]
) -> None:
    """Nothing is looked at first."""
    forget_catalog(staged_star.warehouse)
    city, day = (next(task for task in tasks if task.view == view) for view in (CITY, DAY))
    assert city.step is not None

    assert _switch(staged_star, [_drop_task(city.step), day]) == {}

    assert CITY not in tables_of(staged_star)
    assert _shown(staged_star, DAY)
