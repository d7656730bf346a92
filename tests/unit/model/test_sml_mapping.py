"""Mappings are kept as JSON with everything that the reader of YAML gives: values, types, lines, keys written twice."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from airflow_atscale_aggs.engine.model.sml_mapping import SmlMapping, values_from_json, values_to_json
from airflow_atscale_aggs.engine.model.yaml_reader import read_yaml

_TEXT = """\
unique_name: Größe
empty:
numbers: [1, -2.5, 1e400, 99999999999999999999999999999999999999, "1", true, "true", null, ~]
twice: 1
"": no key
twice: 2
lists:
  - - a
    - {b: [c, {d: e}]}
  - []
nested:
  line: 12
  inner: {}
"""


def _everything(value: Any) -> Any:
    """A value with its types, and what equality of mappings leaves out."""
    if isinstance(value, dict):
        assert type(value) is SmlMapping
        return value.line, value.duplicates, [(key, _everything(inner)) for key, inner in value.items()]
    if isinstance(value, list):
        return [_everything(item) for item in value]
    return type(value), repr(value)


def test_what_was_read_is_what_was_kept() -> None:
    values = {"a.yml": read_yaml(_TEXT), "folder/b.yml": read_yaml("x: &x {y: 1}\nz: *x\n")}

    again = values_from_json(values_to_json(values))

    assert list(again) == list(values)
    assert [_everything(value) for value in again.values()] == [_everything(value) for value in values.values()]
    assert again["a.yml"].duplicates == ("twice",)


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()


@st.composite
def _mappings(draw: st.DrawFn, inner: st.SearchStrategy[Any]) -> SmlMapping:
    keys = st.text().filter(lambda key: "\0" not in key)
    mapping = SmlMapping(draw(st.dictionaries(keys, inner, max_size=4)))
    mapping.line = draw(st.integers(1, 10**6))
    mapping.duplicates = tuple(draw(st.lists(keys, max_size=2)))
    return mapping


_VALUES = st.recursive(_SCALARS, lambda inner: st.lists(inner, max_size=4) | _mappings(inner), max_leaves=12)


@given(_mappings(_VALUES))
def test_any_value_is_kept(value: SmlMapping) -> None:
    assert _everything(values_from_json(values_to_json({"f": value}))["f"]) == _everything(value)
