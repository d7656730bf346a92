"""Aggregates predicted from a model's structure: one of all members for each fact, and lists of filter values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from airflow_atscale_aggs.engine.advising.predicted_grains import (
    all_member_definitions,
    choose_grain_of_chain,
    dimension_chains,
    fact_shape,
    predicted_definition,
    shape,
)
from airflow_atscale_aggs.engine.aggregates.definition import DefinitionOrigin
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from airflow_atscale_aggs.engine.model.semantic_model import SemanticModel
from tests.support.grain_cases import grain_part
from tests.support.stars.asked_star import market_model


def test_each_fact_has_an_aggregate_of_all_its_storable_metrics() -> None:
    model = market_model()
    metrics = {
        "visits": {"Visitors": model.metrics["Visitors"]},
        "sales": {name: model.metrics[name] for name in ("Quantity", "Mean", "Amount")},
    }

    sales, visits = all_member_definitions(model, "m", metrics)

    assert (sales.name, sales.label, sales.metrics) == (
        "sales_total",
        "sales, all members",
        ("Amount", "Mean", "Quantity"),
    )
    assert [str(measure) for measure in sales.parts[0].measures] == [
        *("count(sales.amount)", "count_rows(sales)", "sum(sales.amount)", "sum(sales.quantity)"),
    ]
    assert sales.parts[0].attributes == ()
    assert (visits.name, [part.fact for part in visits.parts]) == ("visits_total", ["visits"])


def test_a_predicted_definition_is_named_after_its_part() -> None:
    definition = predicted_definition(market_model(), "m", grain_part("Month", "Shop"), ("Amount",))

    assert definition.origin is DefinitionOrigin.PREDICTION_DEFINED
    assert (definition.name, definition.label, definition.metrics, definition.composite) == (
        *("sales_by_month_shop", "sales by Month, Shop", ("Amount",)),
        False,
    )


def _chains(model: SemanticModel, dimension: str) -> list[list[str]]:
    chains = dimension_chains(model, JoinPaths(model), model.dimensions[dimension])
    return [[", ".join(bound.attribute.name for bound in part.attributes) for part in chain] for chain in chains]


@pytest.mark.parametrize(
    ("dimension", "chains"),
    [
        ("Calendar", [["Year, Month", "Year"]]),
        ("Shops", [["City"]]),
        ("Reasons", [["Kind, Reason", "Kind"]]),
        ("Channels", []),
        ("Orders", []),
    ],
    ids=["three levels", "two levels", "of a bridge", "columns of a fact", "one level"],
)
def test_all_levels_above_the_finest_could_answer_lists_of_filter_values(
    dimension: str, chains: list[list[str]]
) -> None:
    assert _chains(market_model(), dimension) == chains


def test_what_hangs_on_a_level_is_stored_with_it() -> None:
    levels = "      - unique_name: City\n"
    town = "{unique_name: Mayor, label: Mayor, dataset: shop, key_columns: [shop_name], name_column: shop_name}"
    secondary = ("shops", levels, f"{levels}        secondary_attributes: [{town}]\n")

    assert _chains(market_model(secondary), "Shops") == [["City, Mayor"]]


@pytest.mark.parametrize(
    ("level", "chains"),
    [("month", [["Year"]]), ("year", [["Month"]])],
    ids=["a level in the middle", "the coarsest"],
)
def test_the_model_keeps_levels_out(level: str, chains: list[list[str]]) -> None:
    """Without a level the next coarser one gives the same grain."""
    column = f"name_column: {level}, "

    assert _chains(market_model(("calendar", column, f"{column}exclude_from_dim_agg: true, ")), "Calendar") == chains


def test_the_model_keeps_tables_out() -> None:
    model = market_model()
    closed = replace(model.datasets["day"], allow_aggregates=False)

    assert _chains(replace(model, datasets={**model.datasets, "day": closed}), "Calendar") == []


@pytest.mark.parametrize(
    ("rows", "counts", "chosen"),
    [
        (1000, [100.0, 10.0], 0),
        (1000, [101.0, 10.0], 1),
        (1000, [101.0, 101.0], None),
        (1000, [None, 10.0], 1),
        (1000, [0.0, 10.0], 1),
        (1000, [None, None], None),
    ],
)
def test_the_finest_grain_that_is_small_enough_pays(
    rows: int, counts: Sequence[float | None], chosen: int | None
) -> None:
    chain = (grain_part("Month", "Year"), grain_part("Year"))

    part = choose_grain_of_chain(chain, rows, counts, compression=10)

    assert part == (None if chosen is None else chain[chosen])


@pytest.mark.parametrize(
    ("change", "is_same"),
    [
        (("shops", "label: City", "label: Town"), True),
        (("shops", "label: Shops\n", "\n\n\nlabel: Stores\n"), True),
        (("shops", "key_columns: [city]", "key_columns: [shop_name]"), False),
        (("shops", "filter_empty: 'yes'", "filter_empty: 'no'"), False),
    ],
    ids=["a label", "a line further down", "another key", "another join rule"],
)
def test_a_dimension_is_the_same_whatever_it_is_called_and_wherever_it_stands(
    change: tuple[str, str, str], is_same: bool
) -> None:
    before, after = market_model().dimensions["Shops"], market_model(change).dimensions["Shops"]

    assert (shape(before) == shape(after)) is is_same


def test_an_edge_of_a_dimension_may_stand_elsewhere() -> None:
    orders = market_model().dimensions["Orders"]
    moved = replace(orders, relationships=tuple(replace(edge, where="x:1") for edge in orders.relationships))
    changed = replace(orders, relationships=tuple(replace(edge, level="Kind") for edge in orders.relationships))

    assert (shape(orders) == shape(moved), shape(orders) == shape(changed)) == (True, False)
    assert shape(None) is None


@pytest.mark.parametrize(
    ("change", "is_same"),
    [
        (("shops", "label: City", "label: Town"), True),
        (("metric_Amount", "label: Amount", "label: Money"), True),
        (("metric_Quantity", "column: quantity", "column: amount"), True),
        (("model", "unique_name: visits_shop", 'unique_name: visits_shop, role_play: "Seen {0}"'), True),
        (("metric_Amount", "column: amount", "column: quantity"), False),
        (("model", "unique_name: sales_shop", 'unique_name: sales_shop, role_play: "Sold {0}"'), False),
        (("reasons", "key_columns: [kind]", "key_columns: [reason]"), False),
        (("channels", "filter_empty: 'yes'", "filter_empty: 'no'"), False),
    ],
    ids=[
        *(
            "a label",
            "a metric's label",
            "another metric",
            "another fact's relationship",
            "its metric",
            "its relationship",
        ),
        *("a dimension behind a dimension", "a dimension on fact columns"),
    ],
)
def test_what_is_predicted_of_a_fact_depends_on_what_it_reaches(change: tuple[str, str, str], is_same: bool) -> None:
    before, after = (fact_shape(model, "sales", ["Amount"]) for model in (market_model(), market_model(change)))

    assert (before == after) is is_same
