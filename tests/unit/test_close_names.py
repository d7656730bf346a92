"""Names that a mistyped one may stand for are those that the standard library finds when it compares all."""

from __future__ import annotations

import difflib

from hypothesis import given
from hypothesis import strategies as st

from airflow_atscale_aggs.engine.close_names import close_names

_NAMES = st.text("abc_", max_size=8)


@given(_NAMES, st.lists(_NAMES, max_size=12), st.integers(1, 3))
def test_no_name_is_closer_than_those_that_are_found(name: str, candidates: list[str], most: int) -> None:
    by_name = {candidate: candidate.upper() for candidate in candidates}

    closest = difflib.get_close_matches(name, by_name, n=most, cutoff=0.6)

    assert close_names(name, by_name, most) == tuple(by_name[each] for each in closest)
