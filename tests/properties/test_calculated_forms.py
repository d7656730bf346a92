"""Calculated metrics of every form: routed answer = base answer = plain Python, or refused where the oracle says so."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.oracles.calculated_answers import check
from tests.support.stars.throwaway_database import PROFILE, Database

EXAMPLES = 4 * int(os.environ.get("FUZZ_EXAMPLES", "15"))
POSTGRES_EXAMPLES = max(EXAMPLES // 10, 1)


@given(data=st.data())
@settings(PROFILE, max_examples=EXAMPLES)
def test_forms_equal_plain_python_on_duckdb(on_duckdb: Database, data: st.DataObject) -> None:
    """The answers come from the facts and from each aggregate that matches."""
    check(on_duckdb, data)


@pytest.mark.postgres
@given(data=st.data())
@settings(PROFILE, max_examples=POSTGRES_EXAMPLES)
def test_forms_equal_plain_python_on_postgres(on_postgres: Database, data: st.DataObject) -> None:
    """The same on PostgreSQL."""
    check(on_postgres, data)
