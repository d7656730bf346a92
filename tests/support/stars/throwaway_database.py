"""Databases of the property tests: what an example makes is rolled back, and its aggregates are tables of that
transaction.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import duckdb
import psycopg
from hypothesis import HealthCheck, Phase, settings
from sqlglot import exp

from airflow_atscale_aggs.engine.aggregates.definition import FactPart
from airflow_atscale_aggs.engine.rewriting.match.serving import ServingInstance
from airflow_atscale_aggs.engine.sql.capabilities import Dialect
from airflow_atscale_aggs.engine.sql.dialects import find_dialect
from airflow_atscale_aggs.engine.sql.statements import create_table_as, render, table
from airflow_atscale_aggs.engine.warehouse.connect import open_warehouse
from tests.support.stars.tiny_star import said_for

Rows = list[tuple[Any, ...]]

PROFILE = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
)
"""One database serves all examples of a test."""


@dataclass
class Database:
    """What the engine asks of a session."""

    dialect: Dialect
    fetch_all: Callable[[str], Rows]
    table_count: int = field(default=0)

    @property
    def session(self) -> Any:
        """Itself, for functions that ask a session for rows and for nothing else."""
        return self

    @contextlib.contextmanager
    def example(self) -> Iterator[None]:
        """Undo all that is done within the block."""
        self.fetch_all("BEGIN")
        try:
            yield
        finally:
            self.fetch_all("ROLLBACK")

    def ask(self, sql: str) -> Rows:
        """Run plain SQL of DuckDB and PostgreSQL, which is translated for others."""
        return self.fetch_all(said_for(sql, self.dialect))

    def create(self, select: exp.Expr) -> str:
        """The name of a new table with the rows of a SELECT."""
        self.table_count += 1
        name = f"agg_{self.table_count}"
        self.fetch_all(render(create_table_as(table(name), select, self.dialect), self.dialect))
        return name

    def build(self, part: FactPart, select: exp.Expr) -> ServingInstance:
        """A new aggregate, as the router knows it."""
        name = self.create(select)
        ((rows,),) = self.ask(f'SELECT COUNT(*) FROM "{name}"')
        return ServingInstance(id=name, definition_id=name, aggregate=name, part=part, rows=int(str(rows)), table=name)


@dataclass
class SparkDatabase(Database):
    """A server of Spark Connect that keeps its catalog in the session: each example has a session of its own."""

    address: str = ""

    @contextlib.contextmanager
    def example(self) -> Iterator[None]:
        """Forget all that is done within the block."""
        with contextlib.closing(open_warehouse(self.address)) as warehouse, warehouse.session() as session:
            self.fetch_all = session.fetch_all
            yield


def spark_at(address: str) -> Database:
    """A server of Spark Connect; there is a session within an example only."""

    def refuse(sql: str) -> Rows:
        raise AssertionError(sql)

    return SparkDatabase(find_dialect("spark"), refuse, address=address)


@dataclass
class ClickHouseDatabase(Database):
    """ClickHouse in this process, in memory: each example has a database of its own."""

    @contextlib.contextmanager
    def example(self) -> Iterator[None]:
        """Drop all that is made within the block."""
        self.fetch_all("CREATE DATABASE example")
        self.fetch_all("USE example")
        try:
            yield
        finally:
            self.fetch_all("DROP DATABASE example")


@contextlib.contextmanager
def clickhouse_in_memory() -> Iterator[Database]:
    """ClickHouse in memory, for the length of a ``with`` block. No other folder of chDB's may be open meanwhile."""
    url = "chdb://?default_table_engine=Memory&max_threads=1"
    with contextlib.closing(open_warehouse(url)) as warehouse, warehouse.session() as session:
        yield ClickHouseDatabase(session.dialect, session.fetch_all)


@contextlib.contextmanager
def duckdb_in_memory() -> Iterator[Database]:
    """A database in memory with one thread, for the length of a ``with`` block."""
    with duckdb.connect(config={"threads": "1"}) as connection:
        yield Database(find_dialect("duckdb"), lambda sql: connection.execute(sql).fetchall())


@contextlib.contextmanager
def postgres_at(url: str) -> Iterator[Database]:
    """One connection to a server, for the length of a ``with`` block."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:

        def fetch_all(sql: str) -> Rows:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

        yield Database(find_dialect("postgres"), fetch_all)
