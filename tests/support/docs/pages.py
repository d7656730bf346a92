"""Reads pages of the documentation: their fenced blocks, what comments say about these, links and anchors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>[\w-]*)[^\n]*\n(?P<text>.*?)^(?P=indent)```", re.MULTILINE | re.DOTALL
)
_COMMENT_BEFORE = re.compile(r"<!-- ([^>]*?) -->\s*\Z")
_PLACE = re.compile(r"<!-- place: ([\w+]+) -->")
_INLINE_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+)(?:\s+\"[^\"]*\")?\)")
_HEADING = re.compile(r"^#{1,6} +(.+?)(?: *\{#([\w-]+)\})?$", re.MULTILINE)
_EXPLICIT_ANCHOR = re.compile(r'\bid="([^"]+)"')


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page.

    Attributes:
        page: the file.
        line: number of its first line of text, from 1.
        language: what stands behind the fence; empty without one.
        remark: what the HTML comment right before it says; empty without one.
        start: where its text begins in the page, in characters.
    """

    page: Path
    line: int
    language: str
    text: str
    remark: str
    start: int

    def __str__(self) -> str:
        """Where it is."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def readable_files() -> list[Path]:
    """README, CHANGELOG and every page of the documentation, in a fixed order."""
    top = [ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")]
    return [*(file for file in top if file.exists()), *sorted((ROOT / "docs").rglob("*.md"))]


def blocks_of(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, from top to bottom."""
    text = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        remark = _COMMENT_BEFORE.search(text[: found.start()])
        start = found.start("text")
        line = text.count("\n", 0, start) + 1
        yield Block(page, line, found["language"], found["text"], remark.group(1) if remark else "", start)


def place_of(page: Path) -> str:
    """Name of the place in which the commands of a page run: what a comment at its top says, else ``empty``."""
    found = _PLACE.search(page.read_text(encoding="utf-8"))
    return found.group(1) if found else "empty"


def prose_of(page: Path) -> str:
    """A page without its fenced blocks, with as many lines as it has."""
    text = page.read_text(encoding="utf-8")
    return _FENCE.sub(lambda found: "\n" * found.group().count("\n"), text)


def links_of(page: Path) -> list[str]:
    """The targets of the links and pictures of a page, as they are written."""
    return _LINK.findall(_INLINE_CODE.sub("", prose_of(page)))


def anchors_of(page: Path) -> set[str]:
    """The anchors of the headings of a page, as MkDocs and GitHub both name them, and those that are set by hand."""
    from markdown.extensions.toc import slugify

    text = prose_of(page)
    anchors = set(_EXPLICIT_ANCHOR.findall(text))
    for title, given in _HEADING.findall(text):
        anchors.add(given or slugify(title.replace("`", ""), "-"))
    return anchors
