"""Aggregates that give way to others: the part "Superseded" of the page "Life Cycle of Aggregate Tables"."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.aggregates.definition import DefinitionStatus
from airflow_atscale_aggs.engine.errors import UnknownNameError
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.retain.block import block_definition, unblock_definition
from airflow_atscale_aggs.engine.lifecycle.retain.supersede import supersede
from airflow_atscale_aggs.engine.lifecycle.retain.sweep import sweep
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, utc_now
from airflow_atscale_aggs.engine.registry.records import ProposedDefinition, SuccessionRecord
from tests.support.stars import tiny_star
from tests.support.stars.life_cycle_star import (
    AMOUNT_BY_MONTH,
    MODEL,
    QUANTITY_BY_MONTH,
    USERS,
    active_aggregates,
    build,
    model_id,
    record_uses,
    source_of,
    statuses,
    tables,
    view_names,
)
from tests.support.strategies.system_definitions import define, make_definition


def test_a_union_replaces_tables_with_the_same_dimension_columns_and_different_metrics(workspace: Workspace) -> None:
    """After its first instance is built, not before; hit counts pass on, the old instances are retained."""
    ids = define(workspace, {"m_quantity": (("Month",), ("Quantity",)), "m_amount": (("Month",), ("Amount",))})
    build(workspace)
    record_uses(workspace, ids["m_quantity"], 7, utc_now())
    report = supersede(workspace, MODEL, dry_run=False, now=utc_now())

    assert (report.defined, report.done) == (("m_amount_union",), ())
    assert statuses(workspace)["m_quantity"] == "defined"
    assert source_of(workspace, QUANTITY_BY_MONTH) == "m_quantity"
    build(workspace, "by_city")
    assert active_aggregates(workspace) == {"by_city", "m_quantity", "m_amount"}
    build(workspace)
    assert active_aggregates(workspace) == {"by_city", "m_amount_union"}
    assert source_of(workspace, QUANTITY_BY_MONTH) == "m_amount_union"
    assert view_names(workspace) == {"by_city", "m_amount_union"}
    union = next(
        record
        for record in workspace.read.definitions.of_model(model_id(workspace))
        if record.definition.name == "m_amount_union"
    )
    usages = {usage.definition_id: usage for usage in workspace.read.queries.usages(model_id(workspace))}
    assert (usages[union.definition.id].inherited, usages[union.definition.id].uses) == (7 + 1, 7 + 1 + 1)
    assert usages[ids["m_quantity"]].uses == 8
    old = workspace.read.definitions.get(ids["m_quantity"])
    assert (old.status, old.status_reason.split(":")[0]) == ("retired", "superseded by `m_amount_union`")
    retained = {instance.step.aggregate for instance in workspace.read.instances.retained(model_id(workspace))}
    assert retained == {"m_quantity", "m_amount", "m_amount_union"}
    sweep(workspace, dry_run=False, now=utc_now() + timedelta(days=365))
    assert {instance.table for instance in workspace.read.instances.retained(model_id(workspace))} <= tables(workspace)


def test_on_postgresql_a_union_takes_over_at_its_activation(on_postgres: Workspace) -> None:
    """Registry and warehouse are of another kind."""
    ids = define(on_postgres, {"m_quantity": (("Month",), ("Quantity",)), "m_amount": (("Month",), ("Amount",))})
    build(on_postgres)
    record_uses(on_postgres, ids["m_quantity"], 3, utc_now())
    record_uses(on_postgres, ids["m_amount"], 4, utc_now())
    supersede(on_postgres, MODEL, dry_run=False, now=utc_now())
    build(on_postgres)

    assert active_aggregates(on_postgres) == {"by_city", "m_amount_union"}
    assert view_names(on_postgres) == {"by_city", "m_amount_union"}
    assert max(usage.uses for usage in on_postgres.read.queries.usages(model_id(on_postgres))) == 7
    assert source_of(on_postgres, AMOUNT_BY_MONTH) == "m_amount_union"


def test_there_is_no_need_for_the_smaller_table_with_a_subset_of_the_metrics(workspace: Workspace) -> None:
    """The larger one serves already, so the smaller one gives way at once."""
    ids = define(
        workspace,
        {
            "small": (("Month",), ("Quantity",)),
            "large": (("Month",), ("Quantity", "Amount")),
            "else": (("Day",), ("Quantity",)),
        },
    )
    build(workspace)
    proposal = supersede(workspace, MODEL, dry_run=True, now=utc_now())
    assert statuses(workspace)["small"] == "defined"
    report = supersede(workspace, MODEL, dry_run=False, now=utc_now())

    assert [(old, new) for old, new, _ in proposal.proposed] == [("small", "large")] == list(report.done)
    assert (statuses(workspace)["small"], statuses(workspace)["large"]) == ("retired", "defined")
    assert view_names(workspace) == {"by_city", "large", "else"}
    assert source_of(workspace, QUANTITY_BY_MONTH) == "large"
    again = supersede(workspace, MODEL, dry_run=False, now=utc_now())
    assert (again.proposed, again.done) == ((), ())
    assert workspace.read.definitions.get(ids["small"]).retired_at is not None


def test_the_engine_never_supersedes_user_defined_tables(workspace: Workspace) -> None:
    """Nothing that is proposed does so; but a system-defined one may give way to a user's."""
    ids = define(workspace, {"city_all": (("City",), ("Amount", "Quantity"))})
    (users,) = [
        record.definition
        for record in workspace.read.definitions.of_model(model_id(workspace))
        if not record.definition.origin.is_system_defined
    ]
    build(workspace)

    assert supersede(workspace, MODEL, dry_run=False, now=utc_now()).proposed == ()
    forced = SuccessionRecord(
        old_id=users.id,
        new_id=ids["city_all"],
        model_id=model_id(workspace),
        reason="no",
        facts=("sales",),
        proposed_at=utc_now(),
    )
    workspace.registry.successions.propose([forced])
    build(workspace)
    assert workspace.registry.successions.complete(model_id(workspace), now=utc_now()) == ()
    assert active_aggregates(workspace) == {"by_city", "city_all"}


