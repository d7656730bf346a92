"""Conditions of dbt's metrics: SQL with Jinja calls that name dimensions. No Jinja is run.

{{ Dimension('order__status') }} = 'done'           status = 'done', on the table that has it
{{ TimeDimension('metric_time', 'month') }} > …     DATE_TRUNC('month', ordered_at) > …
{{ Dimension('customer__country') }} = 'NO'         customer__country = 'NO', a column that is joined to the table
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import field

from airflow_atscale_aggs.engine.converting.dbt.semantic_project import GRAINS, Dimension, Entity, SemanticTable
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

_JINJA = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_CALL = re.compile(
    r"\s*(?P<kind>Dimension|TimeDimension|Entity|Metric)\(\s*(?P<quote>['\"])(?P<name>\w+)(?P=quote)\s*"
    r"(?:,\s*(?:time_granularity_name\s*=\s*)?(?P<second>['\"])(?P<grain>\w+)(?P=second)\s*)?"
    r"(?:,\s*entity_path\s*=\s*\[(?P<path>[\w\s'\",]*)\]\s*)?\)"
    r"\s*(?:\.grain\(\s*(?P<third>['\"])(?P<grain_of>\w+)(?P=third)\s*\))?\s*"
)
_PLAIN_NAME = re.compile(r"[A-Za-z_]\w*\Z")


class FilterError(Exception):
    """A condition that cannot be part of a column. Arguments: the reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


Targets = Callable[[str, SemanticTable], Iterable[tuple[SemanticTable, Entity]]]
"""Tables that an entity of a table leads to, with their keys."""

MOST_HOPS = 2
"""Entities on the way to a dimension. MetricFlow follows no longer ways."""


def _nowhere(_entity: str, _origin: SemanticTable) -> Iterable[tuple[SemanticTable, Entity]]:
    return ()


@dataclass(frozen=True, slots=True)
class FilteredTable:
    """The table of a measure, with the time dimension that its `metric_time` is.

    Attributes:
        targets: where its entities lead.
    """

    table: SemanticTable
    time: str
    targets: Targets = _nowhere


@dataclass(frozen=True, slots=True)
class Hop:
    """A join to a table.

    Attributes:
        sql: of the entity, over the table that one comes from.
        key: of the entity in the table.
    """

    sql: str
    table: SemanticTable
    key: str


@dataclass(frozen=True, slots=True)
class JoinedColumn:
    """A column of another table, as the measure's table gets it.

    Attributes:
        sql: over the last table.
    """

    name: str
    hops: tuple[Hop, ...]
    sql: str


@dataclass(slots=True)
class Condition:
    """Conditions as SQL over columns of the measure's own table and of those that are joined; empty: there are none."""

    sql: str = ""
    joined: dict[str, JoinedColumn] = field(default_factory=dict)


def as_condition(filters: tuple[str, ...], place: FilteredTable) -> Condition:
    """The conditions of a metric, all of which hold.

    Raises:
        FilterError: one asks for what no table has that the measure's leads to, or is no condition that is read.
    """
    made = Condition()
    made.sql = " AND ".join(f"({_one_condition(text, place, made)})" for text in filters)
    return made


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


def _one_condition(text: str, place: FilteredTable, made: Condition) -> str:
    condition = _JINJA.sub(lambda match: _column_of(match[1], place, made), text.strip())
    if "{{" in condition or "{%" in condition or "{#" in condition:
        raise FilterError(f"its filter `{_one_line(text)}` has Jinja that is not a single call")
    if "--" in condition or "/*" in condition or ";" in condition:
        raise FilterError(f"its filter `{_one_line(text)}` has a comment or several statements")
    return condition


def _column_of(call: str, place: FilteredTable, made: Condition) -> str:
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
    path = re.findall(r"\w+", match["path"] or "")
    return _attribute_of("__".join([*path, name]), grain, place, made)


def _attribute_of(name: str, grain: str, place: FilteredTable, made: Condition) -> str:
    table = place.table
    link, _, attribute = name.rpartition("__")
    if not link and name == "metric_time":
        attribute = place.time
    elif not link or link not in own_links(table):
        return _joined_attribute(name, grain, place, made)
    dimension = table.dimension(attribute)
    if dimension is None:
        raise FilterError(f"its filter is on `{name}`, which does not exist")
    return _value_of(dimension, name, grain)


def _joined_attribute(name: str, grain: str, place: FilteredTable, made: Condition) -> str:
    """An attribute of another table, which is joined to the measure's own."""
    *path, attribute = name.split("__")
    ways = list(_ways(path, attribute, place.table, place.targets)) if 0 < len(path) <= MOST_HOPS else []
    if len(ways) != 1:
        why = "several tables have it" if ways else "no table has it that the measure's own one leads to"
        raise FilterError(f"its filter is on `{name}`: {why}")
    hops, dimension = ways[0]
    column = f"{name}__{grain or dimension.grain}" if dimension.grain else name
    made.joined[column] = JoinedColumn(column, hops, _value_of(dimension, name, grain))
    return column


def _ways(
    path: list[str], attribute: str, origin: SemanticTable, targets: Targets
) -> Iterable[tuple[tuple[Hop, ...], Dimension]]:
    entity = origin.entity(path[0])
    for table, key in targets(path[0], origin) if entity is not None else ():
        assert entity is not None  # noqa: S101 - there are no targets else
        hop = Hop(entity.sql, table, key.sql)
        if len(path) > 1:
            yield from (((hop, *hops), found) for hops, found in _ways(path[1:], attribute, table, targets))
        elif (dimension := table.dimension(attribute)) is not None:
            yield (hop,), dimension


def _value_of(dimension: Dimension, name: str, grain: str) -> str:
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
