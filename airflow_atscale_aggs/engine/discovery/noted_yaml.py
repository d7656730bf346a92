"""YAML with comments: mappings and lists, in block style, with sentences above the entries that they explain."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence

import yaml

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

_WIDTH = 110
_ENDLESS = 10**9


@dataclass(frozen=True, slots=True)
class Noted:
    """A value with a comment above it; an empty comment is none."""

    value: object
    note: str


def to_yaml(document: Mapping[str, object], notes: Sequence[str] = ()) -> str:
    """A document with its comments.

    Args:
        notes: sentences at the top.

    >>> print(to_yaml({"name": "yes", "columns": [Noted({"name": "a b"}, "It is a key.")]}, ["About it."]), end="")
    # About it.
    name: 'yes'
    columns:
    # It is a key.
    - name: a b
    """
    lines = [line for note in notes for line in _comment(note, "")]
    return "\n".join([*lines, *_mapping(document, "")]) + "\n"


def _mapping(values: Mapping[str, object], indent: str) -> Iterator[str]:
    for key, noted in values.items():
        value, note = (noted.value, noted.note) if isinstance(noted, Noted) else (noted, "")
        yield from _comment(note, indent)
        if isinstance(value, Mapping) and value:
            yield f"{indent}{_scalar(key)}:"
            yield from _mapping(value, f"{indent}  ")
        elif isinstance(value, (list, tuple)) and value:
            yield f"{indent}{_scalar(key)}:"
            yield from _items(value, indent)
        else:
            yield f"{indent}{_scalar(key)}: {_scalar(value)}"


def _items(values: Sequence[object], indent: str) -> Iterator[str]:
    for noted in values:
        value, note = (noted.value, noted.note) if isinstance(noted, Noted) else (noted, "")
        yield from _comment(note, indent)
        if isinstance(value, Mapping):
            first, *rest = _mapping(value, f"{indent}  ")
            yield f"{indent}- {first.removeprefix(f'{indent}  ')}"
            yield from rest
        else:
            yield f"{indent}- {_scalar(value)}"


def _comment(note: str, indent: str) -> Iterator[str]:
    """A comment cannot end its line early, whatever a name of the warehouse holds."""
    shown = "".join(letter if letter.isprintable() else " " for letter in note)
    for line in textwrap.wrap(shown, _WIDTH - len(indent)):
        yield f"{indent}# {line}"


def _scalar(value: object) -> str:
    """A value on one line, quoted where YAML would read something else."""
    if isinstance(value, str) and not value.isprintable():
        text = yaml.safe_dump(value, width=_ENDLESS, default_style='"')
    else:
        text = yaml.safe_dump(value, width=_ENDLESS, allow_unicode=True, default_flow_style=True)
    return text.removesuffix("\n").removesuffix("...").rstrip("\n")
