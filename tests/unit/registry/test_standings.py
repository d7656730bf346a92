"""Where definitions stand: by what serves, else by their newest batch."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import delete, insert, select

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionStatus
from airflow_atscale_aggs.engine.registry.records import QuerySource
from airflow_atscale_aggs.engine.registry.registry import Registry
from airflow_atscale_aggs.engine.registry.standings import refresh_standings, refresh_uses
from airflow_atscale_aggs.engine.registry.tables import standings, usages
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
    make_steps,
    make_system_aggregate,
    open_batch,
    propose,
    run_batch,
    wait_for_who_waits,
)


def _standing(registry: Registry, definition_id: str) -> Any:
    with registry.database.reading() as connection:
        return connection.execute(select(standings).where(standings.c.definition_id == definition_id)).one()


def _statuses(registry: Registry) -> tuple[str, str | None]:
    """What is shown of ``revenue``, and how its newest instance is doing."""
    row = _standing(registry, REVENUE.id)
    return row.shown_status, row.newest_status


def test_a_definition_goes_the_way_of_its_instance(any_registry: Registry) -> None:
    """And keeps what serves in view while the next one is built."""
    registry = any_registry
    assert _statuses(registry) == ("pending", None)
    open_batch(registry, "a", steps=[make_step(REVENUE, "a")])
    assert _statuses(registry) == ("queued", "queued")
    claim = registry.attempts.claim("a-revenue", owner="me", now=NOW)
    assert _statuses(registry) == ("building", "building")
    registry.attempts.fail(claim, error="broken", now=NOW)
    assert _statuses(registry) == ("failed", "failed")
    build(registry, "a-revenue")
    assert _statuses(registry) == ("staged", "staged")
    registry.batches.activate("a", owner="me", now=NOW, drop_after=LATER)
    assert _statuses(registry) == ("active", "active")
    open_batch(registry, "b", steps=[make_step(REVENUE, "b")], now=LATER)
    assert _statuses(registry) == ("active", "queued")
    registry.batches.cancel("b", now=LATER)
    assert _statuses(registry) == ("active", "canceled")


def test_what_serves_no_more_is_inactive_and_then_deleted(any_registry: Registry) -> None:
    registry = any_registry
    run_batch(registry, "a")
    registry.instances.let_go(MODEL, ["a-revenue"], {}, now=NOW, drop_after=NOW)
    assert _statuses(registry) == ("inactive", "inactive")
    registry.tables.record_drop("a-revenue", 1, NOW)
    assert _statuses(registry) == ("deleted", "deleted")


@pytest.mark.parametrize(
    ("status", "shown"), [(DefinitionStatus.BLOCKED, "unavailable"), (DefinitionStatus.RETIRED, "inactive")]
)
def test_what_was_never_built_is_pending_only_while_it_is_defined(
    registry: Registry, status: DefinitionStatus, shown: str
) -> None:
    registry.definitions.set_status([UNITS.id], status, "wrong", expected=DefinitionStatus.DEFINED, now=NOW)

    row = _standing(registry, UNITS.id)
    assert (row.status, row.shown_status, row.newest_status, row.rows) == (status, shown, None, None)


def test_figures_are_those_of_the_active_instance_until_the_next_one_is_active(any_registry: Registry) -> None:
    registry = any_registry
    open_batch(registry, "a")
    build(registry, "a-revenue", "a-units", rows=5)
    assert _standing(registry, REVENUE.id).rows == 5
    registry.batches.activate("a", owner="me", now=NOW, drop_after=LATER)
    open_batch(registry, "b", now=LATER)
    build(registry, "b-revenue", rows=7, now=LATER)

    row = _standing(registry, REVENUE.id)
    assert (row.rows, row.seconds, row.built_at, row.newest_batch_id) == (5, 0.5, NOW, "b")


def test_a_definition_over_several_facts_is_the_sum_of_its_instances(any_registry: Registry) -> None:
    """Of statuses the most urgent one is told."""
    registry = any_registry
    both = make_system_aggregate("both", "tax", "sales", "visits")
    propose(registry, both)
    open_batch(registry, "a", steps=make_steps([both], "a"))
    build(registry, "a-both-sales", rows=5, now=LATER)
    row = _standing(registry, both.id)
    assert (row.shown_status, row.rows, row.built_at) == ("queued", 5, LATER)
    build(registry, "a-both-visits", rows=7, now=NOW)
    registry.batches.activate("a", owner="me", now=LATER, drop_after=LATER)

    row = _standing(registry, both.id)
    assert (row.shown_status, row.rows, row.seconds, row.built_at) == ("active", 12, 1.0, NOW)


def test_many_are_written_some_at_a_time(any_registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists of ids in SQLite and arrays in PostgreSQL are cut into pieces, of which none is lost."""
    registry = any_registry
    propose(registry, *(make_system_aggregate(f"asked_{number}", f"column_{number}") for number in range(3)))
    for size in ("_CHUNK", "_ARRAY"):
        monkeypatch.setattr(f"airflow_atscale_aggs.engine.registry.standings.{size}", 2)
    with registry.database.writing() as connection:
        ids = list(connection.scalars(select(standings.c.definition_id)))
        connection.execute(delete(standings))
        refresh_standings(connection, ids)
        written = list(connection.scalars(select(standings.c.definition_id)))

    assert len(ids) == 5
    assert sorted(written) == sorted(ids)


def test_what_is_new_stands_as_if_all_had_been_read(any_registry: Registry) -> None:
    """Of what was inserted a moment ago, the quick way writes what the thorough one would."""
    registry = any_registry
    proposed = [make_system_aggregate(f"asked_{number}", f"column_{number}") for number in range(3)]
    propose(registry, *proposed)
    with registry.database.writing() as connection:
        query = select(standings).order_by(standings.c.definition_id)
        quick = connection.execute(query).all()
        refresh_standings(connection, [row.definition_id for row in quick])
        thorough = connection.execute(query).all()

    assert {aggregate.id for aggregate in proposed} < {row.definition_id for row in quick}
    assert quick == thorough


def test_uses_are_those_over_all_facts(any_registry: Registry) -> None:
    registry = any_registry
    sources = [QuerySource(fact=fact, aggregate="revenue", definition_id=REVENUE.id) for fact in ("sales", "visits")]
    registry.queries.record([make_query_record(sources[0], model_id=MODEL, asked_at=NOW, weight=3)])
    registry.queries.record([make_query_record(sources[1], model_id=MODEL, asked_at=NOW + HOUR)])

    row = _standing(registry, REVENUE.id)
    assert (row.uses, row.last_used_at) == (4, LATER)
    assert (_standing(registry, UNITS.id).uses, _standing(registry, UNITS.id).last_used_at) == (0, None)


def test_what_somebody_else_commits_while_one_waits_is_seen(any_registry: Registry) -> None:
    """A statement of PostgreSQL's that waits goes on with what was committed when it began."""
    registry = any_registry
    with ThreadPoolExecutor(1) as threads:
        with registry.database.writing() as connection:
            connection.execute(
                insert(usages).values(definition_id=REVENUE.id, fact="sales", uses=5, seconds=1.0, last_used_at=NOW)
            )
            refresh_uses(connection, [REVENUE.id])
            blocked = threads.submit(
                registry.definitions.set_status,
                [REVENUE.id],
                DefinitionStatus.BLOCKED,
                "wrong",
                expected=DefinitionStatus.DEFINED,
                now=NOW,
            )
            wait_for_who_waits(registry)
        blocked.result()

    row = _standing(registry, REVENUE.id)
    assert (row.uses, row.shown_status) == (5, "unavailable")
