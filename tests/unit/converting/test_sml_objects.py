"""What is written is read back as the same, whatever the texts are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_atscale_aggs.engine.converting.sml_objects import SmlObject, as_yaml, comment, sml_texts
from airflow_atscale_aggs.engine.model.yaml_reader import read_yaml

_TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=40)


@given(st.dictionaries(st.sampled_from(["a", "b"]), _TEXT | st.lists(_TEXT, max_size=3) | st.booleans() | st.none()))
def test_texts_survive(value: dict[str, object]) -> None:
    assert read_yaml(as_yaml(value)) == value


@pytest.mark.parametrize(
    "text", ["1e3", "1_000", "yes", "null", "~", "2024-01-01", "0x1F", "- a", "a: b", "# a", "", " a "]
)
def test_texts_that_look_like_something_else_stay_texts(text: str) -> None:
    assert read_yaml(as_yaml({"a": text})) == {"a": text}


def test_a_comment_is_one_line_and_nothing_else() -> None:
    texts = sml_texts(
        [SmlObject({"unique_name": "x", "object_type": "metric"}, ("from a\nobject_type: model\u2028b",))]
    )

    assert read_yaml(texts["metrics/x.yml"]) == {"unique_name": "x", "object_type": "metric"}
    assert comment("a\r\nb") == "# a b"


def test_names_that_differ_in_case_have_files_of_their_own() -> None:
    made = [SmlObject({"unique_name": name, "object_type": "metric"}) for name in ("Net", "net", "../net")]

    assert sorted(sml_texts(made)) == ["metrics/net.yml", "metrics/net_2.yml", "metrics/net_3.yml"]
