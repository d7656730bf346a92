"""YAML text to plain values that remember their lines. libyaml does the parsing.

Scalars follow js-yaml's JSON schema, as SML's own tools read them: only null, true, false, integers and floats are special;
dates, yes and no stay text.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

import yaml

try:
    from yaml import CSafeLoader as _Loader
except ImportError:  # pragma: no cover - PyYAML built without libyaml
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]


class SmlMapping(dict[str, Any]):
    """A YAML mapping and the 1-based line where it begins; ``duplicates`` are keys that stood there twice."""

    __slots__ = ("duplicates", "line")

    line: int
    duplicates: tuple[str, ...]


class _SmlLoader(_Loader):
    """libyaml with the JSON schema's resolvers only."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = {}  # type: ignore[misc]


for _tag, _pattern, _first in (
    ("null", r"(?:~|null|Null|NULL|)\Z", ["~", "n", "N", ""]),
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)\Z", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)\Z", list("-+0123456789")),
    (
        "float",
        r"[-+]?(?:(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)\Z",
        list("-+.0123456789"),
    ),
):
    _SmlLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _first)


class YamlError(Exception):
    """The text is no YAML, or more than one document. Facts: line, reason."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(line, reason)
        self.line, self.reason = line, reason


def read_yaml(text: str) -> Any:
    """The value of a YAML document; mappings are `SmlMapping`, an empty text is None.

    Raises:
        YamlError: broken YAML, several documents, or a structure that contains itself.
    """
    try:
        loader = _SmlLoader(text)
    except yaml.YAMLError as error:
        raise _as_error(error) from error
    try:
        node = loader.get_single_node()
        return None if node is None else _value(node, ())
    except yaml.YAMLError as error:
        raise _as_error(error) from error
    except RecursionError as error:
        raise YamlError(1, "nested too deep") from error
    finally:
        loader.dispose()


def _value(node: yaml.Node, above: tuple[yaml.Node, ...]) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node)
    if node in above:
        raise YamlError(node.start_mark.line + 1, "an alias contains itself")
    inside = (*above, node)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, inside) for item in node.value]
    mapping = SmlMapping()
    mapping.line = node.start_mark.line + 1
    twice: list[str] = []
    for key_node, value_node in node.value:
        key = str(key_node.value)
        if key in mapping:
            twice.append(key)
        mapping[key] = _value(value_node, inside)
    mapping.duplicates = tuple(twice)
    return mapping


def _scalar(node: yaml.ScalarNode) -> Any:
    kind, text = node.tag.rpartition(":")[2], node.value
    match kind:
        case "str":
            return text
        case "int":
            return int(text)
        case "bool":
            return text.casefold() == "true"
        case "null":
            return None
        case "float":
            return float(text)
    return text


def _as_error(error: yaml.YAMLError) -> YamlError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    reason = getattr(error, "problem", None) or str(error).splitlines()[0]
    return YamlError(mark.line + 1 if mark else 0, f"this is not valid YAML: {reason}")
