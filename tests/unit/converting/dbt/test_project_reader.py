"""A manifest and the YAML of a project say the same; what is wrong in them is a sentence with its place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_atscale_aggs.engine.converting.dbt.project_reader import read_manifest, read_project
from airflow_atscale_aggs.engine.errors import ModelFileError

_ORDERS = b"""\
semantic_models:
  - name: orders
    model: ref('fct_orders')
    defaults: {agg_time_dimension: ordered_at}
    entities:
      - {name: order, type: primary, expr: order_id}
      - {name: customer, type: foreign}
    dimensions:
      - {name: ordered_at, type: time, type_params: {time_granularity: day}}
    measures:
      - {name: amount, agg: sum, create_metric: true}
metrics:
  - name: week
    type: cumulative
    filter: [a, b]
    type_params: {measure: {name: amount, fill_nulls_with: 0}, cumulative_type_params: {window: 7 days}}
"""


def _manifest(**metric: Any) -> bytes:
    table = {
        "name": "orders",
        "node_relation": {"alias": "fct_orders", "schema_name": "mart", "database": "db"},
        "entities": [{"name": "order", "type": "primary", "expr": None}],
        "metadata": {"file_slice": {"filename": "models/orders.yml", "start_line_number": 7}},
    }
    spine = {
        "node_relation": {"alias": "days", "schema_name": "mart"},
        "primary_column": {"name": "day", "time_granularity": "day"},
    }
    document = {"semantic_models": [table], "metrics": [metric], "project_configuration": {"time_spines": [spine]}}
    return json.dumps(document).encode()


def test_a_project_is_read() -> None:
    project = read_project({"m/orders.yml": _ORDERS, "other.yml": b"just: text"}, "shop", ".")

    (table,), (metric,) = project.tables, project.metrics
    assert (table.table, table.primary_entity, table.where) == ("fct_orders", "order", "m/orders.yml:2")
    assert [(entity.name, entity.sql) for entity in table.entities] == [("order", "order_id"), ("customer", "customer")]
    assert (table.measures[0].time, table.measures[0].makes_metric) == ("ordered_at", True)
    assert (metric.window, metric.filters) == ("7 days", ("a", "b"))
    assert metric.measure is not None
    assert metric.measure.fill == "0"


def test_a_manifest_is_read() -> None:
    metric = {
        "name": "revenue",
        "type": "simple",
        "filter": {"where_filters": [{"where_sql_template": "x = 1"}]},
        "type_params": {
            "metric_aggregation_params": {"semantic_model": "orders", "agg": "sum", "agg_time_dimension": "at"},
            "expr": "a + b",
        },
    }
    project = read_manifest(_manifest(**metric), "target/semantic_manifest.json", "shop")

    (table,), (read,), (spine,) = project.tables, project.metrics, project.spines
    assert (table.database, table.schema, table.where) == ("db", "mart", "models/orders.yml:7")
    assert read.filters == ("x = 1",)
    assert read.own is not None
    assert (read.own[0], read.own[1].sql, read.own[1].agg, read.own[1].time) == ("orders", "a + b", "sum", "at")
    assert (spine.table, spine.column, spine.grain) == ("days", "day", "day")


def test_the_older_time_spine_is_read() -> None:
    document = json.loads(_manifest(name="m", type="simple"))
    document["project_configuration"] = {
        "time_spine_table_configurations": [{"location": '"db"."mart"."days"', "column_name": "ds", "grain": "DAY"}]
    }
    (spine,) = read_manifest(json.dumps(document).encode(), "m.json", "shop").spines

    assert (spine.database, spine.schema, spine.table, spine.column) == ("db", "mart", "days", "ds")


def test_a_window_of_a_manifest_is_count_and_granularity() -> None:
    window = {"count": 7, "granularity": "day"}
    metric = {"name": "w", "type": "cumulative", "type_params": {"cumulative_type_params": {"window": window}}}

    assert read_manifest(_manifest(**metric), "m.json", "shop").metrics[0].window == "7 day"


def test_a_time_spine_of_a_project_is_a_model() -> None:
    text = (
        b"models:\n  - name: days\n    time_spine: {standard_granularity_column: d}\n"
        b"    columns: [{name: d, granularity: day}]\n"
    )

    (spine,) = read_project({"a.yml": _ORDERS, "b.yml": text}, "shop", ".").spines
    assert (spine.table, spine.column, spine.where) == ("days", "d", "b.yml:3")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("semantic_models: [{model: ref('a')}]", "x.yml:1: `name` is missing"),
        ("semantic_models: [{name: a}]", "x.yml:1: `model` of semantic model `a` must be a ref"),
        ("semantic_models: a", "x.yml:1: `semantic_models` must be a list, not `a`"),
        (
            "semantic_models:\n- {name: a, model: ref('a'),\n   entities: [{name: e}]}",
            "x.yml:3: `type` of entity `e` is missing",
        ),
        (
            "semantic_models:\n- {name: a, model: ref('a'),\n   entities: [{name: e, type: forein}]}",
            "x.yml:3: `type` is `forein`, none of primary, unique, natural, foreign. Did you mean `foreign`?",
        ),
        (
            "semantic_models:\n- {name: a, model: ref('a'),\n   dimensions: [{name: d, type: time}]}",
            "x.yml:3: time dimension `d` has no `time_granularity`",
        ),
        ("models:\n  - name: a\n    semantic_model: {name: b}", "x.yml:2: the semantic model stands inside the model"),
        ("metrics: []", ".: no file below this folder has `semantic_models`"),
        ("semantic_models: [", "x.yml:2: this is not valid YAML"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ModelFileError) as error:
        read_project({"x.yml": text.encode()}, "shop", ".")
    assert str(error.value).startswith(message)


def test_another_json_is_no_manifest() -> None:
    with pytest.raises(ModelFileError, match="this is no semantic manifest of dbt"):
        read_manifest(b'{"nodes": {}}', "manifest.json", "shop")
