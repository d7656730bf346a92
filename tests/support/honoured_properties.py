"""A change for each honoured property of SML, to the model that has nearly everything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_FILE = Path(__file__).parents[1] / "cases" / "honoured_properties.txt"
"""A row for each honoured property: its name, a file of the model, and a text of the file that another one replaces."""


@dataclass(frozen=True, slots=True)
class PropertyChange:
    """A text of a file that is replaced by another one, so that one property changes."""

    shape: str
    name: str
    file: str
    old: str
    new: str

    def made_to(self, files: Mapping[str, str]) -> dict[str, str]:
        """The files after the change."""
        assert self.old in files[self.file], f"{self.shape}.{self.name}: {self.file} has no {self.old!r}"
        return {**files, self.file: files[self.file].replace(self.old, self.new, 1)}


def property_changes() -> list[PropertyChange]:
    """All changes, in the order of the file."""
    changes = []
    for line in _FILE.read_text().strip().splitlines():
        place, file, change = line.split(None, 2)
        old, _, new = change.replace(r"\n", "\n").partition(" > ")
        shape, _, name = place.partition(".")
        changes.append(PropertyChange(shape, name, file, old, new))
    return changes
