"""Exact quantiles in every dialect that has them; the others say so."""

from __future__ import annotations

import pytest
import sqlglot

from airflow_atscale_aggs.engine.errors import UnsupportedMetricError
from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.sql.dialects import DIALECTS
from airflow_atscale_aggs.engine.sql.exact_quantiles import quantile_of
from airflow_atscale_aggs.engine.sql.quoting import column_of
from airflow_atscale_aggs.engine.sql.statements import render
from tests.support.stars.small_star import DUCKDB, SmallStar

_TEXTS = {
    "duckdb": 'SELECT QUANTILE_CONT(CAST("t"."x" AS DOUBLE), 0.25 ORDER BY CAST("t"."x" AS DOUBLE))',
    "postgres": 'SELECT PERCENTILE_CONT(0.25) WITHIN GROUP (ORDER BY CAST("t"."x" AS DOUBLE PRECISION))',
    "clickhouse": """SELECT quantileExactInclusive(0.25)(toNullable(CAST("t"."x", 'Float64')))""",
    "redshift": 'SELECT PERCENTILE_CONT(0.25) WITHIN GROUP (ORDER BY CAST("t"."x" AS DOUBLE PRECISION))',
    "snowflake": 'SELECT PERCENTILE_CONT(0.25) WITHIN GROUP (ORDER BY CAST("t"."x" AS DOUBLE))',
    "databricks": "SELECT PERCENTILE(CAST(`t`.`x` AS DOUBLE), 0.25)",
    "spark": "SELECT PERCENTILE(CAST(`t`.`x` AS DOUBLE), 0.25)",
}


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_a_quantile_is_exact_or_refused(dialect: Dialect) -> None:
    """Never APPROX_ anything: an estimate is another number."""
    if dialect.name not in _TEXTS:
        with pytest.raises(UnsupportedMetricError, match=f"{dialect.name} has no exact quantile.*Leave the percentile"):
            quantile_of(column_of("x", "t"), "0.25", dialect)
        return

    text = render(sqlglot.exp.select(quantile_of(column_of("x", "t"), "0.25", dialect)), dialect)

    assert text == _TEXTS[dialect.name]
    assert render(sqlglot.parse_one(text, read=dialect.sqlglot_name), dialect) == text


@pytest.mark.parametrize(
    ("values", "quantile", "expected"),
    [
        ("(1), (2)", "0.5", 1.5),
        ("(4), (1), (3), (2)", "0.25", 1.75),
        ("(4), (NULL), (1), (3), (2)", "0.75", 3.25),
        ("(7), (7), (1)", "1", 7.0),
        ("(7), (7), (1)", "0", 1.0),
        ("(5)", "0.9", 5.0),
        ("(CAST(NULL AS INTEGER))", "0.5", None),
    ],
)
def test_a_quantile_lies_between_two_values(
    star: SmallStar, values: str, quantile: str, expected: float | None
) -> None:
    """The place of the quantile q in n sorted values is 1 + q (n - 1); NULLs are no values."""
    select = sqlglot.exp.select(quantile_of(column_of("x", "t"), quantile, DUCKDB))

    assert star.rows(f"{render(select, DUCKDB)} FROM (VALUES {values}) AS t(x)") == [(expected,)]
