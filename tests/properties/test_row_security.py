"""Nobody is shown, counted or told what row security keeps from them, and the rest is answered as without it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace
from tests.support.oracles.secured_answers import EXAMPLES, SecuredPair, check
from tests.support.stars.throwaway_database import PROFILE


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredPair]:
    """On DuckDB."""
    folder: Path = tmp_path_factory.mktemp("secured")
    with (
        open_workspace(registry=f"sqlite:///{folder}/a.db", warehouse=f"duckdb:///{folder}/a.duckdb") as secured,
        open_workspace(registry=f"sqlite:///{folder}/b.db", warehouse=f"duckdb:///{folder}/b.duckdb") as plain,
    ):
        both = SecuredPair(secured, plain, folder)
        both.lay_tables()
        yield both


@given(data=st.data())
@settings(PROFILE, max_examples=EXAMPLES, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_answers_are_those_over_the_rows_that_a_reader_sees(pair: SecuredPair, data: st.DataObject) -> None:
    """Random rules, stars, readers and queries."""
    check(pair, data)
