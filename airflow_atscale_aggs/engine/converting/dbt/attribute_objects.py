"""Entities and dimensions of dbt as dimensions of SML. Names are those of dbt's queries: `order__customer__country`.

    what it is in dbt                                    what it is in SML
    metric_time                                          one degenerate dimension of all facts, or the time spine
    an entity                                            a degenerate attribute of all facts that have it
    dimensions of a table with a key                     a dimension on that table; joined where others have the entity
    dimensions of a table without a key                  a degenerate dimension

Rows without a member stay, under NULL, as in dbt's left joins.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import field
from typing import Any

from airflow_atscale_aggs.engine.converting.dbt.fact_columns import Fact, FactColumns
from airflow_atscale_aggs.engine.converting.dbt.project_index import ProjectIndex
from airflow_atscale_aggs.engine.converting.dbt.semantic_project import (
    GRAINS,
    Dimension,
    Entity,
    SemanticTable,
    TimeSpine,
)
from airflow_atscale_aggs.engine.converting.dbt.time_sets import PERIODS, earlier_column
from airflow_atscale_aggs.engine.converting.dbt.where_filters import MOST_HOPS, truncated
from airflow_atscale_aggs.engine.converting.findings import FindingList
from airflow_atscale_aggs.engine.converting.sml_objects import NO_MEMBER, SmlObject
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

Attribute = dict[str, Any]

_CALENDAR = ("year", "quarter", "month", "day", "hour", "minute", "second")
"""Levels that contain each other; weeks stand apart."""


@dataclass(slots=True)
class AttributeObjects:
    """Makes the dimensions of the facts that metrics were made on."""

    index: ProjectIndex
    columns: FactColumns
    findings: FindingList
    objects: list[SmlObject] = field(default_factory=list)
    relationships: list[dict[str, Any]] = field(default_factory=list)
    degenerate: list[str] = field(default_factory=list)

    def make(self, *, on_spine: bool, offsets: Collection[str] = ()) -> None:
        """Everything that the facts reach.

        Args:
            on_spine: `metric_time` is the time spine, joined by day.
            offsets: periods, one of which earlier metrics are taken.
        """
        facts = self.columns.facts
        if on_spine:
            self._spine(facts, offsets)
        else:
            self._degenerate_time("metric_time", {fact: fact.time for fact in facts if fact.has_time})
        self._entities(facts)
        for table in dict.fromkeys(fact.table for fact in facts):
            self._own_attributes(table, [fact for fact in facts if fact.table is table])
        made: dict[str, str] = {}
        for fact, dataset in facts.items():
            for entity in fact.table.entities:
                for target, key in self.index.targets(entity.name, fact.table):
                    self._join(dataset, entity, self._dimension((entity.name,), target, key, made))
            if self._has_dimension(fact.table):
                self._join_itself(fact, dataset, made)

    def _spine(self, facts: Mapping[Fact, str], offsets: Collection[str]) -> None:
        spine = self.index.day_spine
        assert spine is not None  # noqa: S101 - whoever asks for it has looked
        dataset = self.columns.spine(spine)
        grains = ["year", "quarter", "month", "week", "day"]
        levels = [
            {
                **self._attribute(
                    f"metric_time__{grain}", dataset, spine.column if grain == "day" else truncated(spine.column, grain)
                ),
                "time_unit": grain,
                **({"is_unique_key": True} if grain == "day" else {}),
            }
            for grain in grains
        ]
        hierarchies = _time_hierarchies("metric_time", grains)
        for level in hierarchies[0]["levels"]:
            periods = self._earlier_periods(spine, level["unique_name"].removeprefix("metric_time__"), offsets)
            level.update({"parallel_periods": periods} if periods else {})
        value = {
            "unique_name": "metric_time",
            "object_type": "dimension",
            "label": "metric_time",
            "type": "time",
            "hierarchies": hierarchies,
            "level_attributes": levels,
        }
        self.objects.append(SmlObject(value, (f"The time of each fact, by the time spine at {spine.where}.",)))
        for fact, name in facts.items():
            time = fact.table.dimension(fact.time)
            if time is None:
                continue
            column = self.columns.column(name, f"CAST({time.sql} AS DATE)", f"{time.name}__day")
            self.relationships.append(_relationship(name, column, "metric_time", "metric_time__day"))
            self.findings.partly(
                "dimension",
                f"{fact.table.name}.{time.name}",
                time.where,
                "as metric_time it is looked up in the time spine: days that the spine lacks have no metric_time",
            )

    def _earlier_periods(self, spine: TimeSpine, finer: str, offsets: Collection[str]) -> list[Attribute]:
        """Which columns of the spine hold the key of a level one coarser period earlier."""
        dataset = self.columns.spine(spine)
        return [
            {
                "level": f"metric_time__{grain}",
                "key_columns": [
                    self.columns.column(
                        dataset, earlier_column(spine.column, finer, grain), f"{finer}_one_{grain}_earlier"
                    )
                ],
            }
            for grain in PERIODS
            if grain in offsets and GRAINS.index(grain) > GRAINS.index(finer)
        ]

    def _degenerate_time(self, name: str, times: Mapping[Fact, str]) -> None:
        """A time dimension on columns of facts, each fact with the grains that its own time has."""
        dimensions = {fact: fact.table.dimension(time) for fact, time in times.items()}
        shared: dict[str, list[Attribute]] = {}
        for fact, dimension in dimensions.items():
            if dimension is None:
                continue
            dataset = self.columns.fact(fact)
            for grain in _grains_of(dimension):
                column = self.columns.column(dataset, truncated(dimension.sql, grain), f"{dimension.name}__{grain}")
                shared.setdefault(grain, []).append(_shared(dataset, column))
        if not shared:
            return
        levels = [
            {**_named(f"{name}__{grain}"), "time_unit": grain, "shared_degenerate_columns": shared[grain]}
            for grain in (*_CALENDAR, "week")
            if grain in shared
        ]
        sources = ", ".join(dict.fromkeys(dimension.where for dimension in dimensions.values() if dimension))
        self._add_degenerate(name, "time", _time_hierarchies(name, list(shared)), levels, f"From {sources}.")

    def _entities(self, facts: Mapping[Fact, str]) -> None:
        """Each entity as an attribute of the facts that have it: the key as it stands in the fact."""
        by_name: dict[str, list[tuple[str, Entity]]] = {}
        for fact, dataset in facts.items():
            for entity in fact.table.entities:
                by_name.setdefault(entity.name, []).append((dataset, entity))
        for name, places in by_name.items():
            shared = [
                _shared(dataset, self.columns.column(dataset, entity.sql, f"{name}__entity"))
                for dataset, entity in places
            ]
            level = {**_named(name), "shared_degenerate_columns": shared}
            source = ", ".join(dict.fromkeys(entity.where for _, entity in places))
            self._add_degenerate(f"entity {name}", "standard", [_hierarchy(name, [name])], [level], f"From {source}.")

    def _own_attributes(self, table: SemanticTable, facts: list[Fact]) -> None:
        """Attributes of a fact's own table, where no dimension stands on the table."""
        if self._has_dimension(table):
            return
        for dimension in table.dimensions:
            name = f"{table.primary_entity}__{dimension.name}" if table.primary_entity else dimension.name
            self.findings.carried("dimension", f"{table.name}.{dimension.name}", dimension.where)
            if dimension.grain:
                self._degenerate_time(name, dict.fromkeys(facts, dimension.name))
                continue
            shared = [
                _shared(
                    self.columns.fact(fact), self.columns.column(self.columns.fact(fact), dimension.sql, dimension.name)
                )
                for fact in facts
            ]
            level = {**_named(name, dimension), "shared_degenerate_columns": shared}
            self._add_degenerate(name, "standard", [_hierarchy(name, [name])], [level], f"From {dimension.where}.")

    def _has_dimension(self, table: SemanticTable) -> bool:
        """Whether another fact leads to the table, so that its attributes must be the same for both."""
        return any(
            target is table
            for fact in self.columns.facts
            for entity in fact.table.entities
            for target, _ in self.index.targets(entity.name, fact.table)
        )

    def _dimension(self, path: tuple[str, ...], table: SemanticTable, key: Entity, made: dict[str, str]) -> str:
        """The dimension on a table, as the entities of a path lead to it; made once."""
        name = "__".join(path)
        several = any(other is not table and _has_key(other, key.name) for other in self.index.tables.values())
        name = f"{name} ({table.name})" if several else name
        if name in made:
            return name
        made[name] = table.name
        levels, hierarchies = self._levels("__".join(path), table, key, name)
        edges = list(self._embedded(path, table, key, name, made))
        value = {
            "unique_name": name,
            "object_type": "dimension",
            "label": name,
            "type": "standard",
            "hierarchies": hierarchies,
            "level_attributes": levels,
            **({"relationships": edges} if edges else {}),
        }
        self.objects.append(SmlObject(value, (f"From the semantic model `{table.name}` at {table.where}.",)))
        return name

    def _levels(
        self, prefix: str, table: SemanticTable, key: Entity, name: str
    ) -> tuple[list[Attribute], list[Attribute]]:
        """(level attributes, hierarchies) of a dimension: its key, its times, and all else hanging on the key."""
        dataset, key_level = self.columns.table(table), f"{name} key"
        levels = [{**self._attribute(key_level, dataset, key.sql), "is_unique_key": True, "is_hidden": True}]
        hierarchies, hanging = [_hierarchy(name, [key_level])], []
        for dimension in table.dimensions:
            self.findings.carried("dimension", f"{table.name}.{dimension.name}", dimension.where)
            full = f"{prefix}__{dimension.name}"
            if not dimension.grain:
                hanging.append(self._attribute(full, dataset, dimension.sql, dimension))
                continue
            grains = _grains_of(dimension)
            levels += [
                {**self._attribute(f"{full}__{grain}", dataset, truncated(dimension.sql, grain)), "time_unit": grain}
                for grain in grains
            ]
            hierarchies += _time_hierarchies(full, grains, leaf=key_level)
        others = [entity for entity in table.entities if entity.name != key.name]
        hanging += [self._attribute(f"{prefix}__{entity.name}", dataset, entity.sql) for entity in others]
        if hanging:
            hierarchies[0]["levels"][0]["secondary_attributes"] = hanging
        return levels, hierarchies

    def _embedded(
        self, path: tuple[str, ...], table: SemanticTable, key: Entity, name: str, made: dict[str, str]
    ) -> Iterator[dict[str, Any]]:
        """Further joins from a dimension's table, as far as MetricFlow follows them."""
        dataset = self.columns.table(table)
        for entity in table.entities if len(path) < MOST_HOPS else ():
            for target, target_key in self.index.targets(entity.name, table) if entity.name != key.name else ():
                reached = self._dimension((*path, entity.name), target, target_key, made)
                column = self.columns.column(dataset, entity.sql, f"{entity.name}__entity")
                place = {"hierarchy": name, "level": f"{name} key"}
                yield {
                    "unique_name": f"{name} to {reached}",
                    "type": "embedded",
                    "from": {"dataset": dataset, "join_columns": [column], **place},
                    "to": {"dimension": reached, "level": f"{reached} key"},
                }

    def _join_itself(self, fact: Fact, dataset: str, made: dict[str, str]) -> None:
        """A fact whose own table is a dimension has its attributes without a join, but for a second time of it."""
        table = fact.table
        for key in (entity for entity in table.entities if _has_key(table, entity.name)):
            if key.name != table.primary_entity and (key.name,) not in {(name,) for name in made}:
                continue
            name = self._dimension((key.name,), table, key, made)
            if dataset != self.columns.table(table):
                self._join(dataset, key, name)
                self.findings.partly(
                    "semantic model",
                    table.name,
                    table.where,
                    f"measures by `{fact.time}` reach their own attributes by the key `{key.name}`: where it is NULL, "
                    "they have none",
                )

    def _join(self, dataset: str, entity: Entity, dimension: str) -> None:
        column = self.columns.column(dataset, entity.sql, f"{entity.name}__entity")
        self.relationships.append(_relationship(dataset, column, dimension, f"{dimension} key"))

    def _attribute(self, name: str, dataset: str, sql: str, source: Dimension | None = None) -> Attribute:
        column = self.columns.column(dataset, sql, name.replace(" ", "_"))
        return {
            **_named(name, source),
            "dataset": dataset,
            "key_columns": [column],
            "name_column": column,
            "custom_empty_member": dict(NO_MEMBER),
        }

    def _add_degenerate(
        self, name: str, kind: str, hierarchies: list[Attribute], levels: list[Attribute], source: str
    ) -> None:
        value = {
            "unique_name": name,
            "object_type": "dimension",
            "label": name,
            "type": kind,
            "is_degenerate": True,
            "hierarchies": hierarchies,
            "level_attributes": levels,
        }
        self.objects.append(SmlObject(value, (source,)))
        self.degenerate.append(name)


