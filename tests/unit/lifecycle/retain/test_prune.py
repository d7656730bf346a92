"""The least used instances are let go: with the product's own numbers, at 110 those ranked 101 to 110."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airflow_atscale_aggs.engine.aggregates.build_step import TARGET_ATTEMPT, BuildStep, SourceOption
from airflow_atscale_aggs.engine.aggregates.definition import (
    AggregateDefinition,
    DefinitionOrigin,
    DefinitionStatus,
    FactPart,
)
from airflow_atscale_aggs.engine.aggregates.definition import model_id as id_of_model
from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.aggregates.measures import StoredFunction, StoredMeasure, row_count
from airflow_atscale_aggs.engine.errors import InstanceNeededError, NotRegisteredError
from airflow_atscale_aggs.engine.lifecycle.retain.prune import delete_instance, prune
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace
from airflow_atscale_aggs.engine.registry.records import (
    BuiltParts,
    DefinitionRecord,
    Deployment,
    ProposedDefinition,
    QuerySource,
)
from tests.support.query_records import make_query_record
from tests.support.stars.standing_star import (
    LATER,
    MODEL,
    build,
    define,
    definition,
    model_id,
    open_batch,
    put_settings,
    serving,
    tables_of,
)

_NOW = datetime(2026, 1, 2, tzinfo=UTC)
_MODEL = id_of_model("shop", "sales")


def _definition(number: int) -> AggregateDefinition:
    measures = tuple(sorted((row_count("sales"), StoredMeasure(StoredFunction.SUM, "sales", f"column_{number}"))))
    name = f"a{number:03}"
    return AggregateDefinition(
        model_id=_MODEL,
        name=name,
        label=name,
        origin=DefinitionOrigin.DEMAND_DEFINED,
        metrics=(),
        parts=(FactPart(fact="sales", attributes=(), measures=measures),),
    )


def _step(definition: AggregateDefinition, number: int) -> BuildStep:
    return BuildStep(
        instance_id=f"i{number:03}",
        definition_id=definition.id,
        aggregate=definition.name,
        fact="sales",
        position=number,
        sources=(SourceOption(instance_id=None, name="sales", create_sql="SELECT 1"),),
        table=f"as_agg_{number}_a{TARGET_ATTEMPT}",
        target_sql="t",
        drop_sql=f"DROP TABLE IF EXISTS t{TARGET_ATTEMPT}",
        count_sql="SELECT 1",
        view_statements=(),
        view=f"v{number}",
    )


def _open_workspace(folder: Path) -> Workspace:
    """A model without aggregates."""
    workspace = open_workspace(registry=f"sqlite:///{folder}/r.sqlite", warehouse="duckdb:///:memory:")
    deployment = Deployment(
        model_id=_MODEL,
        catalog="shop",
        name="sales",
        label="Sales",
        connection=None,
        content=b"",
        content_hash="1",
        datasets={},
        definitions=(),
    )
    workspace.registry.models.record_deployments([deployment], now=_NOW)
    return workspace


def _activate(workspace: Workspace, numbers: Sequence[int], *, batch_id: str = "b") -> None:
    """Let an aggregate of each number serve; the lower the number, the more often and later it was used."""
    registry = workspace.registry
    definitions = [_definition(number) for number in numbers]
    registry.definitions.add([ProposedDefinition(definition=new, reason="") for new in definitions], now=_NOW)
    steps = [_step(new, number) for new, number in zip(definitions, numbers, strict=True)]
    registry.batches.open(
        batch_id=batch_id,
        model_id=_MODEL,
        deployment_id=workspace.read.models.get(_MODEL).deployment_id,
        build_type=BuildType.FULL,
        owner="me",
        lease_until=_NOW,
        steps=steps,
        now=_NOW,
    )
    for step in steps:
        claim = registry.attempts.claim(step.instance_id, owner="me", now=_NOW)
        registry.attempts.finish(claim, BuiltParts(rows=1), seconds=0.1, source="sales", now=_NOW)
    registry.batches.activate(batch_id, owner="me", now=_NOW, drop_after=_NOW)
    registry.queries.record(
        [
            make_query_record(
                QuerySource(fact="sales", aggregate="a", definition_id=new.id),
                model_id=_MODEL,
                asked_at=_NOW - timedelta(hours=number),
                weight=1000 - number,
            )
            for new, number in zip(definitions, numbers, strict=True)
        ]
    )


def test_at_110_instances_those_ranked_101_through_110_are_deleted(tmp_path: Path) -> None:
    """With the defaults. At 109 the engine waits for more candidates; after a pruning it waits again."""
    with _open_workspace(tmp_path) as workspace:
        _activate(workspace, range(109))
        assert prune(workspace, "sales", dry_run=False, now=_NOW).pruned == ()

        _activate(workspace, [109], batch_id="one more")
        report = prune(workspace, "sales", dry_run=False, now=_NOW)

        assert (report.total, report.desired, report.excess) == (110, 100, 10)
        assert [(instance.rank, instance.aggregate) for instance in report.pruned] == [
            (number, f"a{number - 1:03}") for number in range(101, 111)
        ]
        assert report.pruned[0].why == "ranked 101 of 110, 100 are kept"
        assert (report.pruned[0].uses, report.pruned[0].table) == (900, "as_agg_100_a1")
        assert len(workspace.read.instances.serving(_MODEL)) == 100
        again = prune(workspace, "sales", dry_run=False, now=_NOW)
        assert (again.total, again.pruned) == (100, ())


@pytest.mark.parametrize(
    ("settings", "pruned"),
    [
        pytest.param({"retention_desired": 3, "retention_excess": 1}, ["a003"], id="enough to be pruned"),
        pytest.param({"retention_desired": 3, "retention_excess": 2}, [], id="not enough yet"),
        pytest.param({"retention_desired": 1, "retention_excess": 1}, ["a001", "a002", "a003"], id="all but one"),
    ],
)
def test_the_settings_say_how_many_are_kept(tmp_path: Path, settings: dict[str, int], pruned: list[str]) -> None:
    keys = {"retention_desired": "desiredInstances", "retention_excess": "excessInstances"}
    with _open_workspace(tmp_path) as workspace:
        _activate(workspace, range(4))
        for name, value in settings.items():
            workspace.registry.settings.put(_MODEL, f"aggregates.retention.{keys[name]}", str(value))

        report = prune(workspace, "sales", dry_run=False, now=_NOW)

        assert [instance.aggregate for instance in report.pruned] == pruned
        assert report.drop_after == _NOW + timedelta(hours=1)
        statuses = {record.definition.name: record.status for record in _definitions(workspace)}
        assert {name for name, status in statuses.items() if status == "retired"} == set(pruned)


def _definitions(workspace: Workspace) -> Sequence[DefinitionRecord]:
    return workspace.read.definitions.of_model(_MODEL, include_retired=True)


def test_settings_of_zero_are_no_value(deployed_star: Workspace) -> None:
    put_settings(deployed_star, retention_desired=0, retention_excess=0, retention_unused_days=0)

    report = prune(deployed_star, MODEL, dry_run=True, now=LATER)

    assert (report.desired, report.excess) == (100, 10)
    assert report.warnings == (
        "Setting `aggregates.retention.desiredInstances` is 0, which is no value for it; the default 100 is used.",
        "Setting `aggregates.retention.excessInstances` is 0, which is no value for it; the default 10 is used.",
        "Setting `aggregates.retention.removeUnusedDays` is 0, which is no value for it; the default 45 is used.",
    )


def _ask(workspace: Workspace, aggregate: str, at: datetime) -> None:
    identity = definition(workspace, aggregate).definition.id
    source = QuerySource(fact="sales", aggregate=aggregate, definition_id=identity)
    record = make_query_record(source, model_id=model_id(workspace), asked_at=at)
    workspace.registry.queries.record([record])


def test_while_there_are_few_those_that_nobody_uses_are_disabled(deployed_star: Workspace) -> None:
    """Aggregates of users are left alone, however long nobody has used them."""
    define(deployed_star, "idle", "quantity")
    define(deployed_star, "busy", "day_id")
    build(deployed_star)
    _ask(deployed_star, "busy", LATER + timedelta(days=40))
    put_settings(deployed_star, drop_delay_seconds=60)
    now = LATER + timedelta(days=45)
    assert prune(deployed_star, MODEL, dry_run=True, now=now - timedelta(days=1)).pruned == ()

    planned = prune(deployed_star, MODEL, dry_run=True, now=now)
    assert definition(deployed_star, "idle").status == "defined"
    report = prune(deployed_star, MODEL, dry_run=False, now=now)

    assert planned.pruned == report.pruned
    (pruned,) = report.pruned
    assert (pruned.aggregate, pruned.rank, pruned.uses, pruned.why) == ("idle", 0, 0, "not used for 45 days")
    assert (report.total, report.disabled, report.drop_after) == (2, ("idle",), now + timedelta(seconds=60))
    record = definition(deployed_star, "idle")
    assert (record.status, record.status_reason) == ("retired", "pruned: not used for 45 days")
    assert deployed_star.read.instances.get(pruned.instance_id).drop_after == report.drop_after
    # Its view goes at once, its table with a sweep.
    assert "agg_tiny_sales_idle" not in tables_of(deployed_star)
    assert pruned.table in tables_of(deployed_star)
    assert {i.step.aggregate for i in deployed_star.read.instances.serving(model_id(deployed_star))} == {
        "by_city",
        "by_day_and_shop",
        "busy",
    }


def test_a_model_that_is_not_registered_has_nothing_to_prune(deployed_star: Workspace) -> None:
    with pytest.raises(NotRegisteredError, match="no model `tiny`"):
        prune(deployed_star, "tiny", dry_run=True, now=LATER)


def test_an_instance_that_serves_a_standing_definition_is_not_deleted_by_hand(built_star: Workspace) -> None:
    city = serving(built_star, "by_city")

    with pytest.raises(InstanceNeededError, match="it serves, and the next batch would build it again") as caught:
        delete_instance(built_star, city.id, now=LATER)

    assert "`atscale-aggs block tiny_sales by_city`" in caught.value.remedy
    assert serving(built_star, "by_city") == city


def test_an_instance_of_a_blocked_definition_is_deleted_by_hand(built_star: Workspace) -> None:
    put_settings(built_star, drop_delay_seconds=60)
    city = serving(built_star, "by_city")
    identity = city.step.definition_id
    built_star.registry.definitions.set_status(
        [identity], DefinitionStatus.BLOCKED, "", expected=DefinitionStatus.DEFINED, now=LATER
    )

    deleted = delete_instance(built_star, city.id, now=LATER)

    assert (deleted.instance.status, deleted.notes) == ("superseded", ())
    assert deleted.drop_after == deleted.instance.drop_after == LATER + timedelta(seconds=60)
    assert "agg_tiny_sales_by_city" not in tables_of(built_star)
    # A second time changes nothing.
    assert delete_instance(built_star, city.id, now=LATER + timedelta(days=1)) == deleted


def test_an_instance_that_never_served_is_left_to_a_sweep(staged_star: Workspace) -> None:
    staged = staged_star.read.instances.find(batch_id=open_batch(staged_star).id)

    with pytest.raises(InstanceNeededError, match="it is done; `atscale-aggs sweep` drops what failed"):
        delete_instance(staged_star, staged[0].id, now=LATER)
    with pytest.raises(NotRegisteredError, match="no instance `nothing`"):
        delete_instance(staged_star, "nothing", now=LATER)
