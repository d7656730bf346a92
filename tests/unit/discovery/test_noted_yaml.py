"""YAML with comments reads as the values that were written."""

from __future__ import annotations

import yaml
from hypothesis import given
from hypothesis import strategies as st

from airflow_atscale_aggs.engine.discovery.noted_yaml import Noted, to_yaml

_SCALARS = st.one_of(st.text(), st.booleans(), st.integers(), st.just("yes"), st.just("1e3"), st.just("# no"))
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner.filter(lambda value: not isinstance(value, list)), max_size=3),
        st.dictionaries(st.text(min_size=1, max_size=20), inner, min_size=1, max_size=3),
    ),
    max_leaves=8,
)


@given(document=st.dictionaries(st.text(min_size=1, max_size=20), _VALUES, min_size=1, max_size=4), note=st.text())
def test_what_is_written_is_read_again(document: dict[str, object], note: str) -> None:
    noted = {key: Noted(value, note) for key, value in document.items()}

    assert yaml.safe_load(to_yaml(noted, [note])) == document


def test_comments_stand_above_what_they_explain() -> None:
    text = to_yaml({"columns": [Noted({"name": "a", "key": ["b"]}, "Why\nso.")]}, ["Top."])

    assert text == "# Top.\ncolumns:\n# Why so.\n- name: a\n  key:\n  - b\n"
