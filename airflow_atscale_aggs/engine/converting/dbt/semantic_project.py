"""What dbt says: semantic models, metrics and time spines as values, all references still by name.

Source: dbt documentation, "Semantic models", "Metrics", "MetricFlow time spine".
"""

from __future__ import annotations

from dataclasses import field

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

GRAINS = (
    "nanosecond",
    "microsecond",
    "millisecond",
    "second",
    "minute",
    "hour",
    "day",
    "week",
    "month",
    "quarter",
    "year",
)
"""Granularities of time, fine to coarse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A key of a semantic model.

    Attributes:
        type: ``primary`` | ``unique`` | ``natural`` | ``foreign``.
        sql: its column or expression.
    """

    name: str
    type: str
    sql: str
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """An attribute of a semantic model.

    Attributes:
        grain: of a time dimension, one of `GRAINS`; empty: it is categorical.
        has_validity: it says from when or until when a row of a slowly changing table is valid.
    """

    name: str
    sql: str
    where: str
    grain: str = ""
    has_validity: bool = False
    label: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NonAdditive:
    """A time dimension over which a measure is not added up.

    Attributes:
        choice: ``min`` | ``max``: the first or the last time counts.
        groupings: entities for each of which that time is found.
    """

    name: str
    choice: str
    groupings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """An aggregation of a semantic model.

    Attributes:
        agg: as dbt calls it: ``sum``, ``count_distinct``, …; anything that stands there.
        sql: what is aggregated.
        time: the time dimension that its `metric_time` is.
        percentile: as a decimal text; empty: none.
        makes_metric: dbt makes a metric of its name.
    """

    name: str
    agg: str
    sql: str
    time: str
    where: str
    percentile: str = ""
    is_discrete: bool = False
    is_approximate: bool = False
    non_additive: NonAdditive | None = None
    makes_metric: bool = False
    label: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SemanticTable:
    """A semantic model of dbt: one table with its keys, attributes and measures.

    Attributes:
        primary_entity: the entity that its attributes are named after; empty: it has none.
        database, schema: empty: not known.
    """

    name: str
    table: str
    where: str
    database: str = ""
    schema: str = ""
    primary_entity: str = ""
    entities: tuple[Entity, ...] = ()
    dimensions: tuple[Dimension, ...] = ()
    measures: tuple[Measure, ...] = ()
    label: str = ""
    description: str = ""

    def entity(self, name: str) -> Entity | None:
        """An entity by name."""
        return next((entity for entity in self.entities if entity.name == name), None)

    def dimension(self, name: str) -> Dimension | None:
        """A dimension by name."""
        return next((dimension for dimension in self.dimensions if dimension.name == name), None)

    @property
    def is_versioned(self) -> bool:
        """Whether it has several rows for one member, each valid for a time."""
        return any(dimension.has_validity for dimension in self.dimensions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A measure or metric that a metric stands on.

    Attributes:
        filters: conditions as dbt writes them, with Jinja.
        alias: its name in the expression; empty: its own.
        offset_window: such as ``7 days``; offset_to_grain: such as ``month``.
        fill: what stands for NULL; empty: nothing does.
        joins_spine: days without facts are shown.
    """

    name: str
    filters: tuple[str, ...] = ()
    alias: str = ""
    offset_window: str = ""
    offset_to_grain: str = ""
    fill: str = ""
    joins_spine: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DbtMetric:
    """A metric of dbt.

    Attributes:
        type: ``simple`` | ``ratio`` | ``derived`` | ``cumulative`` | ``conversion``; anything that stands there.
        measure: what a simple or cumulative metric aggregates.
        inputs: numerator and denominator of a ratio; the metrics of an expression.
        expression: of a derived metric.
        period: how a cumulative metric is taken at coarser grains: ``first`` | ``last`` | ``average``.
        is_hidden: it only serves other metrics.
        own: an aggregation that the metric itself says, in the newer way, with the semantic model that it is on.
    """

    name: str
    type: str
    where: str
    measure: Input | None = None
    own: tuple[str, Measure] | None = None
    inputs: tuple[Input, ...] = ()
    expression: str = ""
    window: str = ""
    grain_to_date: str = ""
    period: str = "first"
    filters: tuple[str, ...] = ()
    is_hidden: bool = False
    label: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeSpine:
    """A table with a row for each moment of a grain."""

    table: str
    column: str
    grain: str
    where: str
    database: str = ""
    schema: str = ""


@dataclass(slots=True, kw_only=True)
class SemanticProject:
    """Everything that was read of a project. Names may still be taken twice."""

    name: str
    tables: list[SemanticTable] = field(default_factory=list)
    metrics: list[DbtMetric] = field(default_factory=list)
    spines: list[TimeSpine] = field(default_factory=list)
    saved_queries: list[tuple[str, str]] = field(default_factory=list)
    """(name, where)"""
