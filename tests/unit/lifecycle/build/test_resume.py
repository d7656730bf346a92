"""An interrupted batch is gone on with only when a new one would be the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.aggregates.build_step import BuildStep
from airflow_atscale_aggs.engine.aggregates.definition import DefinitionStatus
from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.aggregates.provenance import SourceState
from airflow_atscale_aggs.engine.aggregates.source_mark import SourceMark
from airflow_atscale_aggs.engine.lifecycle.build.batch import begin_batch
from airflow_atscale_aggs.engine.lifecycle.build.plan import plan_batch
from airflow_atscale_aggs.engine.lifecycle.build.resume import (
    asked_of,
    find_damage,
    find_difference,
    find_reason_not_to_resume,
    find_replacement,
)
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.planning.requests import Asked
from airflow_atscale_aggs.engine.registry.records import BatchRecord
from tests.support.stars import tiny_star
from tests.support.stars.standing_star import (
    LATER,
    MODEL,
    NOW,
    OWNER,
    begin,
    model_id,
    open_batch,
    put_settings,
    run_sql,
)

_ALL = Asked(build_type=BuildType.FULL)


def _reason(
    workspace: Workspace,
    batch: BatchRecord | None = None,
    request: Asked = _ALL,
    requested_at: datetime | None = None,
) -> str:
    return find_reason_not_to_resume(
        workspace, batch or open_batch(workspace), request, requested_at=requested_at, now=LATER
    )


def test_a_batch_that_would_be_planned_the_same_is_gone_on_with(staged_star: Workspace) -> None:
    assert _reason(staged_star) == ""
    assert _reason(staged_star, requested_at=LATER - timedelta(minutes=1)) == ""
    assert asked_of(open_batch(staged_star)) == _ALL


@pytest.mark.parametrize(
    ("request_", "requested_at", "reason"),
    [
        (
            Asked(build_type=BuildType.INCREMENTAL),
            None,
            "it is a full rebuild, and an incremental build is asked for",
        ),
        (
            Asked(build_type=BuildType.FULL, aggregates=("by_city",)),
            None,
            "it builds all aggregates, and `by_city` are asked for",
        ),
        (
            Asked(build_type=BuildType.FULL, grace_periods={"sales": "1h"}),
            None,
            "its grace periods are the model's, and sales: 1h are asked for",
        ),
        (_ALL, LATER, "it was begun before this run was asked for"),
    ],
)
def test_a_batch_that_was_asked_to_do_something_else_is_closed(
    staged_star: Workspace, request_: Asked, requested_at: datetime | None, reason: str
) -> None:
    assert _reason(staged_star, request=request_, requested_at=requested_at) == reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(
            lambda batch: replace(batch, schema="elsewhere"),
            "it builds in schema `elsewhere`, and `aggs` is set now",
            id="another schema",
        ),
        pytest.param(
            lambda batch: replace(batch, sources=()),
            "the state of the facts was not noted when it was begun",
            id="of an older version",
        ),
        pytest.param(
            lambda batch: replace(batch, sources=(SourceMark(dataset="sales"), SourceMark(dataset="shop"))),
            "nobody can tell whether `sales`, `shop` changed since it was begun: no mark was taken",
            id="without marks",
        ),
        pytest.param(
            lambda batch: replace(batch, deployment_id="another one"),
            "the model was deployed anew since it was begun",
            id="another deployment",
        ),
    ],
)
def test_a_batch_of_other_circumstances_is_closed(
    staged_star: Workspace, change: Callable[[BatchRecord], BatchRecord], reason: str
) -> None:
    assert _reason(staged_star, change(open_batch(staged_star))) == reason


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("INSERT INTO sales VALUES (1, 1, 1, 1)", "`sales` changed since it was begun"),
        ("UPDATE shop SET city = 'East' WHERE shop_id = 1", "`shop` changed since it was begun"),
        ("DROP TABLE day", "`day` changed since it was begun"),
        # No aggregate reads the column.
        ("ALTER TABLE shop ADD COLUMN owner VARCHAR DEFAULT 'somebody'", ""),
    ],
)
def test_a_batch_whose_data_has_changed_is_closed(staged_star: Workspace, statement: str, reason: str) -> None:
    run_sql(staged_star, statement)

    assert _reason(staged_star) == reason


def test_a_batch_that_would_be_planned_otherwise_is_closed(staged_star: Workspace) -> None:
    put_settings(staged_star, build_from_existing=False)

    assert _reason(staged_star).startswith("a new one is planned otherwise: settings, definitions or what serves")


@pytest.mark.parametrize("is_blocked_before", [True, False])
def test_a_batch_of_other_aggregates_is_closed(deployed_star: Workspace, *, is_blocked_before: bool) -> None:
    """Somebody has blocked one, or taken that back."""
    records = deployed_star.read.definitions.of_model(model_id(deployed_star))
    (city,) = [record.definition.id for record in records if record.definition.name == "by_city"]
    blocked, defined = DefinitionStatus.BLOCKED, DefinitionStatus.DEFINED
    statuses = [blocked, defined] if is_blocked_before else [defined, blocked]

    def turn_into(status: DefinitionStatus, expected: DefinitionStatus) -> None:
        deployed_star.registry.definitions.set_status([city], status, "", expected=expected, now=NOW)

    if is_blocked_before:
        turn_into(blocked, defined)
    begin(deployed_star)
    turn_into(statuses[1], statuses[0])

    expected = (
        "it does not build `by_city`" if is_blocked_before else "it builds `by_city`, which would not be built now"
    )
    assert _reason(deployed_star) == expected


def test_a_new_deployment_closes_the_batches_of_the_old_one(staged_star: Workspace, tmp_path: Path) -> None:
    deploy(staged_star, tiny_star.write_model(tmp_path / "model"), now=LATER)
    record = staged_star.read.models.get(MODEL)

    reason = find_difference(open_batch(staged_star), record, _ALL)

    assert reason == "the model was deployed anew since it was begun"


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("SELECT 1", ""),
        ("DELETE FROM {table} WHERE \"city\" = 'South'", "which it has built, had 4 rows and has 3 now"),
        ("INSERT INTO {table} SELECT * FROM {table}", "which it has built, had 4 rows and has 8 now"),
        ("DROP TABLE {table}", "which it has built, cannot be read ("),
    ],
)
def test_what_was_built_must_still_be_there(staged_star: Workspace, statement: str, reason: str) -> None:
    batch = open_batch(staged_star)
    (city,) = [i for i in staged_star.read.instances.find(batch_id=batch.id) if i.step.aggregate == "by_city"]
    run_sql(staged_star, statement.format(table=f'aggs."{city.table}"'))

    damage = find_damage(staged_star, batch)

    assert reason in damage
    assert damage.startswith(f"`{city.table}` of `by_city`, " if reason else "")
    assert _reason(staged_star) == damage


def test_a_batch_that_has_built_nothing_has_no_damage(deployed_star: Workspace) -> None:
    assert find_damage(deployed_star, begin(deployed_star).batch) == ""


def test_segments_that_would_be_made_again_are_the_same_under_other_names(incremental_star: Workspace) -> None:
    begin_batch(incremental_star, MODEL, build_type=BuildType.INCREMENTAL, owner=OWNER, now=LATER)
    (planned,) = incremental_star.read.instances.find(batch_id=open_batch(incremental_star).id)
    assert planned.step.increment is not None
    assert planned.step.increment.new

    assert _reason(incremental_star, request=Asked(build_type=BuildType.INCREMENTAL)) == ""


def _open(workspace: Workspace, steps: tuple[BuildStep, ...]) -> BatchRecord:
    """An incremental batch of these steps."""
    return workspace.registry.batches.open(
        batch_id="b",
        model_id=model_id(workspace),
        deployment_id=workspace.read.models.get(MODEL).deployment_id,
        build_type=BuildType.INCREMENTAL,
        owner=OWNER,
        lease_until=LATER,
        steps=steps,
        now=LATER,
    )


@pytest.mark.parametrize(
    ("identity", "reason"),
    [
        ("7", ""),
        ("8", "table `main.sales` was replaced, truncated or written anew since its increments were planned"),
    ],
)
def test_increments_need_the_tables_that_their_older_segments_were_made_from(
    incremental_star: Workspace, identity: str, reason: str
) -> None:
    """DuckDB's catalog tells no table from its successor, so that the answer of another one is written here."""
    plan = plan_batch(
        incremental_star, MODEL, build_type=BuildType.INCREMENTAL, now=LATER, new_id=lambda: "an instance"
    )
    (step,) = plan.steps
    assert step.increment is not None
    increment = replace(
        step.increment,
        identities_sql=f"SELECT 'sales', 'main.sales', '{identity}'",
        sources=SourceState(tables={"main.sales": "7"}),
    )

    batch = _open(incremental_star, (replace(step, increment=increment),))

    assert find_replacement(incremental_star, batch) == reason


def test_a_batch_without_increments_rests_on_no_older_table(staged_star: Workspace) -> None:
    assert find_replacement(staged_star, open_batch(staged_star)) == ""
