"""Types of what a query refers to: those of the columns in the warehouse, as PostgreSQL sees them."""

from __future__ import annotations

from airflow_atscale_aggs.engine.errors import DefinitionError
from airflow_atscale_aggs.engine.lifecycle.query.model_snapshot import ModelSnapshot
from airflow_atscale_aggs.engine.model.paths import BoundAttribute, GrainAttribute
from airflow_atscale_aggs.engine.rewriting.model_query import ModelQuery, Ref
from airflow_atscale_aggs.engine.rewriting.parse.postgres_meaning import TypeOf
from airflow_atscale_aggs.engine.sql.functions.aggregates import average_type, sum_type
from airflow_atscale_aggs.engine.sql.functions.types import BIGINT, DOUBLE, UNKNOWN, SqlType, find_type

_AVERAGES = frozenset({"average", "stddev_samp", "stddev_pop", "var_samp", "var_pop"})
_EXTREMES = frozenset({"minimum", "maximum"})


def type_of_references(query: ModelQuery, snapshot: ModelSnapshot) -> TypeOf:
    """The type of an attribute or a metric by its place in the query."""

    def type_of(kind: Ref, place: int) -> SqlType:
        if kind is Ref.ATTRIBUTE:
            return _type_of_attribute(query.attributes[place], snapshot)
        metric = snapshot.model.metric(query.metrics[place])
        method = query.methods.get(place) or (metric.calculation_method if metric is not None else "")
        if metric is None or "count" in method:
            return BIGINT
        column = _type_of_column(metric.dataset, metric.column, snapshot)
        if method.startswith("sum"):
            return sum_type(column)
        if method in _AVERAGES:
            return average_type(column)
        if method in _EXTREMES:
            return column
        return DOUBLE if metric.quantiles else UNKNOWN

    return type_of


def _type_of_attribute(attribute: GrainAttribute, snapshot: ModelSnapshot) -> SqlType:
    bound = bound_of(attribute, snapshot)
    if bound is None:
        return UNKNOWN
    return _type_of_column(bound.dataset, bound.name_column, snapshot)


def _type_of_column(dataset: str, column: str, snapshot: ModelSnapshot) -> SqlType:
    """The type of a column; unknown where the table is gone, since an aggregate may answer all the same."""
    try:
        return find_type(snapshot.sources[dataset].data_type(column))
    except DefinitionError:
        return UNKNOWN


def bound_of(attribute: GrainAttribute, snapshot: ModelSnapshot) -> BoundAttribute | None:
    """An attribute as some fact reaches it; its columns are the same for all."""
    return snapshot.paths.of_some_fact(attribute)
