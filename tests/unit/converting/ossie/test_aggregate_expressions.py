"""Each aggregate of an expression is found with its dataset, its column and its method."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.converting.expression_mdx import ExpressionError
from airflow_atscale_aggs.engine.converting.ossie.aggregate_expressions import split_aggregates
from airflow_atscale_aggs.engine.converting.ossie.ossie_model import Field, OssieDataset, OssieModel


def _dataset(name: str, **fields: str) -> OssieDataset:
    made = tuple(Field(name=field, sql=sql, is_attribute=True, where="") for field, sql in fields.items())
    return OssieDataset(name=name, source=name, keys=(), fields=made, where="")


_MODEL = OssieModel(
    name="m",
    datasets=(
        _dataset("orders", amount="net + tax", state="state", id="id", odd=""),
        _dataset("customers", id="id", age="age"),
    ),
    relationships=(),
    metrics=(),
)


@pytest.mark.parametrize(
    ("sql", "column", "method"),
    [
        ("SUM(orders.amount)", "(net + tax)", "sum"),
        ("sum(Orders.Amount)", "(net + tax)", "sum"),
        ("COUNT(DISTINCT customers.id)", "id", "count distinct"),
        ("SUM(DISTINCT age)", "age", "sum distinct"),
        ("COUNT(age)", "age", "count non-null"),
        ("AVG(CASE WHEN state = 'x' THEN amount END)", "CASE WHEN state = 'x' THEN (net + tax) END", "average"),
        ("SUM(amount) FILTER (WHERE state = 'x')", "CASE WHEN state = 'x' THEN (net + tax) END", "sum"),
        ("MEDIAN(age)", "age", "percentile"),
        ("PERCENTILE_CONT(0.9) WITHIN GROUP (ORDER BY age)", "age", "percentile"),
        ("STDDEV(age)", "age", "stddev_samp"),
        ("VAR_POP(age)", "age", "var_pop"),
        ("APPROX_COUNT_DISTINCT(age)", "age", "estimated count distinct"),
        ("MIN(orders.raw_column)", "raw_column", "minimum"),
    ],
)
def test_one_aggregate(sql: str, column: str, method: str) -> None:
    _, (aggregate,) = split_aggregates(sql, _MODEL)

    assert (aggregate.sql, aggregate.properties["calculation_method"]) == (column, method)


def test_what_stands_around_aggregates_is_kept() -> None:
    rest, aggregates = split_aggregates("SUM(amount) / NULLIF(COUNT(DISTINCT customers.id), 0)", _MODEL)

    assert rest.sql() == '"#0" / NULLIF("#1", 0)'
    assert [aggregate.dataset.name for aggregate in aggregates] == ["orders", "customers"]


@pytest.mark.parametrize(
    "sql",
    [
        "1 + 2",
        "orders.amount",
        "SUM(orders.amount * customers.age)",
        "SUM(id)",
        "SUM(nobody.x)",
        "SUM(unknown)",
        "SUM(orders.odd)",
        "COUNT(*)",
        "SUM(age) OVER (ORDER BY age)",
        "PERCENTILE_DISC(0.5) WITHIN GROUP (ORDER BY age)",
        "PERCENTILE_CONT(2) WITHIN GROUP (ORDER BY age)",
        "PERCENTILE_CONT(0.2) WITHIN GROUP (ORDER BY age DESC)",
        "ARRAY_AGG(age)",
        "COUNT(DISTINCT age, amount)",
        "SUM(",
    ],
)
def test_what_is_no_metric_of_sml_is_refused(sql: str) -> None:
    with pytest.raises(ExpressionError):
        split_aggregates(sql, _MODEL)
