"""A star whose tables and aggregates a test writes down by hand, in DuckDB's memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.aggregates.lattice import Derivation, derivation
from airflow_atscale_aggs.engine.aggregates.measures import StoredFunction, StoredMeasure, row_count
from airflow_atscale_aggs.engine.lifecycle.proofs import prove
from airflow_atscale_aggs.engine.model.datasets import Column, Dataset, SqlVariant, table_key
from airflow_atscale_aggs.engine.model.paths import (
    BoundAttribute,
    EmptyMember,
    GrainAttribute,
    JoinKind,
    JoinStep,
    Role,
)
from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.sql.derivations import select_from_instance
from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.fact_joins import ProvenConstraints
from airflow_atscale_aggs.engine.sql.queries import select_from_fact
from airflow_atscale_aggs.engine.sql.sources import Sources
from airflow_atscale_aggs.engine.sql.statements import create_table_as, render, table
from airflow_atscale_aggs.engine.warehouse.base import WarehouseSession
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse

FACT = "sales"
DUCKDB = find_dialect("duckdb")

Rows = list[tuple[object, ...]]


def calculation(name: str, sql: str, data_type: str | None = None) -> Column:
    """A calculated column in SML's default SQL."""
    return Column(name=name, data_type=data_type, variants=(SqlVariant(dialect=None, sql=sql),))


def table_dataset(name: str, columns: Iterable[str], calculated: Mapping[str, str] | None = None) -> Dataset:
    """The dataset of the table that is called like it; calculated columns by name."""
    own = {column: Column(name=column) for column in columns}
    calculations = {column: calculation(column, sql, "string") for column, sql in (calculated or {}).items()}
    return Dataset(name=name, table=name, columns=own | calculations, where=f"{name}.yml:1")


def described_sources(dialect: Dialect | str, *datasets: Dataset, **tables: str) -> Sources:
    """Datasets on tables that no warehouse has: columns and types as in ``"shop_id integer, city varchar"``."""
    typed = {name: dict(_name_and_type(column) for column in text.split(", ")) for name, text in tables.items()}
    named = {name: table_dataset(name, columns) for name, columns in typed.items()}
    row = find_dialect(dialect) if isinstance(dialect, str) else dialect
    return Sources(
        named | {dataset.name: dataset for dataset in datasets},
        {(None, None, name): columns for name, columns in typed.items()},
        row,
    )


def _name_and_type(text: str) -> tuple[str, str]:
    name, _, kind = text.partition(" ")
    return name, kind


def join(kind: str, from_: str, columns: str, to: str, keys: str) -> JoinStep:
    """A join on columns that are listed with spaces between them."""
    return JoinStep(JoinKind(kind), from_, tuple(columns.split()), to, tuple(keys.split()))


def attribute(
    name: str,
    dataset: str,
    keys: str,
    shown: str,
    *steps: JoinStep,
    determines: str = "",
    filter_empty: str = "yes",
    empty: EmptyMember | None = None,
) -> BoundAttribute:
    """An attribute of the dimension ``d``; names are listed with spaces between them."""
    return BoundAttribute(
        attribute=GrainAttribute(Role("d"), name),
        label=name,
        dataset=dataset,
        key_columns=tuple(keys.split()),
        name_column=shown,
        steps=steps,
        determines=frozenset(determines.split()),
        filter_empty=filter_empty,
        empty=empty,
    )


def measures(functions: str, column: str = "amount") -> tuple[StoredMeasure, ...]:
    """Stored measures of one column of the fact; functions are listed with spaces between them."""
    return tuple(StoredMeasure(StoredFunction(function), FACT, column) for function in functions.split())


AMOUNT = measures("sum")


def part(*attributes: BoundAttribute, measures: tuple[StoredMeasure, ...] = AMOUNT) -> FactPart:
    """An aggregate of the fact, with the row count."""
    return FactPart(fact=FACT, attributes=attributes, measures=tuple(sorted({*measures, row_count(FACT)})))


