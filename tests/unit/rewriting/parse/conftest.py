"""The flat table of the sales, in a DuckDB of each module's own."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from tests.support.oracles.spelled_queries import FLAT_SALES


@pytest.fixture(scope="module")
def sales() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to a database with the flat table ``shop_star``."""
    with duckdb.connect() as connection:
        connection.execute(FLAT_SALES)
        yield connection
