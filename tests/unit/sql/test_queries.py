"""The SELECT of an aggregate from its facts, run on rows with NULLs, repetitions and keys that lead nowhere."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_atscale_aggs.engine.aggregates.indicator import IndicatorKind, RowRange
from airflow_atscale_aggs.engine.aggregates.measures import row_count
from airflow_atscale_aggs.engine.errors import NotMeasurableError, UnsupportedMetricError
from airflow_atscale_aggs.engine.sql.dialects import DIALECTS, find_dialect
from airflow_atscale_aggs.engine.sql.fact_joins import ProvenConstraints
from airflow_atscale_aggs.engine.sql.queries import measure_expression, select_from_fact
from airflow_atscale_aggs.engine.sql.statements import render
from tests.support.stars.small_star import CITY, SmallStar, attribute, described_sources, measures, part


def test_null_orphan_and_nameless_stay_apart(star: SmallStar) -> None:
    star.add("sales", "shop_id amount", "1, 1", "2, 2", "3, 4", "99, 8", "NULL, 16")
    star.add("shop", "shop_id city:varchar", "1, 'N'", "2, 'N'", "3, NULL", "NULL, 'never met'")

    assert star.from_facts(part(CITY)) == [("N", 1, 2, 3), (None, 0, 2, 24), (None, 1, 1, 4)]


def test_an_aggregate_of_no_attributes_has_one_row_even_over_nothing(star: SmallStar) -> None:
    star.add("sales", "shop_id amount")

    assert star.from_facts(part()) == [(0, None)]


def test_only_the_fact_rows_of_a_range_are_read(star: SmallStar) -> None:
    """The lower bound is left out, the upper one is in; rows without an indicator are in no range."""
    star.add("sales", "number amount", "1, 1", "2, 2", "3, 4", "4, 8", "NULL, 16")
    sources = star.sources()
    rows = RowRange(column="number", kind=IndicatorKind.INTEGER, after=1, through=3)

    select = select_from_fact(part(), sources, ProvenConstraints(), (rows,))

    assert star.rows(select) == [(2, 6)]


@pytest.mark.parametrize("constant", ["'All'", "1", "NULL", "7.5"])
def test_a_constant_attribute_is_one_group(star: SmallStar, constant: str) -> None:
    """GROUP BY would take 1 for a position and refuse a text on PostgreSQL."""
    star.add("sales", "shop_id amount", "1, 1", "2, 2", calculated={"everything": constant})
    star.add("shop", "shop_id city:varchar", "1, 'N'")
    whole = attribute("everything", "sales", "everything", "everything")

    assert [row[1:] for row in star.from_facts(part(whole))] == [(2, 3)]
    assert [row[1:] for row in star.from_facts(part(whole, CITY))] == [("N", 1, 1, 1), (None, 0, 1, 2)]
    assert star.derived(part(whole), part(whole, CITY)) == star.from_facts(part(whole))

    star.run("DELETE FROM sales")

    assert star.from_facts(part(whole)) == []


@pytest.mark.parametrize(
    ("function", "of_rows", "of_nulls"),
    [
        ("sum", 8, None),
        ("count", 4, 0),
        ("minimum", -1, None),
        ("maximum", 5, None),
        ("count_distinct", 3, 0),
        ("sum_distinct", 6, None),
        # The mean of -1, 2, 2, 5 is 2; the squared distances from it are 9, 0, 0, 9.
        ("centered_squares", 18.0, None),
    ],
)
def test_what_each_measure_makes_of_nulls_and_repetitions(
    star: SmallStar, function: str, of_rows: Any, of_nulls: Any
) -> None:
    star.add("sales", "kind amount", "1, -1", "1, 2", "1, 2", "1, 5", "1, NULL", "2, NULL")
    kind = attribute("kind", "sales", "kind", "kind")

    rows = star.from_facts(part(kind, measures=measures(function)))

    by_kind = {row[0]: sorted(row[1:], key=str) for row in rows}
    assert by_kind == {1: sorted([5, of_rows], key=str), 2: sorted([1, of_nulls], key=str)}


@pytest.mark.parametrize(
    ("dialect", "kind", "function", "expected"),
    [
        ("duckdb", "integer", "sum", 'SUM("f"."amount")'),
        ("tsql", "smallint", "sum_distinct", "SUM(DISTINCT CAST([f].[amount] AS BIGINT))"),
        ("tsql", "decimal(9,2)", "sum", "SUM([f].[amount])"),
        ("duckdb", "decimal(9,2)", "sum", 'SUM("f"."amount")'),
        ("duckdb", "float", "sum", 'SUM(CAST("f"."amount" AS DOUBLE))'),
        ("postgres", "real", "sum", 'SUM(CAST("f"."amount" AS DOUBLE PRECISION))'),
        ("tsql", "int", "sum", "SUM(CAST([f].[amount] AS BIGINT))"),
        ("tsql", "bigint", "count", "COUNT_BIG([f].[amount])"),
        ("duckdb", "integer", "count_distinct", 'COUNT(DISTINCT "f"."amount")'),
        ("duckdb", "integer", "minimum", 'MIN("f"."amount")'),
        (
            "postgres",
            "integer",
            "centered_squares",
            'VAR_POP(CAST("f"."amount" AS DOUBLE PRECISION)) * COUNT("f"."amount")',
        ),
        ("tsql", "int", "centered_squares", "VARP(CAST([f].[amount] AS FLOAT)) * COUNT([f].[amount])"),
        ("snowflake", "number", "distinct_sketch", 'HLL_ACCUMULATE("f"."amount")'),
        ("trino", "double", "percentile_sketch", 'TDIGEST_AGG("f"."amount")'),
        ("spark", "bigint", "sum", "CAST(SUM(CAST(`f`.`amount` AS DECIMAL(38, 0))) AS BIGINT)"),
        ("spark", "int", "sum", "SUM(`f`.`amount`)"),
        ("databricks", "bigint", "sum", "SUM(`f`.`amount`)"),
        (
            "spark",
            "bigint",
            "sum_distinct",
            "CAST(SUM(DISTINCT CAST(`f`.`amount` AS DECIMAL(38, 0))) AS BIGINT)",
        ),
    ],
)
def test_how_a_measure_is_said(dialect: str, kind: str, function: str, expected: str) -> None:
    """Sums are made in a type that is wide enough, whatever the warehouse's own SUM would do."""
    source = described_sources(dialect, sales=f"amount {kind}")["sales"]
    (measure,) = measures(function)

    assert render(measure_expression(measure, source, "f"), source.dialect) == expected


