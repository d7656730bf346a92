"""What queries need of one fact: requirements combined, and those that a model's structure suggests."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_atscale_aggs.engine.advising.query_requirements import (
    QueryRequirement,
    combine_requirements,
    requirements_of_structure,
)
from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.measures import row_count
from airflow_atscale_aggs.engine.model.joins import JoinPaths
from tests.support.grain_cases import CUSTOMERS, requirement
from tests.support.stars.asked_star import market_model


def _text(need: QueryRequirement) -> str:
    names = " ".join(sorted(attribute.query_name for attribute in need.grain))
    return f"{need.part.fact} {names}: {need.weight:g}"


def test_requirements_of_one_grain_and_one_set_of_measures_are_one() -> None:
    """In whatever order their attributes stand; the metrics behind them are listed once."""
    first = replace(requirement("Month", "Shop", weight=2), metrics=("Amount",))
    second = replace(requirement("Shop", "Month", weight=3), metrics=("Amount", "Again"))

    (combined,) = combine_requirements([first, second])

    assert (combined.weight, combined.metrics) == (5, ("Again", "Amount"))
    assert combined.part == first.part


def test_other_measures_or_another_fact_are_another_requirement() -> None:
    plain, exact = requirement("Month"), requirement("Month", measures=(CUSTOMERS,))
    elsewhere = replace(plain, part=replace(plain.part, fact="visits"))

    assert len(combine_requirements([plain, exact, elsewhere, plain])) == 3


def test_the_heaviest_come_first_and_names_decide_among_equals() -> None:
    needs = [
        requirement("Shop", weight=1),
        requirement("Day", weight=1),
        requirement("Month", weight=7),
        requirement(weight=1),
    ]

    assert [_text(need) for need in combine_requirements(needs)] == [
        "sales Month: 7",
        "sales : 1",
        "sales Day: 1",
        "sales Shop: 1",
    ]
    assert combine_requirements(reversed(needs)) == combine_requirements(needs)
    assert combine_requirements([]) == ()


def _of_structure(*facts: str, changes: tuple[tuple[str, str, str], ...] = ()) -> list[str]:
    model = market_model(*changes)
    stored = [
        QueryRequirement(part=FactPart(fact=fact, attributes=(), measures=(row_count(fact),)), weight=1.0)
        for fact in facts
    ]
    return [_text(need) for need in requirements_of_structure(model, JoinPaths(model), stored)]


def test_each_level_and_each_pair_of_two_dimensions_is_likely_to_be_asked_for() -> None:
    """Levels weigh 1, 1/2, 1/3 from the coarsest; a pair half of the product."""
    assert _of_structure("visits") == [
        *("visits City: 1", "visits Year: 1"),
        *("visits City Year: 0.5", "visits Month: 0.5", "visits Shop: 0.5"),
        "visits Day: 0.333333",
        *("visits City Month: 0.25", "visits Shop Year: 0.25"),
        "visits City Day: 0.166667",
        "visits Month Shop: 0.125",
        "visits Day Shop: 0.0833333",
    ]


def test_columns_of_the_fact_are_levels_too_and_many_to_many_ones_are_not() -> None:
    texts = _of_structure("sales", "visits")

    assert {"sales Channel: 1", "sales Order: 1", "sales Channel City: 0.5", "visits City: 1"} <= set(texts)
    assert not any(name in text for name in ("Kind", "Reason", "Weekday") for text in texts)


def test_a_level_of_several_roles_is_asked_for_in_each() -> None:
    role = ("model", "unique_name: visits_shop", 'unique_name: visits_shop, role_play: "Seen {0}"')

    assert "visits Seen City: 1" in _of_structure("visits", changes=(role,))


def test_the_measures_are_those_that_were_given() -> None:
    model = market_model()
    part = FactPart(fact="visits", attributes=(), measures=(CUSTOMERS, row_count("visits")))
    query_requirement = QueryRequirement(part=part, weight=1.0, metrics=("Visitors",))

    needs = requirements_of_structure(model, JoinPaths(model), [query_requirement])

    assert {need.part.measures for need in needs} == {part.measures}
    assert {need.metrics for need in needs} == {("Visitors",)}


@pytest.mark.parametrize("fact", ["shop", "day"])
def test_a_dimension_s_own_table_is_no_fact_of_its_own_levels(fact: str) -> None:
    assert _of_structure(fact) == []
