"""A batch goes live as a whole or not at all, and the stable views follow."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

import pytest

from airflow_atscale_aggs.engine.errors import BatchFailedError, IllegalTransitionError, StaleStatusError
from airflow_atscale_aggs.engine.lifecycle.build.activate import (
    activate_batch,
    cancel_batch,
    drop_gone_views,
    switch_pending_views,
    switch_views,
)
from airflow_atscale_aggs.engine.lifecycle.build.attempt import build_instance
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from tests.support.stars.standing_star import (
    LATER,
    OWNER,
    begin,
    build,
    model_id,
    open_batch,
    put_settings,
    rows_of,
    run_sql,
    serving,
    tables_of,
)

_CITY_VIEW = 'aggs."agg_tiny_sales_by_city"'
_TOTAL = f"SELECT SUM(sum_amount) FROM {_CITY_VIEW}"
_AMOUNT = 60 * 0.25 + sum(range(60))
"""Of the 60 sales of 0.25, 1.25, …, 59.25. The staged batch has seen one more, of 1000."""


def _batch_with(workspace: Workspace, aggregates: Collection[str]) -> str:
    """The id of a batch of both aggregates, of which only some are built."""
    begun = begin(workspace, now=LATER)
    for instance in begun.instances:
        if instance.step.aggregate in aggregates:
            build_instance(workspace, instance.id, owner=OWNER)
    return begun.batch.id


def _statuses(workspace: Workspace, batch_id: str) -> dict[str, str]:
    instances = workspace.read.instances.find(batch_id=batch_id)
    return {instance.step.aggregate: str(instance.status) for instance in instances}


def test_all_new_instances_serve_and_the_old_ones_wait_for_their_drop(staged_star: Workspace) -> None:
    put_settings(staged_star, drop_delay_seconds=600)
    old, batch = serving(staged_star, "by_city"), open_batch(staged_star)
    assert rows_of(staged_star, _TOTAL) == [(_AMOUNT,)]

    report = activate_batch(staged_star, batch.id, owner=OWNER, now=LATER)

    assert (report.batch.status, report.batch.finished_at, report.batch.views_pending) == ("done", LATER, False)
    assert _statuses(staged_star, batch.id) == {"by_day_and_shop": "active", "by_city": "active"}
    old = staged_star.read.instances.get(old.id)
    assert (old.status, old.drop_after) == ("superseded", LATER + timedelta(seconds=600))
    assert rows_of(staged_star, _TOTAL) == [(_AMOUNT + 1000,)]


def test_activating_again_changes_nothing(built_star: Workspace) -> None:
    (batch,) = built_star.read.batches.find(model_id(built_star))
    before = built_star.read.instances.find(batch_id=batch.id)

    report = activate_batch(built_star, batch.id, owner="somebody else", now=LATER)

    assert (report.batch, report.instances) == (batch, before)


@pytest.mark.parametrize(
    ("built_names", "max_failures", "given_up", "unbuilt"),
    [
        pytest.param({"by_day_and_shop"}, 0, (), ("by_city",), id="one too many"),
        pytest.param((), 1, (), ("by_day_and_shop", "by_city"), id="two where one is tolerated"),
        pytest.param((), 0, ("by_city",), ("by_day_and_shop",), id="only one of them is given up"),
    ],
)
def test_a_batch_with_too_many_failures_is_failed_and_the_old_instances_serve_on(
    built_star: Workspace,
    built_names: Collection[str],
    max_failures: int,
    given_up: tuple[str, ...],
    unbuilt: tuple[str, ...],
) -> None:
    put_settings(built_star, max_failures=max_failures)
    old = serving(built_star, "by_city")
    batch_id = _batch_with(built_star, built_names)
    ids = {i.id for i in built_star.read.instances.find(batch_id=batch_id) if i.step.aggregate in given_up}

    with pytest.raises(BatchFailedError, match=f"{len(unbuilt)} failed .*allows {max_failures}") as caught:
        activate_batch(built_star, batch_id, owner=OWNER, now=LATER, given_up=ids)

    assert caught.value.failed == unbuilt
    assert built_star.read.batches.get(batch_id).status == "failed"
    assert serving(built_star, "by_city") == old
    # What was built stays staged for a resume.
    assert {name for name, status in _statuses(built_star, batch_id).items() if status == "done"} == set(built_names)


@pytest.mark.parametrize("is_given_up", [False, True])
def test_what_is_tolerated_or_given_up_leaves_the_old_instance_of_that_aggregate_in_service(
    built_star: Workspace, *, is_given_up: bool
) -> None:
    put_settings(built_star, max_failures=0 if is_given_up else 1)
    old = serving(built_star, "by_city")
    batch_id = _batch_with(built_star, {"by_day_and_shop"})
    (unbuilt,) = [i.id for i in built_star.read.instances.find(batch_id=batch_id) if i.step.aggregate == "by_city"]

    activate_batch(built_star, batch_id, owner=OWNER, now=LATER, given_up=[unbuilt] if is_given_up else [])

    expected = {"by_day_and_shop": "active", "by_city": "failed" if is_given_up else "cancelled"}
    assert _statuses(built_star, batch_id) == expected
    assert serving(built_star, "by_city") == old
    assert serving(built_star, "by_day_and_shop").batch_id == batch_id
    error = built_star.read.instances.get(unbuilt).error or ""
    assert error.startswith("given up by a person") is is_given_up


def test_a_cancelled_batch_cannot_be_activated(staged_star: Workspace) -> None:
    batch, old = open_batch(staged_star), serving(staged_star, "by_city")

    report = cancel_batch(staged_star, batch.id, now=LATER)

    assert (report.batch.status, {str(instance.status) for instance in report.instances}) == (
        "cancelled",
        {"cancelled"},
    )
    assert serving(staged_star, "by_city") == old
    with pytest.raises(IllegalTransitionError, match=f"Batch {batch.id} is cancelled and cannot become done"):
        activate_batch(staged_star, batch.id, owner=OWNER, now=LATER)


def test_a_batch_that_went_live_cannot_be_cancelled(built_star: Workspace) -> None:
    (batch,) = built_star.read.batches.find(model_id(built_star))

    with pytest.raises(IllegalTransitionError, match="is done and cannot become cancelled"):
        cancel_batch(built_star, batch.id, now=LATER)


def test_a_batch_of_another_owner_is_not_touched(staged_star: Workspace) -> None:
    batch, old = open_batch(staged_star), serving(staged_star, "by_city")

    with pytest.raises(StaleStatusError, match="somebody else"):
        activate_batch(staged_star, batch.id, owner="a stranger", now=LATER)

    assert serving(staged_star, "by_city") == old
    assert _statuses(staged_star, batch.id) == {"by_day_and_shop": "done", "by_city": "done"}


def test_views_that_a_dead_process_left_behind_are_switched_by_whoever_comes_next(staged_star: Workspace) -> None:
    batch = open_batch(staged_star)
    staged_star.registry.batches.activate(batch.id, owner=OWNER, now=LATER, drop_after=LATER)
    assert rows_of(staged_star, _TOTAL) == [(_AMOUNT,)]

    assert switch_pending_views(staged_star, model_id(staged_star)) == ()

    assert rows_of(staged_star, _TOTAL) == [(_AMOUNT + 1000,)]
    assert not staged_star.read.batches.get(batch.id).views_pending
    assert switch_pending_views(staged_star) == ()


def test_a_view_that_cannot_be_switched_is_noted_and_stops_no_other(deployed_star: Workspace) -> None:
    """Somebody's own table has the name of one of the views."""
    run_sql(deployed_star, f"CREATE TABLE {_CITY_VIEW} (x INTEGER)")

    report = build(deployed_star)

    (note,) = report.batch.notes
    assert note.startswith("Stable view `agg_tiny_sales_by_city` stays as it is: ")
    assert report.batch.views_pending
    assert "agg_tiny_sales_by_day_and_shop" in tables_of(deployed_star)
    assert rows_of(deployed_star, f"SELECT * FROM {_CITY_VIEW}") == []

    run_sql(deployed_star, f"DROP TABLE {_CITY_VIEW}")

    assert switch_views(deployed_star, report.batch) == ()
    batch = deployed_star.read.batches.get(report.batch.id)
    assert (batch.notes, batch.views_pending) == ((), False)
    assert rows_of(deployed_star, _TOTAL) == [(_AMOUNT,)]


def test_views_of_aggregates_that_serve_no_more_go(built_star: Workspace) -> None:
    assert drop_gone_views(built_star, model_id(built_star)) == ()
    assert {"agg_tiny_sales_by_city", "agg_tiny_sales_by_day_and_shop"} <= tables_of(built_star)
    city = serving(built_star, "by_city")
    built_star.registry.instances.let_go(city.model_id, [city.id], {}, now=LATER, drop_after=LATER)

    assert drop_gone_views(built_star, model_id(built_star)) == ()

    assert {name for name in tables_of(built_star) if name.startswith("agg_")} == {"agg_tiny_sales_by_day_and_shop"}
    # The table itself waits for a sweep.
    assert city.table in tables_of(built_star)
