"""Mappings of SML, which remember their lines, and how they are kept as JSON beside the texts of their files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

VALUES_VERSION = 1
"""Another one is written as soon as the reader of YAML gives another value for some text. Then texts are read again."""

_LINE = "\0"
"""No key of SML: a text with this character is refused."""


class SmlMapping(dict[str, Any]):
    """A YAML mapping and the 1-based line where it begins; ``duplicates`` are keys that stood there twice."""

    __slots__ = ("duplicates", "line")

    line: int
    duplicates: tuple[str, ...]


_WITH_PARTS = {SmlMapping, list}
"""Types of values that hold others."""


def values_to_json(values: Mapping[str, SmlMapping]) -> str:
    """Values by file as a text, with their lines.

    File by file: memory for the pieces of all together would take longer to get than to fill.
    """
    encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
    return f"{{{','.join(f'{encode(file)}:{encode(_with_lines(value))}' for file, value in values.items())}}}"


def values_from_json(text: str) -> dict[str, SmlMapping]:
    """The values by file that `values_to_json` has written."""
    values: dict[str, SmlMapping] = json.loads(text, object_hook=_mapping)
    return values


def _with_lines(value: SmlMapping) -> dict[str, Any]:
    kept: dict[str, Any] = {_LINE: [value.line, *value.duplicates] if value.duplicates else value.line}
    for key, inner in value.items():
        kept[key] = _plain(inner) if type(inner) in _WITH_PARTS else inner
    return kept


def _plain(value: Any) -> Any:
    if type(value) is SmlMapping:
        return _with_lines(value)
    return [_plain(item) if type(item) in _WITH_PARTS else item for item in value]


def _mapping(read: dict[str, Any]) -> dict[str, Any]:
    """A mapping with its line; the outermost one has none, and files for its keys."""
    line = read.pop(_LINE, None)
    if line is None:
        return read
    mapping = SmlMapping(read)
    mapping.line, *duplicates = line if isinstance(line, list) else [line]
    mapping.duplicates = tuple(duplicates)
    return mapping
