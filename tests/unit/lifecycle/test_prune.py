"""Retention with the product's own numbers: 100 desired, 10 more, at 110 those ranked 101 to 110 go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow_atscale_aggs.engine.aggregates.build_step import TARGET_ATTEMPT, BuildStep, SourceOption
from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, DefinitionOrigin, FactPart, model_id
from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.aggregates.measures import StoredFunction, StoredMeasure, row_count
from airflow_atscale_aggs.engine.lifecycle.retain.prune import prune
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace
from airflow_atscale_aggs.engine.registry.records import (
    BuiltParts,
    Deployment,
    ProposedDefinition,
    QuerySource,
)
from tests.support.query_records import make_query_record

_NOW = datetime(2026, 1, 2, tzinfo=UTC)
_MODEL = model_id("shop", "sales")


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


def _workspace(folder: Path, count: int) -> Workspace:
    """A number of active instances; the first was used most and last, the last one least and longest ago."""
    made = open_workspace(registry=f"sqlite:///{folder}/r.sqlite", warehouse="duckdb:///:memory:")
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
    made.registry.models.record_deployments([deployment], now=_NOW)
    definitions = [_definition(number) for number in range(count)]
    made.registry.definitions.add([ProposedDefinition(definition=one, reason="") for one in definitions], now=_NOW)
    steps = [_step(one, number) for number, one in enumerate(definitions)]
    made.registry.batches.open(
        batch_id="b",
        model_id=_MODEL,
        deployment_id=made.read.models.get(_MODEL).deployment_id,
        build_type=BuildType.FULL,
        owner="me",
        lease_until=_NOW,
        steps=steps,
        now=_NOW,
    )
    for step in steps:
        claim = made.registry.attempts.claim(step.instance_id, owner="me", now=_NOW)
        made.registry.attempts.finish(claim, BuiltParts(rows=1), seconds=0.1, source="sales", now=_NOW)
    made.registry.batches.activate("b", owner="me", now=_NOW, drop_after=_NOW)
    made.registry.queries.record(
        [
            make_query_record(
                QuerySource(fact="sales", aggregate="a", definition_id=definition.id),
                model_id=_MODEL,
                asked_at=_NOW - timedelta(hours=hours),
                weight=count - hours,
            )
            for hours, definition in enumerate(definitions)
        ]
    )
    return made


def test_at_110_instances_those_ranked_101_through_110_are_deleted(tmp_path: Path) -> None:
    """With the defaults, and no more of them the next time."""
    with _workspace(tmp_path, 110) as place:
        report = prune(place, "sales", dry_run=False, now=_NOW)

        assert (report.total, report.desired, report.excess) == (110, 100, 10)
        assert [(one.rank, one.aggregate) for one in report.pruned] == [(n, f"a{n - 1:03}") for n in range(101, 111)]
        assert len(place.read.instances.serving(_MODEL)) == 100
        again = prune(place, "sales", dry_run=False, now=_NOW)
        assert (again.total, again.pruned) == (100, ())


def test_at_109_instances_nothing_is_deleted(tmp_path: Path) -> None:
    """The engine can wait until there are enough candidates."""
    with _workspace(tmp_path, 109) as place:
        assert prune(place, "sales", dry_run=False, now=_NOW).pruned == ()
