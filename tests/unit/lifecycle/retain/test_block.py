"""A person takes an aggregate out of use, and into use again."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.errors import (
    IllegalTransitionError,
    ModelRetiredError,
    NotRegisteredError,
    UnknownNameError,
)
from airflow_atscale_aggs.engine.lifecycle.build.plan import plan_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.retain.block import block, block_definition, unblock, unblock_definition
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from tests.support.stars import tiny_star
from tests.support.stars.standing_star import LATER, MODEL, NOW, define, definition, model_id


def _planned(workspace: Workspace) -> list[str]:
    plan = plan_batch(workspace, MODEL, now=LATER, new_id=lambda: "an instance")
    return sorted(step.aggregate for step in plan.steps)


def test_a_blocked_aggregate_is_not_built_until_a_person_takes_that_back(deployed_star: Workspace) -> None:
    blocked = block_definition(deployed_star, MODEL, "by_city", why="too wide", now=LATER)

    assert (blocked.status, blocked.status_reason) == ("blocked", "too wide")
    assert _planned(deployed_star) == ["by_day_and_shop"]

    unblocked = unblock_definition(deployed_star, MODEL, "by_city", now=LATER)

    assert (unblocked.status, unblocked.status_reason) == ("defined", "")
    assert _planned(deployed_star) == ["by_city", "by_day_and_shop"]


def test_a_deployment_and_advice_leave_it_blocked(deployed_star: Workspace, tmp_path: Path) -> None:
    define(deployed_star, "advised", "quantity")
    for name in ("by_city", "advised"):
        block_definition(deployed_star, MODEL, name, why="", now=LATER)

    deploy(deployed_star, tiny_star.write_model(tmp_path / "model"), now=LATER)
    define(deployed_star, "advised", "quantity")

    assert definition(deployed_star, "by_city").status == "blocked"
    assert definition(deployed_star, "advised").status == "blocked"


def test_one_that_left_the_model_meanwhile_is_retired(deployed_star: Workspace, tmp_path: Path) -> None:
    block_definition(deployed_star, MODEL, "by_city", why="", now=LATER)
    others = {"by_day_and_shop": tiny_star.AGGREGATES["by_day_and_shop"]}
    deploy(deployed_star, tiny_star.write_model(tmp_path / "model", others), now=LATER)

    record = unblock_definition(deployed_star, MODEL, "by_city", now=LATER)

    assert (record.status, record.status_reason) == ("retired", "it left the model")


def test_what_nobody_declares_is_defined_again(deployed_star: Workspace) -> None:
    define(deployed_star, "advised", "quantity")
    block_definition(deployed_star, MODEL, "advised", why="", now=LATER)

    assert unblock_definition(deployed_star, MODEL, "advised", now=LATER).status == "defined"


def test_names_that_are_not_in_use_are_told_with_their_neighbours(deployed_star: Workspace) -> None:
    block_definition(deployed_star, MODEL, "by_city", why="", now=LATER)

    with pytest.raises(UnknownNameError, match="There is no defined aggregate `by_city`"):
        block_definition(deployed_star, MODEL, "by_city", why="", now=LATER)
    with pytest.raises(
        UnknownNameError, match=r"no defined aggregate `by_day_or_shop`\. Did you mean `by_day_and_shop`"
    ):
        block_definition(deployed_star, MODEL, "by_day_or_shop", why="", now=LATER)
    with pytest.raises(UnknownNameError, match=r"no blocked aggregate `by_citi`\. Did you mean `by_city`"):
        unblock_definition(deployed_star, MODEL, "by_citi", now=LATER)
    with pytest.raises(NotRegisteredError, match="no model `tiny`"):
        block_definition(deployed_star, "tiny", "by_city", why="", now=LATER)


def test_only_what_is_in_use_is_blocked_and_only_what_is_blocked_unblocked(deployed_star: Workspace) -> None:
    """Whoever names a definition by its id may be late."""
    defined = definition(deployed_star, "by_city")
    blocked = block(deployed_star, defined, why="", now=LATER)

    with pytest.raises(IllegalTransitionError, match="Aggregate `by_city` is blocked and cannot become blocked"):
        block(deployed_star, blocked, why="", now=LATER)
    with pytest.raises(IllegalTransitionError, match="Aggregate `by_city` is defined and cannot become defined"):
        unblock(deployed_star, defined, now=LATER)
    assert unblock(deployed_star, blocked, now=LATER).status == "defined"


def test_nothing_of_a_retired_model_is_taken_into_use(deployed_star: Workspace) -> None:
    block_definition(deployed_star, MODEL, "by_city", why="", now=LATER)
    deployed_star.registry.models.retire(model_id(deployed_star), why="", now=NOW, drop_after=NOW)

    with pytest.raises(ModelRetiredError):
        unblock_definition(deployed_star, MODEL, "by_city", now=LATER)
