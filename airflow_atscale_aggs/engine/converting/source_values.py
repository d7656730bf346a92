"""Reads values out of another tool's YAML or JSON. What has the wrong shape is a sentence with file and line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from airflow_atscale_aggs.engine.errors import ModelFileError, near_names
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.model.sml_mapping import SmlMapping
from airflow_atscale_aggs.engine.model.yaml_reader import YamlError, read_yaml

LARGEST = 64 * 1024 * 1024
"""Bytes of a file. A manifest of ten thousand metrics has about 20 MB."""

_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class SourceValue:
    """A mapping of a source file.

    Attributes:
        value: what stands there.
        file: the file, for messages.
        line: 1-based; 0: not known.
    """

    value: Mapping[str, Any]
    file: str
    line: int = 0

    @property
    def where(self) -> str:
        """``file:line``, or the file alone."""
        return f"{self.file}:{self.line}" if self.line else self.file

    def error(self, reason: str) -> ModelFileError:
        """An error at this place."""
        return ModelFileError(self.file, self.line, reason)

    def has(self, key: str) -> bool:
        """Whether the key has a value."""
        return self.value.get(key) is not None

    def text(self, key: str) -> str:
        """A text; numbers and booleans as they are written; empty when there is none.

        Raises:
            ModelFileError: it is a list or a mapping.
        """
        found = self.value.get(key)
        if found is None:
            return ""
        if isinstance(found, bool):
            return "true" if found else "false"
        if not isinstance(found, (str, int, float)):
            raise self.error(f"`{key}` must be a text, not {_kind(found)}")
        return str(found).strip()

    def name(self, key: str = "name") -> str:
        """A text that must be there, on one line.

        Raises:
            ModelFileError: it is missing, or no name.
        """
        found = self.text(key)
        if not found:
            raise self.error(f"`{key}` is missing")
        if len(found) > _LONGEST_NAME or not found.isprintable():
            raise self.error(f"`{key}` is no name: it must be printable, on one line, of {_LONGEST_NAME} characters")
        return found

    def flag(self, key: str) -> bool:
        """Whether it is true; one of the texts ``true`` and ``false`` is taken for what it says."""
        return self.text(key).casefold() == "true"

    def choice(self, key: str, allowed: tuple[str, ...]) -> str:
        """One of several words, in lower case; empty when there is none.

        Raises:
            ModelFileError: another word.
        """
        found = self.text(key).casefold()
        if found and found not in allowed:
            near = near_names(found, allowed)
            hint = f" Did you mean `{near[0]}`?" if near else ""
            raise self.error(f"`{key}` is `{found}`, none of {', '.join(allowed)}.{hint}")
        return found

    def within(self, key: str) -> SourceValue | None:
        """A mapping inside; None when there is none.

        Raises:
            ModelFileError: it is no mapping.
        """
        found = self.value.get(key)
        if found is None:
            return None
        if not isinstance(found, dict):
            raise self.error(f"`{key}` must be a mapping, not {_kind(found)}")
        return SourceValue(found, self.file, getattr(found, "line", 0) or self.line)

    def each(self, key: str) -> Iterator[SourceValue]:
        """The mappings of a list.

        Raises:
            ModelFileError: it is no list, or something in it is no mapping.
        """
        for item in self.items(key):
            if not isinstance(item, dict):
                raise self.error(f"`{key}` must be a list of mappings, and has {_kind(item)}")
            yield SourceValue(item, self.file, getattr(item, "line", 0) or self.line)

    def items(self, key: str) -> list[Any]:
        """A list; empty when there is none.

        Raises:
            ModelFileError: it is no list.
        """
        found = self.value.get(key)
        if found is None:
            return []
        if not isinstance(found, list):
            raise self.error(f"`{key}` must be a list, not {_kind(found)}")
        return found

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts, or a single one.

        Raises:
            ModelFileError: something else.
        """
        found = self.value.get(key)
        items = [found] if isinstance(found, (str, int)) else self.items(key)
        if any(not isinstance(item, (str, int)) for item in items):
            raise self.error(f"`{key}` must be a list of texts")
        return tuple(str(item) for item in items)


def read_source(data: bytes, file: str) -> SourceValue | None:
    """The mapping of a YAML or JSON file; None when it is empty or is something else.

    Raises:
        ModelFileError: no text, too large, or broken YAML or JSON.
    """
    if len(data) > LARGEST:
        raise ModelFileError(file, 0, f"larger than {LARGEST // 1024 // 1024} MiB, so it is not read")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ModelFileError(file, data.count(b"\n", 0, error.start) + 1, "this is no UTF-8 text") from error
    value = _read_json(text, file) if file.endswith(".json") else _read_yaml(text, file)
    return SourceValue(value, file, getattr(value, "line", 0)) if isinstance(value, dict) else None


def _read_json(text: str, file: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ModelFileError(file, error.lineno, f"this is not valid JSON: {error.msg}") from error
    except (RecursionError, ValueError) as error:
        raise ModelFileError(file, 0, "this JSON is nested too deeply, or has a number that is too long") from error


def _read_yaml(text: str, file: str) -> SmlMapping | Any:
    try:
        return read_yaml(text)
    except YamlError as error:
        raise ModelFileError(file, error.line, error.reason) from error


def _kind(value: object) -> str:
    if isinstance(value, list):
        return "a list"
    return "a mapping" if isinstance(value, dict) else f"`{str(value)[:60]}`"
