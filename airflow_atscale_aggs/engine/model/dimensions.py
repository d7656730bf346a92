"""Turns documents of datasets, dimensions and metrics into values. `resolving` checks their references."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from airflow_atscale_aggs.engine.model.datasets import Column, Dataset, Incremental, SqlVariant
from airflow_atscale_aggs.engine.model.folder_reader import Document
from airflow_atscale_aggs.engine.model.paths import EmptyMember
from airflow_atscale_aggs.engine.model.quantiles import quantiles_of
from airflow_atscale_aggs.engine.model.semantic_model import (
    Attribute,
    CalculationGroup,
    DefaultMember,
    DegenerateColumns,
    Dimension,
    DimensionRelationship,
    Hierarchy,
    Metric,
    SemiAdditive,
)
from airflow_atscale_aggs.engine.model.sml_mapping import SmlMapping
from airflow_atscale_aggs.engine.model.validation import IssueList

PLAIN = "{0}"


def template_of(text: object) -> str:
    """A role-play template; text without ``{0}`` is a prefix.

    >>> template_of("Sold")
    'Sold {0}'
    """
    if not text:
        return PLAIN
    return str(text) if PLAIN in str(text) else f"{text} {PLAIN}"


def dataset_of(document: Document, connections: Mapping[str, Document], issues: IssueList, *, allowed: bool) -> Dataset:
    """A dataset document as a value. An unknown connection is an error. So is a dataset without table and SQL."""
    value = document.value
    connection = connections.get(str(value.get("connection_id")))
    if connection is None and value.get("connection_id"):
        issues.add_unresolved_reference(
            document.where,
            "connection",
            str(value["connection_id"]),
            connections,
            wanted_by=f"dataset `{document.name}`",
        )
    if not value.get("table") and not value.get("sql") and not value.get("dialects"):
        issues.error(document.where, "no-source", f"dataset `{document.name}` has neither `table` nor `sql`")
    if value.get("alternate"):
        message = f"dataset `{document.name}` has an `alternate`, which is not read; its own table or query is"
        issues.warning(document.where, "not-honoured", message)
    settings = connection.value if connection is not None else SmlMapping()
    incremental = value.get("incremental")
    return Dataset(
        name=document.name,
        connection=_text(settings.get("as_connection")),
        database=_text(settings.get("database")),
        schema=_text(settings.get("schema")),
        table=_text(value.get("table")),
        variants=_variants(value),
        columns={column.name: column for column in map(_column, _list(value, "columns"))},
        incremental=incremental
        and Incremental(column=str(incremental["column"]), grace_period=str(incremental["grace_period"])),
        immutable=value.get("immutable") is True,
        allow_aggregates=allowed,
        where=document.where,
    )


def dimension_of(document: Document) -> Dimension:
    """A dimension document as a value."""
    value = document.value
    attributes: dict[str, Attribute] = {}
    hidden = _hidden_levels(value)
    for level in _list(value, "level_attributes"):
        name = str(level["unique_name"])
        attribute = _level_attribute(level, document.file)
        attributes[name] = replace(attribute, is_hidden=attribute.is_hidden or name in hidden)
    hierarchies = []
    for hierarchy in _list(value, "hierarchies"):
        levels = _list(hierarchy, "levels")
        hierarchies.append(_hierarchy(hierarchy, levels, document.file))
        for level in levels:
            for kind, key in (("secondary", "secondary_attributes"), ("alias", "aliases")):
                for entry in _list(level, key):
                    hanging = _hanging_attribute(entry, kind, str(level["unique_name"]), document.file)
                    attributes.setdefault(hanging.name, hanging)
    return Dimension(
        name=document.name,
        label=str(value.get("label") or document.name),
        is_degenerate=value.get("is_degenerate") is True,
        hierarchies=tuple(hierarchies),
        attributes=attributes,
        relationships=tuple(
            _relationship(edge, document)
            for edge in _list(value, "relationships")
            if not edge["to"].get("row_security")
        ),
        where=document.where,
    )


def _hierarchy(hierarchy: SmlMapping, levels: Sequence[SmlMapping], file: str) -> Hierarchy:
    return Hierarchy(
        name=str(hierarchy["unique_name"]),
        levels=tuple(str(level["unique_name"]) for level in levels),
        label=str(hierarchy.get("label") or ""),
        description=text_of(hierarchy, "description"),
        folder=text_of(hierarchy, "folder"),
        filter_empty=_join_rule(hierarchy.get("filter_empty")),
        default_member=_default_member(hierarchy.get("default_member"), file),
        parallel_periods={
            (str(level["unique_name"]), str(period["level"])): column_names(period, "key_columns")
            for level in levels
            for period in _list(level, "parallel_periods")
        },
    )


def _hidden_levels(dimension: SmlMapping) -> set[str]:
    """Levels that are hidden in each of their hierarchies, by themselves or together with the hierarchy."""
    shown: dict[str, bool] = {}
    for hierarchy in _list(dimension, "hierarchies"):
        for level in _list(hierarchy, "levels"):
            is_shown = hierarchy.get("is_hidden") is not True and level.get("is_hidden") is not True
            shown[str(level["unique_name"])] = shown.get(str(level["unique_name"]), False) or is_shown
    return {name for name, is_shown in shown.items() if not is_shown}


def calculation_groups(document: Document) -> list[CalculationGroup]:
    """The calculation groups of a dimension, as names."""
    return [
        CalculationGroup(
            name=str(group["unique_name"]),
            label=str(group.get("label") or group["unique_name"]),
            dimension=document.name,
            members=tuple(str(member["unique_name"]) for member in _list(group, "calculated_members")),
            where=f"{document.file}:{group.line}",
        )
        for group in _list(document.value, "calculation_groups")
    ]


def metrical_attributes(document: Document) -> list[Metric]:
    """Metrics that a dimension carries on its levels."""
    return [
        metric_of(metric, document.file, dimension=document.name)
        for hierarchy in _list(document.value, "hierarchies")
        for level in _list(hierarchy, "levels")
        for metric in _list(level, "metrics")
    ]


def metric_of(value: SmlMapping, file: str, *, dimension: str = "") -> Metric:
    """A metric's mapping as a value."""
    compression = value.get("compression")
    method = " ".join(str(value["calculation_method"]).split()).casefold()
    return Metric(
        name=str(value["unique_name"]),
        label=str(value.get("label") or value["unique_name"]),
        calculation_method=method,
        dataset=str(value["dataset"]),
        column=str(value["column"]),
        semi_additive=_semi_additive(value.get("semi_additive")),
        dimension=dimension,
        unrelated_dimensions_handling=str(value.get("unrelated_dimensions_handling") or ""),
        compression=int(compression) if isinstance(compression, int) else None,
        quantiles=quantiles_of(value) if method == "percentile" else (),
        is_hidden=value.get("is_hidden") is True or value.get("visible") is False,
        description=text_of(value, "description"),
        folder=text_of(value, "folder"),
        where=f"{file}:{value.line}",
    )


