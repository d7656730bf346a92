"""What a resolved model answers: metrics by name, its facts, hierarchies of a level, what a perspective hides."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.model.paths import GrainAttribute, Role
from airflow_atscale_aggs.engine.model.semantic_model import Metric, Perspective, SemiAdditive
from tests.support.stars.documents import dimension, level, metric, resolve_documents, star


@pytest.mark.parametrize(
    ("template", "name", "is_hidden_everywhere", "is_hidden_in_sold"),
    [
        ("{0}", "Month", True, False),
        ("Sold {0}", "Month", True, True),
        ("Ship {0}", "Month", True, False),
        ("Sold {0}", "Day", False, False),
    ],
)
def test_a_perspective_hides_attributes_in_all_roles_or_in_some(
    template: str, name: str, *, is_hidden_everywhere: bool, is_hidden_in_sold: bool
) -> None:
    attribute = GrainAttribute(Role("Calendar", template), name)
    hidden = frozenset({("Calendar", "Month")})
    everywhere = Perspective(name="p", metrics=frozenset(), attributes=hidden)
    in_sold = Perspective(name="p", metrics=frozenset(), attributes=hidden, roles={"Calendar": frozenset({"Sold {0}"})})

    assert (everywhere.hides(attribute), in_sold.hides(attribute)) == (is_hidden_everywhere, is_hidden_in_sold)


def test_a_level_stands_in_the_hierarchies_that_name_it() -> None:
    documents = star()
    weeks = {"unique_name": "weeks", "label": "w", "levels": [{"unique_name": "Week"}, {"unique_name": "Day"}]}
    documents["Day"]["hierarchies"].append(weeks)
    documents["Day"]["level_attributes"].append(level("Week", "day", "week"))
    calendar = resolve_documents(documents).model.dimensions["Calendar"]

    names = {name: [hierarchy.name for hierarchy in calendar.hierarchies_of(name)] for name in ("Day", "Week", "Date")}

    assert names == {"Day": ["Calendar levels", "weeks"], "Week": ["weeks"], "Date": []}


def test_a_metric_is_found_by_its_name_or_by_that_of_a_quantile() -> None:
    documents = star() | {"p": metric("Half", "sales", "amount", "percentile", named_quantiles="median")}
    model = resolve_documents(documents).model

    names = ("Amount", "Half", "Half_instance_0.5", "Net", "amount")
    assert {name: item.quantiles for name in names if (item := model.metric(name)) is not None} == {
        "Amount": (),
        "Half": ("0.5",),
        "Half_instance_0.5": ("0.5",),
    }


def test_facts_are_the_datasets_of_relationships_and_metrics() -> None:
    """A dimension's dataset with a metric on a level is none, and one without relationships and metrics neither."""
    documents = star()
    area = metric("Area", "shop", "area")
    documents["Shop"] = dimension(
        "Shops", [level("City", "shop", "city"), level("Shop", "shop", "shop_id", _={"metrics": [area]})]
    )
    documents["m2"] = metric("Days", "day", "day_id", "count distinct")

    assert resolve_documents(documents).model.fact_datasets == ("day", "returns", "sales")


def test_a_metric_is_semi_additive_when_the_model_says_how() -> None:
    plain = Metric(name="a", label="a", calculation_method="sum", dataset="f", column="c")
    last = Metric(
        name="a",
        label="a",
        calculation_method="sum",
        dataset="f",
        column="c",
        semi_additive=SemiAdditive(position="last"),
    )

    assert (plain.is_semi_additive, last.is_semi_additive) == (False, True)
