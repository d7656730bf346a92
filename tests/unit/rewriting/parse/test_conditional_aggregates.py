"""An aggregate over CASE is made of metrics under conditions and numbers of rows, with the values of plain SQL."""

from __future__ import annotations

from decimal import Decimal

import duckdb
import pytest

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from tests.support.oracles.spelled_queries import flat_rows, flat_sql, read_query, spell_column

_BIG = "\"Size\" = 'big'"
_NOT_BIG = f"CASE WHEN {_BIG} THEN 1 ELSE 0 END = 0"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (f'SUM(CASE WHEN {_BIG} THEN "Amount" END)', f"{{Amount where {_BIG}}}"),
        (
            f'SUM(CASE WHEN {_BIG} THEN "Amount" ELSE 0 END)',
            f"COALESCE({{Amount where {_BIG}}}, NULLIF({{rows of sales where {_NOT_BIG}}}, 0) * 0)",
        ),
        (f"COUNT(CASE WHEN {_BIG} THEN 1 END)", f"{{rows where {_BIG}}}"),
        (f'AVG(CASE WHEN {_BIG} THEN "Amount" END)', f"{{average of Amount where {_BIG}}}"),
        (
            f'COUNT(CASE WHEN {_BIG} THEN "Amount" ELSE 1 END)',
            f"{{count non-null of Amount where {_BIG}}} + {{rows of sales where {_NOT_BIG}}}",
        ),
        (
            f'COUNT(DISTINCT CASE WHEN {_BIG} THEN "Amount" END)',
            f"{{count distinct of Amount where {_BIG}}}",
        ),
        (f'SUM(CASE WHEN {_BIG} THEN "Customers" END)', f"{{Customers where {_BIG}}}"),
        (f'SUM(CASE WHEN {_BIG} THEN "Visitors" * 2 END)', f"{{Visitors where {_BIG}}} * 2"),
        (
            f'SUM(CASE WHEN {_BIG} THEN "Price" END)',
            f"(CAST({{Amount where {_BIG}}} AS DOUBLE PRECISION) / NULLIF({{Quantity where {_BIG}}}, 0))",
        ),
        (
            f'SUM(CASE WHEN {_BIG} THEN "Amount" END) FILTER (WHERE "City" = \'North\')',
            f"{{Amount where \"City\" = 'North' AND {_BIG}}}",
        ),
        (
            'SUM(CASE WHEN "Year" = 1 THEN "Amount" WHEN "Year" = 2 THEN "Amount" ELSE NULL END)',
            '{Amount where "Year" = 1 OR CASE WHEN "Year" = 1 THEN 1 WHEN "Year" = 2 THEN 2 ELSE 0 END = 2}',
        ),
        ('SUM(COALESCE("Amount", 0))', "COALESCE({Amount}, NULLIF({rows of sales}, 0) * 0)"),
        ('COUNT(COALESCE("Amount", 0))', "{rows of sales}"),
        (f'MAX(CASE WHEN {_BIG} THEN "City" END)', f'MAX(CASE WHEN {_BIG} THEN "City" END)'),
        ('SUM("Amount" * -2)', "{Amount} * -2"),
        ("MAX(3)", "CASE WHEN {rows} > 0 THEN 3 END"),
    ],
)
def test_a_branch_is_a_metric_under_its_condition_or_a_number_of_rows(written: str, read: str) -> None:
    """Rows are those of the metrics' fact; branches without a metric may be attributes."""
    assert spell_column(written) == read


