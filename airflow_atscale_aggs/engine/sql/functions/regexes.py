"""Regular expressions: PostgreSQL's, as RE2 says them, where both find the same.

Both tell alike whether something matches. What they match differs: PostgreSQL takes the longest of all alternatives,
RE2 the first. So what replaces or extracts is translated where there is but one way to match: no alternatives, no
repeated groups.
"""

from __future__ import annotations

import re
from dataclasses import field

from sqlglot import exp

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.sql.functions.handling import (
    Handlers,
    Translating,
    literal_text,
    text_of,
)
from airflow_atscale_aggs.engine.sql.functions.types import BOOLEAN, INTEGER, TEXT, Value
from airflow_atscale_aggs.engine.sql.functions.writing import call, choose

_WORD = r"\p{L}\p{M}\p{N}_"
_CLASSES = {"d": r"\p{Nd}", "w": _WORD, "s": r"\s\v"}
_SAME = frozenset("tnrfv")
_NAMED_CLASSES = {
    "alpha": r"\p{L}\p{M}",
    "digit": r"\p{Nd}",
    "alnum": r"\p{L}\p{M}\p{Nd}",
    "upper": r"\p{Lu}",
    "lower": r"\p{Ll}",
    "space": r"\s\v",
    "blank": r" \t",
    "punct": "[:punct:]",
    "xdigit": "[:xdigit:]",
    "cntrl": "[:cntrl:]",
}
_QUANTIFIED = re.compile(r"\{\d{1,3}(,\d{0,3})?\}")


@dataclass(slots=True)
class Regex:
    """A pattern for RE2.

    Attributes:
        pattern: in RE2's words.
        groups: capturing ones.
        is_single: there is one way to match only.
        has_lazy: a quantifier takes as little as it can.
        takes_letters: no match is empty.
    """

    pattern: str = ""
    groups: int = 0
    is_single: bool = True
    has_lazy: bool = False
    takes_letters: bool = False


@dataclass(slots=True)
class _Reading:
    written: str
    node: exp.Expr
    t: Translating
    place: int = 0
    regex: Regex = field(default_factory=Regex)

    def refuse(self, what: str) -> None:
        """A part that RE2 does not have, or has otherwise."""
        self.t.refuse(self.node, f"its regular expression has {what}, which is not the same here")

    def rest(self) -> str:
        """What is not read yet."""
        return self.written[self.place :]


def read_regex(written: str, node: exp.Expr, t: Translating) -> Regex:
    """A pattern of PostgreSQL for RE2. Raises where a part of it is not the same."""
    reading = _Reading(written, node, t)
    if written.startswith(("***", "(?")) and not written.startswith(("(?:", "(?=", "(?!", "(?<")):
        reading.refuse("options of its own")
    parts: list[str] = []
    opened: list[bool] = []
    while reading.place < len(written):
        begun = written[reading.place]
        parts.append(_read_part(reading, opened))
        is_letter = begun not in "^$()|*+?{" and parts[-1] not in {r"\A", r"\z"}
        if is_letter and not reading.rest().startswith(("*", "?", "{0")):
            reading.regex.takes_letters = True
    reading.regex.pattern = "".join(parts)
    if opened:
        reading.refuse("a parenthesis that is not closed")
    return reading.regex


def _read_part(reading: _Reading, opened: list[bool]) -> str:  # noqa: PLR0911 - one a kind of letter
    letter = reading.written[reading.place]
    reading.place += 1
    regex = reading.regex
    if letter == "\\":
        return _read_escape(reading)
    if letter == "[":
        return _read_bracket(reading)
    if letter == "(":
        return _open_group(reading, opened)
    if letter == ")":
        if not opened:
            reading.refuse("a parenthesis that was not opened")
        opened.pop()
        if reading.rest()[:1] in {"*", "+", "?", "{"}:
            regex.is_single = False
        return letter
    if letter == "|":
        regex.is_single = False
        return letter
    if letter in "*+?" or (letter == "{" and _QUANTIFIED.match(reading.written, reading.place - 1)):
        return _read_quantifier(reading, letter)
    if letter in "{}":
        return "\\" + letter
    return letter


def _read_quantifier(reading: _Reading, letter: str) -> str:
    quantifier = letter
    if letter == "{":
        match = _QUANTIFIED.match(reading.written, reading.place - 1)
        assert match is not None  # noqa: S101 - the caller looked
        quantifier = match.group()
        reading.place = match.end()
    if reading.rest()[:1] == "?":
        reading.place += 1
        reading.regex.has_lazy = True
        quantifier += "?"
    if reading.rest()[:1] in {"*", "+", "?"} and reading.rest():
        reading.refuse("a quantifier of a quantifier")
    return quantifier


def _open_group(reading: _Reading, opened: list[bool]) -> str:
    rest = reading.rest()
    opened.append(True)
    if rest.startswith("?:"):
        reading.place += 2
        return "(?:"
    if rest.startswith("?"):
        reading.refuse("a look ahead or behind")
    reading.regex.groups += 1
    return "("


def _read_escape(reading: _Reading) -> str:
    letter = reading.rest()[:1]
    reading.place += 1
    if not letter:
        reading.refuse("a backslash at its end")
    if letter in _CLASSES:
        return f"[{_CLASSES[letter]}]"
    if letter.lower() in _CLASSES:
        return f"[^{_CLASSES[letter.lower()]}]"
    if letter == "A":
        return r"\A"
    if letter == "Z":
        return r"\z"
    if letter.isalnum() and letter not in _SAME:
        reading.refuse(f"`\\{letter}`")
    return "\\" + letter


