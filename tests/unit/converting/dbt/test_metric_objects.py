"""Metrics are carried over, told with their differences, or left out with the reason."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.converting.converted import Converted
from airflow_atscale_aggs.engine.converting.dbt.convert_dbt import convert_dbt
from airflow_atscale_aggs.engine.converting.dbt.project_reader import read_project
from airflow_atscale_aggs.engine.converting.findings import Finding, Outcome
from airflow_atscale_aggs.engine.model.yaml_reader import read_yaml

_TABLES = """\
semantic_models:
  - name: orders
    model: ref('orders')
    defaults: {agg_time_dimension: at}
    entities: [{name: order, type: primary}, {name: customer, type: foreign}]
    dimensions:
      - {name: at, type: time, type_params: {time_granularity: day}}
      - {name: status, type: categorical}
    measures:
      - {name: amount, agg: sum}
      - {name: odd, agg: mode}
metrics:
  - {name: revenue, type: simple, type_params: {measure: amount}}
"""
_SPINE = (
    "models: [{name: days, time_spine: {standard_granularity_column: d}, columns: [{name: d, granularity: day}]}]\n"
)


def _convert(metrics: str, *, spine: str = "") -> Converted:
    texts = {"m.yml": f"{_TABLES}{metrics}".encode(), "s.yml": spine.encode()}
    return convert_dbt(read_project(texts, "shop", "."), model="shop", connection="warehouse")


def _finding(converted: Converted, name: str) -> Finding:
    return next(finding for finding in converted.findings if (finding.kind, finding.name) == ("metric", name))


@pytest.mark.parametrize(
    ("metric", "why"),
    [
        ("{name: x, type: simple, type_params: {measure: missing}}", "the measure `missing`, which does not exist"),
        ("{name: x, type: simple, type_params: {measure: odd}}", "its aggregation is `mode`"),
        ("{name: x, type: simpel, type_params: {measure: amount}}", "its type is `simpel`, none of simple"),
        ("{name: x, type: conversion}", "conversion metrics have no counterpart"),
        ("{name: x, type: ratio, type_params: {numerator: revenue}}", "a ratio needs a numerator and a denominator"),
        ("{name: x, type: ratio, type_params: {numerator: revenue, denominator: x}}", "it stands on itself"),
        ("{name: x, type: ratio, type_params: {numerator: revenue, denominator: no}}", "`no`, which does not exist"),
        ("{name: x, type: derived, type_params: {expr: revenue + 1}}", "`revenue`, which is none of its metrics"),
        ("{name: x, type: derived, type_params: {metrics: [{name: revenue}]}}", "it has no expression"),
        (
            "{name: x, type: derived, type_params: {expr: ln(revenue), metrics: [{name: revenue}]}}",
            "which MDX does not say here",
        ),
        (
            "{name: x, type: derived, type_params: {expr: revenue, metrics: [{name: revenue}, {name: revenue}]}}",
            "two of its metrics have one name",
        ),
        (
            (
                "{name: x, type: derived, type_params: "
                "{expr: r, metrics: [{name: revenue, alias: r, offset_to_grain: month}]}}"
            ),
            "it needs a time spine of days",
        ),
        (
            "{name: x, type: cumulative, type_params: {measure: amount, window: 7 days}}",
            "it needs a time spine of days",
        ),
        ("{name: x, type: cumulative, type_params: {measure: amount, window: 2 months}}", "not fixed"),
        ("{name: x, type: simple, type_params: {measure: {name: amount, fill_nulls_with: none}}}", "no whole number"),
        ("{name: x, type: simple, type_params: {measure: amount}, filter: \"{{ Dimension('a__b') }}\"}", "`a__b`"),
    ],
)
def test_what_is_left_out_has_a_reason(metric: str, why: str) -> None:
    converted = _convert(f"  - {metric}\n")

    finding = _finding(converted, "x")
    assert finding.outcome is Outcome.LEFT_OUT
    assert why in finding.why
    assert "x" not in {read_yaml(text)["unique_name"] for text in converted.texts.values()}
    assert _finding(converted, "revenue").outcome is Outcome.CARRIED


def test_metrics_that_stand_on_each_other_in_a_circle_are_left_out() -> None:
    circle = "".join(
        f"  - {{name: {name}, type: derived, type_params: {{expr: {other}, metrics: [{{name: {other}}}]}}}}\n"
        for name, other in (("aa", "bb"), ("bb", "cc"), ("cc", "aa"), ("dd", "aa"))
    )
    converted = _convert(circle)

    assert {name: _finding(converted, name).outcome for name in ("aa", "bb", "cc", "dd")} == dict.fromkeys(
        ("aa", "bb", "cc", "dd"), Outcome.LEFT_OUT
    )


def test_a_long_chain_of_metrics_is_no_python_error() -> None:
    chain = "".join(
        f"  - {{name: m{place}, type: derived, type_params: {{expr: m{next_}, metrics: [{{name: m{next_}}}]}}}}\n"
        for place, next_ in zip(range(300), range(1, 301), strict=True)
    )

    assert _finding(_convert(chain), "m0").outcome is Outcome.LEFT_OUT


def test_a_filter_travels_down_to_the_measure() -> None:
    share = (
        "  - name: share\n    type: ratio\n    type_params:\n      denominator: revenue\n"
        "      numerator: {name: revenue, alias: paid, filter: \"{{ Dimension('order__status') }} = 'paid'\"}\n"
    )
    converted = _convert(share)

    assert "column: revenue__filtered__calc" in converted.texts["metrics/revenue_filtered.yml"]
    assert "CASE WHEN (status = 'paid') THEN amount END" in converted.texts["datasets/orders.yml"]
    expression = read_yaml(converted.texts["calculations/share.yml"])["expression"]
    assert expression == "[Measures].[revenue__filtered] / [Measures].[revenue]"
    assert _finding(converted, "share").outcome is Outcome.PARTLY


def test_what_only_a_left_out_metric_needs_is_not_there() -> None:
    broken = (
        "  - name: share\n    type: ratio\n    type_params:\n      denominator: missing\n"
        "      numerator: {name: revenue, filter: \"{{ Dimension('order__status') }} = 'paid'\"}\n"
    )

    assert "metrics/revenue_filtered.yml" not in _convert(broken).texts


def test_cumulative_metrics_need_the_days_of_the_spine() -> None:
    metric = (
        "  - {name: week, type: cumulative, type_params: {measure: amount, cumulative_type_params: {window: 7 days}}}\n"
    )
    converted = _convert(metric, spine=_SPINE)

    assert _finding(converted, "week").outcome is Outcome.PARTLY
    assert {"metrics/time_spine_days.yml", "metrics/week_measure.yml", "datasets/time_spine.yml"} <= set(
        converted.texts
    )
    assert "Lag(6)" in read_yaml(converted.texts["calculations/week.yml"])["expression"]
