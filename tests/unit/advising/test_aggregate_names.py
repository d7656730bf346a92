"""Names and labels of aggregates that the engine defines."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.advising.aggregate_names import (
    aggregate_label,
    aggregate_name,
    attribute_names,
    times,
)
from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute, Role
from tests.support.grain_cases import LEVELS, grain_part

_LONG = BoundAttribute(
    attribute=GrainAttribute(Role("D", "Preferred Ship To {0}"), "Ünusually Long Attribute Name Indeed"),
    label="",
    dataset="d",
    key_columns=("k",),
    name_column="k",
)


@pytest.mark.parametrize(
    ("part", "name"),
    [
        (grain_part("Month", "Shop"), "sales_by_month_shop"),
        (grain_part(), "sales_total"),
        (FactPart(fact="Store Sales!", attributes=(LEVELS["Day"],), measures=()), "store_sales_by_day"),
        (FactPart(fact="***", attributes=(), measures=()), "x_total"),
        (
            FactPart(fact="a_fact_table_with_a_name", attributes=(LEVELS["Year"], _LONG), measures=()),
            "a_fact_table_with_a_name_by_year_and_1_more",
        ),
        (
            FactPart(fact="a_fact_table_with_a_long_name", attributes=(_LONG, LEVELS["Year"]), measures=()),
            "a_fact_table_with_a_long_nam_by_2_attributes",
        ),
    ],
)
def test_a_name_is_made_of_the_fact_and_its_attributes(part: FactPart, name: str) -> None:
    """As many as there is room for."""
    assert aggregate_name(part) == name


def test_an_aggregate_without_attributes_may_be_called_otherwise() -> None:
    assert aggregate_name(grain_part(), "unused") == "sales_unused"
    assert aggregate_name(grain_part("Month"), "unused") == "sales_by_month"


@pytest.mark.parametrize("attributes", [(), (_LONG,), (_LONG, LEVELS["Year"])])
def test_a_name_is_short_enough_for_every_warehouse(attributes: tuple[BoundAttribute, ...]) -> None:
    """With a suffix that makes it unique."""
    name = aggregate_name(FactPart(fact="f" * 200, attributes=attributes, measures=()))

    assert len(name.encode()) <= 63


@pytest.mark.parametrize(
    ("part", "label", "names"),
    [
        (grain_part("Month", "Shop"), "sales by Month, Shop", "Month, Shop"),
        (grain_part(), "sales, all members", "nothing"),
        (
            FactPart(fact="sales", attributes=(_LONG,), measures=()),
            "sales by Preferred Ship To Ünusually Long Attribute Name Indeed",
            "Preferred Ship To Ünusually Long Attribute Name Indeed",
        ),
    ],
)
def test_a_label_is_for_people(part: FactPart, label: str, names: str) -> None:
    assert (aggregate_label(part), attribute_names(part)) == (label, names)


@pytest.mark.parametrize(
    ("count", "text"),
    [(1.0, "once"), (0.96, "once"), (2.0, "2 times"), (2.49, "2.5 times"), (1200, "1,200 times"), (0.5, "0.5 times")],
)
def test_how_often_is_said_in_words(count: float, text: str) -> None:
    assert times(count) == text
