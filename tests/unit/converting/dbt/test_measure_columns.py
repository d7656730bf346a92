"""Aggregations become columns and methods as MetricFlow means them."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_atscale_aggs.engine.converting.dbt.measure_columns import MeasureError, measure_column
from airflow_atscale_aggs.engine.converting.dbt.semantic_project import Measure


def _measure(agg: str, sql: str = "x", **more: Any) -> Measure:
    return Measure(name="m", agg=agg, sql=sql, time="", where="", **more)


@pytest.mark.parametrize(
    ("measure", "condition", "sql", "method"),
    [
        (_measure("sum"), "", "x", "sum"),
        (_measure("sum"), "a = 1", "CASE WHEN a = 1 THEN x END", "sum"),
        (_measure("count"), "", "CASE WHEN x IS NOT NULL THEN 1 ELSE 0 END", "sum"),
        (_measure("count", "1"), "", "1", "sum"),
        (_measure("count", "1"), "a", "CASE WHEN a THEN (1) END", "sum"),
        (_measure("count_distinct", "x + y"), "a", "CASE WHEN a THEN (x + y) END", "count distinct"),
        (_measure("sum_boolean", "x or y"), "", "CASE WHEN (x or y) THEN 1 ELSE 0 END", "sum"),
        (_measure("average"), "", "x", "average"),
        (_measure("min"), "", "x", "minimum"),
        (_measure("max"), "", "x", "maximum"),
        (_measure("median"), "", "x", "percentile"),
    ],
)
def test_columns_and_methods(measure: Measure, condition: str, sql: str, method: str) -> None:
    column = measure_column(measure, condition)

    assert (column.sql, column.properties["calculation_method"]) == (sql, method)


def test_a_percentile_has_a_name_of_its_own() -> None:
    column = measure_column(_measure("percentile", percentile="0.90"), "")

    assert (column.properties["custom_quantiles"], column.suffix) == ([0.9], "_instance_0.9")
    assert measure_column(_measure("percentile", percentile="0.5"), "").suffix == ""


@pytest.mark.parametrize(
    "measure",
    [
        _measure("geometric_mean"),
        _measure(""),
        _measure("percentile", percentile="0.9", is_discrete=True),
        _measure("percentile", percentile="90"),
        _measure("percentile", percentile="nan"),
        _measure("percentile"),
    ],
    ids=["unknown", "none", "discrete", "too large", "no number", "missing"],
)
def test_what_sml_has_not_is_refused(measure: Measure) -> None:
    with pytest.raises(MeasureError):
        measure_column(measure, "")
