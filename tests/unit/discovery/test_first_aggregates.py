"""First aggregates: predicted where a model is small, written where it is large."""

from __future__ import annotations

from dataclasses import replace

from airflow_atscale_aggs.engine.discovery.first_aggregates import MOST_PREDICTED, first_aggregates, is_predicted
from airflow_atscale_aggs.engine.discovery.proposal import (
    Proposal,
    ProposedAttribute,
    ProposedDimension,
    ProposedHierarchy,
    ProposedMetric,
    ProposedRelationship,
)
from airflow_atscale_aggs.engine.discovery.references import Reference


def _proposal(*, attributes: int) -> Proposal:
    levels = tuple(ProposedAttribute(name=name, keys=(name,), name_column=name) for name in ("Year", "Month", "Day"))
    secondary = tuple(ProposedAttribute(name=f"a{n}", keys=("a",), name_column="a") for n in range(attributes))
    day = ProposedDimension(
        name="Date",
        table="days",
        reason="",
        hierarchies=(ProposedHierarchy("Months", ("Year", "Month", "Day")),),
        levels=levels,
        secondary=secondary,
        leaves={("day",): "Day"},
        is_time=True,
    )
    edge = ProposedRelationship("sold", Reference("sales", ("day",), "days", ("day",), (), ""), "Date", "Day", "")
    metrics = (
        ProposedMetric("Amount", "sales", "a", "sum", ""),
        ProposedMetric("U", "sales", "a", "count distinct", ""),
    )
    empty = Proposal(
        model="m",
        database="",
        schema="",
        tables={},
        facts={"sales": ""},
        dimensions=(day,),
        relationships=(edge,),
        embedded={},
        metrics=metrics,
        calculated={},
        references=(),
        questions=(),
        left_out=(),
    )
    return replace(empty)


def test_a_small_model_is_left_to_prediction() -> None:
    assert is_predicted(_proposal(attributes=3))
    assert first_aggregates(_proposal(attributes=3)) == ()


def test_a_large_one_gets_an_aggregate_by_month_of_what_rolls_up() -> None:
    (aggregate,) = first_aggregates(_proposal(attributes=MOST_PREDICTED))

    assert aggregate.name == "sales_by_month"
    assert aggregate.attributes == (("Year", "Date", "sold"), ("Month", "Date", "sold"))
    assert aggregate.metrics == ("Amount",)
