"""Says things in Markdown: tables, anchors, texts of docstrings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_SECTION = re.compile(r"^(Args|Returns|Raises|Example|Yields|Attributes|Source):\s*$")


def page(title: str, source: str, *parts: str) -> str:
    """A whole page. ``source``: what it is made from."""
    note = f"<!-- Made from {source} by `make reference`. Do not edit: change the code and make it anew. -->"
    return "\n\n".join((f"# {title}", note, *(part.strip("\n") for part in parts if part))) + "\n"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a cell's line ends and bars do not break it. Empty when it has no rows."""
    lines = [f"| {' | '.join(cell(value) for value in row)} |" for row in rows]
    if not lines:
        return ""
    return "\n".join((f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}", *lines))


def cell(text: str) -> str:
    r"""A text as it may stand in a cell.

    >>> cell("a | b\nc")
    'a \\| b c'
    """
    return " ".join(text.split()).replace("|", "\\|")


def code(text: str) -> str:
    """A text as code; empty stays empty."""
    return f"`{text}`" if text else ""


def plain(text: str) -> str:
    """A docstring's text in Markdown: code stands between single marks there.

    >>> plain("``full`` or `x`")
    '`full` or `x`'
    """
    return text.replace("``", "`")


def sections(docstring: str) -> dict[str, str]:
    """A docstring by its headings; what stands before them has the empty one."""
    found: dict[str, list[str]] = {"": []}
    heading = ""
    for line in docstring.splitlines():
        match = _SECTION.match(line)
        if match:
            heading = match[1]
            found[heading] = []
        else:
            found[heading].append(line)
    return {name: "\n".join(lines).strip("\n") for name, lines in found.items()}


def entries(section: str) -> dict[str, str]:
    """The entries of a section of arguments, by name; several names before one colon have the same text."""
    found: dict[str, str] = {}
    names: list[str] = []
    for line in section.splitlines():
        match = re.match(r"^    (\w+(?:, \w+)*): ?(.*)$", line)
        if match:
            names = match[1].split(", ")
            found.update(dict.fromkeys(names, match[2]))
        elif line.strip():
            found.update({name: f"{found[name]} {line.strip()}" for name in names})
    return {name: sentence(plain(text)) for name, text in found.items()}


def sentence(text: str) -> str:
    """A text that begins with a capital and ends with a full stop.

    >>> sentence("seconds between two looks")
    'Seconds between two looks.'
    """
    text = " ".join(text.split())
    if not text:
        return ""
    is_address = re.match(r"\w+://", text)
    return (text if is_address else text[0].upper() + text[1:]) + ("" if text[-1] in ".:?!" else ".")
