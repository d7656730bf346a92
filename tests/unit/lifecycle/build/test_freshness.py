"""How old aggregates are: since when the build of what serves began."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from airflow_atscale_aggs.engine.errors import NotRegisteredError, UnknownNameError
from airflow_atscale_aggs.engine.lifecycle.build.freshness import aggregate_ages
from airflow_atscale_aggs.engine.lifecycle.retain.block import block_definition
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, utc_now
from tests.support.stars.standing_star import MODEL, NOW, build, define, serving


def _began(workspace: Workspace, aggregate: str) -> datetime:
    began = serving(workspace, aggregate).started_at
    assert began is not None
    return began


def test_what_serves_is_as_old_as_its_build(built_star: Workspace) -> None:
    now = utc_now()

    ages = aggregate_ages(built_star.read, MODEL, now=now)

    assert [(age.aggregate, age.since, age.age) for age in ages] == [
        (name, _began(built_star, name), now - _began(built_star, name)) for name in ("by_day_and_shop", "by_city")
    ]
    assert all(age.is_live and age.fact == "sales" for age in ages)


def test_one_that_is_rebuilt_is_the_youngest(built_star: Workspace) -> None:
    build(built_star, "by_day_and_shop")

    ages = aggregate_ages(built_star.read, MODEL, now=utc_now())

    assert [age.aggregate for age in ages] == ["by_city", "by_day_and_shop"]


def test_a_batch_that_is_not_live_makes_nothing_younger(staged_star: Workspace) -> None:
    ages = aggregate_ages(staged_star.read, MODEL, now=utc_now())

    assert [age.since for age in ages] == [_began(staged_star, age.aggregate) for age in ages]


def test_one_that_was_never_built_is_as_old_as_its_definition(built_star: Workspace) -> None:
    define(built_star, "pieces", "quantity")

    (oldest, *others) = aggregate_ages(built_star.read, MODEL, now=NOW + timedelta(hours=3))

    assert (oldest.aggregate, oldest.is_live, oldest.age) == ("pieces", False, timedelta(hours=3))
    assert all(age.is_live for age in others)


def test_a_blocked_one_has_no_age(built_star: Workspace) -> None:
    block_definition(built_star, MODEL, "by_city", why="a test", now=utc_now())

    assert [age.aggregate for age in aggregate_ages(built_star.read, MODEL, now=utc_now())] == ["by_day_and_shop"]


def test_only_those_that_are_asked_for_are_told(built_star: Workspace) -> None:
    now = utc_now()

    assert [age.aggregate for age in aggregate_ages(built_star.read, MODEL, now=now, aggregates=["by_city"])] == [
        "by_city"
    ]
    with pytest.raises(UnknownNameError, match="Did you mean `by_city`"):
        aggregate_ages(built_star.read, MODEL, now=now, aggregates=["by_cty"])
    with pytest.raises(NotRegisteredError):
        aggregate_ages(built_star.read, "tiny_sale", now=now)
