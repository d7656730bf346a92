"""Compares what a command printed with what a page says that it prints, without what differs from run to run."""

from __future__ import annotations

import re
from collections.abc import Sequence

MORE = "…"
"""Alone in a line: any number of lines. Within a line: any text."""

_BAR = "▕"
"""In DuckDB's progress bar, which shows where a statement takes longer than two seconds."""

_VOLATILE = (
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "ID"),
    (re.compile(r"\bas_agg_[0-9a-f]{8}_"), "as_agg_ID_"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?"), "TIME"),
    (re.compile(r"~?-?\b\d+(\.\d+)? (s|ms|min)\b"), "SECONDS"),
    (re.compile(r"~?-?\b\d+\.\d{3}(?!\d)"), "SECONDS"),
    (re.compile(r"(?<=127\.0\.0\.1:)\d+"), "PORT"),
    (re.compile(r"/(?:tmp|home|work|opt)/[^\s`'\",:)]*"), "PATH"),
)
_NUMBER = re.compile(r"~?-?\b\d[\d.,]*|SECONDS")
_SPACES = re.compile(r"[ \t]+")
_RULE = re.compile(r"-{3,}|─{3,}")


def without_volatile(line: str) -> str:
    """A line whose ids, times, seconds, ports, paths and widths of columns are the same in each run.

    >>> without_volatile("Activated 3 aggregates in 1.2 s (batch 91ed0f15-33e2-44e2-b595-27505d35dcbc).")
    'Activated 3 aggregates in SECONDS (batch ID).'
    """
    for pattern, word in _VOLATILE:
        line = pattern.sub(word, line)
    return _SPACES.sub(" ", _RULE.sub("---", line)).strip()


def is_alike(expected: str, printed: str, *, numbers_vary: bool = False) -> bool:
    """Whether a page's output is what was printed; ``numbers_vary``: any number stands for any other."""
    return _matches(_lines(expected, numbers_vary), _lines(printed, numbers_vary))


def _lines(text: str, numbers_vary: bool) -> list[str]:
    lines = [line for line in map(without_volatile, text.splitlines()) if line and _BAR not in line]
    return [_NUMBER.sub("N", line) for line in lines] if numbers_vary else lines


def _matches(expected: Sequence[str], printed: Sequence[str]) -> bool:
    """The lines one by one; behind an ellipsis the next expected line is looked for at every later place."""
    if not expected:
        return not printed
    if expected[0] == MORE:
        return any(_matches(expected[1:], printed[start:]) for start in range(len(printed) + 1))
    return bool(printed) and _is_line(expected[0], printed[0]) and _matches(expected[1:], printed[1:])


def _is_line(expected: str, printed: str) -> bool:
    if MORE not in expected:
        return expected == printed
    return re.fullmatch(".*".join(map(re.escape, expected.split(MORE))), printed) is not None