SHOP = join("unique_key", FACT, "shop_id", "shop", "shop_id")
CITY = attribute("city", "shop", "city", "city", SHOP)
"""Of the tables ``sales (shop_id, amount)`` and ``shop (shop_id, city)``."""


@dataclass
class SmallStar:
    """Tables in DuckDB with their datasets."""

    session: WarehouseSession
    datasets: dict[str, Dataset] = field(default_factory=dict)

    def add(self, name: str, columns: str, *rows: str, calculated: Mapping[str, str] | None = None) -> None:
        """Make a table of integer columns (``name:type`` for others) and its dataset."""
        typed: dict[str, str] = {}
        for column in columns.split():
            own_name, _, kind = column.partition(":")
            typed[own_name] = kind or "integer"
        self.run(f'CREATE TABLE "{name}" ({", ".join(f"{column} {kind}" for column, kind in typed.items())})')
        if rows:
            self.run(f'INSERT INTO "{name}" VALUES {", ".join(f"({row})" for row in rows)}')
        self.datasets[name] = table_dataset(name, typed, calculated)

    def run(self, *statements: str) -> None:
        """Run statements one by one."""
        for statement in statements:
            self.session.execute(statement)

    def sources(self, dialect: Dialect = DUCKDB) -> Sources:
        """The datasets, as DuckDB describes their tables, and as if they were another warehouse's."""
        keys = {table_key(dataset) for dataset in self.datasets.values()}
        return Sources(self.datasets, self.session.columns([key for key in keys if key is not None]), dialect)

    def constraints(self, *parts: FactPart) -> ProvenConstraints:
        """What the data proves for these parts."""
        return prove(self.session, parts, self.sources())

    def rows(self, query: exp.Expr | str) -> Rows:
        """The rows of a query, sorted by their text."""
        return sorted(self.session.fetch_all(query if isinstance(query, str) else render(query, DUCKDB)), key=str)

    def types(self, select: exp.Expr) -> dict[str, str]:
        """Type by column of a query's result."""
        return {str(row[0]): str(row[1]) for row in self.session.fetch_all(f"DESCRIBE {render(select, DUCKDB)}")}

    def create(self, name: str, select: exp.Expr) -> exp.Table:
        """A table with the rows of a query; it takes the place of an older one."""
        self.run(f'DROP TABLE IF EXISTS "{name}"', render(create_table_as(table(name), select, DUCKDB), DUCKDB))
        return table(name)

    def create_aggregate(self, name: str, part: FactPart) -> exp.Table:
        """A part's table, made from the facts."""
        return self.create(name, select_from_fact(part, self.sources(), self.constraints(part)))

    def from_facts(self, part: FactPart) -> Rows:
        """A part's rows, made from the facts."""
        return self.rows(select_from_fact(part, self.sources(), self.constraints(part)))

    def way(self, child: FactPart, parent: FactPart) -> Derivation | None:
        """How the child derives from the parent; None where the data does not allow it."""
        return derivation(child, parent, self.constraints(child, parent).functional)

    def select_derived(self, child: FactPart, parent: FactPart) -> exp.Select | None:
        """The child from the parent's table, which is made; None where the data does not allow it."""
        constraints, way = self.constraints(child, parent), self.way(child, parent)
        if way is None:
            return None
        parent_table = self.create_aggregate("parent_table", parent)
        return select_from_instance(child, parent, way, parent_table, self.sources(), constraints)

    def derived(self, child: FactPart, parent: FactPart) -> Rows | None:
        """The child's rows, made from the parent's table; None where the data does not allow it."""
        select = self.select_derived(child, parent)
        return None if select is None else self.rows(select)


@contextlib.contextmanager
def small_star() -> Iterator[SmallStar]:
    """An empty star for the length of a ``with`` block."""
    warehouse = open_warehouse("duckdb://?threads=1")
    with warehouse.session() as session:
        yield SmallStar(session)
    warehouse.close()