@pytest.mark.parametrize(
    "expression",
    [
        f'SUM(CASE WHEN {_BIG} THEN "Amount" END)',
        f'SUM(CASE WHEN {_BIG} THEN "Amount" ELSE 0 END)',
        f'SUM(CASE WHEN {_BIG} THEN "Amount" ELSE 0.5 END)',
        f'SUM(CASE WHEN {_BIG} THEN "Amount" ELSE "Quantity" END)',
        f'SUM(CASE WHEN {_BIG} THEN "Amount" * 2 ELSE -"Quantity" END)',
        f"SUM(CASE WHEN {_BIG} THEN 1 ELSE 0 END)",
        "SUM(CASE \"Size\" WHEN 'big' THEN 2 WHEN 'small' THEN -1 END)",
        f'SUM(CASE WHEN {_BIG} THEN "Amount" WHEN "Month" = \'Feb\' THEN "Amount" * 3 WHEN "Year" = 2 THEN 7 END)',
        f'SUM(CASE WHEN {_BIG} THEN CASE WHEN "Month" = \'Jan\' THEN "Amount" ELSE 1 END ELSE "Quantity" END)',
        f'SUM("Amount" * CASE WHEN {_BIG} THEN 1 ELSE 0 END)',
        f'SUM(CASE WHEN {_BIG} THEN "Amount" ELSE 0 END) FILTER (WHERE "Year" = 1)',
        'SUM(COALESCE("Amount", 0))',
        f'SUM(COALESCE(CASE WHEN {_BIG} THEN "Amount" END, 0))',
        f"COUNT(CASE WHEN {_BIG} THEN 1 END)",
        f'COUNT(CASE WHEN {_BIG} THEN "Amount" ELSE 0 END)',
        f'COUNT(CASE WHEN {_BIG} THEN "Amount" WHEN "Year" = 2 THEN "Quantity" END)',
        f'COUNT(DISTINCT CASE WHEN {_BIG} THEN "Amount" END)',
        f'MIN(CASE WHEN {_BIG} THEN "Amount" ELSE 0 END)',
        f'MAX(CASE WHEN {_BIG} THEN "Amount" ELSE 0 END)',
        f'MAX(CASE WHEN {_BIG} THEN "Amount" WHEN "Year" = 1 THEN "Quantity" ELSE 1 END)',
        f'AVG(CASE WHEN {_BIG} THEN "Amount" END)',
        f'AVG(CASE WHEN {_BIG} THEN "Amount" ELSE 0 END)',
        f'AVG(CASE WHEN {_BIG} THEN "Amount" WHEN "Year" = 1 THEN "Quantity" ELSE 3 END)',
        f'STDDEV_POP(CASE WHEN {_BIG} THEN "Amount" END)',
        f'SUM(DISTINCT CASE WHEN {_BIG} THEN "Amount" END)',
        'AVG(COALESCE("Amount", 0))',
        'COUNT(COALESCE("Amount", 0))',
        'MIN(COALESCE("Amount", 0))',
        'MAX(COALESCE("Amount", 0))',
        f'AVG(COALESCE(CASE WHEN {_BIG} THEN "Amount" ELSE 2 END, 0))',
        f"COUNT(COALESCE(CASE WHEN {_BIG} THEN 1 END, 0))",
        f'MIN(COALESCE(CASE WHEN {_BIG} THEN "Amount" WHEN "Year" = 1 THEN 4 END, 0))',
        f'MAX(COALESCE(CASE WHEN {_BIG} THEN "Amount" ELSE "Quantity" END, 0)) FILTER (WHERE "Year" = 1)',
        f"COUNT(DISTINCT CASE WHEN {_BIG} THEN 1 END)",
        f"MAX(CASE WHEN {_BIG} THEN 1 ELSE 2 END)",
        f'MIN(CASE WHEN {_BIG} THEN "Shop" ELSE "City" END)',
        f'COUNT(DISTINCT CASE WHEN {_BIG} THEN "Shop" END)',
    ],
)
@pytest.mark.parametrize("key", ['"City"', '"Month"', "1"])
def test_the_value_is_that_of_plain_sql_on_the_same_rows(
    sales: duckdb.DuckDBPyConnection, expression: str, key: str
) -> None:
    """The rows have NULLs in conditions and in metrics, duplicates, and groups of which no row meets a condition."""
    sql = f"SELECT {key} AS k, {expression} AS x FROM shop_star GROUP BY 1"

    assert _plain(flat_rows(sales, flat_sql(read_query(sql)))) == _plain(flat_rows(sales, sql))


def _plain(rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """With numbers that differ in nothing but their type and their last digits made equal."""
    plain = [
        tuple(round(float(value), 9) if isinstance(value, (int, float, Decimal)) else value for value in row)
        for row in rows
    ]
    return sorted(plain, key=repr)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        (
            f'COUNT(DISTINCT CASE WHEN {_BIG} THEN "Amount" ELSE "Quantity" END)',
            "distinct values of several branches are not those of their metrics",
        ),
        (
            f'STDDEV(CASE WHEN {_BIG} THEN "Amount" ELSE 0 END)',
            "only SUM, COUNT, MIN, MAX and AVG are answered over several branches",
        ),
        (
            f'SUM(CASE WHEN {_BIG} THEN "Lowest" ELSE 1 END)',
            "a metric that is no sum cannot be added to other branches",
        ),
        (
            f'SUM(CASE WHEN {_BIG} THEN "Amount" ELSE "Price" END)',
            "a metric that is no sum cannot be added to other branches",
        ),
        (f'AVG(CASE WHEN {_BIG} THEN "Lowest" ELSE 1 END)', "the average of a metric and other branches"),
        (f'AVG(CASE WHEN {_BIG} THEN "Price" ELSE 1 END)', "the average of a metric and other branches"),
        ('MAX("Amount" * 2)', "a metric that is no sum is multiplied by a number inside the function"),
        ('SUM("Mean" * 2)', "a metric that is no sum is multiplied by a number inside the function"),
        ('SUM(CASE WHEN "Amount" > 1 THEN 1 END)', "an aggregate's condition is on an aggregated value"),
        ('SUM(CASE WHEN "Year" = 1 THEN "Amount" + 1 END)', "it is no aggregate of the model"),
        ('SUM(COALESCE("Amount", 1))', "it is no aggregate of the model"),
        ('SUM(COALESCE("Amount", "Quantity"))', "it is no aggregate of the model"),
        ("AVG(1)", "it is no aggregate of the model"),
        ('COUNT(COALESCE("Customers", 0))', "the place of NULL in a metric that is no value of single rows"),
        ('MIN(COALESCE("Price", 0))', "the place of NULL in a metric that is no value of single rows"),
        ('COUNT(COALESCE("Lines", 0))', "the place of NULL in a metric that is no value of single rows"),
    ],
)
def test_what_the_branches_metrics_do_not_tell_is_refused(expression: str, reason: str) -> None:
    with pytest.raises(UnsupportedQueryError) as error:
        spell_column(expression)

    assert reason in error.value.reason
