"""A project becomes one folder, the same each time; everything that is not there is told."""

from __future__ import annotations

from airflow_atscale_aggs.engine.converting.converted import Converted
from airflow_atscale_aggs.engine.converting.dbt.convert_dbt import convert_dbt
from airflow_atscale_aggs.engine.converting.dbt.project_reader import read_project
from airflow_atscale_aggs.engine.converting.findings import Outcome

_TEXT = b"""\
semantic_models:
  - name: orders
    model: ref('orders')
    entities: [{name: order, type: primary}]
    measures: [{name: amount, agg: sum, create_metric: true}]
  - name: prices
    model: ref('prices')
    entities: [{name: product, type: natural}]
    dimensions: [{name: since, type: time, type_params: {time_granularity: day, validity_params: {is_start: true}}}]
saved_queries: [{name: all_orders, query_params: {metrics: [amount]}}]
"""


def _convert() -> Converted:
    return convert_dbt(read_project({"m.yml": _TEXT}, "shop", "."), model="shop", connection="dwh")


def test_the_folder_is_the_same_each_time() -> None:
    assert _convert().texts == _convert().texts
    assert {
        "catalog.yml",
        "connections/dwh.yml",
        "datasets/orders.yml",
        "metrics/amount.yml",
        "models/shop.yml",
    } <= set(_convert().texts)


def test_what_is_not_there_is_told() -> None:
    left_out = {(f.kind, f.name) for f in _convert().findings if f.outcome is Outcome.LEFT_OUT}

    assert left_out == {("entity", "prices.product"), ("semantic model", "prices"), ("saved query", "all_orders")}
