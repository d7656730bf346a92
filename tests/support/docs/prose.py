"""Reads the sentences of pages, help texts and errors, and says which rule of `docs/.prose/rules.toml` one breaks."""

from __future__ import annotations

import ast
import functools
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.docs.pages import ROOT, prose_of

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_CODE = re.compile(r"``?[^`]+``?")
_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()]*\)")
_SETS_APART = re.compile(r"^\s*(?:[*+-]|\d+\.|#+|>|\|)\s?|^\s*$|^</?\w[^>]*>$", re.MULTILINE)
_ENDS = re.compile(r"(?<=[.!?:])[*_)\"]*\s+")


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules, as the file has them."""

    most_words: int
    most_semicolons: int
    instead: dict[str, str]

    def breaches(self, sentence: str) -> Iterator[str]:
        """What is wrong with a sentence.

        >>> list(Rules(3, 1, {"just": "only"}).breaches("It is just four words."))
        ['5 words, at most 3', '`just`: write only']
        """
        words = len(re.findall(r"[\w'-]*[A-Za-z][\w'-]*", sentence))
        if words > self.most_words:
            yield f"{words} words, at most {self.most_words}"
        if sentence.count(";") > self.most_semicolons:
            yield f"{sentence.count(';')} semicolons, at most {self.most_semicolons}"
        for found in _unwanted(tuple(self.instead)).findall(sentence):
            yield f"`{found.lower()}`: write {self.instead[found.lower()]}"


def read_rules() -> Rules:
    """The rules of the tree."""
    return Rules(**tomllib.loads((ROOT / "docs" / ".prose" / "rules.toml").read_text(encoding="utf-8")))


@functools.cache
def _unwanted(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)", re.IGNORECASE)


def sentences_of(text: str) -> Iterator[str]:
    """The sentences of Markdown without tables, headings and fenced blocks; code in them is one word."""
    text = _LINK.sub(r"\1", _CODE.sub("Code", _COMMENT.sub("", text)))
    lines = [line for line in text.splitlines() if not line.lstrip().startswith(("|", "#"))]
    paragraph: list[str] = []
    for line in [*lines, ""]:
        if _SETS_APART.match(line):
            yield from _split(" ".join(paragraph))
            paragraph = []
        paragraph.append(_SETS_APART.sub("", line).strip())
    yield from _split(" ".join(paragraph))


def _split(paragraph: str) -> Iterator[str]:
    yield from (sentence for sentence in _ENDS.split(paragraph.strip()) if sentence)


def page_sentences(page: Path) -> Iterator[str]:
    """The sentences of a page."""
    return sentences_of(prose_of(page))


def help_texts() -> Iterator[tuple[str, str]]:
    """Each docstring of a verb and each help of an option, with the place where it stands."""
    for file in sorted((ROOT / "airflow_atscale_aggs" / "cli").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and _is_verb(node):
                yield f"{file.name}:{node.lineno}", ast.get_docstring(node) or ""
            elif isinstance(node, ast.keyword) and node.arg in {"help", "short_help", "epilog"}:
                yield f"{file.name}:{node.value.lineno}", _spoken(node.value)


def error_texts() -> Iterator[tuple[str, str]]:
    """Each sentence of the error classes, with the place where it stands; a fact in it is one word."""
    engine = ROOT / "airflow_atscale_aggs" / "engine"
    for file in [*engine.glob("errors.py"), *sorted(engine.glob("errors/*.py"))]:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        documented = {id(part) for node in ast.walk(tree) if (part := _docstring(node)) is not None}
        inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in ast.walk(tree):
            if isinstance(node, (ast.JoinedStr, ast.Constant)) and id(node) not in documented | inner:
                yield f"{file.name}:{node.lineno}", _spoken(node)


def _is_verb(node: ast.FunctionDef) -> bool:
    return any(
        "command" in ast.unparse(decorator) or "group" in ast.unparse(decorator) for decorator in node.decorator_list
    )


def _docstring(node: ast.AST) -> ast.Constant | None:
    """The expression that is a docstring, of a module, class, function or attribute."""
    return node.value if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) else None


def _spoken(node: ast.expr) -> str:
    """The text of a string; what an f-string fills in is the word `Code`."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_spoken(part) if isinstance(part, ast.Constant) else "Code" for part in parts)
        case ast.BinOp(left=left, right=right):
            return _spoken(left) + _spoken(right)
    return ""
