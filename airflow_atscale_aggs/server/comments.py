"""Comments on tables and columns: what a model, an attribute or a metric is, for people."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_atscale_aggs.engine.counted_nouns import counted
from airflow_atscale_aggs.engine.lifecycle.query.model_tables import ModelColumn, ModelTable
from airflow_atscale_aggs.engine.lifecycle.query.shown_columns import ShownAttribute, ShownMetric

_MEASURES: Mapping[str, str] = {
    "sum": "a sum",
    "count non-null": "a count of values",
    "minimum": "the least value",
    "maximum": "the greatest value",
    "average": "an average",
    "stddev_samp": "a standard deviation of a sample",
    "stddev_pop": "a standard deviation",
    "var_samp": "a variance of a sample",
    "var_pop": "a variance",
    "count distinct": "a count of distinct values",
    "sum distinct": "a sum of distinct values",
    "estimated count distinct": "an estimated count of distinct values",
    "percentile": "a percentile",
}
"""Words for SML's calculation methods."""

_POSITIONS: Mapping[str, str] = {
    "first": "at the first member of a dimension",
    "last": "at the last member of a dimension",
    "first_child": "at the first member below each member of a dimension",
    "last_child": "at the last member below each member of a dimension",
}


def table_comment(table: ModelTable, left_out: int = 0) -> str:
    """What a table is.

    Args:
        left_out: columns that the table lacks, since PostgreSQL has no room for them.
    """
    if table.perspective_of:
        kind = f"A perspective of the model {table.perspective_of}, which shows a part of it."
    else:
        kind = f"The model {table.label}." if table.label != table.name else "A model."
    secured = "Row security decides which rows you see." if table.is_secured else ""
    rest = f"{counted(left_out, 'more column')} can be asked by name." if left_out else ""
    return _joined(table.description, kind, secured, rest)


def column_comment(column: ModelColumn) -> str:
    """What a column is: its description, whether it is an attribute or a metric, and its folder."""
    shown = column.shown
    label = f"Shown as {shown.label}." if shown.label != column.name else ""
    kind = _attribute(shown.origin, column.name) if isinstance(shown.origin, ShownAttribute) else _metric(shown.origin)
    return _joined(shown.description, kind, label, f"Folder: {shown.folder}." if shown.folder else "")


def _attribute(origin: ShownAttribute, name: str) -> str:
    of_hierarchies = f" of {' and '.join(origin.hierarchies)}" if origin.hierarchies else ""
    if origin.kind == "level":
        return f"Attribute: a level{of_hierarchies} in {origin.dimension}."
    level = f" of {origin.level}" if origin.level != name else ""
    return f"Attribute{level} in {origin.dimension}."


def _metric(origin: ShownMetric) -> str:
    if origin.kind == "calculation":
        return "Metric: calculated from other metrics."
    measure = _MEASURES.get(origin.aggregation, origin.aggregation)
    if origin.quantile:
        measure = f"the {origin.quantile} quantile"
    position = f", {_POSITIONS[origin.position]}" if origin.position in _POSITIONS else ""
    return f"Metric: {measure}{position}."


def _joined(*sentences: str) -> str:
    told = [sentence if sentence.endswith((".", "!", "?")) else f"{sentence}." for sentence in sentences if sentence]
    return " ".join(told)
