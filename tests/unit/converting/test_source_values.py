"""What another tool's file has in the wrong shape is a sentence with file and line."""

from __future__ import annotations

import pytest

from airflow_atscale_aggs.engine.converting.source_values import LARGEST, SourceValue, read_source
from airflow_atscale_aggs.engine.errors import ModelFileError

_TEXT = b"name: a\nkind: [1]\nlist: {b: 1}\nnested:\n  word: dya\nitems: [1]\n"


@pytest.fixture
def value() -> SourceValue:
    found = read_source(_TEXT, "x.yml")
    assert found is not None
    return found


def test_what_has_the_wrong_shape_is_told_with_its_place(value: SourceValue) -> None:
    wrong = {
        "x.yml:1: `kind` must be a text, not a list": lambda: value.text("kind"),
        "x.yml:1: `list` must be a list, not a mapping": lambda: value.items("list"),
        "x.yml:1: `items` must be a list of mappings, and has `1`": lambda: list(value.each("items")),
        "x.yml:1: `name` must be a mapping, not `a`": lambda: value.within("name"),
        "x.yml:1: `missing` is missing": lambda: value.name("missing"),
        "x.yml:5: `word` is `dya`, none of day, month. Did you mean `day`?": lambda: (
            value.within("nested") or value
        ).choice("word", ("day", "month")),
    }
    for message, read in wrong.items():
        with pytest.raises(ModelFileError) as error:
            read()
        assert str(error.value) == message


@pytest.mark.parametrize(
    ("data", "file", "message"),
    [
        (b"a: [1", "x.yml", "x.yml:2: this is not valid YAML"),
        (b'{"a": ', "x.json", "x.json:1: this is not valid JSON"),
        (b'{"a": ' * 100_000, "x.json", "x.json: this JSON is nested too deeply"),
        (b"a: 1\nb: \xff\xfe", "x.yml", "x.yml:2: this is no UTF-8 text"),
        (b"a: " + b"[" * 50_000, "x.yml", "x.yml:1: it is nested deeper"),
        (b" " * (LARGEST + 1), "x.yml", "x.yml: larger than 64 MiB"),
        (b"a: &a [*a]", "x.yml", "x.yml:1: "),
    ],
    ids=["yaml", "json", "deep json", "bytes", "deep yaml", "large", "cycle"],
)
def test_broken_files_are_sentences(data: bytes, file: str, message: str) -> None:
    with pytest.raises(ModelFileError) as error:
        read_source(data, file)
    assert str(error.value).startswith(message)


def test_a_list_or_nothing_is_no_mapping() -> None:
    assert read_source(b"", "x.yml") is None
    assert read_source(b"- a", "x.yml") is None
