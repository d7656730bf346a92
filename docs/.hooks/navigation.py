"""Expands patterns in the navigation of mkdocs.yml, so that a new decision or a generated page needs no line there."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)


def on_config(config: Any) -> Any:
    """Replace each pattern by the pages that it names and that no other entry names."""
    folder = Path(config["docs_dir"])
    pages = sorted(str(file.relative_to(folder)) for file in folder.rglob("*.md"))
    named = {entry for entry in _entries(config["nav"]) if "*" not in entry}
    config["nav"] = _expand(config["nav"], folder, [page for page in pages if page not in named])
    return config


def _entries(nav: Any) -> Iterator[str]:
    match nav:
        case str():
            yield nav
        case list():
            for entry in nav:
                yield from _entries(entry)
        case dict():
            for entry in nav.values():
                yield from _entries(entry)


def _expand(nav: list[Any], folder: Path, unnamed: list[str]) -> list[Any]:
    """A list of the navigation without patterns. A pattern that names nothing leaves nothing behind.

    Args:
        unnamed: pages that no entry names yet; those that a pattern takes are removed.
    """
    expanded: list[Any] = []
    for entry in nav:
        if isinstance(entry, dict):
            lists = {title: below for title, below in entry.items() if isinstance(below, list)}
            expanded.append(entry | {title: _expand(below, folder, unnamed) for title, below in lists.items()})
        elif "*" in entry:
            for page in [page for page in unnamed if _is_meant(page, entry)]:
                unnamed.remove(page)
                expanded.append({_title(folder / page): page})
        else:
            expanded.append(entry)
    return expanded


def _is_meant(page: str, pattern: str) -> bool:
    return page.count("/") == pattern.count("/") and fnmatch.fnmatchcase(page, pattern)


def _title(page: Path) -> str:
    found = _TITLE.search(page.read_text(encoding="utf-8"))
    return found.group(1).replace("`", "") if found else page.stem
