"""Batches: one of a model at a time, held by an owner, resumed, closed, activated or cancelled by compare-and-set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_atscale_aggs.engine.aggregates.instance import BatchStatus, InstanceStatus
from airflow_atscale_aggs.engine.aggregates.source_mark import SourceMark
from airflow_atscale_aggs.engine.aggregates.surroundings import SeenTable, Surroundings
from airflow_atscale_aggs.engine.errors import BatchHeldError, IllegalTransitionError, StaleStatusError
from airflow_atscale_aggs.engine.registry.records import BuiltParts
from airflow_atscale_aggs.engine.registry.registry import Registry
from tests.support.registry_content import (
    HOUR,
    LATER,
    MODEL,
    NOW,
    OTHER_MODEL,
    REVENUE,
    build,
    make_aggregate,
    make_deployment,
    make_step,
    open_batch,
    run_batch,
    statuses,
)


def test_one_batch_of_a_model_at_a_time(any_registry: Registry) -> None:
    """The second is told who holds the lease; the database itself allows one."""
    registry = any_registry
    open_batch(registry)

    with pytest.raises(BatchHeldError, match="me holds the lease until 2026-01-01T12:01:00"):
        open_batch(registry, "c", owner="you")
    assert [batch.id for batch in registry.read.batches.find()] == ["b"]
    assert registry.read.instances.find(batch_id="c") == ()


def test_a_batch_from_beginning_to_end(any_registry: Registry) -> None:
    """NEW, IN_PROGRESS, DONE, ACTIVE; the next batch supersedes; swept tables are DELETED."""
    registry = any_registry
    open_batch(registry, notes=("a note",))
    assert statuses(registry) == {"b-revenue": "new", "b-units": "new"}
    build(registry, "b-revenue", "b-units")
    first = registry.batches.activate("b", owner="me", now=NOW, drop_after=LATER)
    assert (first.status, first.views_pending, first.notes) == (BatchStatus.DONE, True, ("a note",))
    registry.batches.record_view_switch("b")

    run_batch(registry, "c", now=LATER)

    assert statuses(registry) == {
        "c-revenue": "active",
        "c-units": "active",
        "b-revenue": "superseded",
        "b-units": "superseded",
    }
    assert registry.read.tables.to_drop(LATER) == ()
    unneeded = registry.read.tables.to_drop(LATER + 2 * HOUR)
    assert [table.attempt.table for table in unneeded] == ["as_agg_b_revenue_a1", "as_agg_b_units_a1"]
    for table in unneeded:
        registry.tables.record_drop(table.attempt.instance_id, table.attempt.number, LATER)
    assert registry.read.instances.get("b-revenue").status is InstanceStatus.DELETED
    assert registry.read.tables.to_drop(LATER + 2 * HOUR) == ()
    assert registry.read.instances.last_rows(MODEL) == {
        (record.definition.id, "sales"): 5 for record in registry.read.definitions.of_model(MODEL)
    }


def test_a_failed_batch_is_closed_by_the_next(any_registry: Registry) -> None:
    """What it had staged is cancelled, and cannot be opened again."""
    registry = any_registry
    open_batch(registry)
    build(registry, "b-revenue")
    registry.batches.fail("b", owner="me", now=NOW)
    open_batch(registry, "c", now=LATER)

    closed = registry.read.batches.get("b")
    assert (closed.status, closed.finished_at) == (BatchStatus.CANCELLED, NOW)
    assert {instance.status for instance in registry.read.instances.find(batch_id="b")} == {InstanceStatus.CANCELLED}
    with pytest.raises(StaleStatusError, match="expected to be held by me but is cancelled, held by me"):
        registry.batches.take_over("b", owner="me", previous_owner="me", lease_until=LATER)


def test_a_batch_that_was_taken_over_is_lost_to_its_owner(any_registry: Registry) -> None:
    """Renewal, activation and failure compare the owner."""
    registry = any_registry
    open_batch(registry)
    registry.batches.take_over("b", owner="you", previous_owner="me", lease_until=LATER)

    for move in (
        lambda: registry.batches.renew_lease("b", owner="me", until=LATER),
        lambda: registry.batches.activate("b", owner="me", now=NOW, drop_after=LATER),
        lambda: registry.batches.fail("b", owner="me", now=NOW),
        lambda: registry.batches.take_over("b", owner="them", previous_owner="me", lease_until=LATER),
    ):
        with pytest.raises(StaleStatusError, match=r"held by you|in_progress under you"):
            move()
    assert registry.read.batches.get("b").owner == "you"


def test_a_cancelled_batch_builds_nothing_more(any_registry: Registry) -> None:
    """Its running attempt cannot finish; a batch that is done cannot be cancelled."""
    registry = any_registry
    open_batch(registry)
    claim = registry.attempts.claim("b-revenue", owner="me", now=NOW)
    registry.batches.cancel("b", now=NOW)

    with pytest.raises(StaleStatusError):
        registry.attempts.finish(claim, BuiltParts(rows=1), seconds=1, source="s", now=NOW)
    with pytest.raises(IllegalTransitionError):
        registry.attempts.claim("b-units", owner="me", now=NOW)
    open_batch(registry, "c")
    registry.batches.activate("c", owner="me", now=NOW, drop_after=LATER)
    with pytest.raises(IllegalTransitionError, match="Batch c is done and cannot become cancelled"):
        registry.batches.cancel("c", now=NOW)


def test_a_batch_keeps_what_it_was_asked_for_and_what_it_was_planned_in(registry: Registry) -> None:
    surroundings = Surroundings(
        settings={"TimeZone": "UTC"}, tables={"sales": SeenTable(place=("db", "main", "sales"), columns={"a": "int"})}
    )
    mark = SourceMark(dataset="sales", sql="SELECT 1", mark="1")
    request: dict[str, Any] = {
        "aggregates": ("revenue",),
        "grace_periods": {"sales": "1h"},
        "sources": (mark,),
        "schema": "aggs",
    }
    batch = open_batch(registry, surroundings=surroundings, notes=("a note",), **request)
    registry.batches.cancel("b", now=NOW)
    plain = open_batch(registry, "c")

    assert {name: getattr(batch, name) for name in request} == request
    assert (batch.status, batch.owner, batch.notes, batch.created_at) == ("in_progress", "me", ("a note",), NOW)
    assert registry.read.batches.surroundings("b") == surroundings
    assert {name: getattr(plain, name) for name in request} == {
        "aggregates": (),
        "grace_periods": {},
        "sources": (),
        "schema": "",
    }
    assert registry.read.batches.surroundings("c") is None


@pytest.mark.parametrize("is_seen_as_it_is", [True, False])
def test_a_silent_batch_is_closed_if_it_is_still_as_the_caller_saw_it(
    registry: Registry, is_seen_as_it_is: bool
) -> None:
    """An owner that has renewed its lease meanwhile is alive."""
    seen = open_batch(registry)
    if not is_seen_as_it_is:
        registry.batches.renew_lease("b", owner="me", until=LATER)

    if is_seen_as_it_is:
        open_batch(registry, "c", owner="you", closes=seen)
        assert statuses(registry)["b-revenue"] == "cancelled"
    else:
        with pytest.raises(BatchHeldError, match="me holds the lease until 2026-01-01T13:00:00"):
            open_batch(registry, "c", owner="you", closes=seen)
        assert statuses(registry) == {"b-revenue": "new", "b-units": "new"}


def test_each_model_has_a_batch_of_its_own_and_a_failed_one_is_opened_again(registry: Registry) -> None:
    registry.models.record_deployments(
        [make_deployment(make_aggregate("a", model=OTHER_MODEL), model_id=OTHER_MODEL, name="visits")], now=NOW
    )
    open_batch(registry)
    open_batch(registry, "v", model=OTHER_MODEL)
    assert {batch.id for batch in registry.read.batches.find()} == {"b", "v"}

    registry.batches.fail("b", owner="me", now=NOW)
    again = registry.batches.take_over("b", owner="me", previous_owner="me", lease_until=LATER)
    assert (again.status, again.finished_at, again.lease_until) == ("in_progress", None, LATER)


def test_a_lease_is_renewed_while_the_batch_is_in_progress(registry: Registry) -> None:
    open_batch(registry)
    registry.batches.renew_lease("b", owner="me", until=LATER)
    assert registry.read.batches.get("b").lease_until == LATER

    registry.batches.fail("b", owner="me", now=NOW)
    with pytest.raises(StaleStatusError, match="expected to be in_progress under me but is failed under me"):
        registry.batches.renew_lease("b", owner="me", until=LATER + HOUR)


def test_a_batch_that_has_ended_is_not_activated_again(registry: Registry) -> None:
    run_batch(registry)

    with pytest.raises(StaleStatusError, match="expected to be in_progress under me but is done under me"):
        registry.batches.activate("b", owner="me", now=LATER, drop_after=LATER)
    assert registry.read.batches.get("b").finished_at == NOW


@pytest.mark.parametrize(
    ("write", "notes", "is_pending"),
    [
        (
            lambda batches: batches.add_notes("b", ["first", "third"]),
            ("first", "Stable view `v` waits.", "third"),
            True,
        ),
        (lambda batches: batches.add_notes("b", []), ("first", "Stable view `v` waits."), True),
        (lambda batches: batches.record_view_switch("b"), ("first",), False),
        (
            lambda batches: batches.record_view_switch("b", ["Stable view `w` waits."], is_pending=True),
            ("first", "Stable view `w` waits."),
            True,
        ),
    ],
    ids=["notes stand once", "no notes", "views are switched", "newer notes about views"],
)
def test_notes_are_added_and_those_about_views_replaced(
    registry: Registry, write: Callable[[Any], None], notes: tuple[str, ...], is_pending: bool
) -> None:
    open_batch(registry, notes=("first", "Stable view `v` waits."))
    registry.batches.activate("b", owner="me", now=NOW, drop_after=LATER)

    write(registry.batches)

    batch = registry.read.batches.get("b")
    assert (batch.notes, batch.views_pending) == (notes, is_pending)
    assert registry.read.batches.with_pending_views() == ((batch,) if is_pending else ())
    assert registry.read.batches.with_pending_views("another model") == ()


def test_batches_are_found_newest_first(registry: Registry) -> None:
    run_batch(registry, "b")
    run_batch(registry, "c", now=LATER)
    open_batch(registry, "d", owner="you", now=LATER + HOUR)

    assert [batch.id for batch in registry.read.batches.find()] == ["d", "c", "b"]
    assert [batch.id for batch in registry.read.batches.find(MODEL, 2)] == ["d", "c"]
    assert registry.read.batches.find("another model") == ()
    assert [batch.id for batch in registry.read.batches.with_pending_views(MODEL)] == ["b", "c"]


def test_the_open_batch_and_the_newest_of_an_owner(registry: Registry) -> None:
    run_batch(registry, "b")
    run_batch(registry, "c", now=LATER)

    def id_of(batch: Any) -> str | None:
        return None if batch is None else str(batch.id)

    assert id_of(registry.read.batches.open_of(MODEL)) is None
    assert id_of(registry.read.batches.of_owner(MODEL, "me")) == "c"
    assert id_of(registry.read.batches.of_owner(MODEL, "you")) is None
    open_batch(registry, "d", owner="you", now=LATER)
    assert id_of(registry.read.batches.open_of(MODEL)) == "d"
    assert id_of(registry.read.batches.of_owner(MODEL, "you")) == "d"


def test_a_batch_and_its_instances_are_recorded_together_or_not_at_all(registry: Registry) -> None:
    """Here an instance has the id of another one, which the database refuses."""
    run_batch(registry, "b")

    with pytest.raises(BatchHeldError):
        open_batch(registry, "c", steps=[make_step(REVENUE, "b")])

    assert [batch.id for batch in registry.read.batches.find()] == ["b"]
