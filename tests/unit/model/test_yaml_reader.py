"""Reading YAML: scalars of the JSON schema, lines of mappings, and texts that are refused with a line and a reason."""

from __future__ import annotations

import contextlib
import random

import pytest
import yaml

from airflow_atscale_aggs.engine.model.sml_mapping import SmlMapping
from airflow_atscale_aggs.engine.model.yaml_reader import (
    NotPlainError,
    YamlError,
    depth_at_most,
    read_yaml,
    value_by_events,
    value_by_nodes,
)


def test_mappings_remember_their_lines() -> None:
    value = read_yaml("a:\n  b:\n    c: 1\nlist:\n  - x: 1\n  - x: 2\n")

    assert (value.line, value["a"].line, value["a"]["b"].line) == (1, 2, 3)
    assert [item.line for item in value["list"]] == [5, 6]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("TRUE", True),
        ("1970-01-01 00:00:00", "1970-01-01 00:00:00"),
        ("2026-11-21", "2026-11-21"),
        ("12", 12),
        ("-3", -3),
        ("007", "007"),
        ("1.6", 1.6),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("1.6.1", "1.6.1"),
        ("~", None),
        ("null", None),
        ("", None),
        ("''", ""),
        ("'12'", "12"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        (".inf", ".inf"),
        ("!!int '12'", 12),
        ("!!str 12", "12"),
    ],
)
def test_scalars_follow_the_json_schema(text: str, value: object) -> None:
    """Only null, booleans and decimal numbers are special; dates, yes and no stay text."""
    scalar = read_yaml(f"key: {text}")["key"]

    assert (scalar, type(scalar)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# a comment only\n", None),
        ("a: b\t\nc: d\n", {"a": "b", "c": "d"}),
        ("12: x\ntrue: y\n", {"12": "x", "true": "y"}),
        ("a: &a [1, 2]\nb: [*a, *a]", {"a": [1, 2], "b": [[1, 2], [1, 2]]}),
    ],
    ids=["empty", "comment", "tabs at the end of a line", "keys are texts", "what is written twice"],
)
def test_documents_that_are_read(text: str, value: object) -> None:
    assert read_yaml(text) == value


def test_a_key_that_stands_twice_is_remembered_and_the_last_one_counts() -> None:
    mapping = read_yaml("a: 1\nb: 2\na: 3\n")

    assert isinstance(mapping, SmlMapping)
    assert (mapping["a"], mapping.duplicates) == (3, ("a",))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: [1\nb: 2", 2),
        ("a: b: c", 1),
        ("x: 1\n\t- x", 2),
        ("b: 1\na: *nowhere", 2),
        ("--- 1\n--- 2", 2),
        ("&x [*x]", 1),
    ],
    ids=["unclosed list", "two colons", "tab", "unknown alias", "two documents", "a list in itself"],
)
def test_broken_yaml_is_an_error_with_its_line(text: str, line: int) -> None:
    with pytest.raises(YamlError, match=r"not valid YAML|contains itself") as caught:
        read_yaml(text)

    assert caught.value.line == line


