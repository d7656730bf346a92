"""Who gives way to whom: laws over random definitions, and the page's two situations one by one."""

from __future__ import annotations

import pytest
from hypothesis import given
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
                attribute=GrainAttribute(Role("D"), one), label=one, dataset=fact, key_columns=(one,), name_column=one
            )
            for one in grain
        )
        stored = {row_count(fact)} | {StoredMeasure(StoredFunction.SUM, fact, one) for one in measures[fact]}
        parts.append(FactPart(fact=fact, attributes=attributes, measures=tuple(sorted(stored))))
    metrics = tuple(f"{fact}.{one}" for fact in sorted(measures) for one in measures[fact])
    return AggregateDefinition(model_id="m", name=name, label=name, origin=origin, metrics=metrics, parts=tuple(parts))


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


@given(_definitions)
def test_whoever_gives_way_loses_nothing(drawn: list[tuple[str, dict[str, str], DefinitionOrigin, bool]]) -> None:
    """Once at most, never a user's, to one that stores all of it at the same grain; following them ends."""
    made = [
        (_definition(f"n{n}", grain, measures, origin), unused)
        for n, (grain, measures, origin, unused) in enumerate(drawn)
    ]
    standing = list({one.fingerprint: one for one, _ in made}.values())
    unused = {one.id for one, is_unused in made if is_unused}

    found = successions(standing, unused)

    assert len({one.old.id for one in found}) == len(found)
    ids = {one.id for one in standing}
    for one in found:
        assert one.old.origin.is_system_defined
        assert one.new.origin.is_system_defined or not one.is_union
        assert one.old.grain == one.new.grain
        by_fact = {part.fact: set(part.measures) for part in one.new.parts}
        assert all(set(part.measures) <= by_fact[part.fact] for part in one.old.parts)
        assert one.old.fingerprint != one.new.fingerprint
        assert one.is_union or one.new.id in ids
        assert not (one.is_union and one.old.id in unused)
    following = {one.old.id: one.new.id for one in found}
    for first in list(following):
        seen, current = {first}, first
        while (current := following.get(current, "")) != "":
            assert current not in seen
            seen.add(current)


def test_a_chain_of_subsets_leads_to_the_next_larger_one() -> None:
    """So that hit counts pass on step by step."""
    small, middle, large = (_definition(n, "x", {"f": m}) for n, m in (("s", "a"), ("m", "ab"), ("l", "abc")))

    assert [(one.old.name, one.new.name) for one in successions([large, small, middle], ())] == [("s", "m"), ("m", "l")]


def test_other_dimension_columns_are_left_alone() -> None:
    """However alike the metrics are."""
    assert successions([_definition("a", "x", {"f": "a"}), _definition("b", "xy", {"f": "ab"})], ()) == []


def test_metrics_of_other_facts_share_no_table() -> None:
    """Each fact has its own table anyway; but what lives on one of two facts may be a subset."""
    first, second, both = (
        _definition("a", "x", {"f": "a"}),
        _definition("b", "x", {"g": "b"}),
        _definition("c", "x", {"f": "a", "g": "c"}),
    )

    assert successions([first, second], ()) == []
    assert [(one.old.name, one.new.name) for one in successions([first, second, both], ())] == [("a", "c")]


def test_a_union_is_of_demand_when_a_part_of_it_is_and_names_the_metrics_once() -> None:
    """Its name comes from the first by name."""
    found = successions(
        [_definition("b", "x", {"f": "ab"}, _PREDICTION), _definition("a", "x", {"f": "bc"}, _DEMAND)], ()
    )

    (union,) = {one.new.id: one.new for one in found}.values()
    assert (union.name, union.origin, union.metrics) == ("a_union", _DEMAND, ("f.b", "f.c", "f.a"))
    assert [str(one) for one in union.parts[0].measures] == ["count_rows(f)", "sum(f.a)", "sum(f.b)", "sum(f.c)"]


@pytest.mark.parametrize(("count", "pays"), [(MOST_MEASURES - 1, True), (MOST_MEASURES, False)])
def test_a_union_that_would_be_too_wide_does_not_pay(count: int, pays: bool) -> None:
    """The row count is a piece as well."""
    letters = [chr(0x100 + n) for n in range(count)]
    found = successions(
        [_definition("a", "x", {"f": "".join(letters[1:])}), _definition("b", "x", {"f": letters[0]})], ()
    )

    assert bool(found) is pays