def _semi_additive(value: object) -> SemiAdditive | None:
    if not isinstance(value, Mapping):
        return None
    paths = value.get("relationships") or ()
    return SemiAdditive(
        position=str(value["position"]).casefold(),
        relationships=tuple(tuple(map(str, path)) if isinstance(path, list) else (str(path),) for path in paths),
        degenerate_dimensions=tuple(str(entry["name"]) for entry in value.get("degenerate_dimensions") or ()),
    )


def _level_attribute(value: SmlMapping, file: str) -> Attribute:
    shared = tuple(
        DegenerateColumns(
            dataset=str(columns["dataset"]),
            key_columns=column_names(columns, "key_columns"),
            name_column=str(columns.get("name_column") or column_names(columns, "key_columns")[0]),
        )
        for columns in _list(value, "shared_degenerate_columns")
    )
    name = str(value["unique_name"])
    return _attribute(value, "level", name, file, shared)


def _hanging_attribute(value: SmlMapping, kind: str, level: str, file: str) -> Attribute:
    return _attribute(value, kind, level, file, ())


def _attribute(value: SmlMapping, kind: str, level: str, file: str, shared: tuple[DegenerateColumns, ...]) -> Attribute:
    name_column = str(value.get("name_column") or "")
    keys = column_names(value, "key_columns") or ((name_column,) if name_column else ())
    return Attribute(
        name=str(value["unique_name"]),
        label=str(value.get("label") or value["unique_name"]),
        kind=kind,
        level=level,
        dataset=str(value.get("dataset") or ""),
        key_columns=keys,
        name_column=name_column or (keys[0] if keys else ""),
        is_unique_key=value.get("is_unique_key") is True,
        shared=shared,
        exclude_from_dim_agg=value.get("exclude_from_dim_agg") is True,
        exclude_from_fact_agg=value.get("exclude_from_fact_agg") is True,
        empty=_empty_member(value.get("custom_empty_member"), len(keys)),
        is_aggregatable=value.get("is_aggregatable") is not False,
        is_hidden=value.get("is_hidden") is True,
        description=text_of(value, "description"),
        folder=text_of(value, "folder"),
        where=f"{file}:{value.line}",
    )


