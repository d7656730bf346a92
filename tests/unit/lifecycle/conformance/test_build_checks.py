"""Tests for the checks of tables, aggregates and queries: what does not work is found."""

from __future__ import annotations

from dataclasses import replace

from airflow_atscale_aggs.engine.lifecycle.conformance.build_checks import (
    check_aggregates,
    check_comparison,
    check_meaning,
    check_queries,
    check_tables,
)
from airflow_atscale_aggs.engine.lifecycle.conformance.capability import Verdict
from airflow_atscale_aggs.engine.lifecycle.conformance.check_context import CheckContext
from airflow_atscale_aggs.engine.lifecycle.conformance.check_star import StarRows
from airflow_atscale_aggs.engine.settings import Settings
from tests.support.stars.tiny_star import run_sql


def test_duckdb_means_what_it_should(context: CheckContext) -> None:
    (found,) = check_meaning(context)

    assert (found.verdict, found.detail) == (Verdict.WORKS, "18 questions, all answered as they should")


def test_a_difference_that_the_row_knows_is_told_and_another_one_fails(context: CheckContext) -> None:
    run_sql(context.workspace, "SET GLOBAL default_collation = 'nocase'")
    (known,) = check_meaning(context)
    warehouse = context.scratch.warehouse
    warehouse.dialect = replace(warehouse.dialect, differences={})
    (unknown,) = check_meaning(context)

    assert (known.verdict, "default_collation" in known.detail) == (Verdict.DIFFERS, True)
    assert unknown.verdict is Verdict.FAILS
    assert unknown.detail.startswith("It is not so that texts that differ in case only are different.")


def test_rows_come_back_as_they_were(context: CheckContext) -> None:
    (found,) = check_tables(context)

    assert (found.verdict, found.detail) == (Verdict.WORKS, "4 tables with 116 rows")


def test_a_warehouse_that_changes_rows_is_found(context: CheckContext) -> None:
    scratch = context.scratch
    load = scratch.load

    def spoil(name: str, rows: StarRows) -> None:
        load(name, rows)
        if name == "check_shop":
            run_sql(context.workspace, "UPDATE scratch.check_shop SET city = RTRIM(city)")

    scratch.load = spoil  # type: ignore[method-assign]
    (found,) = check_tables(context)

    assert found.verdict is Verdict.FAILS
    assert found.detail.startswith("Rows of check_shop do not come back as they were: ")


def test_each_kind_of_aggregate_is_built(context: CheckContext) -> None:
    check_tables(context)
    found = {capability.name: capability for capability in check_aggregates(context)}

    assert found["aggregates made from other aggregates"].detail == (
        "by_month_and_city (34 rows), by_month (8 rows), by_city (7 rows)"
    )
    for kind in ("distinct counts", "percentiles"):
        sketches = found.pop(f"sketches of {kind}")
        assert (sketches.verdict, "read the facts" in sketches.detail) == (Verdict.DIFFERS, True)
    assert {capability.verdict for capability in found.values()} == {Verdict.WORKS}


def test_an_aggregate_that_is_not_built_is_told_with_its_reason(context: CheckContext) -> None:
    """A column whose numbers have become texts."""
    check_tables(context)
    settings = Settings().with_values({"aggregates.batch.retry.maxAttemptsPerAggregate": "1"})
    context.workspace = replace(context.workspace, settings=settings)
    run_sql(context.workspace, "ALTER TABLE scratch.check_sale ALTER quantity TYPE VARCHAR")
    found = {capability.name: capability for capability in check_aggregates(context)}

    assert found["exact distinct counts"].verdict is Verdict.FAILS
    assert "quantity" in found["exact distinct counts"].detail


def test_the_comparison_agrees_and_sees_a_spoiled_table(built: CheckContext) -> None:
    (found,) = check_comparison(built)

    assert (found.verdict, found.detail) == (
        Verdict.WORKS,
        "7 aggregates, group by group; one with rows that are there twice is noticed",
    )


def test_an_aggregate_that_differs_is_found_by_the_comparison_and_by_the_queries(built: CheckContext) -> None:
    (table,) = (row.table for row in built.workspace.read.instances.find() if row.step.aggregate == "by_city")
    run_sql(built.workspace, f"UPDATE scratch.\"{table}\" SET sum_amount = sum_amount + 1 WHERE city = 'Bern'")
    from_aggregates, from_facts = check_queries(built)
    (comparison,) = check_comparison(built)

    assert (from_aggregates.verdict, from_facts.verdict) == (Verdict.FAILS, Verdict.WORKS)
    assert "`a quotient of sums keeps its digits`: ('Bern', 1.55571428571) instead of" in from_aggregates.detail
    assert comparison.verdict is Verdict.FAILS
    assert comparison.detail.startswith("`by_city` ")


def test_all_stored_queries_are_answered(built: CheckContext) -> None:
    assert [(found.verdict, found.detail) for found in check_queries(built)] == [
        (Verdict.WORKS, "42 queries, their answers as they are stored")
    ] * 2
