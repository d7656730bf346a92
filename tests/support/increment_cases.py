"""Sales that grow by increments, as values: the definition, the last build with its segments, what a batch looks up."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from airflow_atscale_aggs.engine.aggregates.definition import AggregateDefinition, DefinitionOrigin, FactPart
from airflow_atscale_aggs.engine.aggregates.indicator import Indicator, IndicatorKind, IndicatorUnit
from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.aggregates.measures import StoredFunction, StoredMeasure, row_count
from airflow_atscale_aggs.engine.aggregates.provenance import Checksum
from airflow_atscale_aggs.engine.aggregates.segment import Increment, Segment, SegmentKey
from airflow_atscale_aggs.engine.model.datasets import Column, Dataset, Incremental
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute, JoinKind, JoinStep, Role
from airflow_atscale_aggs.engine.planning.increments import IncrementsInput, LastBuild
from airflow_atscale_aggs.engine.settings import Settings
from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.sources import Sources

NOW = datetime(2026, 1, 1, tzinfo=UTC)
START = 89
"""Rows up to this are settled in the last build, and rows up to 100 are not; the grace period is 10."""

_TYPES = {"id": "bigint", "shop_id": "integer", "amount": "integer", "seconds": "bigint", "at": "timestamp"}


def incremental_datasets(column: str = "id", grace_period: str = "10") -> dict[str, Dataset]:
    """Sales with an indicator, returns without one, and shops that do not change."""
    columns = {name: Column(name=name, data_type=kind) for name, kind in _TYPES.items()}
    return {
        "sales": Dataset(
            name="sales",
            table="sales",
            columns=columns,
            incremental=Incremental(column=column, grace_period=grace_period),
        ),
        "returns": Dataset(name="returns", table="returns", columns=columns),
        "shop": Dataset(name="shop", table="shop", columns={}, immutable=True),
    }


CITY = BoundAttribute(
    attribute=GrainAttribute(Role("Shops"), "City"),
    label="City",
    dataset="shop",
    key_columns=("city",),
    name_column="city",
    steps=(JoinStep(JoinKind.UNIQUE_KEY, "sales", ("shop_id",), "shop", ("shop_id",)),),
)
AMOUNT = StoredMeasure(StoredFunction.SUM, "sales", "amount")


def city_part(fact: str = "sales", *measures: StoredMeasure) -> FactPart:
    """An aggregate of a fact by city."""
    return FactPart(fact=fact, attributes=(CITY,), measures=tuple(sorted({row_count(fact), *measures})))


def definition_of(*parts: FactPart, name: str = "by_city") -> AggregateDefinition:
    """A user-defined aggregate of parts."""
    return AggregateDefinition(
        model_id="m", name=name, label=name, origin=DefinitionOrigin.USER_DEFINED, metrics=(), parts=parts
    )


def increments_input(
    *, datasets: dict[str, Dataset] | None = None, dialect: str = "duckdb", **changes: Any
) -> IncrementsInput:
    """What a decision depends on."""
    datasets = datasets or incremental_datasets()
    physical: dict[tuple[str | None, str | None, str], dict[str, str]] = {
        (None, None, "sales"): _TYPES,
        (None, None, "returns"): _TYPES,
        (None, None, "shop"): {"shop_id": "integer", "city": "varchar"},
    }
    inputs = IncrementsInput(
        build_type=BuildType.INCREMENTAL,
        deployment_id="d",
        now=NOW,
        datasets=datasets,
        sources=Sources(datasets, physical, find_dialect(dialect)),
        settings=Settings(),
    )
    return replace(inputs, **changes)


def segment_of(
    number: int,
    after: int | None,
    through: int,
    fact_rows: int | None,
    *,
    is_settled: bool = True,
    checksum: Checksum | None = None,
) -> Segment:
    """A segment of five rows."""
    return Segment(
        key=SegmentKey("i", 1, number),
        table=f"t{number}",
        after=after,
        through=through,
        is_settled=is_settled,
        rows=5,
        fact_rows=fact_rows,
        checksum=checksum,
    )


ID = Indicator(column="id", data_type="bigint", kind=IndicatorKind.INTEGER, unit=IndicatorUnit.PLAIN)


def increment_of(indicator: Indicator = ID, **changes: Any) -> Increment:
    """What the last build did."""
    increment = Increment(
        indicator=indicator, grace_period="10", full_reason="", full_at=NOW, kept=(), new=(), create_view_sql=""
    )
    return replace(increment, **changes)


def last_build(*fact_rows: int | None, checksum: Checksum | None = None, **changes: Any) -> LastBuild:
    """Two segments: rows up to 89 settled, up to 100 unsettled, made of so many fact rows."""
    segments = (
        segment_of(1, None, START, fact_rows[0], checksum=checksum),
        segment_of(2, START, 100, fact_rows[1], is_settled=False),
    )
    return replace(LastBuild(deployment_id="d", increment=increment_of(), segments=segments), **changes)
