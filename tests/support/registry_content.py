"""Small things that a registry records: aggregates of one model, their deployment, and batches of build steps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select, text, update

from airflow_atscale_aggs.engine.aggregates.build_step import TARGET_ATTEMPT, BuildStep, SourceOption
from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, DefinitionOrigin, FactPart, model_id
from airflow_atscale_aggs.engine.aggregates.indicator import Indicator, IndicatorKind, IndicatorUnit, RowRange
from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.aggregates.measures import StoredFunction, StoredMeasure, row_count
from airflow_atscale_aggs.engine.aggregates.provenance import Checksum
from airflow_atscale_aggs.engine.aggregates.segment import Increment, NewSegment, SegmentKey
from airflow_atscale_aggs.engine.model.datasets import Dataset
from airflow_atscale_aggs.engine.registry.records import (
    BatchRecord,
    BuiltParts,
    Deployment,
    InstanceRecord,
    ProposedDefinition,
)
from airflow_atscale_aggs.engine.registry.registry import Registry
from airflow_atscale_aggs.engine.registry.standings import select_standings
from airflow_atscale_aggs.engine.registry.tables import definitions, deployments, standings

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
LATER = NOW + HOUR
MODEL = model_id("shop", "sales")
OTHER_MODEL = model_id("shop", "visits")


def make_aggregate(
    name: str,
    column: str = "amount",
    *facts: str,
    origin: DefinitionOrigin = DefinitionOrigin.USER_DEFINED,
    model: str = MODEL,
) -> AggregateDefinition:
    """The sum of a column over all rows, of each of the facts; without any: of ``sales``.

    Its meaning is the column and the facts; the name is none of it.
    """
    parts = tuple(
        FactPart(
            fact=fact,
            attributes=(),
            measures=tuple(sorted((row_count(fact), StoredMeasure(StoredFunction.SUM, fact, column)))),
        )
        for fact in facts or ("sales",)
    )
    return AggregateDefinition(model_id=model, name=name, label=name, origin=origin, metrics=(column,), parts=parts)


REVENUE = make_aggregate("revenue", "amount")
UNITS = make_aggregate("units", "quantity")


def make_system_aggregate(name: str, column: str = "amount", *facts: str, model: str = MODEL) -> AggregateDefinition:
    """The same, defined by the engine because queries asked for it."""
    return make_aggregate(name, column, *facts, origin=DefinitionOrigin.DEMAND_DEFINED, model=model)


def propose(registry: Registry, *aggregates: AggregateDefinition, now: datetime = NOW) -> None:
    """Record system-defined aggregates."""
    registry.definitions.add([ProposedDefinition(definition=item, reason="asked") for item in aggregates], now=now)


def make_deployment(*aggregates: AggregateDefinition, content: str = "1", **others: Any) -> Deployment:
    """The model ``shop.sales`` with user-defined aggregates."""
    values: dict[str, Any] = {
        "model_id": MODEL,
        "catalog": "shop",
        "name": "sales",
        "label": "Sales",
        "connection": "warehouse",
        "content": content.encode(),
        "content_hash": content,
        "datasets": {"sales": Dataset(name="sales", table="sales", columns={})},
        "definitions": aggregates,
    }
    return Deployment(**{**values, **others})


def make_step(aggregate: AggregateDefinition, batch: str = "b", position: int = 0, fact: str = "") -> BuildStep:
    """The step that builds an aggregate in a batch; the instance is called like ``b-revenue``.

    Args:
        fact: of which the part is built, where the aggregate has several; it ends the instance's name.
    """
    identity = f"{batch}-{aggregate.name}{f'-{fact}' if fact else ''}"
    name = f"as_agg_{identity.replace('-', '_')}_a{TARGET_ATTEMPT}"
    return BuildStep(
        instance_id=identity,
        definition_id=aggregate.id,
        aggregate=aggregate.name,
        fact=fact or "sales",
        position=position,
        sources=(SourceOption(instance_id=None, name="sales", create_sql=f"CREATE TABLE {name} AS SELECT 1"),),
        table=name,
        target_sql=name,
        drop_sql=f"DROP TABLE {name}",
        count_sql=f"SELECT COUNT(*) FROM {name}",
        view_statements=(),
        view=f"agg_{aggregate.name}",
    )


def with_segments(
    step: BuildStep,
    *bounds: tuple[int | None, int],
    older: tuple[SegmentKey, ...] = (),
    checksum: Checksum | None = None,
) -> BuildStep:
    """The step of an incremental aggregate, which makes a segment for each range of the indicator.

    Segments are numbered from 1; the last one is not settled.

    Args:
        bounds: after and through of each range.
        older: keys of older segments that it consists of as well.
        checksum: of the facts of each new segment.
    """
    kind, name = IndicatorKind.INTEGER, step.instance_id.replace("-", "_")
    tables = [f"as_seg_{name}_{number}_a{TARGET_ATTEMPT}" for number in range(1, len(bounds) + 1)]
    new = tuple(
        NewSegment(
            number=number,
            table=table,
            rows=RowRange(column="seq", kind=kind, after=after, through=through),
            is_settled=number < len(bounds),
            drop_sql=f"DROP TABLE {table}",
            count_sql=f"SELECT COUNT(*) FROM {table}",
            checksum=checksum,
        )
        for number, (table, (after, through)) in enumerate(zip(tables, bounds, strict=True), start=1)
    )
    increment = Increment(
        indicator=Indicator(column="seq", data_type="bigint", kind=kind, unit=IndicatorUnit.PLAIN),
        grace_period="5",
        full_reason="",
        full_at=NOW,
        kept=older,
        new=new,
        create_view_sql=f"CREATE VIEW {step.table} AS SELECT 1",
    )
    return replace(step, increment=increment)


def make_steps(aggregates: Iterable[AggregateDefinition], batch: str = "b") -> list[BuildStep]:
    """One step for each part of the aggregates, in their order."""
    facts = [
        (aggregate, part.fact if len(aggregate.parts) > 1 else "")
        for aggregate in aggregates
        for part in aggregate.parts
    ]
    return [make_step(aggregate, batch, position, fact) for position, (aggregate, fact) in enumerate(facts)]


def open_batch(
    registry: Registry,
    batch: str = "b",
    *,
    owner: str = "me",
    now: datetime = NOW,
    model: str = MODEL,
    steps: Iterable[BuildStep] | None = None,
    **others: Any,
) -> BatchRecord:
    """Begin a batch of all aggregates that are defined, or of some steps; its lease lasts a minute."""
    if steps is None:
        records = registry.read.definitions.of_model(model)
        steps = make_steps((record.definition for record in records), batch)
    return registry.batches.open(
        batch_id=batch,
        model_id=model,
        deployment_id=registry.read.models.get(model).deployment_id,
        build_type=BuildType.FULL,
        owner=owner,
        lease_until=now + timedelta(minutes=1),
        steps=list(steps),
        now=now,
        **others,
    )


def build(registry: Registry, *instance_ids: str, rows: int = 5, now: datetime = NOW) -> InstanceRecord:
    """Build instances in one attempt each; the last one as it is then."""
    for instance_id in instance_ids:
        claim = registry.attempts.claim(instance_id, owner="me", now=now)
        instance = registry.attempts.finish(claim, BuiltParts(rows=rows), seconds=0.5, source="sales", now=now)
    return instance


def run_batch(registry: Registry, batch: str = "b", *, now: datetime = NOW, **others: Any) -> BatchRecord:
    """Begin a batch, build all its instances and activate them; what they replace may be dropped an hour later."""
    open_batch(registry, batch, now=now, **others)
    for instance in registry.read.instances.find(batch_id=batch):
        build(registry, instance.id, now=now)
    return registry.batches.activate(batch, owner="me", now=now, drop_after=now + HOUR)


def statuses(registry: Registry) -> dict[str, str]:
    """The status of each instance by its id."""
    return {instance.id: str(instance.status) for instance in registry.read.instances.find()}


def check_standings(registry: Registry) -> None:
    """See that the standings that were written are those that follow from everything else."""
    columns = list(standings.c)
    with registry.database.reading() as connection:
        written = connection.execute(select(*columns).order_by(standings.c.definition_id)).all()
        computed = select_standings().order_by(definitions.c.id)
        assert [tuple(row) for row in written] == [tuple(row) for row in connection.execute(computed)]


def wait_for_who_waits(registry: Registry) -> None:
    """Wait until somebody waits for a lock. In SQLite, whose writers all wait for each other, nobody need be seen."""
    if registry.database.url.get_backend_name() == "sqlite":
        return
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with registry.database.reading() as connection:
        while not connection.scalar(waiting):
            connection.rollback()


def spoil_content(registry: Registry, name: str, content: bytes) -> None:
    """Let a model's newest deployment hold other bytes than those of its files."""
    deployment_id = registry.read.models.get(name).deployment_id
    with registry.database.writing() as connection:
        connection.execute(update(deployments).where(deployments.c.id == deployment_id).values(content=content))
