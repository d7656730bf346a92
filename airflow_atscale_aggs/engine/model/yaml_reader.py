"""Reads YAML text into plain values that remember their lines. libyaml does the parsing.

Scalars follow js-yaml's JSON schema, as SML's own tools read them: only null, true, false, integers and floats are
special; dates, yes and no stay text. The depth of nesting and the number of values behind aliases are limited.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ClassVar

import yaml

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.sml_mapping import SmlMapping

try:
    from yaml import CSafeLoader as _Loader
except ImportError:  # pragma: no cover - PyYAML built without libyaml
    # Both loaders have what is used here, but no class in common that has it.
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]


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


_BEFORE_NO_TEXT = frozenset(_SmlLoader.yaml_implicit_resolvers)
"""What values that are no texts begin with."""

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
        return value_by_events(text)
    except (NotPlainError, yaml.YAMLError):
        # Reading it again tells what is wrong, and on which line.
        return value_by_nodes(text)


class NotPlainError(Exception):
    """A text that is read by its nodes, which can be named twice and which tell what is wrong."""


def value_by_events(text: str) -> Any:
    """The value of a text without anchors and tags, as `value_by_nodes` gives it, which takes a third longer.

    Without aliases a text cannot stand for more values than are written in it, so nothing has to be counted.

    Raises:
        NotPlainError: the text has one of these, is nested too deep, or has what SML may not have.
        YAMLError: the text is no YAML.
    """
    next_event = _SmlLoader(text).get_event
    next_event()  # the stream begins
    if isinstance(next_event(), yaml.StreamEndEvent):
        return None
    value = _next_value(next_event(), next_event, _DEEPEST)
    next_event()  # the document ends
    if not isinstance(next_event(), yaml.StreamEndEvent):
        raise NotPlainError
    return value


def _next_value(event: Any, next_event: Callable[[], Any], levels_left: int) -> Any:
    """The value that begins with an event, and which may have some levels of nesting."""
    kind = type(event)
    if kind is yaml.ScalarEvent:
        value = _text_without_tag(event)
        return _typed_by_look(value) if event.implicit[0] else value
    if kind is yaml.AliasEvent or event.anchor is not None or event.tag is not None or not levels_left:
        raise NotPlainError
    if kind is yaml.MappingStartEvent:
        return _next_mapping(event, next_event, levels_left - 1)
    values = []
    while type(event := next_event()) is not yaml.SequenceEndEvent:
        values.append(_next_value(event, next_event, levels_left - 1))
    return values


def _next_mapping(start: Any, next_event: Callable[[], Any], levels_left: int) -> SmlMapping:
    mapping = SmlMapping()
    mapping.line = start.start_mark.line + 1
    twice: list[str] = []
    while type(event := next_event()) is not yaml.MappingEndEvent:
        if type(event) is not yaml.ScalarEvent:
            raise NotPlainError
        key = _text_without_tag(event)
        if key in mapping:
            twice.append(key)
        event = next_event()
        if type(event) is yaml.ScalarEvent:
            # Most values are texts. One call less for each spares a tenth of the time.
            value = _text_without_tag(event)
            mapping[key] = _typed_by_look(value) if event.implicit[0] and value[:1] in _BEFORE_NO_TEXT else value
        else:
            mapping[key] = _next_value(event, next_event, levels_left)
    mapping.duplicates = tuple(twice)
    return mapping


def _text_without_tag(event: yaml.ScalarEvent) -> str:
    value: str = event.value
    if event.anchor is not None or event.tag is not None or "\0" in value:
        raise NotPlainError
    return value


def _typed_by_look(text: str) -> Any:
    """The value of a text that stands without quotes, and which may be of another type by its first character."""
    for tag, pattern in _SmlLoader.yaml_implicit_resolvers.get(text[:1], ()):
        if pattern.match(text):
            if len(text) > _LONGEST_NUMBER:
                raise NotPlainError
            return _typed(tag.rpartition(":")[2], text)
    return text


def value_by_nodes(text: str) -> Any:
    """The value of any text. Raises as `read_yaml`."""
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
        return _typed(kind, text)
    except ValueError as error:
        # A tag was written that the text does not fit.
        raise YamlError(node.start_mark.line + 1, f"`{text}` is not of the type `!!{kind}`") from error


def _typed(kind: str, text: str) -> Any:
    """The value of a text of a YAML type. Raises ValueError where it is none of that type."""
    match kind:
        case "int":
            return int(text)
        case "bool":
            return text.casefold() == "true"
        case "null":
            return None
        case "float":
            return float(text)
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
