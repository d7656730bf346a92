"""Finds things of a project by name, and the tables that an entity leads to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from airflow_atscale_aggs.engine.converting.dbt.semantic_project import (
    DbtMetric,
    Entity,
    Input,
    Measure,
    SemanticProject,
    SemanticTable,
    TimeSpine,
)
from airflow_atscale_aggs.engine.errors import ModelFileError

_KEYS = frozenset({"primary", "unique"})

_Named = TypeVar("_Named", SemanticTable, DbtMetric)


class ProjectIndex:
    """The things of one project by name.

    Raises:
        ModelFileError: a name is taken twice.
    """

    def __init__(self, project: SemanticProject) -> None:
        self.name = project.name
        self.tables: Mapping[str, SemanticTable] = _by_name("semantic model", project.tables)
        declared = _by_name("metric", project.metrics)
        self.measures: dict[str, tuple[SemanticTable, Measure]] = {}
        for table in project.tables:
            for measure in table.measures:
                if measure.name in self.measures:
                    raise _twice("measure", measure.name, measure.where, self.measures[measure.name][1].where)
                self.measures[measure.name] = (table, measure)
        self.metrics: Mapping[str, DbtMetric] = {**declared, **self._made_metrics(declared)}
        days = [spine for spine in project.spines if spine.grain == "day"]
        self.day_spine: TimeSpine | None = days[0] if days else None

    def table_of_metric(self, metric: DbtMetric) -> tuple[SemanticTable, Measure] | None:
        """The measure of a simple or cumulative metric with its table; None when there is none of that name."""
        if metric.own is not None:
            table = self.tables.get(metric.own[0])
            return (table, metric.own[1]) if table is not None else None
        return self.measures.get(metric.measure.name) if metric.measure is not None else None

    def targets(self, entity: str, origin: SemanticTable) -> Iterator[tuple[SemanticTable, Entity]]:
        """Other tables that an entity of a table leads to, each with one row a member."""
        for table in self.tables.values():
            key = table.entity(entity)
            if table is not origin and key is not None and key.type in _KEYS and not table.is_versioned:
                yield table, key

    def _made_metrics(self, declared: Mapping[str, DbtMetric]) -> dict[str, DbtMetric]:
        """A metric for each measure with ``create_metric``; in a manifest, dbt has made it already."""
        return {
            measure.name: DbtMetric(
                name=measure.name,
                type="simple",
                measure=Input(name=measure.name),
                where=measure.where,
                label=measure.label,
                description=measure.description,
            )
            for _, measure in self.measures.values()
            if measure.makes_metric and measure.name not in declared
        }


def _by_name(kind: str, things: Iterable[_Named]) -> dict[str, _Named]:
    by_name: dict[str, _Named] = {}
    for thing in things:
        if thing.name in by_name:
            raise _twice(kind, thing.name, thing.where, by_name[thing.name].where)
        by_name[thing.name] = thing
    return by_name


def _twice(kind: str, name: str, where: str, first: str) -> ModelFileError:
    return ModelFileError(where, 0, f"{kind} `{name}` is defined twice, first at {first}")
