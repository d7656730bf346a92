"""Which definition gives way to which: laws over random definitions, and the page's two situations one by one."""

from __future__ import annotations

from collections.abc import Collection

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_atscale_aggs.engine.advising.superseding_pairs import MOST_MEASURES, successions
from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, DefinitionOrigin, FactPart
from airflow_atscale_aggs.engine.aggregates.measures import StoredFunction, StoredMeasure, row_count
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute, Role

_USER, _DEMAND, _PREDICTION = (
    DefinitionOrigin.USER_DEFINED,
    DefinitionOrigin.DEMAND_DEFINED,
    DefinitionOrigin.PREDICTION_DEFINED,
)


def _definition(
    name: str,
    grain: str,
    measures: dict[str, str],
    origin: DefinitionOrigin = _DEMAND,
) -> AggregateDefinition:
    """One attribute per letter of the grain, one measure per letter of each fact's measures."""
    parts = []
    for fact in sorted(measures):
        attributes = tuple(
            BoundAttribute(
                attribute=GrainAttribute(Role("D"), letter),
                label=letter,
                dataset=fact,
                key_columns=(letter,),
                name_column=letter,
            )
            for letter in grain
        )
        stored = {row_count(fact)} | {StoredMeasure(StoredFunction.SUM, fact, letter) for letter in measures[fact]}
        parts.append(FactPart(fact=fact, attributes=attributes, measures=tuple(sorted(stored))))
    metrics = tuple(f"{fact}.{letter}" for fact in sorted(measures) for letter in measures[fact])
    return AggregateDefinition(model_id="m", name=name, label=name, origin=origin, metrics=metrics, parts=tuple(parts))


def _names(*definitions: AggregateDefinition, unused: Collection[str] = ()) -> list[tuple[str, str]]:
    """Who gives way to which."""
    return [(pair.old.name, pair.new.name) for pair in successions(definitions, unused)]


