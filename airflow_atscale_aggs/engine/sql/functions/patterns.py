"""LIKE, ILIKE and SIMILAR TO, with PostgreSQL's escapes."""

from __future__ import annotations

import re

from sqlglot import exp

from airflow_atscale_aggs.engine.sql.functions.handling import Handlers, Translating, literal_text, text_of
from airflow_atscale_aggs.engine.sql.functions.logic import elements
from airflow_atscale_aggs.engine.sql.functions.types import BOOLEAN, Value
from airflow_atscale_aggs.engine.sql.functions.writing import call, text

_ESCAPE = "\\"
_RE2_SPECIAL = frozenset(".^$\\")


def _like(node: exp.Expr, t: Translating) -> Value:
    return _compare_like(node, node, _ESCAPE, t)


def _escape(node: exp.Expr, t: Translating) -> Value:
    """LIKE … ESCAPE '…': the parser puts the escape around the comparison."""
    inner = node.this
    escape = literal_text(node.expression, t, "an escape")
    if len(escape) > 1:
        t.refuse(node, "an escape is one letter, or none")
    negated = isinstance(inner, exp.Not)
    inner = inner.this if negated else inner
    if isinstance(inner, (exp.Like, exp.ILike)):
        value = _compare_like(node, inner, escape, t)
    elif isinstance(inner, exp.SimilarTo):
        value = _similar_to(node, inner, escape, t)
    else:
        t.refuse(node, "ESCAPE belongs to LIKE, ILIKE or SIMILAR TO")
    return Value(exp.Not(this=exp.Paren(this=value.sql)), BOOLEAN) if negated else value


def _compare_like(node: exp.Expr, like: exp.Expr, escape: str, t: Translating) -> Value:
    pattern, negated = like.expression, bool(like.args.get("negate"))
    is_any, array = isinstance(pattern, exp.Any), None
    if is_any or isinstance(pattern, exp.All):
        array = pattern.this.unnest()
    elif isinstance(pattern, exp.Anonymous) and pattern.name.casefold() in {"all", "any", "some"}:
        is_any, array = pattern.name.casefold() != "all", pattern.expressions[0]
    if array is not None:
        parts = [
            _compare_with_pattern(node, like, alternative, escape, negated=negated, t=t)
            for alternative in elements(array, t)
        ]
        if not parts:
            return Value(exp.Boolean(this=not is_any), BOOLEAN)
        return Value(exp.Paren(this=(exp.or_ if is_any else exp.and_)(*parts, copy=False)), BOOLEAN)
    return Value(_compare_with_pattern(node, like, pattern, escape, negated=negated, t=t), BOOLEAN)


def _compare_with_pattern(
    node: exp.Expr, like: exp.Expr, pattern: exp.Expr, escape: str, *, negated: bool, t: Translating
) -> exp.Expr:
    kind = type(like)
    value, pattern_text = text_of(like.this, t), text_of(pattern, t)
    used_escape = escape
    if isinstance(pattern_text, exp.Literal):
        plain, used_escape = _canonical(pattern_text.name, escape, node, t)
        pattern_text = text(plain)
    value = exp.Paren(this=value) if isinstance(value, exp.Binary) else value
    pattern_text = exp.Paren(this=pattern_text) if isinstance(pattern_text, exp.Binary) else pattern_text
    comparison: exp.Expr = kind(this=value, expression=pattern_text)
    if used_escape:
        comparison = exp.Escape(this=comparison, expression=text(used_escape))
    return exp.Not(this=exp.Paren(this=comparison)) if negated else exp.Paren(this=comparison)


def _canonical(pattern: str, escape: str, node: exp.Expr, t: Translating) -> tuple[str, str]:
    """A pattern with an escape before what needs one only, and the escape; none where nothing needs it."""
    parts: list[tuple[str, bool]] = []
    letters = iter(pattern)
    for letter in letters:
        if escape and letter == escape:
            following = next(letters, "")
            if not following:
                t.refuse(
                    node, "its pattern must not end with the escape", f"Write {escape}{escape} for the letter itself."
                )
            parts.append((following, True))
        else:
            parts.append((letter, False))
    if not any(is_escaped and letter in "%_" for letter, is_escaped in parts):
        return "".join(letter for letter, _ in parts), ""
    letters_with_escapes = [
        _ESCAPE + letter if letter == _ESCAPE or (is_escaped and letter in "%_") else letter
        for letter, is_escaped in parts
    ]
    return "".join(letters_with_escapes), _ESCAPE


def _similar(node: exp.Expr, t: Translating) -> Value:
    return _similar_to(node, node, _ESCAPE, t)


def _similar_to(node: exp.Expr, similar: exp.Expr, escape: str, t: Translating) -> Value:
    pattern = literal_text(similar.expression, t, "a pattern of SIMILAR TO")
    regex = similar_regex(pattern, escape, node, t)
    return Value(call("REGEXP_FULL_MATCH", text_of(similar.this, t), regex, "s"), BOOLEAN)


def similar_regex(pattern: str, escape: str, node: exp.Expr, t: Translating) -> str:  # noqa: C901 - one branch a letter
    """SIMILAR TO's pattern as a regular expression of RE2, which has to match the whole text."""
    parts: list[str] = []
    letters = list(pattern)
    place = 0
    while place < len(letters):
        letter = letters[place]
        place += 1
        if escape and letter == escape:
            if place == len(letters):
                t.refuse(node, "its pattern must not end with the escape")
            if letters[place] == '"':
                t.refuse(node, "its pattern has the escape before a double quote, which belongs to SUBSTRING")
            parts.append(re.escape(letters[place]))
            place += 1
        elif letter == "[":
            place = _read_bracket(letters, place, parts, escape, node, t)
        elif letter == "%":
            parts.append(".*")
        elif letter == "_":
            parts.append(".")
        elif letter == "(":
            parts.append("(?:")
        elif letter in _RE2_SPECIAL:
            parts.append("\\" + letter)
        else:
            parts.append(letter)
    regex = "".join(parts)
    try:
        re.compile(regex)
    except re.error:
        t.refuse(node, "its pattern is no regular expression")
    return regex


def _read_bracket(letters: list[str], place: int, parts: list[str], escape: str, node: exp.Expr, t: Translating) -> int:
    """A list of letters in brackets, from behind its opening on; the place behind its end."""
    list_of_letters = ["["]
    if letters[place : place + 1] == ["^"]:
        list_of_letters.append("^")
        place += 1
    is_first = True
    while place < len(letters) and (letters[place] != "]" or is_first):
        letter = letters[place]
        if letter == "[":
            t.refuse(node, "classes of letters in brackets are not translated", "List the letters.")
        if escape and letter == escape:
            place += 1
            letter = letters[place] if place < len(letters) else ""
            if not letter or letter.isalnum():
                t.refuse(node, "its pattern has an escape in brackets that is not the same here")
            list_of_letters.append("\\" + letter)
        else:
            list_of_letters.append("\\" + letter if letter in "\\]&~^" else letter)
        place += 1
        is_first = False
    if place >= len(letters):
        t.refuse(node, "its pattern has a bracket that is not closed")
    parts.append("".join([*list_of_letters, "]"]))
    return place + 1


HANDLERS: Handlers = {
    exp.Like: _like,
    exp.ILike: _like,
    exp.Escape: _escape,
    exp.SimilarTo: _similar,
}
