"""What functions around metrics measure."""

from __future__ import annotations

import pytest
import sqlglot
from sqlglot import exp

from airflow_atscale_aggs.engine.model.semantic_model import Metric
from airflow_atscale_aggs.engine.rewriting.parse.aggregate_calls import branches_of, method_of


@pytest.mark.parametrize(
    ("own", "function", "method"),
    [
        ("sum", "SUM(x)", ""),
        ("sum", "AVG(x)", "average"),
        ("sum", "MIN(x)", "minimum"),
        ("sum", "COUNT(x)", "count non-null"),
        ("sum", "COUNT(DISTINCT x)", "count distinct"),
        ("sum", "SUM(DISTINCT x)", "sum distinct"),
        ("sum", "STDDEV(x)", "stddev_samp"),
        ("sum", "AVG(DISTINCT x)", None),
        ("average", "AVG(x)", ""),
        ("average", "SUM(x)", ""),
        ("average", "MAX(x)", "maximum"),
        ("minimum", "MIN(x)", ""),
        ("minimum", "MIN(DISTINCT x)", ""),
        ("minimum", "AVG(x)", ""),
        ("minimum", "STDDEV(x)", None),
        ("count distinct", "COUNT(DISTINCT x)", ""),
        ("count distinct", "SUM(x)", ""),
        ("count distinct", "MAX(x)", ""),
        ("count distinct", "STDDEV(x)", None),
        ("var_pop", "SUM(x)", ""),
        ("var_pop", "COUNT(x)", None),
    ],
)
def test_a_function_measures_a_metric(own: str, function: str, method: str | None) -> None:
    """The metric as it is (empty), its column by another method, or nothing."""
    metric = Metric(name="x", label="x", calculation_method=own, dataset="t", column="c")
    call = sqlglot.parse_one(function, read="postgres")

    assert method_of(call, metric, is_distinct=isinstance(call.this, exp.Distinct)) == method


@pytest.mark.parametrize(
    ("value", "branches"),
    [
        ("m", ["always: m"]),
        ("CASE WHEN a THEN m END", ["a: m", "CASE WHEN a THEN 1 ELSE 0 END = 0: NULL"]),
        (
            "CASE k WHEN 1 THEN m ELSE 0 END",
            ["k = 1: m", "CASE WHEN k = 1 THEN 1 ELSE 0 END = 0: 0"],
        ),
        (
            "CASE WHEN a THEN m WHEN b THEN n END",
            [
                "a: m",
                "CASE WHEN a THEN 1 WHEN b THEN 2 ELSE 0 END = 2: n",
                "CASE WHEN a THEN 1 WHEN b THEN 2 ELSE 0 END = 0: NULL",
            ],
        ),
        (
            "CASE WHEN a THEN CASE WHEN b THEN m ELSE 1 END ELSE 0 END",
            [
                "a AND b: m",
                "a AND (CASE WHEN b THEN 1 ELSE 0 END = 0): 1",
                "CASE WHEN a THEN 1 ELSE 0 END = 0: 0",
            ],
        ),
        (
            "m * CASE WHEN a THEN 1 ELSE 0 END",
            ["a: 1 * m", "CASE WHEN a THEN 1 ELSE 0 END = 0: 0 * m"],
        ),
    ],
)
def test_branches_exclude_each_other(value: str, branches: list[str]) -> None:
    """A test that is NULL is not met, and the next branch is tried."""
    found = branches_of(sqlglot.parse_one(value, read="postgres"))

    assert [f"{one.condition.sql() if one.condition else 'always'}: {one.value.sql()}" for one in found] == branches
