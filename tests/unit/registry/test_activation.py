"""Activation: which instances begin to serve, which give way to them, and which tables may be dropped."""

from __future__ import annotations

from datetime import datetime

import pytest

from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition
from airflow_atscale_aggs.engine.registry.records import SuccessionRecord
from airflow_atscale_aggs.engine.registry.registry import Registry
from tests.support.registry_content import (
    HOUR,
    LATER,
    MODEL,
    NOW,
    REVENUE,
    UNITS,
    build,
    make_aggregate,
    make_deployment,
    make_step,
    make_system_aggregate,
    open_batch,
    propose,
    run_batch,
    statuses,
)
from tests.support.statement_plans import plans_of, scanned


def _deploy(registry: Registry, *aggregates: AggregateDefinition, content: str = "2") -> None:
    registry.models.record_deployments([make_deployment(*aggregates, content=content)], now=NOW)


def _activate(registry: Registry, batch: str, now: datetime = LATER) -> None:
    registry.batches.activate(batch, owner="me", now=now, drop_after=now + HOUR)


def test_what_is_done_serves_and_what_is_not_built_is_cancelled(registry: Registry) -> None:
    """What has failed stays failed."""
    aggregates = [make_aggregate(name, name) for name in ("done", "failed", "new", "running")]
    _deploy(registry, *aggregates)
    open_batch(registry)
    build(registry, "b-done")
    registry.attempts.fail(registry.attempts.claim("b-failed", owner="me", now=NOW), error="broken", now=NOW)
    registry.attempts.claim("b-running", owner="me", now=NOW)

    _activate(registry, "b")

    assert statuses(registry) == {
        "b-done": "active",
        "b-failed": "failed",
        "b-new": "cancelled",
        "b-running": "cancelled",
    }
    assert registry.read.instances.get("b-done").activated_at == LATER


def test_the_older_instance_of_what_is_built_gives_way_and_others_serve_on(registry: Registry) -> None:
    run_batch(registry, "b")
    run_batch(registry, "c", steps=[make_step(REVENUE, "c")], now=LATER)

    assert statuses(registry) == {"c-revenue": "active", "b-revenue": "superseded", "b-units": "active"}
    replaced = registry.read.instances.get("b-revenue")
    assert (replaced.superseded_at, replaced.drop_after) == (LATER, LATER + HOUR)


def test_an_older_instance_serves_on_where_its_successor_is_not_built(registry: Registry) -> None:
    run_batch(registry, "b")
    open_batch(registry, "c")
    build(registry, "c-units")

    _activate(registry, "c")

    assert statuses(registry) == {
        "b-revenue": "active",
        "b-units": "superseded",
        "c-revenue": "cancelled",
        "c-units": "active",
    }


def test_the_facts_of_one_aggregate_are_replaced_one_by_one(registry: Registry) -> None:
    both = make_aggregate("both", "amount", "returns", "sales")
    _deploy(registry, both)
    run_batch(registry, "b")
    run_batch(registry, "c", steps=[make_step(both, "c", fact="sales")], now=LATER)

    assert statuses(registry) == {
        "b-both-returns": "active",
        "b-both-sales": "superseded",
        "c-both-sales": "active",
    }


@pytest.mark.parametrize(
    ("heir", "drop_after"),
    [((), None), ((make_aggregate("units", "tax"),), LATER + HOUR)],
    ids=["it left the model", "another one has its name"],
)
def test_an_aggregate_that_is_not_defined_any_more_serves_no_more(
    registry: Registry, heir: tuple[AggregateDefinition, ...], drop_after: datetime | None
) -> None:
    """Its table is kept, unless another aggregate of the same name has taken its place."""
    run_batch(registry, "b")
    _deploy(registry, REVENUE, *heir)
    run_batch(registry, "c", now=LATER)

    gone = registry.read.instances.get("b-units")
    assert (gone.status, gone.superseded_at, gone.drop_after) == ("superseded", LATER, drop_after)


def test_what_was_built_of_an_aggregate_that_left_meanwhile_does_not_begin_to_serve(registry: Registry) -> None:
    open_batch(registry)
    build(registry, "b-revenue", "b-units")
    _deploy(registry, REVENUE)

    _activate(registry, "b")

    assert statuses(registry) == {"b-revenue": "active", "b-units": "cancelled"}


def test_a_kept_table_may_be_dropped_once_the_aggregate_is_back_and_built(registry: Registry) -> None:
    run_batch(registry, "b")
    _deploy(registry, REVENUE)
    run_batch(registry, "c", now=LATER)
    assert registry.read.instances.get("b-units").drop_after is None

    _deploy(registry, REVENUE, UNITS, content="3")
    run_batch(registry, "d", now=LATER + HOUR)

    assert registry.read.instances.get("b-units").drop_after == LATER + 2 * HOUR
    assert registry.read.instances.get("d-units").status == "active"


def test_every_activation_is_a_new_version_of_the_model(registry: Registry) -> None:
    """So that whoever has cached what serves looks again."""
    versions = [registry.read.models.version(MODEL)]
    for batch in ("b", "c"):
        run_batch(registry, batch)
        versions.append(registry.read.models.version(MODEL))

    assert versions == [0, 1, 2]


def test_a_definition_gives_way_when_its_successor_begins_to_serve(registry: Registry) -> None:
    old, new = make_system_aggregate("old", "tax"), make_system_aggregate("new", "profit")
    propose(registry, old)
    run_batch(registry, "b")
    propose(registry, new)
    succession = SuccessionRecord(
        old_id=old.id, new_id=new.id, model_id=MODEL, reason="finer", facts=("sales",), proposed_at=NOW
    )
    registry.successions.propose([succession])

    run_batch(registry, "c", steps=[make_step(new, "c")], now=LATER)

    assert registry.read.definitions.get(old.id).status == "retired"
    assert statuses(registry)["b-old"] == "superseded"
    assert registry.read.instances.get("b-old").drop_after is None


def test_other_models_are_left_alone(registry: Registry) -> None:
    other = make_aggregate("visits", model="m2")
    registry.models.record_deployments([make_deployment(other, model_id="m2", name="other")], now=NOW)
    run_batch(registry, "v", model="m2")
    registry.models.record_deployments([make_deployment(model_id="m2", name="other", content="2")], now=NOW)

    run_batch(registry, "b", now=LATER)

    assert statuses(registry)["v-visits"] == "active"
    assert registry.read.models.version("m2") == 2


def test_an_activation_looks_at_its_own_model_only(registry: Registry) -> None:
    """However many instances other models have."""
    run_batch(registry, "b")
    open_batch(registry, "c")
    build(registry, "c-revenue")

    with plans_of(registry) as plans:
        _activate(registry, "c")

    assert plans
    assert scanned(plans, "instances", "definitions", "standings", "batches") == []
