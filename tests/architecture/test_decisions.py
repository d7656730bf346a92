"""Decisions are found by their number."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

_DECISIONS = sorted((Path(__file__).parents[2] / "docs" / "decisions").glob("*.md"))


def test_each_decision_has_a_number_of_its_own() -> None:
    numbers = [int(path.name[:4]) for path in _DECISIONS]
    assert [number for number, times in Counter(numbers).items() if times > 1] == []
    assert numbers == list(range(1, len(numbers) + 1))


def test_each_decision_says_its_number() -> None:
    for path in _DECISIONS:
        assert path.read_text(encoding="utf-8").startswith(f"# {int(path.name[:4])}. "), path.name
