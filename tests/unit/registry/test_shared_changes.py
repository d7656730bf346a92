"""Each change moves only what stands where it may be moved from, and leaves the rest alone."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import update

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionStatus
from airflow_atscale_aggs.engine.registry.records import QuerySource, SuccessionRecord
from airflow_atscale_aggs.engine.registry.registry import Registry
from airflow_atscale_aggs.engine.registry.shared_changes import (
    cancel_unactivated,
    count_change,
    let_instances_go,
    lock_model,
    retire_definitions,
)
from airflow_atscale_aggs.engine.registry.standings import refresh_uses
from airflow_atscale_aggs.engine.registry.tables import batches, definitions, instances, models, standings, usages
from tests.support.query_records import make_query_record
from tests.support.registry_content import (
    HOUR,
    LATER,
    MODEL,
    NOW,
    REVENUE,
    UNITS,
    build,
    make_step,
    make_system_aggregate,
    open_batch,
    propose,
    run_batch,
    statuses,
    wait_for_who_waits,
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


def _succession(old: str, new: str, hours: int = 0) -> SuccessionRecord:
    return SuccessionRecord(
        old_id=old, new_id=new, model_id=MODEL, reason="better", facts=("sales",), proposed_at=NOW + hours * HOUR
    )


_CHANGES: dict[str, Callable[[Registry], object]] = {
    "block": lambda registry: registry.definitions.set_status(
        [UNITS.id, REVENUE.id], DefinitionStatus.BLOCKED, "wrong", expected=DefinitionStatus.DEFINED, now=NOW
    ),
    "propose": lambda registry: propose(registry, make_system_aggregate("new", "new")),
    "replace": lambda registry: registry.successions.complete(MODEL, now=NOW),
    "activate": lambda registry: registry.batches.activate("c", owner="me", now=LATER, drop_after=LATER),
    "let go": lambda registry: registry.instances.let_go(
        MODEL, ["b-units"], {REVENUE.id: "unused"}, now=NOW, drop_after=NOW
    ),
    "retire": lambda registry: registry.models.retire(MODEL, why="gone", now=NOW, drop_after=NOW),
}


@pytest.mark.parametrize("change", _CHANGES)
def test_who_waits_for_a_model_holds_nothing_that_others_need(any_registry: Registry, change: str) -> None:
    """PostgreSQL ends a deadlock with an error."""
    registry = any_registry
    old, new = make_system_aggregate("old", "tax"), make_system_aggregate("new one", "profit")
    propose(registry, old, new)
    run_batch(registry, "b")
    registry.successions.propose([_succession(old.id, new.id)])
    open_batch(registry, "c")
    build(registry, "c-units")
    with ThreadPoolExecutor(1) as threads:
        with registry.database.writing() as connection:
            lock_model(connection, MODEL)
            waiting = threads.submit(_CHANGES[change], registry)
            wait_for_who_waits(registry)
            for table in (definitions, batches, instances, standings):
                column = table.c.status
                connection.execute(update(table).values({column: column}))
        waiting.result()


def test_who_waits_for_uses_holds_none_of_later_ones(any_registry: Registry) -> None:
    """The log of queries counts them in order; successions come in any."""
    registry = any_registry
    propose(registry, *(make_system_aggregate(f"a{number}", f"c{number}") for number in range(4)))
    run_batch(registry, "b")
    ids = sorted(
        {record.definition.id for record in registry.read.definitions.of_model(MODEL)} - {REVENUE.id, UNITS.id}
    )
    sources = [QuerySource(fact="sales", definition_id=identity) for identity in ids]
    registry.queries.record([make_query_record(*sources, model_id=MODEL, asked_at=NOW)])
    for old, new, hours in ((ids[1], ids[3], 0), (ids[2], ids[0], 1)):
        registry.successions.propose([_succession(old, new, hours)])
    with ThreadPoolExecutor(1) as threads:
        with registry.database.writing() as connection:
            for identity in ids:
                is_it = usages.c.definition_id == identity
                connection.execute(update(usages).where(is_it).values(uses=usages.c.uses + 1))
                if identity == ids[0]:
                    waiting = threads.submit(registry.successions.complete, MODEL, now=NOW)
                    wait_for_who_waits(registry)
            refresh_uses(connection, ids)
        assert len(waiting.result()) == 2

    found = {usage.definition_id: (usage.uses, usage.inherited) for usage in registry.read.queries.usages(MODEL)}
    assert found == {ids[0]: (4, 2), ids[1]: (2, 0), ids[2]: (2, 0), ids[3]: (4, 2)}