@pytest.mark.parametrize(
    ("function", "kind", "words"),
    [
        ("sum", "varchar", r"column `amount` of dataset `sales` is measured, but it holds texts \(varchar\).*`sum`"),
        ("sum_distinct", "date", r"dates or times \(date\).*`sum distinct`.*Correct the metric's column"),
        ("centered_squares", "uuid", r"no `var_pop` of its type \(uuid\)"),
        ("sum", "interval", r"no `sum` of its type \(interval\)"),
    ],
)
def test_what_no_warehouse_can_measure_is_refused_by_name(function: str, kind: str, words: str) -> None:
    source = described_sources("duckdb", sales=f"amount {kind}")["sales"]
    (measure,) = measures(function)

    with pytest.raises(NotMeasurableError, match=words):
        measure_expression(measure, source, "f")


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("distinct_sketch", r"`estimated count distinct` of sales.amount cannot be stored on duckdb.*exact"),
        ("percentile_sketch", r"`percentile` of sales.amount cannot be stored on duckdb.*Leave the metric out"),
    ],
)
def test_a_sketch_that_the_dialect_cannot_store_is_refused_by_name(function: str, words: str) -> None:
    sources = described_sources("duckdb", sales="amount integer")

    with pytest.raises(UnsupportedMetricError, match=words):
        select_from_fact(part(measures=measures(function)), sources, ProvenConstraints())


@pytest.mark.parametrize("name", [name for name, row in DIALECTS.items() if row.distinct_sketch])
def test_a_sketch_is_made_where_the_dialect_has_one(name: str) -> None:
    sketch = measures("distinct_sketch")
    functions = find_dialect(name).distinct_sketch

    select = select_from_fact(
        part(measures=sketch), described_sources(name, sales="amount integer"), ProvenConstraints()
    )

    assert functions is not None
    assert f"{functions.make}(" in render(select, find_dialect(name))


def test_a_column_that_is_only_counted_may_be_of_any_type(star: SmallStar) -> None:
    star.add("sales", "amount:uuid", "NULL", "'00000000-0000-0000-0000-000000000001'")

    assert star.from_facts(part(measures=measures("count count_distinct"))) == [(1, 1, 2)]


@pytest.mark.parametrize(("dialect", "expected"), [("duckdb", "COUNT(*)"), ("tsql", "COUNT_BIG(*)")])
def test_rows_are_counted_without_a_column(dialect: str, expected: str) -> None:
    """SQL Server's COUNT would overflow at 32 bits."""
    source = described_sources(dialect, sales="amount integer")["sales"]

    assert render(measure_expression(row_count("sales"), source, "f"), source.dialect) == expected
