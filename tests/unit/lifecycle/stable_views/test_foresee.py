"""What will keep a stable view from being switched, or tables from being made, is told before anything is built."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from airflow_atscale_aggs.engine.lifecycle.build.plan import plan_batch
from airflow_atscale_aggs.engine.lifecycle.stable_views.foresee import note_view_obstacles
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.planning.batch_plan import BatchPlan, RefusedPart
from tests.support.stars.stable_views import change_catalog, forget_catalog
from tests.support.stars.standing_star import MODEL, NOW, rows_of, run_sql

CITY = "aggs.agg_tiny_sales_by_city"
_NOTE = "Stable view `agg_tiny_sales_by_city` will stay as it is: "


def _plan(workspace: Workspace) -> BatchPlan:
    """A plan of both aggregates without any note."""
    names = iter("abcdefgh")
    return replace(plan_batch(workspace, MODEL, now=NOW, new_id=lambda: next(names) * 36), notes=("A note.",))


def _plan_with_notes(workspace: Workspace, plan: BatchPlan) -> BatchPlan:
    """The plan with notes."""
    with workspace.warehouse.session() as session:
        return note_view_obstacles(workspace, session, plan)


def test_where_nothing_is_in_the_way_nothing_is_noted(built_star: Workspace) -> None:
    """The views are ours, or not there yet."""
    plan = _plan(built_star)
    run_sql(built_star, f"DROP VIEW {CITY}")

    assert _plan_with_notes(built_star, plan) == plan


@pytest.mark.parametrize(
    ("statements", "why"),
    [
        (
            [f"DROP VIEW {CITY}", f"CREATE TABLE {CITY} (a INTEGER)"],
            "a table has its name; rename the table, or drop it.",
        ),
        (
            [f"CREATE OR REPLACE VIEW {CITY} AS SELECT 42 AS mine"],
            "a view has its name that shows no aggregate and is not ours; rename that view, or drop it.",
        ),
    ],
)
def test_what_has_the_name_of_a_view_is_noted(built_star: Workspace, statements: Sequence[str], why: str) -> None:
    plan = _plan(built_star)
    run_sql(built_star, *statements)

    answer = _plan_with_notes(built_star, plan)

    assert answer == replace(plan, notes=("A note.", f"{_NOTE}{why}"))


@pytest.mark.parametrize(
    ("column", "report", "why"),
    [
        ("more", "SELECT MORE FROM {0}", "view main.report reads column `more`, which is not stored any more."),
        ("more", "SELECT city FROM {0}", ""),
        ("city", "SELECT city FROM {0}", ""),
    ],
    ids=["a column that goes", "another column", "a column that stays"],
)
def test_a_reader_of_a_column_that_will_not_be_stored_is_noted(
    built_star: Workspace, column: str, report: str, why: str
) -> None:
    """The view shows a column now that the plan does not store."""
    plan = _plan(built_star)
    ((sql,),) = rows_of(built_star, "SELECT sql FROM duckdb_views() WHERE view_name = 'agg_tiny_sales_by_city'")
    shown = str(sql).rpartition(" FROM ")[2].rstrip(";")
    select = "*, 1 AS more" if column == "more" else "*"
    run_sql(built_star, f"CREATE OR REPLACE VIEW {CITY} AS SELECT {select} FROM {shown}")
    run_sql(built_star, f"CREATE VIEW report AS {report.format(CITY)}")

    assert _plan_with_notes(built_star, plan).notes == ("A note.", *([f"{_NOTE}{why}"] if why else []))


@pytest.mark.parametrize(
    ("may_create", "has_schema", "is_refused"), [(False, True, True), (False, False, False), (True, True, False)]
)
def test_a_role_that_may_not_create_tables_builds_nothing(
    built_star: Workspace, may_create: bool, has_schema: bool, is_refused: bool
) -> None:
    """A schema that is not there yet will be made."""
    plan = _plan(built_star)

    change_catalog(built_star.warehouse, rights=f"SELECT 'ann', {may_create}, {has_schema}")
    answer = _plan_with_notes(built_star, plan)

    if is_refused:
        reason = (
            "role `ann` may not create tables in schema `aggs`; the owner of the schema grants USAGE and CREATE on it"
        )
        assert answer == replace(
            plan,
            steps=(),
            refused=tuple(
                RefusedPart(aggregate=step.aggregate, definition_id=step.definition_id, reason=reason)
                for step in plan.steps
            ),
        )
    else:
        assert answer == plan


def test_a_plan_without_steps_needs_no_view(built_star: Workspace) -> None:
    plan = replace(_plan(built_star), steps=())
    run_sql(built_star, f"CREATE OR REPLACE VIEW {CITY} AS SELECT 42 AS mine")

    assert _plan_with_notes(built_star, plan) == plan


def test_a_catalog_that_nobody_knows_cannot_be_looked_at(built_star: Workspace) -> None:
    plan = _plan(built_star)
    run_sql(built_star, f"CREATE OR REPLACE VIEW {CITY} AS SELECT 42 AS mine")
    forget_catalog(built_star.warehouse)

    assert _plan_with_notes(built_star, plan) == plan
