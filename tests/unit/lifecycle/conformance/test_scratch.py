"""Tests for the schema that a check works in."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.errors import WarehouseError
from airflow_atscale_aggs.engine.lifecycle.conformance.check_context import CheckContext
from airflow_atscale_aggs.engine.lifecycle.conformance.check_star import read_rows
from airflow_atscale_aggs.engine.lifecycle.conformance.scratch import Scratch, quietly_dropped
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse
from tests.support.stars.tiny_star import run_sql


def test_a_schema_with_something_in_it_is_refused_and_stays(context: CheckContext) -> None:
    run_sql(context.workspace, "CREATE SCHEMA mine", "CREATE TABLE mine.precious AS SELECT 1 AS a")

    with pytest.raises(WarehouseError, match=r"duckdb: schema `mine` is not empty \(precious\).*--schema"):
        Scratch(context.scratch.warehouse, "mine").open()
    with context.workspace.warehouse.session() as session:
        assert session.tables("mine") == {"precious"}


@pytest.mark.parametrize("is_there", [False, True])
def test_a_schema_is_dropped_only_by_who_made_it(context: CheckContext, is_there: bool) -> None:
    if is_there:
        run_sql(context.workspace, "CREATE SCHEMA other")
    scratch = Scratch(context.scratch.warehouse, "other")
    scratch.open()
    scratch.load("check_day", read_rows("check_day"))

    assert scratch.drop_all(context.workspace) == []
    with scratch.warehouse.session() as session:
        assert session.tables("other") == frozenset()
        assert session.has_schema("other") is is_there


def test_all_that_was_built_goes(built: CheckContext) -> None:
    assert quietly_dropped(built.scratch, built.workspace) == []
    with built.scratch.warehouse.session() as session:
        assert not session.has_schema("scratch")


def test_what_somebody_else_makes_meanwhile_stays_and_is_told(context: CheckContext) -> None:
    context.scratch.load("check_day", read_rows("check_day"))
    run_sql(context.workspace, "CREATE TABLE scratch.precious AS SELECT 1 AS a")

    assert context.scratch.drop_all(context.workspace) == [
        "Schema `scratch` stays: it holds `precious`, which the check has not made."
    ]
    with context.scratch.warehouse.session() as session:
        assert session.tables("scratch") == {"precious"}


@pytest.mark.postgres
def test_what_cannot_be_dropped_is_told(context: CheckContext, postgres_url: str) -> None:
    """Somebody has made a view on a table of the check's."""
    scratch = Scratch(open_warehouse(postgres_url), "scratch")
    scratch.open()
    scratch.load("check_day", read_rows("check_day"))
    with scratch.warehouse.session() as session:
        session.execute("CREATE VIEW public.mine AS SELECT * FROM scratch.check_day")

    (sentence,) = scratch.drop_all(context.workspace)

    assert sentence.startswith("`check_day` could not be dropped: ")
    assert "view mine depends on table scratch.check_day" in sentence
    scratch.warehouse.close()


def test_rows_are_added_to_a_table(context: CheckContext) -> None:
    context.scratch.load("check_day", read_rows("check_day"))
    context.scratch.append("check_day", read_rows("check_day"))

    with context.scratch.warehouse.session() as session:
        assert session.fetch_all("SELECT COUNT(*) FROM scratch.check_day") == [(22,)]
