"""README, pages, help texts and errors are plain: short sentences, no filler, no known misspelling."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.docs.pages import ROOT, readable_files
from tests.support.docs.prose import error_texts, help_texts, page_sentences, read_rules, sentences_of

_RULES = read_rules()
_SPELLED = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs", "dags", "airflow_atscale_aggs")
_PAGES = [page for page in readable_files() if page.name != "CHANGELOG.md" and "decisions" not in page.parts]
"""A change is a line of the past, and a decision a note of its day: they are spelled, and not measured."""


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_are_plain(page: Path) -> None:
    breaches = [f"{breach}: {said}" for said in page_sentences(page) for breach in _RULES.breaches(said)]

    assert breaches == []


def test_help_texts_are_plain() -> None:
    texts = list(help_texts())

    assert len(texts) > 60, "the help texts are not found any more"
    assert [breach for breach in map(_breach, texts) if breach] == []


def test_errors_are_plain() -> None:
    texts = list(error_texts())

    assert len(texts) > 100, "the sentences of errors are not found any more"
    assert [breach for breach in map(_breach, texts) if breach] == []


def _breach(text: tuple[str, str]) -> str:
    place, said = text
    found = [f"{breach}: {part}" for part in sentences_of(said) for breach in _RULES.breaches(part)]
    return f"{place}: {'; '.join(found)}" if found else ""


def test_nothing_is_misspelled() -> None:
    """Pages and code, by codespell; words that it takes for others stand in `docs/.prose/words.txt`."""
    command = [sys.executable, "-m", "codespell_lib", "--ignore-words", "docs/.prose/words.txt"]
    skipped = "*.svg,*/www/dist/*,*/node_modules/*,package-lock.json,*.png"
    checked = [name for name in _SPELLED if (ROOT / name).exists()]
    done = subprocess.run(
        [*command, "--skip", skipped, *checked], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.stdout + done.stderr == ""


@pytest.mark.parametrize(
    ("said", "breach"),
    [
        ("It just works.", "`just`: write nothing, or `only`"),
        ("A; b; c.", "2 semicolons, at most 1"),
        ("word " * 40, "40 words, at most 35"),
    ],
)
def test_a_breach_is_told(said: str, breach: str) -> None:
    assert list(_RULES.breaches(said)) == [breach]


def test_sentences_end_at_points_and_paragraphs() -> None:
    text = "One thing. Another:\n* `code, code` and [a link](x.md)\n\n| a | table |\n\nThe end"

    assert list(sentences_of(text)) == ["One thing.", "Another:", "Code and a link", "The end"]
