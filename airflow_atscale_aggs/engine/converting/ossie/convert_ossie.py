"""A semantic model of Ossie as a folder of SML.

    a dataset that relationships lead to            a dimension on it with all its fields
    fields with `dimension` of other datasets       degenerate dimensions
    a metric                                        a metric, or several and a calculation

Ossie says nothing of rows that a relationship leads nowhere. They stay, under NULL.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import field
from typing import Any

from airflow_atscale_aggs.engine.converting.converted import Converted, as_folder
from airflow_atscale_aggs.engine.converting.dataset_objects import DatasetObjects, TablePlace
from airflow_atscale_aggs.engine.converting.expression_mdx import (
    ExpressionError,
    has_division,
    mdx_of,
)
from airflow_atscale_aggs.engine.converting.expression_mdx import (
    measure as measure_mdx,
)
from airflow_atscale_aggs.engine.converting.findings import FindingList
from airflow_atscale_aggs.engine.converting.ossie.aggregate_expressions import split_aggregates
from airflow_atscale_aggs.engine.converting.ossie.ossie_model import (
    Field,
    OssieDataset,
    OssieMetric,
    OssieModel,
    OssieRelationship,
)
from airflow_atscale_aggs.engine.converting.sml_objects import NO_MEMBER, SmlObject
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

_NO_DIALECT = "it is said in no dialect that is read (ANSI_SQL, OSSIE_SQL_2026)"
_TABLE = re.compile(r'(?:"(?:[^"]|"")+"|[\w$-]+)(?:\s*\.\s*(?:"(?:[^"]|"")+"|[\w$-]+)){0,2}\Z')
_PART = re.compile(r'"((?:[^"]|"")+)"|([\w$-]+)')
_DIVIDED = "`/` keeps fractions and is empty for a divisor of 0; what a warehouse does with those differs"


def convert_ossie(model: OssieModel, *, name: str, connection: str) -> Converted:
    """The SML of a semantic model.

    Args:
        name: of the SML model.
        connection: the name of the warehouse connection.
    """
    conversion = _Conversion(model, DatasetObjects(connection))
    conversion.make()
    value: dict[str, object] = {
        "unique_name": name,
        **({"description": model.description} if model.description else {}),
        "relationships": conversion.relationships,
        "dimensions": conversion.degenerate,
        "metrics": [{"unique_name": metric} for metric in sorted(conversion.metrics)],
    }
    objects = [*conversion.datasets.objects(), *conversion.objects]
    return as_folder(value, objects, f"Converted from the Ossie model `{model.name}`.", conversion.findings.all())


@dataclass(slots=True)
class _Conversion:
    model: OssieModel
    datasets: DatasetObjects
    findings: FindingList = field(default_factory=FindingList)
    objects: list[SmlObject] = field(default_factory=list)
    relationships: list[dict[str, Any]] = field(default_factory=list)
    degenerate: list[str] = field(default_factory=list)
    metrics: list[str] = field(default_factory=list)
    _facts: set[str] = field(default_factory=set)
    _keys: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _names: dict[tuple[str, str], str] = field(default_factory=dict)
    _played: frozenset[str] = frozenset()

    def make(self) -> None:
        """Everything, metrics first: they tell which datasets are facts."""
        self._name_attributes()
        for dataset in self.model.datasets:
            self.datasets.add(dataset.name, _place(dataset))
            self.findings.carried("dataset", dataset.name, dataset.where)
        for metric in self.model.metrics:
            self._metric(metric)
        usable = [relationship for relationship in self.model.relationships if self._is_usable(relationship)]
        for relationship in usable:
            self._keys.setdefault(_name_of(self.model, relationship.target), relationship.to_columns)
        edges = [relationship for relationship in usable if self._leads_to_key(relationship)]
        self._played = self._several_ways(edges)
        for dataset in self.model.datasets:
            if dataset.name in self._keys:
                self._dimension(dataset, [edge for edge in edges if _name_of(self.model, edge.origin) == dataset.name])
            else:
                self._own_attributes(dataset)
        for edge in edges:
            if _name_of(self.model, edge.origin) in self._facts:
                self.relationships.append(self._edge(edge))

    def _name_attributes(self) -> None:
        """A field's own name where no other field and no metric has it, else with its dataset's."""
        taken = Counter(field_.name.casefold() for dataset in self.model.datasets for field_ in dataset.fields)
        taken.update(metric.name.casefold() for metric in self.model.metrics)
        for dataset in self.model.datasets:
            for field_ in dataset.fields:
                is_only = taken[field_.name.casefold()] == 1
                self._names[dataset.name, field_.name] = field_.name if is_only else f"{dataset.name}.{field_.name}"

    def _metric(self, metric: OssieMetric) -> None:
        if not metric.sql:
            self.findings.left_out("metric", metric.name, metric.where, _NO_DIALECT)
            return
        try:
            rest, aggregates = split_aggregates(metric.sql, self.model)
            is_single = rest.unnest().name == "#0" and len(aggregates) == 1
            names = (
                [metric.name] if is_single else [f"{metric.name} part {place + 1}" for place in range(len(aggregates))]
            )
            measures = {f"#{place}": measure_mdx(name) for place, name in enumerate(names)}
            expression = "" if is_single else mdx_of(rest, measures)
        except ExpressionError as error:
            self.findings.left_out("metric", metric.name, metric.where, error.reason)
            return
        for name, aggregate in zip(names, aggregates, strict=True):
            dataset = aggregate.dataset.name
            self._facts.add(dataset)
            column = self.datasets.column(dataset, aggregate.sql, name.replace(" ", "_"))
            self._add(
                "metric", name, metric, {"dataset": dataset, "column": column, **aggregate.properties}, not is_single
            )
            if "custom_quantiles" in aggregate.properties:
                suffix = f"_instance_{aggregate.properties['custom_quantiles'][0]}"
                self.findings.partly("metric", metric.name, metric.where, f"it is asked for as `{name}{suffix}`")
        self.findings.carried("metric", metric.name, metric.where)
        if expression:
            self._add("metric_calc", metric.name, metric, {"expression": expression}, is_hidden=False)
        if expression and has_division(rest):
            self.findings.partly("metric", metric.name, metric.where, _DIVIDED)
        for name in sorted({aggregate.dataset.name for aggregate in aggregates if aggregate.is_assumed}):
            why = f"it counts rows of `{name}`, the only dataset that no relationship leads to"
            self.findings.partly("metric", metric.name, metric.where, why)
        if len({aggregate.dataset.name for aggregate in aggregates}) > 1:
            why = "each of its aggregates is of all rows of its own table that a query's attributes lead to"
            self.findings.partly("metric", metric.name, metric.where, why)

    def _add(self, kind: str, name: str, metric: OssieMetric, value: dict[str, Any], is_hidden: bool) -> None:  # noqa: FBT001
        described = {"description": metric.description} if metric.description and not is_hidden else {}
        shown = {
            "unique_name": name,
            "object_type": kind,
            "label": name,
            **value,
            **described,
            **({"is_hidden": True} if is_hidden else {}),
        }
        self.objects.append(SmlObject(shown, (f"From the metric `{metric.name}` at {metric.where}.",)))
        self.metrics.append(name)

    def _is_usable(self, relationship: OssieRelationship) -> bool:
        for end in (relationship.origin, relationship.target):
            if self.model.dataset(end) is None:
                why = f"there is no dataset `{end}`"
                self.findings.left_out("relationship", relationship.name, relationship.where, why)
                return False
        if relationship.origin == relationship.target:
            why = "it leads from a table to itself, and a hierarchy of parents is no dimension of SML"
            self.findings.left_out("relationship", relationship.name, relationship.where, why)
            return False
        return True

    def _leads_to_key(self, relationship: OssieRelationship) -> bool:
        """Whether it leads to the key by which the dimension on its target is joined."""
        target = self.model.dataset(relationship.target)
        assert target is not None  # noqa: S101 - `_is_usable` has looked
        if self._keys[target.name] != relationship.to_columns:
            key = ", ".join(self._keys[target.name])
            why = f"the dimension on `{target.name}` is joined by {key}, as an earlier relationship says"
            self.findings.left_out("relationship", relationship.name, relationship.where, why)
            return False
        self.findings.carried("relationship", relationship.name, relationship.where)
        if not any(set(key) == set(relationship.to_columns) for key in target.keys):
            why = (
                f"`{target.name}` does not declare its columns as a key; the data is asked, and must have each key once"
            )
            self.findings.partly("relationship", relationship.name, relationship.where, why)
        return True

    def _dimension(self, dataset: OssieDataset, edges: list[OssieRelationship]) -> None:
        key_level = f"{dataset.name} key"
        keys = [self._column_named(dataset, column) for column in self._keys[dataset.name]]
        level: dict[str, Any] = {"unique_name": key_level}
        attributes = [made for field_ in dataset.fields if (made := self._attribute(dataset, field_)) is not None]
        if attributes:
            level["secondary_attributes"] = attributes
        key = {
            "unique_name": key_level,
            "label": key_level,
            "dataset": dataset.name,
            "key_columns": keys,
            "name_column": keys[0],
            "is_unique_key": True,
            "is_hidden": True,
            "custom_empty_member": dict(NO_MEMBER),
        }
        embedded = [self._embedded(dataset, edge) for edge in edges]
        value = {
            "unique_name": dataset.name,
            "object_type": "dimension",
            "label": dataset.name,
            "type": "standard",
            "hierarchies": [{"unique_name": dataset.name, "label": dataset.name, "levels": [level]}],
            "level_attributes": [key],
            **({"relationships": embedded} if embedded else {}),
            **({"description": dataset.description} if dataset.description else {}),
        }
        self.objects.append(SmlObject(value, (f"From the dataset at {dataset.where}.",)))

    def _embedded(self, dataset: OssieDataset, edge: OssieRelationship) -> dict[str, Any]:
        """A join from a dimension to another one."""
        columns = [self._column_named(dataset, column) for column in edge.from_columns]
        place = {"hierarchy": dataset.name, "level": f"{dataset.name} key"}
        return {
            "unique_name": edge.name,
            "type": "embedded",
            "from": {"dataset": dataset.name, "join_columns": columns, **place},
            **self._target(edge),
        }

    def _own_attributes(self, dataset: OssieDataset) -> None:
        """Fields that are marked as dimensions, of a dataset that nothing leads to."""
        for field_ in dataset.fields:
            name = f"{dataset.name}.{field_.name}"
            if dataset.name not in self._facts:
                self.findings.left_out(
                    "field", name, field_.where, "no metric is of its dataset, and no relationship leads to it"
                )
                continue
            if not field_.is_attribute:
                why = "it serves metrics and is no attribute, since it is not marked with `dimension`"
                self.findings.partly("field", name, field_.where, why)
                continue
            made = self._attribute(dataset, field_)
            if made is None:
                continue
            del made["custom_empty_member"]
            unique = made["unique_name"]
            hierarchy = {"unique_name": unique, "label": unique, "levels": [{"unique_name": unique}]}
            value = {
                "unique_name": unique,
                "object_type": "dimension",
                "label": made["label"],
                "type": "standard",
                "is_degenerate": True,
                "hierarchies": [hierarchy],
                "level_attributes": [made],
            }
            self.objects.append(SmlObject(value, (f"From the field at {field_.where}.",)))
            self.degenerate.append(unique)

    def _attribute(self, dataset: OssieDataset, field_: Field) -> dict[str, Any] | None:
        finding = f"{dataset.name}.{field_.name}"
        if not field_.sql:
            self.findings.left_out("field", finding, field_.where, _NO_DIALECT)
            return None
        self.findings.carried("field", finding, field_.where)
        column = self.datasets.column(dataset.name, field_.sql, field_.name, field_.data_type)
        name = self._names[dataset.name, field_.name]
        return {
            "unique_name": name,
            "label": name,
            "dataset": dataset.name,
            "key_columns": [column],
            "name_column": column,
            "custom_empty_member": dict(NO_MEMBER),
            **({"description": field_.description} if field_.description else {}),
        }

    def _edge(self, edge: OssieRelationship) -> dict[str, Any]:
        origin = self.model.dataset(edge.origin)
        assert origin is not None  # noqa: S101 - `_is_usable` has looked
        columns = [self._column_named(origin, column) for column in edge.from_columns]
        return {
            "unique_name": edge.name,
            "from": {"dataset": origin.name, "join_columns": columns},
            **self._target(edge),
        }

    def _several_ways(self, edges: list[OssieRelationship]) -> frozenset[str]:
        """Names of relationships that end different ways from one fact to one dataset, which must be told apart."""
        ends = [(_name_of(self.model, edge.origin), _name_of(self.model, edge.target), edge.name) for edge in edges]
        played: set[str] = set()
        for fact in self._facts:
            reached, waiting = {fact}, [fact]
            while waiting:
                place = waiting.pop()
                new = {target for origin, target, _ in ends if origin == place} - reached
                reached |= new
                waiting += new
            for target in reached:
                last = [name for origin, end, name in ends if end == target and origin in reached]
                played |= {*last} if len(last) > 1 else set()
        return frozenset(played)

    def _target(self, edge: OssieRelationship) -> dict[str, Any]:
        """Where an edge leads; several ways from a fact to a dataset are told apart by the names of the last edges."""
        target = _name_of(self.model, edge.target)
        role = {"role_play": f"{edge.name} {{0}}"} if edge.name in self._played else {}
        if role:
            why = f"its attributes are named `{edge.name} …`, since several relationships lead to `{target}`"
            self.findings.partly("relationship", edge.name, edge.where, why)
        return {"to": {"dimension": target, "level": f"{target} key"}, **role}

    def _column_named(self, dataset: OssieDataset, name: str) -> str:
        """The column of a key: a field's, or the table's own."""
        found = dataset.field(name)
        if found is None or not found.sql:
            return self.datasets.column(dataset.name, f'"{name}"' if not name.isidentifier() else name, name)
        return self.datasets.column(dataset.name, found.sql, found.name, found.data_type)


def _name_of(model: OssieModel, name: str) -> str:
    dataset = model.dataset(name)
    return dataset.name if dataset is not None else name


def _place(dataset: OssieDataset) -> TablePlace:
    """A table by its parts, or a query."""
    where = f"the dataset at {dataset.where}"
    if not _TABLE.match(dataset.source):
        return TablePlace(query=dataset.source, description=dataset.description, where=where)
    parts = [quoted.replace('""', '"') or plain for quoted, plain in _PART.findall(dataset.source)]
    database, schema, table = (["", "", *parts])[-3:]
    return TablePlace(table=table, schema=schema, database=database, description=dataset.description, where=where)
