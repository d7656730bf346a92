"""Every command on every page is run, from top to bottom, and prints what the page says.

``DOCS_UPDATE=1`` writes what was printed into the pages instead; read the difference before you keep it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.docs.alike import is_alike
from tests.support.docs.commands import Outcome, command_programs
from tests.support.docs.pages import ROOT, blocks_of, place_of, readable_files
from tests.support.docs.places import TUTORIAL, Places
from tests.support.docs.steps import CONSOLE, Step, follow, steps_of

_UPDATE = bool(os.environ.get("DOCS_UPDATE"))
_PAGES = [page for page in readable_files() if any(step.command and not step.reason_not_run for step in steps_of(page))]

_HOME = "/home/ann/shops"
"""What pages say in place of the folder in which the tests run."""

REASONS = {
    "docker": "a Docker engine",
    "systemd": "systemd",
    "network": "a package registry, or another machine",
    "airflow": "a running Airflow: tests/airflow and tests/browser have one",
    "warehouse": "a warehouse that is not here",
    "minutes": "minutes",
    "prompt": "somebody who types at a prompt",
}
"""What a block may need that these tests have not, by the word of its comment, such as ``<!-- not run: docker -->``.

A comment may also say the reason itself, in some words.
"""
_FEWEST_WORDS = 4


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Places]:
    """The places of the pages."""
    with command_programs() as programs:
        yield Places(tmp_path_factory.mktemp("docs"), programs, lambda: str(request.getfixturevalue("postgres_server")))


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_print_what_the_page_says(page: Path, places: Places) -> None:
    """One place for each page, so that its commands see what those above them have done."""
    done, folder = _followed(page, places)
    wrong = [(step, outcome) for step, outcome in done if not _is_as_said(step, outcome)]
    if _UPDATE:
        _update(page, [(step, outcome.output.replace(str(folder), _HOME)) for step, outcome in wrong])
    assert not wrong, "\n".join(_described(*pair) for pair in wrong)


def _followed(page: Path, places: Places) -> tuple[list[tuple[Step, Outcome]], Path]:
    """What each command has printed, and the folder in which they ran. The tutorial runs once, for its end as well."""
    if page == TUTORIAL:
        return places.tutorial(), places.root / "templates" / "shops"
    with places.open(place_of(page), page.stem) as shell:
        return follow(page, shell), shell.folder


def _is_as_said(step: Step, outcome: Outcome) -> bool:
    return outcome.code == step.code and is_alike(step.output, outcome.output, numbers_vary=step.numbers_vary)


def _described(step: Step, outcome: Outcome) -> str:
    ended = "" if outcome.code == step.code else f" (exit code {outcome.code}, not {step.code})"
    return f"{step.block}\n$ {step.command}{ended}\n--- the page says\n{step.output}--- it prints\n{outcome.output}"


def _update(page: Path, printed: list[tuple[Step, str]]) -> None:
    text = page.read_text(encoding="utf-8")
    for step, output in reversed(printed):
        text = text[: step.start] + _tidy(output) + text[step.end :]
    page.write_text(text, encoding="utf-8")


def _tidy(output: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in output.splitlines())


def test_what_is_not_run_has_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    """``DOCS_LIST=1`` prints the list of it."""
    left_out = [step for page in readable_files() for step in steps_of(page) if step.reason_not_run]
    with capsys.disabled():
        for step in left_out if os.environ.get("DOCS_LIST") else ():
            reason = REASONS.get(step.reason_not_run, step.reason_not_run)
            print(f"{step.block}: not run: {reason}: {step.command.splitlines()[0]}")

    reasons = {f"{step.block}: {step.reason_not_run}": step.reason_not_run for step in left_out}
    assert [place for place, reason in reasons.items() if not _is_reason(reason)] == []


def _is_reason(text: str) -> bool:
    return text in REASONS or len(text.split()) >= _FEWEST_WORDS


def test_commands_stand_in_console_blocks() -> None:
    """A block without a language, or of a shell, would be left out by these tests without a word."""
    unnamed = [block for page in readable_files() for block in blocks_of(page) if not block.language]
    hidden = [
        block
        for page in readable_files()
        for block in blocks_of(page)
        if block.language != CONSOLE and block.text.startswith("$ ")
    ]

    assert [str(block) for block in unnamed] == []
    assert [str(block) for block in hidden] == []


@pytest.mark.parametrize(
    ("expected", "printed"),
    [
        ("a  b\n", "a b\n"),
        ("a\n…\nz\n", "a\nb\nc\nz\n"),
        ("…\n", ""),
        ("in 0.1 s\n", "in 12 s\n"),
        ("x … z\n", "x y z\n"),
    ],
)
def test_outputs_that_are_alike(expected: str, printed: str) -> None:
    assert is_alike(expected, printed)


@pytest.mark.parametrize(
    ("expected", "printed"),
    [("1\n", "2\n"), ("a\n", "a\nb\n"), ("a\nb\n", "a\n"), ("a\n…\nz\n", "a\nb\n"), ("", "a\n")],
)
def test_outputs_that_differ(expected: str, printed: str) -> None:
    assert not is_alike(expected, printed)
