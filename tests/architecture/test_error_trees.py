"""The trees in the docstrings of the errors show every error, each under the class that it derives from."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from types import ModuleType

import pytest

from airflow_atscale_aggs.engine import errors as engine_errors
from airflow_atscale_aggs.signals import errors as signal_errors

_LINE = re.compile(r"(?P<branches>[│├└─ ]*)(?P<name>\w+Error)\b")


def _drawn_pairs(module: ModuleType) -> list[tuple[str, str]]:
    """(error, what it derives from) of each line of a tree, in order; a level is three characters wide."""
    pairs: list[tuple[str, str]] = []
    above: list[str] = []
    for line in (module.__doc__ or "").splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        depth = len(match["branches"]) // 3
        above[depth:] = [match["name"]]
        pairs.append((match["name"], above[depth - 1] if depth else "Exception"))
    return pairs


@pytest.mark.parametrize("module", [engine_errors, signal_errors], ids=lambda module: str(module.__name__))
def test_the_tree_shows_every_error_where_it_belongs(module: ModuleType) -> None:
    defined = [
        (error.__name__, error.__bases__[0].__name__)
        for _, error in inspect.getmembers(module, inspect.isclass)
        if issubclass(error, Exception) and error.__module__ == module.__name__
    ]

    assert sorted(_drawn_pairs(module)) == sorted(defined)


def test_no_error_of_the_engine_is_defined_elsewhere() -> None:
    """What the engine raises on purpose stands in one file.

    Errors that never leave a room do not derive from its root.
    """
    names = {name for name, _ in _drawn_pairs(engine_errors)}
    package = Path(engine_errors.__file__).parents[1]
    elsewhere = [
        f"{file.relative_to(package)}: {node.name}"
        for file in sorted(package.rglob("*.py"))
        if file != Path(engine_errors.__file__)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
        and any(isinstance(base, ast.Name) and base.id in names for base in node.bases)
    ]

    assert elsewhere == []
