"""The databases of all properties."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.stars.throwaway_database import (
    Database,
    clickhouse_in_memory,
    duckdb_in_memory,
    postgres_at,
    spark_at,
)


@pytest.fixture(scope="module")
def on_duckdb() -> Iterator[Database]:
    """A DuckDB in memory."""
    with duckdb_in_memory() as database:
        yield database


@pytest.fixture(scope="module")
def on_clickhouse() -> Iterator[Database]:
    """ClickHouse in this process."""
    with clickhouse_in_memory() as database:
        yield database


@pytest.fixture(scope="module")
def on_sail(sail_address: str) -> Database:
    """A server that speaks Spark Connect."""
    return spark_at(sail_address)


@pytest.fixture
def on_postgres(postgres_url: str) -> Iterator[Database]:
    """A real PostgreSQL server."""
    with postgres_at(postgres_url) as database:
        yield database
