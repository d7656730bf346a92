"""Facts of a dbt project and their columns.

A table whose measures have different times is several datasets, since each fact has one `metric_time`. Filters on other
tables need a dataset that has their columns.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import field

from airflow_atscale_aggs.engine.converting.dataset_objects import DatasetObjects, TablePlace
from airflow_atscale_aggs.engine.converting.dbt.semantic_project import SemanticTable, TimeSpine
from airflow_atscale_aggs.engine.converting.dbt.where_filters import Hop, JoinedColumn
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

_LONGEST = 60
_PLAIN_NAME = re.compile(r"[A-Za-z_]\w*\Z")


@dataclass(frozen=True, slots=True)
class Fact:
    """A table with the time dimension that counts as its `metric_time`; empty: none.

    Attributes:
        joined: columns of other tables that are joined to it, which filters need.
    """

    table: SemanticTable
    time: str
    joined: tuple[JoinedColumn, ...] = ()

    @property
    def has_time(self) -> bool:
        """Whether there is such a dimension."""
        return bool(self.time) and self.table.dimension(self.time) is not None


@dataclass(slots=True)
class FactColumns:
    """The datasets of a project, and which fact is which."""

    datasets: DatasetObjects
    _names: dict[Fact, str] = field(default_factory=dict)

    @property
    def facts(self) -> dict[Fact, str]:
        """Each fact with its dataset."""
        return dict(self._names)

    def fact(self, fact: Fact) -> str:
        """The dataset of a fact. The first time of a table gets the table's own name."""
        if fact not in self._names:
            if fact.joined:
                self._names[fact] = self._joined(fact)
            else:
                is_first = all(other.table is not fact.table or other.joined for other in self._names)
                name = fact.table.name if is_first else f"{fact.table.name}__by_{fact.time or 'no_time'}"
                self._names[fact] = self.datasets.add(name, _place(fact.table))
        return self._names[fact]

    def _joined(self, fact: Fact) -> str:
        """A dataset on a query: the table with columns of others."""
        base = f"{fact.table.name}__with_{'_and_'.join(column.name for column in fact.joined)}"[:_LONGEST]
        name, number = base, 1
        while name in self.datasets.names:
            number += 1
            name = f"{base}_{number}"
        place = TablePlace(
            query=joined_query(fact.table, fact.joined),
            database=fact.table.database,
            schema=fact.table.schema,
            where=f"the semantic model at {fact.table.where}, with what its filters need",
        )
        return self.datasets.add(name, place)

    def table(self, table: SemanticTable) -> str:
        """The dataset of a table, whatever its time is."""
        return self.datasets.add(table.name, _place(table))

    def spine(self, spine: TimeSpine) -> str:
        """The dataset of the time spine."""
        place = TablePlace(table=spine.table, database=spine.database, schema=spine.schema, where=spine.where)
        return self.datasets.add("time_spine", place)

    def column(self, dataset: str, sql: str, hint: str) -> str:
        """See `DatasetObjects.column`."""
        return self.datasets.column(dataset, sql, hint)


def joined_query(table: SemanticTable, columns: Sequence[JoinedColumn]) -> str:
    """A table with columns of others, joined as dbt joins them: rows that lead nowhere stay.

    Each side is a query of its own, so that expressions need not say which table's columns they mean.
    """
    joins: dict[tuple[Hop, ...], tuple[str, dict[str, str]]] = {}
    links: dict[str, str] = {}
    for column in columns:
        for depth in range(1, len(column.hops) + 1):
            way = column.hops[:depth]
            if way not in joins:
                joins[way] = (f"j{len(joins) + 1}", {"k": way[-1].key})
                before = joins[way[:-1]][1] if depth > 1 else links
                before[f"link_{joins[way][0]}"] = way[-1].sql
        joins[column.hops][1][column.name] = column.sql
    shown = ", ".join(f"{joins[column.hops][0]}.{column.name}" for column in columns)
    text = f"SELECT f.*, {shown} FROM (SELECT t.*, {_selected(links)} FROM {_said(table)} AS t) AS f"
    for way, (alias, selected) in joins.items():
        origin = joins[way[:-1]][0] if len(way) > 1 else "f"
        text += (
            f" LEFT JOIN (SELECT {_selected(selected)} FROM {_said(way[-1].table)}) AS {alias}"
            f" ON {origin}.link_{alias} = {alias}.k"
        )
    return text


def _selected(columns: Mapping[str, str]) -> str:
    return ", ".join(f"{sql} AS {name}" for name, sql in columns.items())


def _said(table: SemanticTable) -> str:
    parts = (part for part in (table.database, table.schema, table.table) if part)
    return ".".join(part if _PLAIN_NAME.match(part) else '"' + part.replace('"', '""') + '"' for part in parts)


def _place(table: SemanticTable) -> TablePlace:
    return TablePlace(
        table=table.table,
        database=table.database,
        schema=table.schema,
        description=table.description,
        where=f"the semantic model at {table.where}",
    )
