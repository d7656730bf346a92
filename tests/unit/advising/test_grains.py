"""Grains as bits: what determines what, the smallest grain that serves several, estimates between measurements."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_atscale_aggs.engine.advising.aggregate_names import aggregate_name
from airflow_atscale_aggs.engine.advising.candidates import CandidateGrain, candidate_grains, serving_table
from airflow_atscale_aggs.engine.advising.grains import GrainSpace
from airflow_atscale_aggs.engine.advising.query_requirements import QueryRequirement, combine_requirements
from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.lattice import dependency_of, derivation
from airflow_atscale_aggs.engine.aggregates.measures import StoredFunction, StoredMeasure, row_count
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute, JoinKind, JoinStep, Role

_FACT = 10_000
_CHAINS = (("Year", "Month", "Day"), ("Region", "Shop"), ("Channel",))
_COUNTS = {"Year": 3, "Month": 36, "Day": 1000, "Region": 4, "Shop": 50, "Channel": 2}


def _bound(chain: tuple[str, ...], place: int, kind: JoinKind = JoinKind.UNIQUE_KEY) -> BoundAttribute:
    table = chain[-1].lower()
    key = f"{table}_id"
    column = key if place == len(chain) - 1 else chain[place].lower()
    return BoundAttribute(
        attribute=GrainAttribute(Role(chain[-1]), chain[place]),
        label=chain[place],
        dataset=table,
        key_columns=(column,),
        name_column=column,
        steps=(JoinStep(kind, "sales", (key,), table, (key,)),),
        determines=frozenset(chain[:place]),
    )


_ALL = {chain[place]: _bound(chain, place) for chain in _CHAINS for place in range(len(chain))}
_CLAIMS = {dependency_of(one, source) for one in _ALL.values() for source in _ALL.values()}
_PROVEN = frozenset(claim for claim in _CLAIMS if claim is not None)
_SINGLES = {frozenset({_ALL[name].attribute}): float(count) for name, count in _COUNTS.items()}


def _space() -> GrainSpace:
    return GrainSpace(_ALL.values(), _PROVEN, fact_rows=_FACT, measured=_SINGLES)


def _mask(space: GrainSpace, *names: str) -> int:
    return space.mask(_ALL[name].attribute for name in names)


def _need(*names: str, weight: float = 1.0, measures: tuple[StoredMeasure, ...] = ()) -> QueryRequirement:
    stored = tuple(sorted({row_count("sales"), *measures}))
    return QueryRequirement(
        part=FactPart(fact="sales", attributes=tuple(_ALL[n] for n in names), measures=stored), weight=weight
    )


_grains = st.lists(st.sampled_from(sorted(_ALL)), min_size=0, max_size=4, unique=True)


def test_closure_and_reduction() -> None:
    """A day gives its month and year; a month beside a day adds no groups."""
    space = _space()

    assert space.closure(_mask(space, "Day")) == _mask(space, "Day", "Month", "Year")
    assert space.reduce(_mask(space, "Year", "Day", "Region", "Shop")) == _mask(space, "Day", "Shop")


def test_what_is_not_proven_does_not_count() -> None:
    """Without proofs every attribute stands for itself."""
    space = GrainSpace(_ALL.values(), frozenset(), fact_rows=_FACT, measured=_SINGLES)

    assert space.reduce(_mask(space, "Year", "Day")) == _mask(space, "Year", "Day")


def test_estimates() -> None:
    """Products as if independent, at most the fact's rows; measured finer grains bound them, measured ones are taken."""
    space = _space()
    month_region = _mask(space, "Month", "Region")

    assert space.rows(0) == 1
    assert abs(space.rows(month_region) - 36 * 4) < 2
    assert space.rows(_mask(space, "Day", "Shop", "Channel")) <= _FACT
    assert not space.is_measured(month_region)
    space.learn({frozenset({_ALL["Month"].attribute, _ALL["Shop"].attribute}): 90.0})
    assert space.rows(month_region) == 90
    space.learn({frozenset({_ALL["Month"].attribute, _ALL["Region"].attribute, _ALL["Year"].attribute}): 70.0})
    assert space.rows(month_region) == 70
    assert space.is_measured(month_region)


@settings(deadline=None)
@given(st.lists(_grains, min_size=1, max_size=4), _grains)
def test_a_grain_serves_what_the_lattice_derives_from_it(asked: list[list[str]], given_: list[str]) -> None:
    """The table of bits and `derivation` agree."""
    space, needs = _space(), [_need(*names) for names in asked]
    (row,) = serving_table(space, [CandidateGrain(_mask(space, *given_))], needs)
    stored = _need(*given_).part

    assert list(row) == [derivation(need.part, stored, _PROVEN) is not None for need in needs]


