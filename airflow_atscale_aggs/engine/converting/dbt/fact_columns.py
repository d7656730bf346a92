"""Facts of a dbt project and their columns.

A table whose measures have different times is several datasets, since each fact has one `metric_time`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_atscale_aggs.engine.converting.dataset_objects import DatasetObjects, TablePlace
from airflow_atscale_aggs.engine.converting.dbt.semantic_project import SemanticTable, TimeSpine


@dataclass(frozen=True, slots=True)
class Fact:
    """A table with the time dimension that counts as its `metric_time`; empty: none."""

    table: SemanticTable
    time: str

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
            is_first = all(other.table is not fact.table for other in self._names)
            name = fact.table.name if is_first else f"{fact.table.name}__by_{fact.time or 'no_time'}"
            self._names[fact] = self.datasets.add(name, _place(fact.table))
        return self._names[fact]

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


def _place(table: SemanticTable) -> TablePlace:
    return TablePlace(
        table=table.table,
        database=table.database,
        schema=table.schema,
        description=table.description,
        where=f"the semantic model at {table.where}",
    )
