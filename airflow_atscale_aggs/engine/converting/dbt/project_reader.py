"""Reads dbt's files: the manifest that dbt writes, or the YAML of a project. Both say the same in the same words.

dbt's own library is not used: it needs older versions of libraries than Airflow 3.3 has, and knows no lines.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from airflow_atscale_aggs.engine.converting.dbt.semantic_project import (
    GRAINS,
    DbtMetric,
    Dimension,
    Entity,
    Input,
    Measure,
    NonAdditive,
    SemanticProject,
    SemanticTable,
    TimeSpine,
)
from airflow_atscale_aggs.engine.converting.source_values import SourceValue, read_source
from airflow_atscale_aggs.engine.errors import ModelFileError

_REF = re.compile(
    r"\s*(?:\{\{\s*)?(?:ref|source)\(\s*(?:['\"][^'\"]*['\"]\s*,\s*)?['\"]([^'\"]+)['\"][^)]*\)\s*(?:\}\}\s*)?"
)
_ENTITY_TYPES = ("primary", "unique", "natural", "foreign")
_EMBEDDED = (
    "the semantic model stands inside the model, in the newer way, which is read from what dbt makes of it: run "
    "`dbt parse`, then convert target/semantic_manifest.json"
)


def read_manifest(data: bytes, file: str, name: str) -> SemanticProject:
    """The project of a `semantic_manifest.json`.

    Raises:
        ModelFileError: broken JSON, no semantic manifest, or something in it that has not the shape it must have.
    """
    document = read_source(data, file)
    if document is None or not document.has("semantic_models"):
        reason = (
            "this is no semantic manifest of dbt: it has no `semantic_models`. `dbt parse` writes one to "
            "target/semantic_manifest.json"
        )
        raise ModelFileError(file, 0, reason)
    project = SemanticProject(name=name)
    _read_document(project, document)
    configuration = document.within("project_configuration")
    if configuration is not None:
        project.spines += _spines(configuration)
    return project


def read_project(texts: Mapping[str, bytes], name: str, folder: str) -> SemanticProject:
    """The project of YAML files by path. Files without semantic models and metrics say nothing.

    Raises:
        ModelFileError: broken YAML, something that has not the shape it must have, or nothing to convert.
    """
    project = SemanticProject(name=name)
    for file, data in sorted(texts.items()):
        if b"semantic_model" not in data and b"metrics" not in data and b"time_spine" not in data:
            continue
        document = read_source(data, file)
        if document is None:
            continue
        _read_document(project, document)
        for model in document.each("models") if isinstance(document.value.get("models"), list) else ():
            if model.has("semantic_model"):
                raise model.error(_EMBEDDED)
            project.spines += _spine_of_model(model)
    if not project.tables:
        raise ModelFileError(
            folder, 0, "no file below this folder has `semantic_models`, so there is nothing to convert"
        )
    return project


def _read_document(project: SemanticProject, document: SourceValue) -> None:
    project.tables += [_table(value) for value in document.each("semantic_models")]
    project.metrics += [_metric(value) for value in document.each("metrics")]
    project.saved_queries += [(value.name(), _where(value)) for value in document.each("saved_queries")]


def _where(value: SourceValue) -> str:
    """The place in the project that a manifest names, else that in the file which is read."""
    metadata = value.within("metadata")
    place = metadata.within("file_slice") if metadata is not None else None
    if place is not None and place.text("filename"):
        return f"{place.text('filename')}:{place.text('start_line_number') or 1}"
    return value.where


def _table(value: SourceValue) -> SemanticTable:
    relation = value.within("node_relation")
    table = relation.name("alias") if relation is not None else _referred_table(value)
    defaults = value.within("defaults")
    default_time = defaults.text("agg_time_dimension") if defaults is not None else ""
    entities = tuple(_entity(entity) for entity in value.each("entities"))
    primary = [entity.name for entity in entities if entity.type == "primary"]
    return SemanticTable(
        name=value.name(),
        table=table,
        database=relation.text("database") if relation is not None else "",
        schema=relation.text("schema_name") if relation is not None else "",
        where=_where(value),
        primary_entity=primary[0] if primary else value.text("primary_entity"),
        entities=entities,
        dimensions=tuple(_dimension(dimension) for dimension in value.each("dimensions")),
        measures=tuple(_measure(measure, default_time) for measure in value.each("measures")),
        label=value.text("label"),
        description=value.text("description"),
    )


def _referred_table(value: SourceValue) -> str:
    match = _REF.fullmatch(value.text("model"))
    if match is None:
        raise value.error(f"`model` of semantic model `{value.text('name')}` must be a ref(…), such as ref('orders')")
    return match[1]


def _entity(value: SourceValue) -> Entity:
    kind = value.choice("type", _ENTITY_TYPES)
    if not kind:
        raise value.error(f"`type` of entity `{value.name()}` is missing: one of {', '.join(_ENTITY_TYPES)}")
    return Entity(name=value.name(), type=kind, sql=value.text("expr") or value.name(), where=_where(value))


def _dimension(value: SourceValue) -> Dimension:
    kind = value.choice("type", ("categorical", "time"))
    parameters = value.within("type_params")
    grain = parameters.choice("time_granularity", GRAINS) if parameters is not None and kind == "time" else ""
    if kind == "time" and not grain:
        raise value.error(f"time dimension `{value.name()}` has no `time_granularity`")
    return Dimension(
        name=value.name(),
        sql=value.text("expr") or value.name(),
        grain=grain,
        has_validity=parameters is not None and parameters.has("validity_params"),
        where=_where(value),
        label=value.text("label"),
        description=value.text("description"),
    )


def _measure(value: SourceValue, default_time: str) -> Measure:
    non_additive = value.within("non_additive_dimension")
    parameters = value.within("agg_params") or SourceValue({}, value.file, value.line)
    return Measure(
        name=value.name(),
        agg=value.text("agg").casefold(),
        sql=value.text("expr") or value.name(),
        time=value.text("agg_time_dimension") or default_time,
        where=_where(value),
        percentile=parameters.text("percentile"),
        is_discrete=parameters.flag("use_discrete_percentile"),
        is_approximate=parameters.flag("use_approximate_percentile"),
        non_additive=NonAdditive(
            name=non_additive.name(),
            choice=non_additive.choice("window_choice", ("min", "max")) or "min",
            groupings=non_additive.texts("window_groupings"),
        )
        if non_additive is not None
        else None,
        makes_metric=value.flag("create_metric"),
        label=value.text("label"),
        description=value.text("description"),
    )


def _metric(value: SourceValue) -> DbtMetric:
    parameters = value.within("type_params") or SourceValue({}, value.file, value.line)
    cumulative = parameters.within("cumulative_type_params") or SourceValue({}, value.file, value.line)
    ends = [_input(parameters, key) for key in ("numerator", "denominator")]
    inputs = [end for end in ends if end is not None] + [_input_of(item) for item in parameters.each("metrics")]
    kind = value.text("type").casefold()
    measure = _input(parameters, "measure")
    if measure is None and kind == "cumulative" and cumulative.has("metric"):
        measure = _input(cumulative, "metric")
    return DbtMetric(
        name=value.name(),
        type=kind,
        where=_where(value),
        measure=measure,
        own=_own_measure(value, parameters),
        inputs=tuple(inputs),
        expression=parameters.text("expr"),
        window=_window(cumulative, "window") or _window(parameters, "window"),
        grain_to_date=cumulative.text("grain_to_date").casefold() or parameters.text("grain_to_date").casefold(),
        period=cumulative.choice("period_agg", ("first", "last", "average")) or "first",
        filters=_filters(value),
        is_hidden=parameters.flag("is_private"),
        label=value.text("label"),
        description=value.text("description"),
    )


def _own_measure(metric: SourceValue, parameters: SourceValue) -> tuple[str, Measure] | None:
    """The aggregation of a metric without a measure, as newer versions of dbt write them."""
    aggregation = parameters.within("metric_aggregation_params")
    if aggregation is None or parameters.has("measure"):
        return None
    merged = {**aggregation.value, "name": metric.name(), "expr": parameters.value.get("expr")}
    return aggregation.name("semantic_model"), _measure(SourceValue(merged, aggregation.file, aggregation.line), "")


def _input(value: SourceValue, key: str) -> Input | None:
    found = value.value.get(key)
    if found is None:
        return None
    if isinstance(found, str):
        return Input(name=found)
    inner = value.within(key)
    return _input_of(inner) if inner is not None else None


def _input_of(value: SourceValue) -> Input:
    return Input(
        name=value.name(),
        filters=_filters(value),
        alias=value.text("alias"),
        offset_window=_window(value, "offset_window"),
        offset_to_grain=value.text("offset_to_grain").casefold(),
        fill=value.text("fill_nulls_with"),
        joins_spine=value.flag("join_to_timespine"),
    )


def _window(value: SourceValue, key: str) -> str:
    """``7 days``, whether it is written as a text or, as in a manifest, as count and granularity."""
    if not isinstance(value.value.get(key), dict):
        return value.text(key).casefold()
    window = value.within(key)
    return f"{window.text('count')} {window.text('granularity').casefold()}" if window is not None else ""


def _filters(value: SourceValue) -> tuple[str, ...]:
    """Conditions of a metric or of what it stands on: a text, a list, or a manifest's ``where_filters``."""
    if not isinstance(value.value.get("filter"), dict):
        return value.texts("filter")
    found = value.within("filter")
    if found is None:
        return ()
    if found.has("where_sql_template"):
        return (found.text("where_sql_template"),)
    return tuple(condition.text("where_sql_template") for condition in found.each("where_filters"))


