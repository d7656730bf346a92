"""Instances that are pruned, swept or deleted: the part "Deleted" of the page "Life Cycle of Aggregate Tables"."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from airflow_atscale_aggs.cli.main import run
from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus
from airflow_atscale_aggs.engine.errors import InstanceNeededError
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.retain.prune import PrunedInstance, delete_instance, prune
from airflow_atscale_aggs.engine.lifecycle.retain.supersede import supersede
from airflow_atscale_aggs.engine.lifecycle.retain.sweep import sweep
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace, utc_now
from tests.support.stars import tiny_star
from tests.support.stars.life_cycle_star import (
    MODEL,
    SCHEMA,
    USERS,
    active_aggregates,
    build,
    model_id,
    record_uses,
    statuses,
    tables,
    view_names,
)
from tests.support.strategies.system_definitions import NOW, define


def _options(folder: Path) -> list[str]:
    """Options of the command line that lead to the star's registry and warehouse."""
    return [
        "--registry",
        f"sqlite:///{folder}/r.sqlite",
        "--warehouse",
        f"duckdb:///{folder}/w.duckdb?threads=1",
        "--schema",
        SCHEMA,
    ]


def _set_limits(workspace: Workspace, desired: int, excess: int) -> None:
    workspace.registry.settings.put(None, "aggregates.retention.desiredInstances", str(desired))
    workspace.registry.settings.put(None, "aggregates.retention.excessInstances", str(excess))


_THREE = {"month": (("Month",), ("Quantity",)), "day": (("Day",), ("Quantity",)), "shop": (("Shop",), ("Quantity",))}


def test_definitions_and_statistics_are_retained_indefinitely(workspace: Workspace) -> None:
    """Their instances go, first from use and later from the warehouse. The definition says why, and may come back."""
    ids = define(workspace, _THREE)
    build(workspace)
    for name, uses in (("month", 3), ("day", 2), ("shop", 1)):
        record_uses(workspace, ids[name], uses, utc_now())
    _set_limits(workspace, 2, 1)
    table_names = {
        instance.step.aggregate: str(instance.table)
        for instance in workspace.read.instances.serving(model_id(workspace))
    }
    now = utc_now()
    report = prune(workspace, MODEL, dry_run=False, now=now)

    assert [
        (pruned_aggregate.aggregate, pruned_aggregate.rank, pruned_aggregate.uses) for pruned_aggregate in report.pruned
    ] == [("shop", 3, 1)]
    assert active_aggregates(workspace) == {"by_city", "month", "day"}
    assert view_names(workspace) == {"by_city", "month", "day"}
    record = workspace.read.definitions.get(ids["shop"])
    assert (record.status, record.status_reason) == ("retired", "pruned: ranked 3 of 3, 2 are kept")
    assert {usage.definition_id: usage.uses for usage in workspace.read.queries.usages(model_id(workspace))}[
        ids["shop"]
    ] == 1
    # The physical table goes only after the drop delay.
    sweep(workspace, dry_run=False, now=now + timedelta(minutes=59))
    assert table_names["shop"] in tables(workspace)
    sweep(workspace, dry_run=False, now=now + timedelta(minutes=61))
    assert tables(workspace) == {
        *(table_names[name] for name in ("by_city", "month", "day")),
        *(f"agg_tiny_sales_{n}" for n in view_names(workspace)),
    }
    build(workspace)
    assert active_aggregates(workspace) == {"by_city", "month", "day"}
    define(workspace, {"shop": _THREE["shop"]})
    build(workspace)
    assert "shop" in active_aggregates(workspace)


def test_the_engine_waits_for_the_excess_before_it_prunes(workspace: Workspace) -> None:
    """Below desired + excess nothing goes; a dry run changes nothing."""
    define(workspace, _THREE)
    build(workspace)
    _set_limits(workspace, 2, 2)
    assert prune(workspace, MODEL, dry_run=False, now=utc_now()).pruned == ()
    _set_limits(workspace, 2, 1)
    assert len(prune(workspace, MODEL, dry_run=True, now=utc_now()).pruned) == 1
    assert len(active_aggregates(workspace)) == 4