def _empty_member(value: object, keys: int) -> EmptyMember | None:
    """The empty member with a value for each key column. The last value of a key that is too short is repeated."""
    if not isinstance(value, Mapping) or "name" not in value:
        return None
    if value["name"] is None:
        return EmptyMember(None, ())
    given = value.get("key")
    items = given if isinstance(given, list) else [given]
    texts = [str(item) for item in items if item is not None] or [str(value["name"])]
    key = tuple(texts[min(place, len(texts) - 1)] for place in range(keys))
    return EmptyMember(str(value["name"]), key)


def _default_member(value: object, file: str) -> DefaultMember | None:
    if not isinstance(value, SmlMapping):
        return None
    is_only = value.get("apply_only_when_in_query") is True
    return DefaultMember(expression=str(value["expression"]), only_when_in_query=is_only, where=f"{file}:{value.line}")


def _join_rule(value: object) -> str:
    """``yes``, ``no`` or ``always``. Some writers of YAML write the first two without quotes, as booleans."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value or "yes").strip().casefold()


def _relationship(value: SmlMapping, document: Document) -> DimensionRelationship:
    origin, target = value["from"], value["to"]
    kind = str(value["type"])
    return DimensionRelationship(
        name=str(value.get("unique_name") or ""),
        kind=kind,
        from_dataset=str(origin["dataset"]),
        from_columns=column_names(origin, "join_columns") or column_names(origin, "columns"),
        from_level=str(origin.get("level") or ""),
        dimension=str(target.get("dimension") or document.name),
        level=str(target.get("level") or ""),
        template=template_of(value.get("role_play")),
        is_many_to_many=value.get("m2m") is True,
        where=f"{document.file}:{value.line}",
    )


def _column(value: SmlMapping) -> Column:
    return Column(
        name=str(value["name"]),
        data_type=_text(value.get("data_type")),
        variants=_variants(value),
        parent_column=_text(value.get("parent_column")),
    )


def _variants(value: SmlMapping) -> tuple[SqlVariant, ...]:
    """The default text first, then the dialects' own."""
    variants = [SqlVariant(dialect=None, sql=str(value["sql"]))] if value.get("sql") else []
    variants += [
        SqlVariant(dialect=str(variant["dialect"]), sql=str(variant["sql"])) for variant in _list(value, "dialects")
    ]
    return tuple(variants)


def _list(value: Mapping[str, Any], key: str) -> list[SmlMapping]:
    return value.get(key) or []


def column_names(value: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Names of columns; older repositories write mappings with a ``name``."""
    return tuple(str(item["name"] if isinstance(item, Mapping) else item) for item in value.get(key) or ())


def text_of(value: Mapping[str, Any], key: str) -> str:
    """A text for people in one line; empty where there is none."""
    return " ".join(str(value.get(key) or "").split())


def _text(value: object) -> str | None:
    return None if value is None else str(value)