def test_a_subset_of_a_users_aggregate_gives_way_to_it(workspace: Workspace, tmp_path: Path) -> None:
    """The user's aggregate stays for good."""
    define(workspace, {"city_rows": (("City",), ())})
    build(workspace)

    assert supersede(workspace, MODEL, dry_run=False, now=utc_now()).done == (("city_rows", "by_city"),)


def test_a_union_with_a_table_that_nobody_uses_does_not_pay(workspace: Workspace) -> None:
    """The unused one is on its way out anyway."""
    ids = define(workspace, {"m_quantity": (("Month",), ("Quantity",)), "m_amount": (("Month",), ("Amount",))})
    build(workspace)
    later = utc_now() + timedelta(days=46)
    record_uses(workspace, ids["m_quantity"], 1, later)

    assert supersede(workspace, MODEL, dry_run=True, now=later).proposed == ()
    record_uses(workspace, ids["m_amount"], 1, later)
    assert len(supersede(workspace, MODEL, dry_run=True, now=later).proposed) == 2


def test_blocked_definitions_stay_blocked(workspace: Workspace, tmp_path: Path) -> None:
    """They neither serve nor give way; a blocked union is not defined again; a deployment does not unblock."""
    define(workspace, {"m_quantity": (("Month",), ("Quantity",)), "m_amount": (("Month",), ("Amount",))})
    build(workspace)
    supersede(workspace, MODEL, dry_run=False, now=utc_now())
    block_definition(workspace, MODEL, "m_amount_union", why="too wide", now=utc_now())
    block_definition(workspace, MODEL, "by_city", why="doubted", now=utc_now())
    assert supersede(workspace, MODEL, dry_run=False, now=utc_now()).proposed == ()
    build(workspace)
    deploy(workspace, tiny_star.write_model(tmp_path / "model", USERS), now=utc_now())

    assert statuses(workspace) == {
        "by_city": "blocked",
        "m_amount_union": "blocked",
        "m_quantity": "defined",
        "m_amount": "defined",
    }
    assert active_aggregates(workspace) == {"m_quantity", "m_amount"}
    assert (
        workspace.read.definitions.get(
            make_definition(workspace, "x", ["Month"], ["Quantity", "Amount"]).id
        ).status_reason
        == "too wide"
    )


def test_blocking_is_at_once_and_unblocking_needs_a_batch(workspace: Workspace, tmp_path: Path) -> None:
    """What was not built meanwhile would be old; a user's one that has left the model is retired instead."""
    build(workspace)
    query = 'SELECT "City", SUM("Amount") FROM tiny_sales GROUP BY 1'
    assert source_of(workspace, query) == "by_city"
    block_definition(workspace, MODEL, "by_city", why="", now=utc_now())
    assert source_of(workspace, query) is None
    with pytest.raises(UnknownNameError, match=r"no blocked aggregate `by_ciyt`. Did you mean `by_city`"):
        unblock_definition(workspace, MODEL, "by_ciyt", now=utc_now())
    assert unblock_definition(workspace, MODEL, "by_city", now=utc_now()).status == "defined"
    assert source_of(workspace, query) == "by_city"
    block_definition(workspace, MODEL, "by_city", why="", now=utc_now())
    deploy(workspace, tiny_star.write_model(tmp_path / "model", {"other": (("Day",), ("Amount",))}), now=utc_now())
    record = unblock_definition(workspace, MODEL, "by_city", now=utc_now())
    assert (record.status, record.status_reason) == ("retired", "it left the model")


def test_what_was_retired_while_its_batch_ran_does_not_go_live(workspace: Workspace) -> None:
    """Nobody would rebuild it."""
    ids = define(workspace, {"month": (("Month",), ("Quantity",))})
    retired = False

    def retire(event: object) -> None:
        nonlocal retired
        if not retired:
            why = "not needed"
            workspace.registry.definitions.set_status(
                [ids["month"]], DefinitionStatus.RETIRED, why, expected=DefinitionStatus.DEFINED, now=utc_now()
            )
            retired = True

    run_batch(workspace, MODEL, owner="test", on_event=retire)

    assert active_aggregates(workspace) == {"by_city"}
    assert workspace.read.instances.count_by_status(workspace.read.batches.find()[0].id) == {
        "active": 1,
        "cancelled": 1,
    }


def test_an_interrupted_union_is_defined_once(workspace: Workspace) -> None:
    """Another request before it is built proposes the same."""
    define(workspace, {"m_quantity": (("Month",), ("Quantity",)), "m_amount": (("Month",), ("Amount",))})
    first = supersede(workspace, MODEL, dry_run=False, now=utc_now())
    second = supersede(workspace, MODEL, dry_run=False, now=utc_now())

    assert (first.defined, second.defined) == (("m_amount_union",), ())
    assert {old for old, _, _ in second.proposed} == {"m_quantity", "m_amount"}
    assert len(workspace.read.successions.find(model_id(workspace), pending=True)) == 2
    build(workspace)
    assert active_aggregates(workspace) == {"by_city", "m_amount_union"}
    blocked = workspace.registry.definitions.add(
        [ProposedDefinition(definition=make_definition(workspace, "m_amount", ["Month"], ["Amount"]), reason="again")],
        now=utc_now(),
    )
    assert blocked == ("returned",)
    assert supersede(workspace, MODEL, dry_run=False, now=utc_now()).done == (("m_amount", "m_amount_union"),)
