"""Each change moves only what stands where it may be moved from, and leaves the rest alone."""

from __future__ import annotations

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionStatus
from airflow_atscale_aggs.engine.registry.registry import Registry
from airflow_atscale_aggs.engine.registry.shared_changes import (
    cancel_unactivated,
    count_change,
    let_instances_go,
    retire_definitions,
)
from airflow_atscale_aggs.engine.registry.tables import definitions, instances, models
from tests.support.registry_content import (
    HOUR,
    LATER,
    MODEL,
    NOW,
    REVENUE,
    UNITS,
    build,
    make_step,
    open_batch,
    run_batch,
    statuses,
)


def test_a_change_is_counted_for_the_models_that_are_meant(registry: Registry) -> None:
    before = registry.read.models.version(MODEL)

    with registry.database.writing() as connection:
        count_change(connection, models.c.id == MODEL)
        count_change(connection, models.c.id == "another")

    assert registry.read.models.version(MODEL) == before + 1


def test_only_what_is_defined_retires(unchecked_registry: Registry) -> None:
    """A definition that a person has blocked stays blocked, with the person's reason."""
    unchecked_registry.definitions.set_status(
        [UNITS.id], DefinitionStatus.BLOCKED, "wrong", expected=DefinitionStatus.DEFINED, now=NOW
    )

    with unchecked_registry.database.writing() as connection:
        retire_definitions(connection, definitions.c.model_id == MODEL, why="it left", now=LATER)

    retired, blocked = (unchecked_registry.read.definitions.get(aggregate.id) for aggregate in (REVENUE, UNITS))
    assert (retired.status, retired.status_reason, retired.retired_at) == ("retired", "it left", LATER)
    assert (blocked.status, blocked.status_reason, blocked.retired_at) == ("blocked", "wrong", NOW)


def test_only_what_has_not_served_is_cancelled(unchecked_registry: Registry) -> None:
    run_batch(unchecked_registry, "b")
    open_batch(unchecked_registry, "c")
    build(unchecked_registry, "c-units")

    with unchecked_registry.database.writing() as connection:
        cancel_unactivated(connection, instances.c.model_id == MODEL)

    assert statuses(unchecked_registry) == {
        "b-revenue": "active",
        "b-units": "active",
        "c-revenue": "cancelled",
        "c-units": "cancelled",
    }


def test_what_is_retained_goes_and_keeps_the_time_at_which_it_ceased_to_serve(unchecked_registry: Registry) -> None:
    """What may be dropped already keeps its own time."""
    run_batch(unchecked_registry, "b")
    run_batch(unchecked_registry, "c", steps=[make_step(REVENUE, "c")], now=LATER)
    much_later = LATER + 5 * HOUR

    with unchecked_registry.database.writing() as connection:
        let_instances_go(connection, instances.c.model_id == MODEL, now=much_later, drop_after=much_later + HOUR)

    assert statuses(unchecked_registry) == {
        "c-revenue": "superseded",
        "b-revenue": "superseded",
        "b-units": "superseded",
    }
    times = {
        name: (instance.superseded_at, instance.drop_after)
        for name in ("b-revenue", "b-units", "c-revenue")
        for instance in [unchecked_registry.read.instances.get(name)]
    }
    assert times == {
        "b-revenue": (LATER, LATER + HOUR),
        "b-units": (much_later, much_later + HOUR),
        "c-revenue": (much_later, much_later + HOUR),
    }
