"""A proposal as files of SML, each with comments of why."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from airflow_atscale_aggs.engine.discovery.column_names import words_of
from airflow_atscale_aggs.engine.discovery.first_aggregates import (
    ProposedAggregate,
    first_aggregates,
    is_predicted,
)
from airflow_atscale_aggs.engine.discovery.labels import label_of
from airflow_atscale_aggs.engine.discovery.noted_yaml import Noted, to_yaml
from airflow_atscale_aggs.engine.discovery.proposal import (
    Proposal,
    ProposedAttribute,
    ProposedDimension,
    ProposedMetric,
    ProposedRelationship,
)
from airflow_atscale_aggs.engine.discovery.references import LeftOut
from airflow_atscale_aggs.engine.discovery.table_profiles import ColumnProfile, Family, TableProfile

MARK = "# Written by `atscale-aggs init`."
"""The first line of each file. A file without it is somebody's, and is never touched."""

_MARKED = f"{MARK} Run it again with --force and it is written anew; take this line out to keep the file."
_UNSAFE = re.compile(r"[^\w.-]+")
_TYPES = {
    Family.WHOLE: "bigint",
    Family.FLOATING: "double",
    Family.TEXT: "string",
    Family.DATE: "date",
    Family.TIMESTAMP: "datetime",
    Family.BOOLEAN: "boolean",
    Family.UUID: "string",
}
_MOST_LEFT_OUT = 40


def make_documents(proposal: Proposal) -> dict[str, str]:
    """The text of each file, by its path below the model's folder."""
    files = _Files()
    connection = f"{proposal.model}_warehouse"
    files.add("", "catalog", _catalog(proposal))
    files.add("connections", connection, _connection(proposal, connection))
    for table in proposal.tables.values():
        files.add("datasets", table.name, _dataset(proposal, table, connection))
    for dimension in proposal.dimensions:
        files.add("dimensions", dimension.name, _dimension(proposal, dimension))
    for metric in proposal.metrics:
        files.add("metrics", metric.name, _metric(metric))
    files.add("models", proposal.model, _model(proposal))
    return files.texts


