"""From which member a semi-additive metric is taken, and which rules are not answered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_atscale_aggs.engine.errors import UnsupportedQueryError
from airflow_atscale_aggs.engine.model.paths import JoinKind, JoinStep
from airflow_atscale_aggs.engine.model.semantic_model import SemiAdditive
from airflow_atscale_aggs.engine.rewriting.split.semi_additive import Edge, edges_of
from tests.support.stars.asked_star import AskedStar

_BY_DAY = (("sales_day",),)


def _edges(market: AskedStar, rule: SemiAdditive) -> dict[int, Edge]:
    metric = replace(market.model.metrics["Quantity"], semi_additive=rule)
    metrics = {0: market.model.metrics["Amount"], 1: None, 2: metric}
    return edges_of(metrics, market.paths.attributes_of("sales"), market.model.relationships)


@pytest.mark.parametrize(("position", "is_last"), [("last", True), ("first", False)])
def test_it_is_the_first_or_the_last_member_of_the_level_that_a_relationship_leads_to(
    market: AskedStar, position: str, is_last: bool
) -> None:
    edges = _edges(market, SemiAdditive(position=position, relationships=_BY_DAY))

    assert edges == {2: Edge(market.bound("Day"), is_last=is_last)}


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (SemiAdditive(position="last_child", relationships=_BY_DAY), "by more than the first or last member"),
        (SemiAdditive(position="last"), "by more than the first or last member"),
        (SemiAdditive(position="last", degenerate_dimensions=("Channels",)), "by more than the first or last member"),
        (SemiAdditive(position="last", relationships=(("sales_day",), ("sales_shop",))), "of one relationship's level"),
        (SemiAdditive(position="last", relationships=(("sales_order", "to_reasons"),)), "of one relationship's level"),
        (SemiAdditive(position="last", relationships=(("visits_day",),)), "of one relationship's level"),
    ],
    ids=[
        "another position",
        "no relationship",
        "a fact's own column",
        "two",
        "an embedded dimension",
        "another fact's",
    ],
)
def test_another_rule_is_refused_by_name(market: AskedStar, rule: SemiAdditive, reason: str) -> None:
    with pytest.raises(UnsupportedQueryError, match=r"`Quantity`.* Leave it out, or ask the fact table") as error:
        _edges(market, rule)

    assert reason in str(error.value)


@pytest.mark.parametrize(
    "changes",
    [{"key_columns": ("year", "day_id")}, {"steps": (JoinStep(JoinKind.BRIDGE, "sales", ("o",), "day", ("o",)),)}],
    ids=["two key columns", "several days of one row"],
)
def test_members_without_an_order_have_no_first_and_no_last(market: AskedStar, changes: dict[str, Any]) -> None:
    reached = dict(market.paths.attributes_of("sales"))
    reached[market.attribute("Day")] = replace(market.bound("Day"), **changes)
    metrics = {0: market.model.metrics["Last Quantity"]}

    with pytest.raises(UnsupportedQueryError, match="by `Day`, whose members have no order by one key column"):
        edges_of(metrics, reached, market.model.relationships)


def test_each_group_has_a_last_day_of_its_own(market: AskedStar) -> None:
    """A row without a quantity is no last one, and neither is one without a day."""
    assert market.answer('SELECT "City", "Last Quantity", "Quantity" FROM market') == [
        ("North", 2, 8),
        ("South", 1, 1),
        (None, 1, 1),
    ]
