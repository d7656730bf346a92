"""What a fact is asked about its indicator, for all of its aggregates at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from airflow_atscale_aggs.engine.aggregates.named_slice import NamedSlice
from airflow_atscale_aggs.engine.planning.increments import LastBuild, Prospect, prospect
from airflow_atscale_aggs.engine.planning.needed_counts import edges, is_least_needed, named_ranges, starts
from airflow_atscale_aggs.engine.settings import Settings
from tests.support.increment_cases import (
    START,
    city_part,
    definition_of,
    increment_of,
    increments_input,
    segment_of,
)

_LAST = LastBuild(
    deployment_id="d",
    increment=increment_of(),
    segments=(
        segment_of(1, None, 40, 30),
        segment_of(2, 40, 60, 20),
        segment_of(3, 60, START, 20),
        segment_of(4, START, 100, 5, is_settled=False),
    ),
)


def _prospect(last: LastBuild | None, **changes: Any) -> Prospect:
    definition = definition_of(city_part())
    known = {(definition.id, "sales"): last} if last is not None else {}
    candidate = prospect(definition, city_part(), increments_input(last=known, **changes))
    assert isinstance(candidate, Prospect)
    return candidate


def _with_slice(first: str, *, is_of_request: bool = True) -> Prospect:
    named = (NamedSlice(dataset="sales", first=first, last=first, number=1),)
    return _prospect(replace(_LAST, named=named), named=frozenset({"sales"} if is_of_request else ()))


def test_rows_are_looked_for_above_what_is_settled() -> None:
    assert starts([_prospect(_LAST), _prospect(_LAST)]) == (START,)
    assert starts([_prospect(None)]) == ()


def test_rows_of_what_stays_and_what_is_made_anew_are_counted_by_their_bounds() -> None:
    assert edges([_prospect(_LAST)]) == (START,)
    assert edges([_with_slice("50", is_of_request=False)]) == (40, 60, START)
    assert named_ranges([_with_slice("50", is_of_request=False)]) == ()


def test_of_what_a_request_names_the_ranges_alone_are_counted() -> None:
    candidate = _with_slice("50")

    assert edges([candidate]) == ()
    assert [(rows.after, rows.through) for rows in named_ranges([candidate, candidate])] == [(40, 60)]
    assert named_ranges([_with_slice("95")]) == ()


def test_the_least_indicator_is_needed_where_a_range_without_a_beginning_is_cut() -> None:
    cutting = Settings(max_segment_length="10")

    assert is_least_needed([_prospect(None)], cutting)
    assert is_least_needed([_with_slice("1")], cutting)
    assert not is_least_needed([_with_slice("50")], cutting)
    assert not is_least_needed([_prospect(None)], Settings())