def _spines(configuration: SourceValue) -> list[TimeSpine]:
    """Time spines of a manifest, in the newer and in the older way."""
    spines = []
    for value in configuration.each("time_spines"):
        relation, column = value.within("node_relation"), value.within("primary_column")
        if relation is None or column is None:
            raise value.error("a time spine needs `node_relation` and `primary_column`")
        spines.append(
            TimeSpine(
                table=relation.name("alias"),
                database=relation.text("database"),
                schema=relation.text("schema_name"),
                column=column.name(),
                grain=column.choice("time_granularity", GRAINS),
                where=value.where,
            )
        )
    for value in configuration.each("time_spine_table_configurations") if not spines else ():
        database, schema, table = ["", "", *value.name("location").replace('"', "").split(".")][-3:]
        grain = value.choice("grain", GRAINS)
        spines.append(
            TimeSpine(
                table=table,
                database=database,
                schema=schema,
                column=value.name("column_name"),
                grain=grain,
                where=value.where,
            )
        )
    return spines


def _spine_of_model(model: SourceValue) -> list[TimeSpine]:
    spine = model.within("time_spine")
    if spine is None:
        return []
    column = spine.name("standard_granularity_column")
    for value in model.each("columns"):
        if value.text("name") == column:
            grain = value.choice("granularity", GRAINS)
            return [TimeSpine(table=model.name(), column=column, grain=grain or "day", where=spine.where)]
    raise spine.error(f"the column `{column}` of time spine `{model.text('name')}` is not among its `columns`")