_letters = st.lists(st.sampled_from("abcd"), unique=True, max_size=4).map(sorted).map("".join)
_definitions = st.lists(
    st.tuples(
        st.sampled_from(["", "x", "xy"]),
        st.dictionaries(st.sampled_from(["f", "g"]), _letters, min_size=1, max_size=2),
        st.sampled_from([_USER, _DEMAND, _PREDICTION]),
        st.booleans(),
    ),
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(_definitions)
def test_whoever_gives_way_loses_nothing(drawn: list[tuple[str, dict[str, str], DefinitionOrigin, bool]]) -> None:
    """Once at most, never a user's, to one that stores all of it at the same grain; following them ends."""
    definitions = [
        (_definition(f"n{number}", grain, measures, origin), is_unused)
        for number, (grain, measures, origin, is_unused) in enumerate(drawn)
    ]
    standing = list({definition.fingerprint: definition for definition, _ in definitions}.values())
    unused = {definition.id for definition, is_unused in definitions if is_unused}

    pairs = successions(standing, unused)

    assert len({pair.old.id for pair in pairs}) == len(pairs)
    ids = {definition.id for definition in standing}
    for pair in pairs:
        assert pair.old.origin.is_system_defined
        assert pair.new.origin.is_system_defined or not pair.is_union
        assert pair.old.grain == pair.new.grain
        by_fact = {part.fact: set(part.measures) for part in pair.new.parts}
        assert all(set(part.measures) <= by_fact[part.fact] for part in pair.old.parts)
        assert pair.old.fingerprint != pair.new.fingerprint
        assert pair.is_union or pair.new.id in ids
        assert not (pair.is_union and pair.old.id in unused)
    following = {pair.old.id: pair.new.id for pair in pairs}
    for first in list(following):
        seen, current = {first}, first
        while (current := following.get(current, "")) != "":
            assert current not in seen
            seen.add(current)


_SMALL = _definition("small", "x", {"f": "a"})
_LARGE = _definition("large", "x", {"f": "ab"})
_OTHER = _definition("other", "x", {"f": "bc"})


@pytest.mark.parametrize(
    ("definitions", "pairs"),
    [
        ([_LARGE, _SMALL], [("small", "large")]),
        ([_SMALL, _definition("large", "xy", {"f": "ab"})], []),
        ([_definition("small", "x", {"f": "a"}, _USER), _LARGE], []),
        ([_SMALL, _definition("large", "x", {"f": "ab"}, _USER)], [("small", "large")]),
        ([_LARGE, _OTHER], [("large", "large_union"), ("other", "large_union")]),
        ([_LARGE, _definition("other", "x", {"f": "bc"}, _USER)], []),
        ([_LARGE, _SMALL, _OTHER], [("small", "large"), ("large", "large_union"), ("other", "large_union")]),
        ([_LARGE], []),
        ([], []),
    ],
    ids=[
        *("a subset", "another grain", "a user's stays", "a user's takes over", "two overlap"),
        *("a user's is not united", "a subset is not united", "one alone", "none"),
    ],
)
def test_a_subset_gives_way_to_its_superset_and_a_pair_to_its_union(
    definitions: list[AggregateDefinition], pairs: list[tuple[str, str]]
) -> None:
    assert _names(*definitions) == pairs


def test_a_chain_of_subsets_leads_to_the_next_larger_one() -> None:
    """So that hit counts pass on step by step."""
    largest = _definition("largest", "x", {"f": "abc"})

    assert _names(largest, _SMALL, _LARGE) == [("small", "large"), ("large", "largest")]


def test_a_union_with_what_nobody_uses_does_not_pay() -> None:
    assert _names(_LARGE, _OTHER, unused={_OTHER.id}) == []
    assert _names(_SMALL, _LARGE, unused={_SMALL.id}) == [("small", "large")]


def test_metrics_of_other_facts_share_no_table() -> None:
    """Each fact has its own table anyway; but what lives on one of two facts may be a subset."""
    second, both = _definition("second", "x", {"g": "b"}), _definition("both", "x", {"f": "a", "g": "c"})

    assert _names(_SMALL, second) == []
    assert _names(_SMALL, second, both) == [("small", "both")]


def test_the_reason_of_each_succession_is_told() -> None:
    reasons = [pair.reason for pair in successions([_SMALL, _LARGE, _OTHER], ())]

    assert reasons == [
        "it stores all that this one does, at the same grain",
        *(["one table in place of 2 at the same grain: `large`, `other`"] * 2),
    ]


def test_a_union_is_of_demand_when_a_part_of_it_is_and_names_the_metrics_once() -> None:
    """Its name comes from the first by name."""
    pairs = successions(
        [_definition("b", "x", {"f": "ab"}, _PREDICTION), _definition("a", "x", {"f": "bc"}, _DEMAND)], ()
    )

    (union,) = {pair.new.id: pair.new for pair in pairs}.values()
    assert (union.name, union.origin, union.metrics) == ("a_union", _DEMAND, ("f.b", "f.c", "f.a"))
    assert [str(measure) for measure in union.parts[0].measures] == [
        *("count_rows(f)", "sum(f.a)", "sum(f.b)", "sum(f.c)"),
    ]


def test_a_union_of_predictions_is_predicted() -> None:
    pairs = successions(
        [_definition("b", "x", {"f": "ab"}, _PREDICTION), _definition("a", "x", {"f": "bc"}, _PREDICTION)], ()
    )

    assert {pair.new.origin for pair in pairs} == {_PREDICTION}


@pytest.mark.parametrize(("count", "pays"), [(MOST_MEASURES - 1, True), (MOST_MEASURES, False)])
def test_a_union_that_would_be_too_wide_does_not_pay(count: int, pays: bool) -> None:
    """The row count is a piece as well."""
    letters = [chr(0x100 + number) for number in range(count)]
    wide, narrow = _definition("a", "x", {"f": "".join(letters[1:])}), _definition("b", "x", {"f": letters[0]})

    assert bool(successions([wide, narrow], ())) is pays
