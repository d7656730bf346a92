"""Seconds of a batch come from the tables that serve: their own, or those of what is most like them."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.planning.batch_seconds import PastBuild, estimate_seconds
from tests.support.step_cases import build_step, step_increment


def _past(seconds: float, kind: str = "full", *, is_derived: bool = False) -> PastBuild:
    return PastBuild(seconds=seconds, kind=kind, is_derived=is_derived)


def test_each_takes_what_it_took_when_the_fact_has_as_many_rows() -> None:
    past = {("a", "sales"): _past(2.0), ("b", "sales"): _past(0.5, is_derived=True)}

    found = estimate_seconds([build_step("a"), build_step("b", "a")], past, {"sales": 100}, {"sales": 100})

    assert found.total == 2.5
    assert found.guessed == ()


@pytest.mark.parametrize(("now", "then", "growth"), [(300, 100, 3.0), (None, 100, 1.0), (300, 0, 1.0)])
def test_a_full_build_grows_with_its_fact(now: int | None, then: int, growth: float) -> None:
    found = estimate_seconds([build_step("a")], {("a", "sales"): _past(2.0)}, {"sales": now}, {"sales": then})

    assert found.total == 2.0 * growth


def test_an_increment_does_not_grow_with_its_fact() -> None:
    past = {("a", "sales"): _past(2.0, "increment")}

    assert (
        estimate_seconds([build_step("a", increment=step_increment(1))], past, {"sales": 300}, {"sales": 100}).total
        == 2.0
    )


def test_what_was_never_built_is_taken_for_the_median_of_its_like() -> None:
    past = {
        ("a", "sales"): _past(1.0),
        ("b", "sales"): _past(2.0),
        ("c", "sales"): _past(9.0),
        ("d", "sales"): _past(0.1, is_derived=True),
    }

    found = estimate_seconds([build_step("new")], past, {}, {})

    assert found.total == 2.0
    assert found.guessed == ("new",)


@pytest.mark.parametrize("past", [{}, {("a", "sales"): _past(1.0, "increment")}, {("a", "returns"): _past(1.0)}])
def test_where_nothing_like_it_was_built_nothing_is_said(past: dict[tuple[str, str], PastBuild]) -> None:
    assert estimate_seconds([build_step("a")], past, {}, {}).total is None


def test_a_batch_of_nothing_says_nothing() -> None:
    assert estimate_seconds([], {}, {}, {}).total is None
