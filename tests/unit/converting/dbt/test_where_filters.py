"""Conditions on a measure's own table, and on those that it leads to, become SQL; no Jinja is run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_atscale_aggs.engine.converting.dbt.semantic_project import Dimension, Entity, SemanticTable
from airflow_atscale_aggs.engine.converting.dbt.where_filters import (
    FilteredTable,
    FilterError,
    Hop,
    JoinedColumn,
    as_condition,
)

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
    assert as_condition((text,), _PLACE).sql == sql


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
    assert as_condition(("a or b", "c"), _PLACE).sql == "(a or b) AND (c)"
    assert as_condition((), _PLACE).sql == ""


_REGIONS = SemanticTable(
    name="regions",
    table="regions",
    where="",
    entities=(Entity(name="region", type="primary", sql="code", where=""),),
    dimensions=(Dimension(name="climate", sql="climate", where=""),),
)
_CUSTOMERS = SemanticTable(
    name="customers",
    table="customers",
    where="",
    entities=(
        Entity(name="customer", type="primary", sql="id", where=""),
        Entity(name="region", type="foreign", sql="region_code", where=""),
    ),
    dimensions=(
        Dimension(name="country", sql="upper(land)", where=""),
        Dimension(name="joined", sql="joined_on", grain="day", where=""),
    ),
)


def _targets(entity: str, origin: SemanticTable) -> Iterator[tuple[SemanticTable, Entity]]:
    for table in (_CUSTOMERS, _REGIONS):
        key = table.entity(entity)
        if table is not origin and key is not None and key.type == "primary":
            yield table, key


def test_attributes_of_other_tables_are_joined() -> None:
    texts = (
        "{{ Dimension('customer__country') }} = 'NO'",
        "{{ TimeDimension('customer__joined', 'month') }} = '2024-01-01'",
        "{{ Dimension('region__climate', entity_path=['customer']) }} = 'wet'",
    )
    made = as_condition(texts, FilteredTable(_TABLE, "at", _targets))

    assert made.sql == (
        "(customer__country = 'NO') AND (customer__joined__month = '2024-01-01') AND "
        "(customer__region__climate = 'wet')"
    )
    hop = Hop("customer_id", _CUSTOMERS, "id")
    assert [*made.joined.values()] == [
        JoinedColumn("customer__country", (hop,), "(upper(land))"),
        JoinedColumn("customer__joined__month", (hop,), "DATE_TRUNC('month', joined_on)"),
        JoinedColumn("customer__region__climate", (hop, Hop("region_code", _REGIONS, "code")), "climate"),
    ]


@pytest.mark.parametrize("name", ["region__climate", "customer__mood", "order__customer__country", "a__b__c__d"])
def test_what_no_way_leads_to_is_refused(name: str) -> None:
    with pytest.raises(FilterError, match="no table has it that the measure's own one leads to"):
        as_condition((f"{{{{ Dimension('{name}') }}}} = 1",), FilteredTable(_TABLE, "at", _targets))


def test_what_several_tables_have_is_refused() -> None:
    def twice(entity: str, origin: SemanticTable) -> Iterator[tuple[SemanticTable, Entity]]:
        yield from _targets(entity, origin)
        yield from _targets(entity, origin)

    with pytest.raises(FilterError, match="several tables have it"):
        as_condition(("{{ Dimension('customer__country') }} = 1",), FilteredTable(_TABLE, "at", twice))
