"""Exact quantiles in every dialect that has them; the others say so."""

from __future__ import annotations

import pytest
import sqlglot

from airflow_atscale_aggs.engine.errors import UnsupportedMetricError
from airflow_atscale_aggs.engine.sql.dialects import DIALECTS, Dialect
from airflow_atscale_aggs.engine.sql.exact_quantiles import quantile_of
from airflow_atscale_aggs.engine.sql.quoting import column_of
from airflow_atscale_aggs.engine.sql.statements import render

_SAID = {
    "duckdb": 'SELECT QUANTILE_CONT(CAST("t"."x" AS DOUBLE), 0.25 ORDER BY CAST("t"."x" AS DOUBLE))',
    "postgres": 'SELECT PERCENTILE_CONT(0.25) WITHIN GROUP (ORDER BY CAST("t"."x" AS DOUBLE PRECISION))',
    "redshift": 'SELECT PERCENTILE_CONT(0.25) WITHIN GROUP (ORDER BY CAST("t"."x" AS DOUBLE PRECISION))',
    "snowflake": 'SELECT PERCENTILE_CONT(0.25) WITHIN GROUP (ORDER BY CAST("t"."x" AS DOUBLE))',
    "databricks": "SELECT PERCENTILE(CAST(`t`.`x` AS DOUBLE), 0.25)",
    "spark": "SELECT PERCENTILE(CAST(`t`.`x` AS DOUBLE), 0.25)",
}


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_a_quantile_is_exact_or_refused(dialect: Dialect) -> None:
    """Never APPROX_ anything: an estimate is another number."""
    if dialect.name not in _SAID:
        with pytest.raises(UnsupportedMetricError, match=f"{dialect.name} has no exact quantile"):
            quantile_of(column_of("x", "t"), "0.25", dialect)
        return

    text = render(sqlglot.exp.select(quantile_of(column_of("x", "t"), "0.25", dialect)), dialect)

    assert text == _SAID[dialect.name]
    assert render(sqlglot.parse_one(text, read=dialect.sqlglot_name), dialect) == text
