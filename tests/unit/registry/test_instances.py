"""Instances: which serve, which are retained, how long they have served, and how they are let go."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import update

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionStatus
from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus
from airflow_atscale_aggs.engine.aggregates.segment import BuiltSegment, SegmentKey
from airflow_atscale_aggs.engine.registry.records import BuiltParts, ServiceRecord
from airflow_atscale_aggs.engine.registry.registry import Registry
from airflow_atscale_aggs.engine.registry.tables import instances
from tests.support.registry_content import (
    HOUR,
    LATER,
    MODEL,
    NOW,
    OTHER_MODEL,
    REVENUE,
    UNITS,
    build,
    make_aggregate,
    make_deployment,
    make_step,
    make_steps,
    make_system_aggregate,
    open_batch,
    propose,
    run_batch,
    statuses,
    with_segments,
)
from tests.support.statement_plans import plans_of, scanned

TAX = make_system_aggregate("tax", "tax")


def _let_go(registry: Registry, *instance_ids: str, **retire: str) -> None:
    registry.instances.let_go(MODEL, instance_ids, retire, now=LATER, drop_after=LATER + HOUR)


def test_instances_are_found_newest_batch_first_in_build_order(registry: Registry) -> None:
    run_batch(registry, "b")
    open_batch(registry, "c", steps=make_steps([UNITS, REVENUE], "c"), now=LATER)

    def ids(**filters: Any) -> list[str]:
        return [instance.id for instance in registry.read.instances.find(**filters)]

    assert ids() == ["c-units", "c-revenue", "b-revenue", "b-units"]
    assert ids(batch_id="b") == ["b-revenue", "b-units"]
    assert ids(model_id=MODEL, status=InstanceStatus.NEW) == ["c-units", "c-revenue"]
    assert ids(model_id="another model") == []
    assert [instance.id for instance in registry.read.instances.serving(MODEL)] == ["b-revenue", "b-units"]


def test_outlines_of_a_batch_say_what_its_steps_say(registry: Registry) -> None:
    """Whatever is not SQL, and which source is planned first."""
    full, increment = make_step(REVENUE, "b"), with_segments(make_step(UNITS, "b", 1), (None, 5), (5, 9))
    open_batch(registry, steps=[full, increment])

    outlines = registry.read.instances.outlines("b")

    for step in (full, increment):
        outline = outlines[step.instance_id]
        assert outline.source == step.sources[0].name
        for name in ("aggregate", "kind", "view", "estimated_rows", "reason", "full_reason"):
            assert getattr(outline, name) == getattr(step, name), name
    assert registry.read.instances.outlines("nobody") == {}


def test_an_instance_is_read_with_its_step(registry: Registry) -> None:
    open_batch(registry)

    instance = registry.read.instances.get("b-units")

    assert (instance.batch_id, instance.model_id, instance.status) == ("b", MODEL, "new")
    assert instance.step == make_step(UNITS, position=1)
    assert (instance.attempt, instance.failures, instance.allowance, instance.table) == (0, 0, "", None)


def test_what_serves_is_told_without_its_steps(any_registry: Registry) -> None:
    """In the order of `serving`, with the settings that it relies on and the tables of its segments."""
    registry = any_registry
    noted = replace(make_step(REVENUE, "b"), settings_needed=("TimeZone",))
    of_segments = with_segments(make_step(UNITS, "b", 1), (None, 5), (5, 9))
    open_batch(registry, steps=[noted, of_segments])
    build(registry, "b-revenue", rows=7)
    claim = registry.attempts.claim("b-units", owner="me", now=NOW)
    made = tuple(BuiltSegment(number=number, rows=2, fact_rows=None) for number in (1, 2))
    parts = BuiltParts(rows=5, segments=made, uses=tuple(SegmentKey("b-units", 1, number) for number in (1, 2)))
    registry.attempts.finish(claim, parts, seconds=1, source="sales", now=NOW)
    registry.batches.activate("b", owner="me", now=NOW, drop_after=LATER)

    told = registry.read.instances.in_service(MODEL)

    for record, instance in zip(told, registry.read.instances.serving(MODEL), strict=True):
        step = instance.step
        assert (record.id, record.batch_id, record.aggregate) == (instance.id, instance.batch_id, step.aggregate)
        assert (record.definition_id, record.fact, record.table) == (step.definition_id, step.fact, instance.table)
        assert (record.rows, record.started_at) == (instance.rows, instance.started_at)
        assert record.settings_needed == step.settings_needed
        assert record.segments == tuple(segment.table for segment in registry.read.instances.segments(instance.id))
    assert ([record.rows for record in told], [len(record.segments) for record in told]) == ([7, 5], [0, 2])
    assert registry.read.instances.in_service("another model") == ()


def test_steps_tell_the_settings_that_an_older_version_did_not_write_beside_them(registry: Registry) -> None:
    noted = replace(make_step(REVENUE, "b"), settings_needed=("TimeZone",))
    open_batch(registry, steps=[noted, make_step(UNITS, "b", 1)])
    build(registry, "b-revenue", "b-units")
    registry.batches.activate("b", owner="me", now=NOW, drop_after=LATER)
    with registry.database.writing() as connection:
        connection.execute(update(instances).values(settings_needed=None))

    told = registry.read.instances.in_service(MODEL)

    assert [record.settings_needed for record in told] == [("TimeZone",), None]


def test_tables_that_serve_other_models_and_whose_they_are(registry: Registry) -> None:
    other = make_aggregate("visitors", model=OTHER_MODEL)
    registry.models.record_deployments([make_deployment(other, model_id=OTHER_MODEL, name="visits")], now=NOW)
    run_batch(registry, "b")
    run_batch(registry, "v", model=OTHER_MODEL)
    open_batch(registry, "w", model=OTHER_MODEL)

    tables = [f"as_agg_{name}_a1" for name in ("b_revenue", "v_visitors", "w_visitors")]
    visitors = {"as_agg_v_visitors_a1": "aggregate `visitors` of model `shop.visits`"}
    assert registry.read.instances.tables_that_serve(tables, except_model=MODEL) == visitors
    assert registry.read.instances.tables_that_serve(tables) == visitors | {
        "as_agg_b_revenue_a1": "aggregate `revenue` of model `shop.sales`"
    }
    assert registry.read.instances.tables_that_serve(["as_agg_w_visitors_a1"]) == {}


def test_sources_that_are_built_are_told_with_their_winning_attempts(registry: Registry) -> None:
    open_batch(registry)
    registry.attempts.claim("b-revenue", owner="me", now=NOW)
    build(registry, "b-revenue", rows=0)

    assert registry.read.instances.built_sources("b") == {"b-revenue": (2, 0)}
    registry.batches.activate("b", owner="me", now=NOW, drop_after=LATER)
    assert registry.read.instances.built_sources("b") == {"b-revenue": (2, 0)}


def test_the_last_rows_are_those_of_what_was_built_last_and_went_live(registry: Registry) -> None:
    """Staged instances may yet be given up."""
    open_batch(registry, "b")
    build(registry, "b-revenue", "b-units", rows=3)
    assert registry.read.instances.last_rows(MODEL) == {}
    registry.batches.activate("b", owner="me", now=NOW, drop_after=LATER)
    open_batch(registry, "c", now=LATER)
    build(registry, "c-revenue", rows=4, now=LATER)
    registry.batches.activate("c", owner="me", now=LATER, drop_after=LATER)
    open_batch(registry, "d", now=LATER)
    build(registry, "d-units", rows=9, now=LATER)

    assert registry.read.instances.last_rows(MODEL) == {(REVENUE.id, "sales"): 4, (UNITS.id, "sales"): 3}


def test_instances_of_a_batch_are_counted_by_status(registry: Registry) -> None:
    registry.models.record_deployments(
        [make_deployment(REVENUE, UNITS, make_aggregate("x", "x"), content="2")], now=NOW
    )
    open_batch(registry)
    build(registry, "b-revenue")

    assert registry.read.instances.count_by_status("b") == {"done": 1, "new": 2}
    assert registry.read.instances.count_by_status("another batch") == {}


def test_what_is_active_or_was_not_told_to_go_is_retained(registry: Registry) -> None:
    """System-defined instances, or those of users: each side has its own limits."""
    profit = make_system_aggregate("profit", "profit")
    propose(registry, TAX, profit)
    run_batch(registry, "b")
    registry.definitions.set_status(
        [profit.id], DefinitionStatus.RETIRED, "unused", expected=DefinitionStatus.DEFINED, now=NOW
    )
    run_batch(registry, "c", now=LATER)

    def ids(*, of_users: bool) -> list[str]:
        return [instance.id for instance in registry.read.instances.retained(MODEL, of_users=of_users)]

    assert ids(of_users=False) == ["b-profit", "c-tax"]
    assert ids(of_users=True) == ["c-revenue", "c-units"]
    _let_go(registry, "b-profit")
    assert ids(of_users=False) == ["c-tax"]


def test_how_long_each_definition_has_served(registry: Registry) -> None:
    """Since it was defined last; one that was never built is not told."""
    propose(registry, TAX)
    run_batch(registry, "b", steps=make_steps([REVENUE, TAX], "b"))
    run_batch(registry, "c", steps=make_steps([TAX], "c"), now=LATER)
    registry.definitions.set_status(
        [TAX.id], DefinitionStatus.RETIRED, "unused", expected=DefinitionStatus.DEFINED, now=LATER
    )
    propose(registry, TAX, now=LATER + HOUR)
    run_batch(registry, "d", steps=make_steps([TAX], "d"), now=LATER + 2 * HOUR)
    open_batch(registry, "e")

    assert registry.read.instances.services(MODEL) == {
        REVENUE.id: ServiceRecord(first_at=NOW, since=NOW, builds=1, build_seconds=0.5),
        TAX.id: ServiceRecord(first_at=NOW, since=LATER + 2 * HOUR, builds=3, build_seconds=1.5),
    }


def test_a_definition_that_was_not_built_since_it_came_back_has_served_since_its_first_build(
    registry: Registry,
) -> None:
    propose(registry, TAX)
    run_batch(registry, "b", steps=make_steps([TAX], "b"))
    registry.definitions.set_status(
        [TAX.id], DefinitionStatus.RETIRED, "unused", expected=DefinitionStatus.DEFINED, now=LATER
    )
    propose(registry, TAX, now=LATER)

    service = registry.read.instances.services(MODEL)[TAX.id]
    assert (service.first_at, service.since) == (NOW, NOW)


@pytest.mark.parametrize(
    ("name", "status", "error"),
    [
        ("new", "failed", "given up by a person; the old one serves on. "),
        ("running", "failed", "given up by a person; the old one serves on. "),
        ("broken", "failed", "given up by a person; the old one serves on. out of memory"),
        ("done", "done", None),
    ],
)
def test_what_is_not_built_can_be_given_up(registry: Registry, name: str, status: str, error: str | None) -> None:
    """Its error of before is kept; what is built stays built."""
    aggregates = [make_aggregate(item, item) for item in ("broken", "done", "new", "running")]
    registry.models.record_deployments([make_deployment(*aggregates, content="2")], now=NOW)
    open_batch(registry)
    build(registry, "b-done")
    registry.attempts.claim("b-running", owner="me", now=NOW)
    failing = registry.attempts.claim("b-broken", owner="me", now=NOW)
    registry.attempts.fail(failing, error="out of memory", now=NOW)

    registry.instances.give_up([f"b-{name}"])

    instance = registry.read.instances.get(f"b-{name}")
    assert (instance.status, instance.error) == (status, error)
    registry.instances.give_up([])
    assert list(statuses(registry).values()).count("failed") == (2 if name in {"new", "running"} else 1)


def test_a_done_instance_notes_the_allowance_under_which_it_was_left_alone(registry: Registry) -> None:
    """Others do not."""
    open_batch(registry)
    build(registry, "b-revenue")

    for instance_id in ("b-revenue", "b-units"):
        registry.instances.keep_done(instance_id, allowance="second run")

    assert registry.read.instances.get("b-revenue").allowance == "second run"
    assert registry.read.instances.get("b-units").allowance == ""


@pytest.mark.parametrize(
    ("instance_id", "status", "superseded_at", "drop_after"),
    [
        ("c-tax", "superseded", LATER, LATER + HOUR),
        ("b-profit", "superseded", NOW, LATER + HOUR),
        ("b-tax", "superseded", NOW, NOW + HOUR),
        ("d-tax", "new", None, None),
    ],
    ids=["active", "kept", "already told to go", "not built"],
)
def test_what_is_retained_can_be_let_go(
    registry: Registry,
    instance_id: str,
    status: str,
    superseded_at: datetime | None,
    drop_after: datetime | None,
) -> None:
    profit = make_system_aggregate("profit", "profit")
    propose(registry, TAX, profit)
    run_batch(registry, "b", steps=make_steps([TAX, profit], "b"))
    registry.definitions.set_status(
        [profit.id], DefinitionStatus.RETIRED, "unused", expected=DefinitionStatus.DEFINED, now=NOW
    )
    run_batch(registry, "c", steps=make_steps([TAX], "c"))
    open_batch(registry, "d", steps=make_steps([TAX], "d"))

    _let_go(registry, instance_id)

    instance = registry.read.instances.get(instance_id)
    assert (instance.status, instance.superseded_at, instance.drop_after) == (status, superseded_at, drop_after)


def test_definitions_are_retired_with_their_instances(registry: Registry) -> None:
    """One that a person has blocked meanwhile stays as it is."""
    propose(registry, TAX)
    run_batch(registry, "b")
    registry.definitions.set_status(
        [UNITS.id], DefinitionStatus.BLOCKED, "wrong", expected=DefinitionStatus.DEFINED, now=NOW
    )
    before = registry.read.models.version(MODEL)

    _let_go(registry, "b-tax", **{TAX.id: "least used", UNITS.id: "least used"})

    records = [registry.read.definitions.get(aggregate.id) for aggregate in (TAX, UNITS, REVENUE)]
    assert [(record.status, record.status_reason) for record in records] == [
        ("retired", "least used"),
        ("blocked", "wrong"),
        ("defined", ""),
    ]
    assert statuses(registry) == {"b-revenue": "active", "b-tax": "superseded", "b-units": "active"}
    assert registry.read.models.version(MODEL) == before + 1


def test_an_instance_that_is_one_table_has_no_segments(registry: Registry) -> None:
    open_batch(registry)
    claim = registry.attempts.claim("b-revenue", owner="me", now=NOW)
    registry.attempts.finish(claim, BuiltParts(rows=1), seconds=1, source="sales", now=NOW)

    assert registry.read.instances.segments("b-revenue") == ()


def test_the_shortest_build_that_read_the_fact_stands_for_reading_it(any_registry: Registry) -> None:
    """Longer builds spent more time on writing; a derived aggregate has not read the fact."""
    registry = any_registry
    assert registry.read.instances.shortest_builds(MODEL) == {}
    for batch, source, seconds in (("a", "sales", 3.0), ("b", "sales", 2.0), ("c", "units", 0.1)):
        open_batch(registry, batch)
        claim = registry.attempts.claim(f"{batch}-revenue", owner="me", now=NOW)
        registry.attempts.finish(claim, BuiltParts(rows=1), seconds=seconds, source=source, now=NOW)
        registry.batches.activate(batch, owner="me", now=NOW, drop_after=NOW)

    assert registry.read.instances.shortest_builds(MODEL) == {"sales": 2.0}
    assert registry.read.instances.shortest_builds("another model") == {}


def test_whose_tables_are_is_looked_up_by_name(registry: Registry) -> None:
    """However many aggregates of other models serve."""
    with plans_of(registry) as plans:
        registry.read.instances.tables_that_serve(["as_agg_b_revenue_a1"], except_model=MODEL)

    assert plans
    assert scanned(plans, "attempts", "instances", "definitions", "models") == []


def test_services_are_read_from_the_instances_of_one_model(registry: Registry) -> None:
    run_batch(registry, "b")

    with plans_of(registry) as plans:
        assert registry.read.instances.services(MODEL).keys() == {REVENUE.id, UNITS.id}

    assert scanned(plans, "instances", "definitions") == []