def test_active_and_inactive_instances_are_counted_and_users_ones_are_not(workspace: Workspace) -> None:
    """An inactive one is what its successor has left behind."""
    define(workspace, {"small": (("Month",), ("Quantity",)), "large": (("Month",), ("Quantity", "Amount"))})
    build(workspace)
    supersede(workspace, MODEL, dry_run=False, now=utc_now())
    _set_limits(workspace, 1, 1)
    report = prune(workspace, MODEL, dry_run=False, now=utc_now())

    assert report.total == 2
    assert [(pruned_aggregate.aggregate, pruned_aggregate.rank) for pruned_aggregate in report.pruned] == [("small", 2)]
    assert active_aggregates(workspace) == {"by_city", "large"}


def test_user_defined_tables_are_never_pruned(workspace: Workspace, tmp_path: Path) -> None:
    """Neither their number nor the time without use matters."""
    deploy(workspace, tiny_star.write_model(tmp_path / "model"), now=utc_now())
    build(workspace)
    _set_limits(workspace, 1, 1)

    report = prune(workspace, MODEL, dry_run=False, now=utc_now() + timedelta(days=400))

    assert (report.total, report.pruned) == (0, ())
    assert len(active_aggregates(workspace)) == 4


def test_zero_falls_back_to_the_default_with_a_warning_and_one_is_valid_for_both(workspace: Workspace) -> None:
    """The product says so of both settings."""
    define(workspace, _THREE)
    build(workspace)
    _set_limits(workspace, 0, 0)
    report = prune(workspace, MODEL, dry_run=False, now=utc_now())
    assert (report.desired, report.excess, report.pruned) == (100, 10, ())
    assert report.warnings[0] == (
        "Setting `aggregates.retention.desiredInstances` is 0, which is no value for it; the default 100 is used."
    )
    _set_limits(workspace, 1, 1)
    assert [
        pruned_aggregate.rank for pruned_aggregate in prune(workspace, MODEL, dry_run=False, now=utc_now()).pruned
    ] == [
        2,
        3,
    ]


def test_what_nobody_used_for_45_days_is_disabled_below_the_limit(workspace: Workspace) -> None:
    """The days begin with the last use, or with the first instance; and again when it is defined again."""
    ids = define(workspace, _THREE)
    build(workspace)
    built_at = utc_now()
    record_uses(workspace, ids["day"], 1, built_at + timedelta(days=30))
    assert prune(workspace, MODEL, dry_run=False, now=built_at + timedelta(days=44)).pruned == ()
    _set_limits(workspace, 3, 1)
    assert prune(workspace, MODEL, dry_run=False, now=built_at + timedelta(days=46)).pruned == ()
    _set_limits(workspace, 4, 1)
    report = prune(workspace, MODEL, dry_run=False, now=built_at + timedelta(days=46))

    assert set(report.disabled) == {"month", "shop"}
    assert active_aggregates(workspace) == {"by_city", "day"}
    assert workspace.read.definitions.get(ids["month"]).status_reason == "pruned: not used for 45 days"
    define(workspace, {"month": _THREE["month"]}, now=built_at + timedelta(seconds=1))
    build(workspace)
    again = prune(workspace, MODEL, dry_run=False, now=utc_now() + timedelta(days=44))
    assert "month" not in again.disabled


def test_a_prune_that_died_half_way_is_finished_by_the_sweep(on_postgres: Workspace) -> None:
    """The registry was told, the view was not dropped: PostgreSQL would refuse to drop its table."""
    ids = define(on_postgres, {"month": (("Month",), ("Quantity",))})
    build(on_postgres)
    now = utc_now()
    (gone,) = on_postgres.read.instances.retained(model_id(on_postgres))
    on_postgres.registry.instances.let_go(
        model_id(on_postgres), [gone.id], {ids["month"]: "pruned"}, now=now, drop_after=now
    )

    report = sweep(on_postgres, dry_run=False, now=now)

    assert [(swept_table.aggregate, swept_table.error) for swept_table in report.tables] == [("month", "")]
    assert view_names(on_postgres) == {"by_city"}
    assert gone.table not in tables(on_postgres)
    assert on_postgres.read.instances.get(gone.id).status is InstanceStatus.DELETED