def _named(name: str, source: Dimension | None = None) -> Attribute:
    label = source.label if source is not None and source.label else name
    description = source.description if source is not None else ""
    return {"unique_name": name, "label": label, **({"description": description} if description else {})}


def _grains_of(dimension: Dimension) -> list[str]:
    """The grains that a time dimension can be asked by, coarse to fine, without those below a second."""
    finest = GRAINS.index(dimension.grain)
    # A time of hours is asked by hours as well; dates by day and coarser.
    return [
        grain
        for grain in ("year", "quarter", "month", "week", "day", "hour", "minute", "second")
        if GRAINS.index(grain) >= finest
    ]


def _time_hierarchies(name: str, grains: list[str], *, leaf: str = "") -> list[Attribute]:
    """Calendar levels in one hierarchy, weeks in another; both end at the day, or at the leaf."""
    calendar = [f"{name}__{grain}" for grain in _CALENDAR if grain in grains]
    finer = [f"{name}__{grain}" for grain in ("day", "hour", "minute", "second") if grain in grains]
    ends = [leaf] if leaf else []
    hierarchies = [_hierarchy(name if not leaf else f"{name} calendar", [*calendar, *ends])] if calendar else []
    if "week" in grains:
        hierarchies.append(_hierarchy(f"{name} weeks", [f"{name}__week", *finer, *ends]))
    return hierarchies


def _hierarchy(name: str, levels: list[str]) -> Attribute:
    return {"unique_name": name, "label": name, "levels": [{"unique_name": level} for level in levels]}


def _shared(dataset: str, column: str) -> Attribute:
    return {"dataset": dataset, "key_columns": [column], "name_column": column}


def _relationship(dataset: str, column: str, dimension: str, level: str) -> dict[str, Any]:
    return {
        "unique_name": f"{dataset} to {dimension}",
        "from": {"dataset": dataset, "join_columns": [column]},
        "to": {"dimension": dimension, "level": level},
    }


def _has_key(table: SemanticTable, entity: str) -> bool:
    key = table.entity(entity)
    return key is not None and key.type in {"primary", "unique"} and not table.is_versioned
