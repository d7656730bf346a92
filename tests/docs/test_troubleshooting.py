"""Every error, warning, refusal and reason has a passage, every passage is of one, and its sentence is still said."""

from __future__ import annotations

import ast
import functools
import gc
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest

from airflow_atscale_aggs.cli.main import cli
from airflow_atscale_aggs.engine import errors as engine_errors
from airflow_atscale_aggs.engine.rewriting.match.miss import Miss
from airflow_atscale_aggs.engine.troubleshooting.passages import (
    DEFECT,
    OPERATING_SYSTEM,
    SUBJECTS,
    USAGE,
    Passage,
    all_passages,
    class_code,
    miss_code,
)
from airflow_atscale_aggs.server.sql_errors import _STATES
from airflow_atscale_aggs.signals import errors as signal_errors

_PACKAGE = Path(engine_errors.__file__).parents[1]
_FOLDER = _PACKAGE / "engine" / "troubleshooting"
_OWN = {DEFECT, OPERATING_SYSTEM, USAGE}
_BY_AIRFLOW = {"airflow", "airflow-not-found"}
_STATE = re.compile(r"[0-9A-Z]{5}")
_HOW = "Write a passage into a file of engine/troubleshooting/, then run `make reference`."


@functools.cache
def _trees() -> dict[str, ast.Module]:
    files = sorted(file for file in _PACKAGE.rglob("*.py") if "node_modules" not in file.parts)
    # The collector would look at a million nodes again and again, none of which is garbage.
    gc.disable()
    try:
        return {str(file.relative_to(_PACKAGE)): ast.parse(file.read_text(encoding="utf-8")) for file in files}
    finally:
        gc.enable()


@functools.cache
def _nodes() -> tuple[list[tuple[str, str, ast.Call]], list[str]]:
    """(file, name of what is called, call) of every call, and every text with a mark in place of what is filled in."""
    calls, texts = [], []
    for file, tree in _trees().items():
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
                    calls.append((file, name, node))
                case ast.JoinedStr():
                    texts.append("".join(_part(part) for part in node.values))
                case ast.Constant(value=str(text)):
                    texts.append(text)
    return calls, texts


def _part(part: ast.expr) -> str:
    return part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else "\0"


def _calls(*rooms: str) -> Iterator[tuple[str, ast.Call]]:
    """(name of what is called, call) of every call in some rooms."""
    return ((name, call) for file, name, call in _nodes()[0] if file.startswith(rooms))


def _constants(file: str) -> dict[str, str]:
    """The names of texts that a module defines."""
    return {
        node.targets[0].id: node.value.value
        for node in _trees()[file].body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }


def _classes(module: ModuleType) -> Iterator[str]:
    """Codes of the errors that a module defines, without roots that others derive from and nobody raises."""
    raised = {name for name, _ in _calls("")}
    kinds = [
        kind
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Exception) and kind.__module__ == module.__name__
    ]
    for kind in kinds:
        is_root = any(other is not kind and issubclass(other, kind) for other in kinds)
        if not is_root or kind.__name__ in raised:
            yield class_code(kind.__name__)


def _issues() -> set[str]:
    """Codes of the issues of models."""
    codes = set()
    for name, call in _calls("engine/model/", "engine/aggregates/", "engine/lifecycle/deploy/"):
        is_noted = name in {"error", "warning", "note"} or "issues.warning" in ast.unparse(call.func)
        if is_noted and len(call.args) == 3 and isinstance(call.args[1], ast.Constant):
            codes.add(str(call.args[1].value))
    named = _constants("engine/model/validation.py")
    return codes | {named["MISSING_PACKAGE"], named["_UNRESOLVED"]}


def _problems() -> set[str]:
    """Kinds of the problem details that are not errors of the engine."""
    kinds = set(re.findall(r'HTTPStatus\.\w+: "([a-z-]+)"', (_PACKAGE / "plugins/api/problems.py").read_text("utf-8")))
    for name, call in _calls("plugins/api/"):
        given = [call.args[2]] if name == "ProblemError" and len(call.args) > 2 else []
        given += [keyword.value for keyword in call.keywords if name == "problem_response" and keyword.arg == "kind"]
        kinds |= {str(value.value) for value in given if isinstance(value, ast.Constant)}
    return kinds