def test_sweep_lists_what_it_would_drop_and_knows_it_from_the_registry_alone(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table that looks like ours and is not written down is nobody's business."""
    build(workspace)
    with workspace.warehouse.session() as session:
        session.execute("CREATE TABLE aggs.as_agg_12345678_by_city_a1 AS SELECT 1 AS x")
    build(workspace)
    (old,) = [
        instance
        for instance in workspace.read.instances.find(model_id=model_id(workspace))
        if instance.status is InstanceStatus.SUPERSEDED
    ]
    workspace.registry.instances.let_go(model_id(workspace), [old.id], {}, now=NOW, drop_after=NOW)
    workspace.registry.settings.put(None, "aggregates.drop.delaySeconds", "0")
    build(workspace)
    before = tables(workspace)
    workspace.close()
    options = _options(tmp_path)

    assert run(["sweep", "--json", *options]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed["dry_run"] is True
    assert [(swept_table["aggregate"], swept_table["dropped"]) for swept_table in listed["tables"]] == [
        ("by_city", False)
    ]
    assert run(["sweep", "--json", "--yes", *options]) == 0
    (dropped,) = json.loads(capsys.readouterr().out)["tables"]
    with open_workspace(registry=options[1], warehouse=options[3], aggregate_schema=SCHEMA) as again:
        assert before - tables(again) == {dropped["table"]}
        assert "as_agg_12345678_by_city_a1" in tables(again)


def test_deleting_a_users_definition_keeps_its_instances_until_they_are_deleted_by_hand(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The redeployment retires it, `definitions` says what has stayed, `delete-instance` lets it go."""
    build(workspace)
    (instance,) = workspace.read.instances.serving(model_id(workspace))
    with pytest.raises(InstanceNeededError, match="it serves, and the next batch would build it again; take it out"):
        delete_instance(workspace, instance.id, now=utc_now())
    deploy(workspace, tiny_star.write_model(tmp_path / "model", {"other": (("Day",), ("Amount",))}), now=utc_now())
    build(workspace)
    prune(workspace, MODEL, dry_run=False, now=utc_now() + timedelta(days=400))
    sweep(workspace, dry_run=False, now=utc_now() + timedelta(days=400))

    assert statuses(workspace) == {"by_city": "retired", "other": "defined"}
    assert instance.table in tables(workspace)
    options = _options(tmp_path)
    workspace.close()
    assert run(["definitions", *options]) == 0
    err = capsys.readouterr().err
    assert "`by_city` has left its model; of its tables stay until deleted by hand:" in err
    assert f"atscale-aggs delete-instance {instance.id}" in err
    assert run(["delete-instance", instance.id, *options]) == 0
    assert "Instance of `by_city` serves no more" in capsys.readouterr().err
    assert run(["definitions", *options]) == 0
    assert "left its model" not in capsys.readouterr().err
    with open_workspace(registry=options[1], warehouse=options[3], aggregate_schema=SCHEMA) as again:
        sweep(again, dry_run=False, now=utc_now() + timedelta(hours=2))
        assert instance.table not in tables(again)
        with pytest.raises(InstanceNeededError, match="it is deleted"):
            delete_instance(again, instance.id, now=utc_now())


def test_what_had_stayed_goes_when_its_definition_comes_back_and_is_built(workspace: Workspace, tmp_path: Path) -> None:
    """It is replaced as any rebuilt one is; nothing is left that nobody would tell of."""
    build(workspace)
    (instance,) = workspace.read.instances.serving(model_id(workspace))
    deploy(workspace, tiny_star.write_model(tmp_path / "model", {"other": (("Day",), ("Amount",))}), now=utc_now())
    build(workspace)
    assert workspace.read.instances.get(instance.id).drop_after is None
    deploy(workspace, tiny_star.write_model(tmp_path / "model", USERS), now=utc_now())
    build(workspace)

    assert workspace.read.instances.get(instance.id).drop_after is not None
    sweep(workspace, dry_run=False, now=utc_now() + timedelta(hours=2))
    assert instance.table not in tables(workspace)
    assert "by_city" in active_aggregates(workspace)


def test_several_definitions_are_pruned_in_the_order_of_both_criteria(workspace: Workspace) -> None:
    """Much use long ago and little use lately weigh the same; the more often used one stays then."""
    ids = define(workspace, _THREE)
    build(workspace)
    now = utc_now()
    for name, uses, days in (("month", 9, 5), ("day", 1, 0), ("shop", 1, 9)):
        record_uses(workspace, ids[name], uses, now - timedelta(days=days))
    _set_limits(workspace, 1, 2)

    assert _names(prune(workspace, MODEL, dry_run=True, now=now).pruned) == ["day", "shop"]


def _names(pruned: Sequence[PrunedInstance]) -> list[str]:
    return [pruned_aggregate.aggregate for pruned_aggregate in pruned]
