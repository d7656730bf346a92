"""Seeded rows for the tables that a deployed model names: for sample models that come without data.

Keys that joins lead to are numbered, or drawn from a few values where they are compound; foreign keys are drawn from
what is there, from what is not, and from NULL. Everything else is drawn from a few values of the column's type, so
names repeat.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from graphlib import TopologicalSorter

import sqlglot
from sqlglot import exp

from airflow_atscale_aggs.engine.model.datasets import Dataset
from airflow_atscale_aggs.engine.model.semantic_model import SemanticModel

Value = str | int | float | bool | date | None
Row = dict[str, Value]

NO_SUCH_KEY = 9999
_TYPES = {
    "long": "bigint",
    "string": "varchar(200)",
    "datetime": "timestamp",
    "date": "date",
    "double": "double precision",
    "boolean": "boolean",
}


@dataclass(frozen=True)
class ModelData:
    """How a model's tables are filled.

    Attributes:
        schema: where tables go that the model gives no schema.
        sizes: rows by dataset; others have 30.
        choices: values by column name, in every dataset.
        fixed_rows: rows of a dataset, of which the columns that are missing are drawn.
        seed: the same seed, the same rows.
    """

    model: SemanticModel
    schema: str
    sizes: Mapping[str, int] = field(default_factory=dict)
    choices: Mapping[str, Sequence[Value]] = field(default_factory=dict)
    fixed_rows: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    seed: int = 1

    def statements(self) -> Iterator[str]:
        """Statements that make and fill all tables, for DuckDB and PostgreSQL."""
        yield f'CREATE SCHEMA IF NOT EXISTS "{self.schema}"'
        for name, rows in self.rows().items():
            dataset = self.model.datasets[name]
            types = {column: _type(dataset, column) for column in _physical(dataset)}
            spelled = ", ".join(f'"{column}" {kind}' for column, kind in types.items())
            yield f"CREATE TABLE {self._table(dataset)} ({spelled})"
            values = ", ".join("(" + ", ".join(_literal(row[column]) for column in types) + ")" for row in rows)
            yield f"INSERT INTO {self._table(dataset)} VALUES {values}"

    def rows(self) -> dict[str, list[Row]]:
        """Rows by dataset; what joins lead to comes first."""
        edges = self._edges()
        order = TopologicalSorter(
            {name: {edge[2] for edge in edges if edge[0] == name} for name in self.model.datasets}
        )
        rows_by_dataset: dict[str, list[Row]] = {}
        for name in order.static_order():
            draw = random.Random(f"{self.seed} {name}")
            numbered = {edge[3][0] for edge in edges if edge[2] == name and len(edge[3]) == 1}
            fixed = self.fixed_rows.get(name) or [{} for _ in range(self.sizes.get(name, 30))]
            rows_by_dataset[name] = [
                self._draw_row(draw, name, dict.fromkeys(numbered, number)) | row for number, row in enumerate(fixed, 1)
            ]
            for _, columns, target, keys in (edge for edge in edges if edge[0] == name):
                there = [tuple(row[key] for key in keys) for row in rows_by_dataset[target]]
                for row in rows_by_dataset[name]:
                    row.update(zip(columns, _foreign_key(draw, there), strict=True))
        return rows_by_dataset

    def _draw_row(self, draw: random.Random, name: str, numbered: Row) -> Row:
        dataset = self.model.datasets[name]
        return {
            column: numbered[column]
            if column in numbered
            else draw.choice(self.choices[column])
            if column in self.choices
            else _value(draw, column, dataset.columns[column].data_type or "string")
            for column in _physical(dataset)
        }

    def _edges(self) -> list[tuple[str, tuple[str, ...], str, tuple[str, ...]]]:
        """(dataset, columns, dataset led to, its key), where the two sides are of one type; others cannot be joined."""
        joins = [
            (relationship.from_dataset, relationship.from_columns, relationship.dimension, relationship.level)
            for relationship in self.model.relationships
        ]
        for dimension in self.model.dimensions.values():
            joins += [
                (
                    relationship.from_dataset,
                    relationship.from_columns,
                    relationship.dimension or dimension.name,
                    relationship.level,
                )
                for relationship in dimension.relationships
            ]
        edges = []
        for dataset, columns, dimension_name, level in joins:
            target = self.model.dimensions[dimension_name].attributes[level]
            ours = [_type(self.model.datasets[dataset], column) for column in columns]
            theirs = [_type(self.model.datasets[target.dataset], column) for column in target.key_columns]
            if ours == theirs:
                edges.append((dataset, columns, target.dataset, target.key_columns))
        return edges

    def _table(self, dataset: Dataset) -> str:
        """A query's only table stands for the query."""
        if dataset.table is not None:
            return f'"{dataset.schema or self.schema}"."{dataset.table}"'
        (table,) = sqlglot.parse_one(dataset.variants[0].sql, read="postgres").find_all(exp.Table)
        return f'"{table.db or self.schema}"."{table.name}"'


def _physical(dataset: Dataset) -> list[str]:
    return [name for name, column in dataset.columns.items() if not column.variants and not column.parent_column]


def _type(dataset: Dataset, column: str) -> str:
    kind = dataset.columns[column].data_type or "string"
    return _TYPES.get(kind, kind)


def _value(draw: random.Random, column: str, kind: str) -> Value:
    if draw.random() < 0.12:
        return None
    number = draw.randint(1, 5)
    if kind == "string":
        return f"{column} {number}"
    if kind == "boolean":
        return number > 2
    if kind in {"date", "datetime"}:
        return datetime(2007, number, 3 * number)
    # Sums of binary fractions are exact in any order.
    return number if kind == "long" else draw.randint(4, 4000) / 4


def _foreign_key(draw: random.Random, there: Sequence[tuple[Value, ...]]) -> tuple[Value, ...]:
    """One in ten is NULL, one in ten leads nowhere."""
    key = draw.choice(there)
    chance = draw.random()
    if chance < 0.1:
        return (None,) * len(key)
    if chance < 0.2:
        return tuple(NO_SUCH_KEY if isinstance(part, int) else "nowhere" for part in key)
    return key


def _literal(value: Value) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, (str, date)):
        return f"'{value}'"
    return str(value)


def days(first: date, last: date, step: int) -> Iterator[date]:
    """Days a step apart, both ends in."""
    for number in range(0, (last - first).days + 1, step):
        yield first + timedelta(days=number)