class _Files:
    """File names that every file system tells apart."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self._taken: set[str] = set()

    def add(self, folder: str, name: str, text: str) -> None:
        """A file of its own for each name."""
        stem = _UNSAFE.sub("_", name.casefold()).strip("._") or "unnamed"
        path = f"{folder}/{stem}.yml" if folder else f"{stem}.yml"
        number = 2
        while path in self._taken:
            path = f"{folder}/{stem}_{number}.yml"
            number += 1
        self._taken.add(path)
        self.texts[path] = f"{_MARKED}\n{text}"


def _catalog(proposal: Proposal) -> str:
    document = {
        "unique_name": f"{proposal.model}_catalog",
        "object_type": "catalog",
        "label": label_of(words_of(proposal.model)),
        "version": 1.6,
        "aggressive_agg_promotion": False,
        "build_speculative_aggs": _prediction(proposal),
    }
    return to_yaml(document)


def _prediction(proposal: Proposal) -> Noted:
    if is_predicted(proposal):
        note = "So that `deploy` defines first aggregates, by the structure of the model and the sizes of its tables."
        return Noted(value=True, note=note)
    note = (
        "The model is large: weighing all that could be aggregated takes minutes at each deployment. First aggregates"
    )
    return Noted(value=False, note=f"{note} stand in the model's file; `recommend` finds more once it is asked.")


def _connection(proposal: Proposal, name: str) -> str:
    document: dict[str, object] = {
        "unique_name": name,
        "object_type": "connection",
        "label": label_of(words_of(name)),
        "as_connection": name,
    }
    if proposal.database:
        document["database"] = proposal.database
    if proposal.schema:
        document["schema"] = proposal.schema
    return to_yaml(document)


def _dataset(proposal: Proposal, table: TableProfile, connection: str) -> str:
    notes = [f"{'A view' if table.is_view else 'A table'} of {table.rows:,} rows."]
    if table.is_sampled:
        notes.append(f"Numbers of values are of {table.looked_at:,} rows that were looked at.")
    if table.name in proposal.facts:
        notes.append(f"A fact: {proposal.facts[table.name]}.")
    columns: list[object] = [
        {"name": column.name, "data_type": _data_type(column)}
        for column in table.in_order
        if column.family is not Family.OTHER
    ]
    columns += [
        Noted({"name": extra.name, "data_type": extra.data_type, "sql": extra.sql}, "Calculated.")
        for extra in proposal.calculated.get(table.name, ())
    ]
    document = {
        "unique_name": table.name,
        "object_type": "dataset",
        "label": label_of(words_of(table.name)),
        "connection_id": connection,
        "table": table.name,
        "columns": columns,
    }
    return to_yaml(document, notes)


def _data_type(column: ColumnProfile) -> str:
    if column.family is Family.DECIMAL:
        arguments = re.search(r"\(\s*(\d+)\s*,\s*(\d+)\s*\)", column.data_type)
        return f"decimal({arguments[1]},{arguments[2]})" if arguments else "decimal"
    if column.family is Family.WHOLE and column.data_type.casefold() in {
        "integer",
        "int",
        "int4",
        "smallint",
        "tinyint",
    }:
        return "int"
    return _TYPES[column.family]


def _dimension(proposal: Proposal, dimension: ProposedDimension) -> str:
    secondary = [_attribute(dimension, attribute) for attribute in dimension.secondary]
    leaves = set(dimension.leaves.values())
    document: dict[str, object] = {
        "unique_name": dimension.name,
        "object_type": "dimension",
        "label": dimension.name,
        "type": "time" if dimension.is_time else "standard",
    }
    if dimension.is_degenerate:
        document["is_degenerate"] = True
    hierarchies: list[object] = []
    for hierarchy in dimension.hierarchies:
        levels: list[object] = []
        for name in hierarchy.levels:
            level: dict[str, object] = {"unique_name": name}
            # An attribute has one place: the first hierarchy that has the members.
            if name in leaves and secondary:
                level["secondary_attributes"] = secondary
                secondary = []
            levels.append(level)
        entry = {"unique_name": hierarchy.name, "label": hierarchy.name, "filter_empty": "yes", "levels": levels}
        hierarchies.append(entry)
    document["hierarchies"] = hierarchies
    document["level_attributes"] = [_attribute(dimension, level) for level in dimension.levels]
    edges = proposal.embedded.get(dimension.table, ()) if not dimension.is_degenerate else ()
    if edges:
        document["relationships"] = [_embedded(dimension, edge) for edge in edges]
    notes = [f"A dimension: {dimension.reason}."]
    notes += _left_out(dimension.left_out)
    return to_yaml(document, notes)


def _attribute(dimension: ProposedDimension, attribute: ProposedAttribute) -> Noted:
    document: dict[str, object] = {
        "unique_name": attribute.name,
        "label": attribute.name,
        "dataset": dimension.table,
        "key_columns": list(attribute.keys),
        "name_column": attribute.name_column,
    }
    if attribute.is_unique_key:
        document["is_unique_key"] = True
    if attribute.time_unit:
        document["time_unit"] = attribute.time_unit
    return Noted(document, _sentence(attribute.reason))


def _embedded(dimension: ProposedDimension, edge: ProposedRelationship) -> Noted:
    leaf = dimension.hierarchies[0]
    document: dict[str, object] = {
        "unique_name": edge.name,
        "type": "embedded",
        "from": {
            "dataset": dimension.table,
            "join_columns": list(edge.reference.columns),
            "hierarchy": leaf.name,
            "level": leaf.levels[-1],
        },
        "to": {"dimension": edge.dimension, "level": edge.level},
    }
    if edge.role_play:
        document["role_play"] = edge.role_play
    return Noted(document, _sentence(edge.reference.reason))


def _metric(metric: ProposedMetric) -> str:
    document = {
        "unique_name": metric.name,
        "object_type": "metric",
        "label": metric.name,
        "calculation_method": metric.method,
        "dataset": metric.table,
        "column": metric.column,
    }
    return to_yaml(document, [_sentence(metric.reason)])


def _model(proposal: Proposal) -> str:
    relationships = []
    for edge in proposal.relationships:
        document: dict[str, object] = {
            "unique_name": edge.name,
            "from": {"dataset": edge.reference.table, "join_columns": list(edge.reference.columns)},
            "to": {"dimension": edge.dimension, "level": edge.level},
        }
        if edge.role_play:
            document["role_play"] = edge.role_play
        relationships.append(Noted(document, _sentence(edge.reference.reason)))
    document = {
        "unique_name": proposal.model,
        "object_type": "model",
        "label": label_of(words_of(proposal.model)),
        "relationships": relationships,
        "metrics": [{"unique_name": metric.name} for metric in proposal.metrics],
    }
    degenerate = [dimension.name for dimension in proposal.dimensions if dimension.is_degenerate]
    if degenerate:
        document["dimensions"] = degenerate
    aggregates = first_aggregates(proposal)
    if aggregates:
        document["aggregates"] = [_aggregate(entry) for entry in aggregates]
    questions = [
        LeftOut(
            f"{question.table}.{question.column}",
            "nothing decides between " + " and ".join(option.target for option in question.options),
        )
        for question in proposal.questions
    ]
    return to_yaml(document, list(_left_out((*questions, *proposal.left_out))))


def _aggregate(aggregate: ProposedAggregate) -> Mapping[str, object]:
    document: dict[str, object] = {"unique_name": aggregate.name, "label": label_of(words_of(aggregate.name))}
    if aggregate.attributes:
        document["attributes"] = [
            {"name": name, "dimension": dimension, "relationships_path": [relationship]}
            for name, dimension, relationship in aggregate.attributes
        ]
    document["metrics"] = list(aggregate.metrics)
    return document


def _left_out(entries: Sequence[LeftOut]) -> Iterator[str]:
    if entries:
        yield "Left out:"
    for entry in entries[:_MOST_LEFT_OUT]:
        yield f"- {entry.what}: {entry.reason}."
    if len(entries) > _MOST_LEFT_OUT:
        yield f"- and {len(entries) - _MOST_LEFT_OUT} more; --json shows all."


def _sentence(reason: str) -> str:
    return f"{reason[:1].upper()}{reason[1:]}." if reason else ""