def _states() -> set[str]:
    """SQLSTATEs that `serve` gives by itself, and not for an error of the engine."""
    states = {state for kind, state in _STATES if not issubclass(kind, engine_errors.AtScaleAggsError)}
    for name, call in _calls("server/"):
        if name == "error_response" and isinstance(call.args[0], ast.Constant):
            states.add(str(call.args[0].value))
    for node in ast.walk(_trees()["server/client_session.py"]):
        match node:
            case ast.Tuple(elts=[ast.Constant(value=str(state)), ast.Constant()]) if re.fullmatch(
                r"[0-9A-Z]{5}", state
            ):
                states.add(state)
    return states


def _wanted() -> set[str]:
    return {
        *_classes(engine_errors),
        *_classes(signal_errors),
        *_issues(),
        *_problems(),
        *(miss_code(miss.name) for miss in Miss),
        *(f"sqlstate-{state.lower()}" for state in _states()),
        *_OWN,
        *_BY_AIRFLOW,
    }


def test_the_codes_are_found_where_they_are_given() -> None:
    """What is read out of the sources below is not nothing."""
    assert {"verification", "permanent-warehouse"} <= set(_classes(engine_errors))
    assert "query" not in set(_classes(engine_errors))
    assert {"refused-join", "setting", "unreadable-file", "unresolved-reference"} <= _issues()
    assert {"airflow-away", "not-found", "busy", "too-large"} <= _problems()
    assert {"57014", "57P05", "XX000", "28P01", "22P03"} <= _states()


def test_every_code_has_a_passage_and_every_passage_a_code() -> None:
    passages = set(all_passages())

    assert sorted(_wanted() - passages) == [], _HOW
    assert sorted(passages - _wanted()) == [], "Nothing gives this code any more: remove its passage."


def test_no_two_files_have_a_passage_of_one_code() -> None:
    """The later one would hide the other. Every file has its heading."""
    lines = [line for file in _FOLDER.glob("*.toml") for line in file.read_text(encoding="utf-8").splitlines()]

    assert len([line for line in lines if line.startswith("[")]) == len(all_passages())
    assert {file.stem for file in _FOLDER.glob("*.toml")} == set(SUBJECTS)
    assert all(len(file.read_text("utf-8").splitlines()) <= 500 for file in _FOLDER.glob("*.toml"))


@pytest.mark.parametrize("passage", all_passages().values(), ids=lambda passage: passage.code)
def test_a_passage_is_made_of_sentences(passage: Passage) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", passage.code)
    for text in (passage.happened, passage.reason, passage.remedy):
        assert text[0].isupper() or text[0] in "`{", text
        assert text.endswith("."), text
        assert "  " not in text


@functools.cache
def _said() -> str:
    return "\n".join(_nodes()[1])


def _fragments(sentence: str) -> list[str]:
    """What stands between the words in capitals and the marks around them."""
    parts = re.split(r"\$\{[A-Z]+\}|[A-Z]{2,}[0-9]*|[`'\"().,:;]", sentence)
    return [part.strip() for part in parts if len(part.strip()) >= 8]


@pytest.mark.parametrize(
    "passage",
    [passage for passage in all_passages().values() if passage.code not in {"usage", "build-failed"}],
    ids=lambda passage: passage.code,
)
def test_the_sentence_of_a_passage_is_still_said(passage: Passage) -> None:
    """Words that are changed where they are said are changed here, too."""
    missing = [fragment for fragment in _fragments(passage.sentence) if fragment not in _said()]

    assert missing == [], f"{passage.code}: nobody says this. Take over the new words."


def test_the_word_of_a_verb_is_no_code() -> None:
    """`atscale-aggs help WORD` shows the one or the other."""
    assert isinstance(cli, click.Group)
    verbs = cli.list_commands(click.Context(cli))

    assert set(verbs) & set(all_passages()) == set()


def test_the_verbs_that_passages_name_are_there() -> None:
    text = "\n".join(f"{passage.happened} {passage.reason} {passage.remedy}" for passage in all_passages().values())
    assert isinstance(cli, click.Group)

    assert set(re.findall(r"`atscale-aggs ([a-z-]+)", text)) - {"help"} <= set(cli.list_commands(click.Context(cli)))