def _read_bracket(reading: _Reading) -> str:
    parts = ["["]
    if reading.rest()[:1] == "^":
        parts.append("^")
        reading.place += 1
    first = True
    while True:
        letter = reading.rest()[:1]
        if not letter:
            reading.refuse("a bracket that is not closed")
        reading.place += 1
        if letter == "]" and not first:
            parts.append("]")
            return "".join(parts)
        first = False
        if letter == "[" and reading.rest()[:1] in {":", ".", "="}:
            parts.append(_read_named_class(reading))
        elif letter == "\\":
            parts.append(_read_escape_in_bracket(reading))
        elif letter in "[]^&~":
            parts.append("\\" + letter)
        else:
            parts.append(letter)


def _read_named_class(reading: _Reading) -> str:
    match = re.match(r":([a-z]+):\]", reading.rest())
    if match is None or match.group(1) not in _NAMED_CLASSES:
        reading.refuse("a class of letters that is not known here")
    assert match is not None  # noqa: S101 - refused above
    reading.place += match.end()
    return _NAMED_CLASSES[match.group(1)]


def _read_escape_in_bracket(reading: _Reading) -> str:
    letter = reading.rest()[:1]
    reading.place += 1
    if letter in _CLASSES:
        return _CLASSES[letter]
    if not letter or (letter.isalnum() and letter not in _SAME):
        reading.refuse(f"`\\{letter}` in brackets")
    return "\\" + letter


def _options(flags: str, node: exp.Expr, t: Translating, allowed: str) -> str:
    """RE2's options: in PostgreSQL a dot takes line breaks in, unless n is said."""
    strange = set(flags) - set(allowed)
    if strange:
        t.refuse(node, f"its flag `{min(strange)}` is not translated")
    case = "i" if flags.rfind("i") > flags.rfind("c") else ""
    return case + "s"


def _matches(node: exp.Expr, t: Translating) -> Value:
    flags = "i" if isinstance(node, exp.RegexpILike) else ""
    if node.args.get("flag") is not None:
        flags = literal_text(node.args["flag"], t, "a flag")
    pattern = read_regex(literal_text(node.expression, t, "a regular expression"), node, t).pattern
    return Value(call("REGEXP_MATCHES", text_of(node.this, t), pattern, _options(flags, node, t, "ic")), BOOLEAN)


def _single(node: exp.Expr, written: exp.Expr, t: Translating) -> Regex:
    regex = read_regex(literal_text(written, t, "a regular expression"), node, t)
    if not regex.is_single or regex.has_lazy:
        reason = "PostgreSQL takes the longest of several matches, the warehouse the first"
        t.refuse(node, reason, "Use a regular expression without alternatives, repeated groups and lazy quantifiers.")
    return regex


def _replace(node: exp.Expr, t: Translating) -> Value:
    extra = [name for name in ("position", "occurrence", "parameters") if node.args.get(name) is not None]
    if extra:
        t.refuse(node, "only the first match, or all with the flag g, are replaced here")
    modifiers = node.args.get("modifiers")
    flags = literal_text(modifiers, t, "a flag") if modifiers is not None else ""
    pattern = _single(node, node.expression, t)
    replacement = _replacement(literal_text(node.args["replacement"], t, "a replacement"), pattern, node, t)
    options = _options(flags, node, t, "gic") + ("g" if "g" in flags else "")
    if "g" in flags and not pattern.takes_letters:
        t.refuse(node, "its regular expression matches nothing as well, which is not replaced the same way here")
    return Value(call("REGEXP_REPLACE", text_of(node.this, t), pattern.pattern, replacement, options), TEXT)


def _replacement(written: str, pattern: Regex, node: exp.Expr, t: Translating) -> str:
    parts: list[str] = []
    letters = iter(written)
    for letter in letters:
        if letter != "\\":
            parts.append(letter)
            continue
        following = next(letters, "")
        if following == "&":
            parts.append("\\0")
        elif following.isdigit() and 0 < int(following) <= pattern.groups:
            parts.append("\\" + following)
        elif following == "\\":
            parts.append("\\\\")
        else:
            t.refuse(node, f"its replacement has `\\{following}`, which is not the same here")
    return "".join(parts)


def extract_match(node: exp.Expr, t: Translating) -> Value:
    """SUBSTRING(x FROM 'pattern'): the first group, else the whole match; NULL without a match."""
    written = node.args["start"] if isinstance(node, exp.Substring) else node.expression
    return _extract(node, written, t, is_group=True)


def _extract(node: exp.Expr, written: exp.Expr, t: Translating, *, is_group: bool) -> Value:
    pattern = _single(node, written, t)
    value = text_of(node.this, t)
    options = _options("", node, t, "")
    there = call("REGEXP_MATCHES", value, pattern.pattern, options)
    group = 1 if is_group and pattern.groups else 0
    match = call("REGEXP_EXTRACT", value.copy(), pattern.pattern, group, options)
    return Value(choose((there, match), default=exp.Null()), TEXT)


def _substr(node: exp.Expr, t: Translating) -> Value:
    extra = [name for name in ("position", "occurrence", "parameters", "group") if node.args.get(name) is not None]
    if extra:
        t.refuse(node, "only the first match is taken here")
    return _extract(node, node.expression, t, is_group=False)


def _count(node: exp.Expr, t: Translating) -> Value:
    if any(node.args.get(name) is not None for name in ("position", "parameters")):
        t.refuse(node, "it takes a text and a regular expression here")
    pattern = _single(node, node.expression, t)
    matches = call("REGEXP_EXTRACT_ALL", text_of(node.this, t), pattern.pattern, 0, _options("", node, t, ""))
    return Value(call("LEN", matches), INTEGER)


HANDLERS: Handlers = {
    exp.RegexpLike: _matches,
    exp.RegexpILike: _matches,
    exp.RegexpReplace: _replace,
    exp.RegexpSubstr: _substr,
    exp.RegexpCount: _count,
}