@settings(deadline=None, max_examples=50)
@given(st.lists(_grains.filter(bool), min_size=1, max_size=4))
def test_no_grain_is_better_than_a_join_of_needs(asked: list[list[str]]) -> None:
    """Whatever grain serves some needs, a candidate serves the same ones with no more rows."""
    space = _space()
    needs = combine_requirements(_need(*names) for names in asked)
    candidates = candidate_grains(space, needs, largest=_FACT, most=10_000)
    rows = [space.rows(space.reduce(one.mask)) for one in candidates]
    table = serving_table(space, candidates, needs)
    for size in range(len(_ALL) + 1):
        for names in itertools.combinations(_ALL, size):
            any_grain = CandidateGrain(space.reduce(_mask(space, *names)))
            (serves,) = serving_table(space, [any_grain], needs)
            if serves.any():
                as_good = [
                    count for count, own in zip(rows, table, strict=True) if np.array_equal(own & serves, serves)
                ]
                assert min(as_good) <= space.rows(any_grain.mask) + 1e-9


def test_exact_distinct_counts_get_their_own_grain() -> None:
    """They serve themselves only; other needs are served by it as by any other grain."""
    space = _space()
    exact = _need("Month", "Year", measures=(StoredMeasure(StoredFunction.COUNT_DISTINCT, "sales", "customer"),))
    needs = combine_requirements([exact, _need("Year", weight=0.5)])
    candidates = candidate_grains(space, needs, largest=_FACT, most=100)
    table = serving_table(space, candidates, needs)
    (own,) = [number for number, one in enumerate(candidates) if one.exact >= 0]

    assert candidates[own].mask == _mask(space, "Month", "Year")
    assert list(table[own]) == [True, True]
    assert not table[[n for n in range(len(candidates)) if n != own], 0].any()


def test_many_to_many_attributes_must_be_the_same() -> None:
    """A row stands once per member, so such an attribute can be neither dropped nor added."""
    reason = _bound(("Reason",), 0, JoinKind.BRIDGE)
    month = _ALL["Month"]
    space = GrainSpace((month, reason), frozenset(), fact_rows=_FACT, measured={})
    parts = [FactPart(fact="sales", attributes=one, measures=()) for one in ((month,), (month, reason), (reason,))]
    needs = [QueryRequirement(part=part, weight=1.0) for part in parts]
    both = CandidateGrain(space.mask([month.attribute, reason.attribute]))

    assert list(serving_table(space, [both], needs)[0]) == [False, True, True]
    masks = {one.mask for one in candidate_grains(space, needs, largest=_FACT, most=100)}
    assert masks == {space.mask(bound.attribute for bound in part.attributes) for part in parts}


@pytest.mark.parametrize("candidates", [0, 1, 2])
@pytest.mark.parametrize("needs", [0, 1, 2])
@pytest.mark.parametrize("kind", [JoinKind.BRIDGE, JoinKind.UNIQUE_KEY])
def test_a_table_of_nothing_has_its_shape(candidates: int, needs: int, kind: JoinKind) -> None:
    """Also where no candidate is small enough, or nothing was asked."""
    reason = _bound(("Reason",), 0, kind)
    space = GrainSpace((reason,), frozenset(), fact_rows=_FACT, measured={})
    asked = [QueryRequirement(part=FactPart(fact="sales", attributes=(reason,), measures=()), weight=1.0)] * needs
    table = serving_table(space, [CandidateGrain(space.mask([reason.attribute]))] * candidates, asked)
    assert table.shape == (candidates, needs)


def test_names() -> None:
    """Readable, and short enough for every warehouse whatever the model calls things."""
    assert aggregate_name(_need("Month", "Shop").part) == "sales_by_month_shop"
    assert aggregate_name(_need().part) == "sales_total"
    long = BoundAttribute(
        attribute=GrainAttribute(Role("D", "Preferred Ship To {0}"), "Ünusually Long Attribute Name Indeed"),
        label="",
        dataset="d",
        key_columns=("k",),
        name_column="k",
    )
    part = FactPart(fact="a_fact_table_with_a_name", attributes=(_ALL["Year"], long), measures=())
    assert aggregate_name(part) == "a_fact_table_with_a_name_by_year_and_1_more"
    assert len(aggregate_name(FactPart(fact="f" * 200, attributes=(long,), measures=())).encode()) <= 56
