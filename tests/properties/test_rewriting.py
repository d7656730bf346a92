"""Law 1: a query answered from any aggregate that matches gives the answer of the facts, and of plain Python.

The oracle computes answers row by row; it shares no code with the router. Every aggregate of an example is tried by
itself, so that dear ones are tested as well, and the index is compared with a loop over all of them.
"""

from __future__ import annotations

import pytest
from hypothesis import Phase, event, given, settings
from hypothesis import strategies as st

from airflow_atscale_aggs.engine.errors import PermanentWarehouseError
from tests.support.oracles.routed_answers import CLICKHOUSE_EXAMPLES, EXAMPLES, POSTGRES_EXAMPLES, SAIL_EXAMPLES, check
from tests.support.stars.throwaway_database import PROFILE, Database

_REFUSED_BY_SAIL = ("Error during planning", "Invalid argument error", "Internal error", "No field named")
"""How its planner's own errors begin: of columns behind an outer join that must not be NULL, of windows, of
``SUM(COUNT(*)) OVER ()`` without GROUP BY. An answer is right, or there is none."""


@given(data=st.data())
@settings(PROFILE, max_examples=EXAMPLES)
def test_routed_answers_equal_the_facts_on_duckdb(on_duckdb: Database, data: st.DataObject) -> None:
    """Routed answer = base answer = plain Python, on DuckDB."""
    check(on_duckdb, data)


@given(data=st.data())
@settings(PROFILE, max_examples=SAIL_EXAMPLES, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_routed_answers_equal_the_facts_on_sail(on_sail: Database, data: st.DataObject) -> None:
    """Routed answer = base answer = plain Python, on Sail, as on Spark; or Sail refuses what Spark knows."""
    try:
        check(on_sail, data)
    except PermanentWarehouseError as error:
        if not error.reason.startswith(_REFUSED_BY_SAIL):
            raise
        event("refused by Sail")


@given(data=st.data())
@settings(PROFILE, max_examples=CLICKHOUSE_EXAMPLES, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_routed_answers_equal_the_facts_on_clickhouse(on_clickhouse: Database, data: st.DataObject) -> None:
    """Routed answer = base answer = plain Python, on ClickHouse."""
    check(on_clickhouse, data)


@pytest.mark.postgres
@given(data=st.data())
@settings(PROFILE, max_examples=POSTGRES_EXAMPLES)
def test_routed_answers_equal_the_facts_on_postgres(on_postgres: Database, data: st.DataObject) -> None:
    """Routed answer = base answer = plain Python, on PostgreSQL."""
    check(on_postgres, data)
