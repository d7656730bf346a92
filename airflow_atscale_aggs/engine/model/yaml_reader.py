"""Reads YAML text into plain values that remember their lines. libyaml does the parsing.

Scalars follow js-yaml's JSON schema, as SML's own tools read them: only null, true, false, integers and floats are
special; dates, yes and no stay text. The depth of nesting and the number of values behind aliases are limited.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

import yaml

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

try:
    from yaml import CSafeLoader as _Loader
except ImportError:  # pragma: no cover - PyYAML built without libyaml
    # Both loaders have what is used here, but no class in common that has it.
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]


class SmlMapping(dict[str, Any]):
    """A YAML mapping and the 1-based line where it begins; ``duplicates`` are keys that stood there twice."""

    __slots__ = ("duplicates", "line")

    line: int
    duplicates: tuple[str, ...]


class _SmlLoader(_Loader):
    """libyaml with the JSON schema's resolvers only."""

    # PyYAML's stubs declare it without ClassVar.
    yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = {}  # type: ignore[misc]

    def resolve(self, kind: type[yaml.Node], value: str | None, implicit: Any) -> str:
        """The tag of a node that is written without one.

        PyYAML asks this for every node. Its own way is made for resolvers that depend on the path, of which SML has
        none, and takes a fifth of the time of reading a folder.
        """
        if kind is yaml.ScalarNode:
            if value is not None and implicit[0]:
                for tag, pattern in self.yaml_implicit_resolvers.get(value[:1], ()):
                    if pattern.match(value):
                        return tag
            return self.DEFAULT_SCALAR_TAG
        return self.DEFAULT_MAPPING_TAG if kind is yaml.MappingNode else self.DEFAULT_SEQUENCE_TAG

    def descend_resolver(self, current_node: yaml.Node | None, current_index: Any) -> None:
        """Nothing: no resolver depends on the path."""

    def ascend_resolver(self) -> None:
        """Nothing, as above."""


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


_DEEPEST = 100
"""The most levels of nesting. SML needs about a dozen."""

_SAFE_DEPTH = 800
"""Texts below this depth are safe. libyaml works by recursion and ends the process at about ten thousand levels."""

_BEFORE_LEVELS = " \t-?:\ufeff"
"""What may stand in a line before the beginning of a list or mapping without brackets; libyaml skips U+FEFF."""

_LONGEST_NUMBER = 40
"""The most characters of a number. Warehouses have 38 digits; Python refuses to read several thousand."""

_MOST_BY_ALIASES = 100_000
"""The number of values that the aliases of one text may stand for, besides the values that are written in it."""

_WEIGHT = 64
"""This many characters of a text count as one more value."""


class YamlError(Exception):
    """The text is no YAML, or has something that SML may not have. Arguments: line, reason."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(line, reason)
        self.line, self.reason = line, reason


def read_yaml(text: str) -> Any:
    """The value of a YAML document; mappings are `SmlMapping`, an empty text is None.

    Raises:
        YamlError: broken YAML, several documents, a structure that contains itself, is nested too deep or stands for
            too much by its aliases, a number that is too long, or a text with a NUL character.
    """
    try:
        _check_depth(text)
        loader = _SmlLoader(text)
    except yaml.YAMLError as error:
        raise _as_error(error) from error
    try:
        node = loader.get_single_node()
        return None if node is None else _Values(_MOST_BY_ALIASES + len(text)).value(node, ())
    except yaml.YAMLError as error:
        raise _as_error(error) from error
    finally:
        loader.dispose()


def _check_depth(text: str) -> None:
    """Refuse a text that is nested too deeply. A text that may be too deep is read event by event."""
    if depth_at_most(text) < _SAFE_DEPTH:
        return
    depth = 0
    for event in yaml.parse(text, Loader=_SmlLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                raise _too_deep(event.start_mark.line if event.start_mark else 0)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def depth_at_most(text: str) -> int:
    """No text is nested deeper than this, found without reading it as YAML.

    Without brackets, each level begins further to the right than the one above it, behind nothing but spaces and the
    signs of lists and keys; or a list begins where the mapping around it does. Each bracket may have one mapping more
    inside, as `[a: 1]` has. The text behind them may be long.
    """
    brackets = text.count("[") + text.count("{")
    columns = max((len(line) - len(line.lstrip(_BEFORE_LEVELS)) for line in text.splitlines()), default=0)
    return 2 * (brackets + columns) + 1


def _too_deep(line: int) -> YamlError:
    return YamlError(line + 1, f"it is nested deeper than {_DEEPEST} levels")


@dataclass(slots=True)
class _Values:
    """Makes the values of nodes. An alias is the node that it names, so its values are made and counted again.

    Attributes:
        left: values that may still be made.
        line: of the top-level key that is being read.
    """

    values_left: int
    line: int = 1

    def value(self, node: yaml.Node, above: tuple[yaml.Node, ...]) -> Any:
        """The value of a node and all below it."""
        self.values_left -= 1
        if self.values_left < 0:
            reason = f"its aliases (`*name`) stand for more than {_MOST_BY_ALIASES:,} values; write out what is meant"
            raise YamlError(self.line, reason)
        if isinstance(node, yaml.ScalarNode):
            self.values_left -= len(node.value) // _WEIGHT
            return _scalar(node)
        if node in above:
            raise YamlError(node.start_mark.line + 1, "an alias contains itself")
        if len(above) >= _DEEPEST:
            raise _too_deep(node.start_mark.line)
        inside = (*above, node)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, inside) for item in node.value]
        return self._mapping(node, inside)

    def _mapping(self, node: yaml.Node, inside: tuple[yaml.Node, ...]) -> SmlMapping:
        mapping = SmlMapping()
        mapping.line = node.start_mark.line + 1
        twice: list[str] = []
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise YamlError(key_node.start_mark.line + 1, "a key must be a text, not a list or a mapping")
            key = str(_text_of(key_node))
            if len(inside) == 1:
                self.line = key_node.start_mark.line + 1
            if key in mapping:
                twice.append(key)
            mapping[key] = self.value(value_node, inside)
        mapping.duplicates = tuple(twice)
        return mapping


def _scalar(node: yaml.ScalarNode) -> Any:
    kind, text = node.tag.rpartition(":")[2], _text_of(node)
    if kind in {"int", "float"} and len(text) > _LONGEST_NUMBER:
        reason = (
            f"a number of {len(text)} characters; {_LONGEST_NUMBER} are the most. Put quotes around it if it is a text"
        )
        raise YamlError(node.start_mark.line + 1, reason)
    try:
        match kind:
            case "int":
                return int(text)
            case "bool":
                return text.casefold() == "true"
            case "null":
                return None
            case "float":
                return float(text)
    except ValueError as error:
        # A tag was written that the text does not fit.
        raise YamlError(node.start_mark.line + 1, f"`{text}` is not of the type `!!{kind}`") from error
    return text


def _text_of(node: yaml.ScalarNode) -> str:
    """The text of a scalar. A text with a NUL character is refused, since no database can store it."""
    text: str = node.value
    if "\0" in text:
        raise YamlError(
            node.start_mark.line + 1, "a text holds a NUL character, which no warehouse and no registry keeps"
        )
    return text


def _as_error(error: yaml.YAMLError) -> YamlError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    reason = getattr(error, "problem", None) or str(error).splitlines()[0]
    return YamlError(mark.line + 1 if mark else 0, f"this is not valid YAML: {reason}")