def _doubling(levels: int) -> str:
    """Each list names the one before it eight times."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 8)}]" for level in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        pytest.param(_doubling(30), 6, "aliases", id="aliases of aliases"),
        pytest.param(
            "a: &a " + "x" * 64_000 + "\nb: [" + "*a, " * 200 + "]", 2, "aliases", id="aliases of a long text"
        ),
        pytest.param("[" * 100_000, 1, "nested", id="brackets"),
        pytest.param("[" * 150 + "]" * 150, 1, "nested", id="few brackets"),
        pytest.param("- " * 100_000 + "x", 1, "nested", id="dashes"),
        pytest.param("\ufeff" + "- " * 100_000 + "x", 1, "nested", id="dashes behind a byte order mark"),
        pytest.param("? " * 100_000 + "x", 1, "nested", id="question marks"),
        pytest.param("\n".join(" " * level + "a:" for level in range(3000)), 101, "nested", id="indented"),
        pytest.param("a: 1\nb: " + "9" * 5000, 2, "a number of 5000 characters", id="a number of 5,000 digits"),
        pytest.param('a: 1\nb: "x\\0y"', 2, "NUL", id="NUL in a value"),
        pytest.param('"a\\0": 1', 1, "NUL", id="NUL in a key"),
        pytest.param("a: !!int many", 1, "`many` is not of the type `!!int`", id="a tag that does not fit"),
        pytest.param("a: 1\n? [a]\n: 1", 2, "a key must be a text", id="a list as a key"),
    ],
)
def test_texts_that_cost_too_much_or_cannot_be_kept_are_refused(text: str, line: int, reason: str) -> None:
    """An error with the line, before anything is expanded."""
    with pytest.raises(YamlError, match=reason) as caught:
        read_yaml(text)

    assert caught.value.line == line


def test_depth_and_length_are_counted_exactly() -> None:
    assert read_yaml("[" * 100 + "]" * 100) is not None
    assert read_yaml("a: " + "9" * 40)["a"] == int("9" * 40)
    with pytest.raises(YamlError, match="deeper than 100 levels"):
        read_yaml("[" * 101 + "]" * 101)
    with pytest.raises(YamlError, match="40 are the most"):
        read_yaml("a: " + "9" * 41)


def test_no_text_is_deeper_than_is_told_without_reading_it() -> None:
    """Otherwise libyaml would end the process on a text that was taken for a flat one."""
    signs = [
        "- ",
        "? ",
        ": ",
        "a: ",
        "\n",
        "\n ",
        "\n- ",
        " ",
        "&x ",
        "!t ",
        "a",
        "'",
        "|\n",
        "\t",
        "-",
        "?",
        ":",
        "\r",
    ]
    signs += ["\u2028", "\x85", "---\n", "!!map ", "\ufeff", "\xa0", "[", "]", "{", "}", ", ", "#"]
    draw = random.Random(1)
    deep = 0
    for _ in range(20000):
        text = "".join(draw.choice(signs) for _ in range(draw.randint(2, 20)))
        depth, deepest = 0, 0
        with contextlib.suppress(yaml.YAMLError):
            for event in yaml.parse(text, Loader=yaml.CSafeLoader):
                depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
                deepest = max(deepest, depth)
        assert deepest <= depth_at_most(text), text
        deep += deepest > 2
    assert deep > 20


def test_many_brackets_in_a_text_are_no_depth() -> None:
    """A text that may be too deep is looked at closely, and accepted when it is not."""
    brackets = "[" * 500

    assert read_yaml(f"a: '{brackets}'\nb: [[1]]") == {"a": brackets, "b": [[1]]}


def _described(value: object) -> object:
    """A value with the types of its scalars, the lines of its mappings and the keys that stood there twice."""
    if isinstance(value, SmlMapping):
        return value.line, value.duplicates, [(key, _described(inner)) for key, inner in value.items()]
    return [_described(item) for item in value] if isinstance(value, list) else (type(value), value)


def test_a_text_that_is_read_by_events_means_what_its_nodes_mean() -> None:
    """Whatever events do not read is left to the nodes, which also tell what is wrong."""
    pieces = [
        "a: ",
        "b: ",
        "c:\n",
        "- ",
        "? ",
        "x",
        "true",
        "~",
        "12",
        "1e3",
        "9" * 41,
        "''",
        '"\\0"',
        '"é\\n"',
        "|\n ",
    ]
    pieces += [
        "\n",
        "\n ",
        "\n  ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        " # x\n",
        "&n ",
        "*n",
        "!!int ",
        "! ",
        "<<: ",
        "--- ",
        "...",
    ]
    draw = random.Random(2)
    read = 0
    for _ in range(20000):
        text = "".join(draw.choice(pieces) for _ in range(draw.randint(1, 12)))
        with contextlib.suppress(NotPlainError, yaml.YAMLError):
            value = value_by_events(text)
            read += 1
            assert _described(value) == _described(value_by_nodes(text)), text
    assert read > 1000


@pytest.mark.parametrize(
    "text",
    [
        "&a 1",
        "[&a 1]",
        "{&a a: 1}",
        "!!int 1",
        "{!!str a: 1}",
        "[!!seq []]",
        '"\\0"',
        '{"\\0": 1}',
        "9" * 41,
        "{[a]: 1}",
        "[" * 101 + "]" * 101,
        "--- 1\n--- 2",
    ],
)
def test_what_events_do_not_read_is_left_to_the_nodes(text: str) -> None:
    with pytest.raises(NotPlainError):
        value_by_events(text)
