"""Nobody is shown, counted or told what row security keeps from them, and the rest is answered as without it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.conftest import PostgresDatabase
from tests.support.oracles.secured_answers import EXAMPLES, SecuredPair, check, open_pair
from tests.support.stars.throwaway_database import PROFILE


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredPair]:
    """Made once for all examples."""
    with open_pair(tmp_path_factory.mktemp("secured")) as both:
        yield both


@pytest.fixture(scope="module")
def postgres_pair(
    tmp_path_factory: pytest.TempPathFactory, postgres_database: PostgresDatabase
) -> Iterator[SecuredPair]:
    """The same on PostgreSQL."""
    folder = tmp_path_factory.mktemp("secured")
    with (
        postgres_database("secured_star") as first,
        postgres_database("plain_star") as second,
        open_pair(folder, first, second) as both,
    ):
        yield both


@given(data=st.data())
@settings(PROFILE, max_examples=EXAMPLES, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_answers_are_those_over_the_rows_that_a_reader_sees(pair: SecuredPair, data: st.DataObject) -> None:
    """Random rules, stars, readers and queries."""
    check(pair, data)


@pytest.mark.postgres
@given(data=st.data())
@settings(PROFILE, max_examples=max(EXAMPLES // 4, 1), phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_answers_on_postgres_are_those_over_the_rows_that_a_reader_sees(
    postgres_pair: SecuredPair, data: st.DataObject
) -> None:
    """The same, fenced off in another way."""
    check(postgres_pair, data)
