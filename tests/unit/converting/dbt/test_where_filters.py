"""Conditions on a measure's own table become SQL; others are refused, and no Jinja is run."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.converting.dbt.semantic_project import Dimension, Entity, SemanticTable
from airflow_atscale_aggs.engine.converting.dbt.where_filters import FilteredTable, FilterError, as_condition

_TABLE = SemanticTable(
    name="orders",
    table="orders",
    where="o.yml:1",
    primary_entity="order",
    entities=(
        Entity(name="order", type="primary", sql="id", where=""),
        Entity(name="customer", type="foreign", sql="customer_id", where=""),
    ),
    dimensions=(
        Dimension(name="status", sql="lower(state)", where=""),
        Dimension(name="at", sql="ordered_at", grain="day", where=""),
    ),
)
_PLACE = FilteredTable(_TABLE, "at")


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("{{ Dimension('order__status') }} = 'done'", "((lower(state)) = 'done')"),
        ('{{Entity( "customer" )}} > 3', "(customer_id > 3)"),
        (
            "{{ TimeDimension('metric_time', 'month') }} = '2024-01-01'",
            "(DATE_TRUNC('month', ordered_at) = '2024-01-01')",
        ),
        ("{{ Dimension('order__at').grain('week') }} is null", "(DATE_TRUNC('week', ordered_at) is null)"),
        ("{{ TimeDimension('order__at') }} < now()", "(DATE_TRUNC('day', ordered_at) < now())"),
        ("1 = 1", "(1 = 1)"),
    ],
)
def test_conditions_on_the_own_table(text: str, sql: str) -> None:
    assert as_condition((text,), _PLACE) == sql


@pytest.mark.parametrize(
    "text",
    [
        "{{ Dimension('customer__country') }} = 'NO'",
        "{{ Dimension('order__missing') }} = 1",
        "{{ Dimension('status') }} = 1",
        "{{ TimeDimension('metric_time', 'hour') }} = 1",
        "{{ TimeDimension('metric_time', 'eon') }} = 1",
        "{{ Metric('revenue', ['customer']) }} > 1",
        "{{ Entity('branch') }} = 1",
        "{{ ''.__class__ }} = 1",
        "{% if true %} 1 = 1 {% endif %}",
        "{{ Dimension('order__status') ",
        "1 = 1 -- and 2 = 3",
        "1 = 1; DROP TABLE orders",
    ],
)
def test_what_is_no_condition_on_the_own_table_is_refused(text: str) -> None:
    with pytest.raises(FilterError):
        as_condition((text,), _PLACE)


def test_several_conditions_hold_together() -> None:
    assert as_condition(("a or b", "c"), _PLACE) == "(a or b) AND (c)"
    assert as_condition((), _PLACE) == ""
