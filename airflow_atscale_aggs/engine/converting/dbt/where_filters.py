"""Conditions of dbt's metrics: SQL with Jinja calls that name dimensions. No Jinja is run.

    {{ Dimension('order__status') }} = 'done'           status = 'done', on the table that has it
    {{ TimeDimension('metric_time', 'month') }} > …     DATE_TRUNC('month', ordered_at) > …

A condition on another table than that of the measure cannot be part of a column.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from airflow_atscale_aggs.engine.converting.dbt.semantic_project import GRAINS, SemanticTable

_JINJA = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_CALL = re.compile(
    r"\s*(?P<kind>Dimension|TimeDimension|Entity|Metric)\(\s*(?P<quote>['\"])(?P<name>\w+)(?P=quote)\s*"
    r"(?:,\s*(?:time_granularity_name\s*=\s*)?(?P<second>['\"])(?P<grain>\w+)(?P=second)\s*)?\)"
    r"\s*(?:\.grain\(\s*(?P<third>['\"])(?P<grain_of>\w+)(?P=third)\s*\))?\s*"
)
_PLAIN_NAME = re.compile(r"[A-Za-z_]\w*\Z")


class FilterError(Exception):
    """A condition that cannot be part of a column. Arguments: the reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class FilteredTable:
    """The table of a measure, with the time dimension that its `metric_time` is."""

    table: SemanticTable
    time: str


def as_condition(filters: tuple[str, ...], place: FilteredTable) -> str:
    """The conditions as SQL over columns of the measure's own table; empty when there are none.

    Raises:
        FilterError: one needs another table, or is no condition that is read.
    """
    return " AND ".join(f"({_one_condition(text, place)})" for text in filters)


def truncated(sql: str, grain: str) -> str:
    """The beginning of the period of a grain.

    >>> truncated("ordered_at", "month")
    "DATE_TRUNC('month', ordered_at)"
    """
    return f"DATE_TRUNC('{grain}', {sql})"


def parenthesized(sql: str) -> str:
    """SQL as a part of other SQL.

    >>> parenthesized("a + b"), parenthesized("a")
    ('(a + b)', 'a')
    """
    return sql if _PLAIN_NAME.match(sql) else f"({sql})"


def _one_condition(text: str, place: FilteredTable) -> str:
    condition = _JINJA.sub(lambda match: _column_of(match[1], place), text.strip())
    if "{{" in condition or "{%" in condition or "{#" in condition:
        raise FilterError(f"its filter `{_one_line(text)}` has Jinja that is not a single call")
    if "--" in condition or "/*" in condition or ";" in condition:
        raise FilterError(f"its filter `{_one_line(text)}` has a comment or several statements")
    return condition


def _column_of(call: str, place: FilteredTable) -> str:
    match = _CALL.fullmatch(call)
    if match is None:
        raise FilterError(f"its filter calls `{_one_line(call)}`, which is not read")
    name, grain = match["name"], (match["grain"] or match["grain_of"] or "").casefold()
    if match["kind"] == "Metric":
        raise FilterError(f"its filter asks for the metric `{name}` of each member")
    if match["kind"] == "Entity":
        entity = place.table.entity(name)
        if entity is None:
            raise FilterError(f"its filter is on the entity `{name}`, which the measure's own table has not")
        return parenthesized(entity.sql)
    return _attribute_of(name, grain, place)


def _attribute_of(name: str, grain: str, place: FilteredTable) -> str:
    table = place.table
    link, _, attribute = name.rpartition("__")
    if not link and name == "metric_time":
        attribute = place.time
    elif not link or link not in own_links(table):
        raise FilterError(f"its filter is on `{name}`, which is not an attribute of the measure's own table")
    dimension = table.dimension(attribute)
    if dimension is None:
        raise FilterError(f"its filter is on `{name}`, which does not exist")
    if not dimension.grain:
        return parenthesized(dimension.sql)
    grain = grain or dimension.grain
    if grain not in GRAINS or GRAINS.index(grain) < GRAINS.index(dimension.grain):
        raise FilterError(f"its filter asks for `{name}` by {grain}, which that time dimension has not")
    return truncated(dimension.sql, grain)


def own_links(table: SemanticTable) -> tuple[str, ...]:
    """Entities that the attributes of a table may be named after."""
    keys = [entity.name for entity in table.entities if entity.type != "foreign"]
    return tuple(dict.fromkeys([*([table.primary_entity] if table.primary_entity else []), *keys]))


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]
