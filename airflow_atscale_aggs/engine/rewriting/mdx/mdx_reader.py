"""Reads the MDX of calculated metrics: what is measured, and at which members. Arithmetic and CASE around it stay text.

    ([Dates].[Calendar].CurrentMember.PrevMember, [Measures].[Sales])      MeasureAt("Sales", (Current(…, lag=1),))
    Avg(PeriodsToDate([Dates].[Calendar].[Year]), [Measures].[Sales])      MeasureAt("Sales", (Over("avg", ToDate(…)),))

This module knows no model. A path is the names between brackets, as they were written.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

Path = tuple[str, ...]
"""Names of dimension, hierarchy and level, as far as they were written."""


@dataclass(frozen=True, slots=True)
class Keyed:
    """A member by its key: ``[Dates].[Year].&[2003]``; the path ends with the level or attribute."""

    path: Path
    key: str


@dataclass(frozen=True, slots=True)
class AllOf:
    """The All member of a hierarchy, or of all hierarchies of a dimension."""

    path: Path


@dataclass(frozen=True, slots=True)
class Current:
    """The member of a hierarchy that a row stands at, or the one that stands ``lag`` places before it."""

    path: Path
    lag: int = 0


@dataclass(frozen=True, slots=True)
class ParallelTo:
    """``ParallelPeriod``: the member at the same place within the ancestor that is ``lag`` earlier."""

    level: Path
    lag: int
    path: Path | None
    """The hierarchy of the current member; None: that of the level."""


@dataclass(frozen=True, slots=True)
class Span:
    """``first:last``, both included."""

    first: Keyed | Current
    last: Keyed | Current


@dataclass(frozen=True, slots=True)
class ToDate:
    """``PeriodsToDate``: from the first member within the ancestor to the current one."""

    level: Path
    path: Path | None


@dataclass(frozen=True, slots=True)
class LevelMembers:
    """``Level.Members``."""

    path: Path


@dataclass(frozen=True, slots=True)
class Over:
    """A measure over a set: ``aggregate`` | ``avg`` | ``sum`` | ``min`` | ``max``."""

    function: str
    members: Span | ToDate | LevelMembers


Coordinate = Keyed | AllOf | Current | ParallelTo | Over


@dataclass(frozen=True, slots=True)
class MeasureAt:
    """A measure, at coordinates that differ from those of the row that it is shown in."""

    measure: str
    coordinates: tuple[Coordinate, ...] = ()


class MdxError(ValueError):
    """What is not translated; the text is the clause as written."""


SCALAR_FUNCTIONS = frozenset({"iif", "isempty", "abs", "round", "coalesce", "nullif"})
_WORDS = frozenset({"case", "when", "then", "else", "end", "and", "or", "not", "is", "null", "in"})
SET_FUNCTIONS = frozenset({"aggregate", "avg", "sum", "min", "max"})
_TOKEN = re.compile(r"\[(?:[^\]]|\]\])*\]|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\d+(?:\.\d+)?|\w+|<>|<=|>=|\S")
"""All but white space, which separates tokens and is none."""


_MOST_DIGITS = 9
"""Of a number of members to move by."""

_DEEPER = {"(": 1, "[": 1, "{": 1, "case": 1, ")": -1, "]": -1, "}": -1, "end": -1}
_DEEPENING = ("(", "[", "{", "case", "-", "+", "not")
_BEFORE_VALUES = frozenset(
    {"(", ",", "+", "-", "*", "/", "=", "<", ">", "<>", "<=", ">=", "when", "then", "else", "and", "or"}
)


def nesting_at_most(text: str) -> int:
    """No text is nested deeper than this, found without reading it.

    >>> nesting_at_most("-(1 + (2))"), nesting_at_most("CASE WHEN [A].[B] THEN - - 1 END")
    (4, 5)
    """
    folded = text.casefold()
    return sum(map(folded.count, _DEEPENING))


def nesting_of(text: str) -> int:
    """How deep parentheses, CASE and signs stand inside each other.

    >>> nesting_of("1 + 2"), nesting_of("-(1 + (2))"), nesting_of("CASE WHEN [A].[B] THEN - - 1 END")
    (0, 2, 3)
    """
    deepest = depth = signs = 0
    before = "("
    for match in _TOKEN.finditer(text):
        word = match.group().casefold()
        is_sign = word in {"-", "+", "not"} and (signs > 0 or before in _BEFORE_VALUES)
        signs = signs + 1 if is_sign else 0
        depth += _DEEPER.get(word, 0)
        deepest = max(deepest, depth + signs)
        before = word
    return deepest


def read_mdx(text: str, put: Callable[[MeasureAt], str]) -> str:
    """The text with every measure replaced by what ``put`` makes of it.

    >>> read_mdx("[Measures].[A] / ([Dates].[Years].[All], [Measures].[A])", lambda at: f"<{at.measure}>")
    '<A> / <A>'

    Raises:
        MdxError: a member, tuple, set or function that is not translated.
    """
    return _Reader(text, put).read_text()


class _Reader:
    """Reads one expression from left to right."""

    def __init__(self, text: str, put: Callable[[MeasureAt], str]) -> None:
        self._text, self._put = text, put
        self._matches = list(_TOKEN.finditer(text))
        self._tokens = [match[0] for match in self._matches]
        self._at = 0

    def read_text(self) -> str:
        """To be called once."""
        pieces: list[str] = []
        end = 0
        while self._at < len(self._tokens):
            pieces.append(self._text[end : self._matches[self._at].start()])
            pieces.append(self._read_next(self._tokens[self._at]))
            end = self._matches[self._at - 1].end()
        return "".join((*pieces, self._text[end:]))

    def _read_next(self, token: str) -> str:
        start = self._at
        if token[0] == "(":
            measured = self._read_tuple()
            if measured is not None:
                return self._put(measured)
            self._at = start + 1
            return token
        if token[0] == "[":
            path = self._read_path()
            if not _is_measure(path) or self._peek() == ".":
                raise self._refusal(start)
            return self._put(MeasureAt(path[1]))
        if token[0] == '"':
            # A text in MDX, a name in SQL.
            self._at += 1
            return "'" + token[1:-1].replace('""', '"').replace("'", "''") + "'"
        word = token.casefold()
        if token[0].isalpha() and self._peek(1) == "(" and word not in SCALAR_FUNCTIONS | _WORDS:
            return self._put(self._read_function(word))
        # The parenthesis behind such a function holds its arguments, and no tuple.
        opening = "(" if word in SCALAR_FUNCTIONS and self._peek(1) == "(" else ""
        self._at += 1 + len(opening)
        return token + opening

    def _read_function(self, word: str) -> MeasureAt:
        """An aggregate of a measure over a set."""
        start = self._at
        if word not in SET_FUNCTIONS:
            raise self._refusal(start)
        self._at += 2
        members = self._read_set(start)
        self._expect(",", start)
        path = self._read_path()
        if not _is_measure(path):
            raise self._refusal(start)
        self._expect(")", start)
        return MeasureAt(path[1], (Over(word, members),))

    def _read_tuple(self) -> MeasureAt | None:
        """A tuple of a measure and members; None when the parenthesis is arithmetic."""
        start, measure = self._at, ""
        coordinates: list[Coordinate] = []
        self._at += 1
        while True:
            if not self._begins_member():
                if not coordinates and not measure:
                    return None
                raise self._refusal(start)
            if self._peek()[:1] == "[" and _is_measure(self._peek_path()):
                if measure:
                    raise self._refusal(start)
                measure = self._read_path()[1]
            else:
                coordinates.append(self._read_member(start))
            separator = self._peek()
            if separator == "," or (separator == ")" and coordinates):
                self._at += 1
            else:
                # `([Measures].[A] - …)`: no tuple, unless a member has been read.
                if coordinates:
                    raise self._refusal(start)
                return None
            if separator == ")":
                break
        if not measure:
            raise self._refusal(start)
        return MeasureAt(measure, tuple(coordinates))

    def _begins_member(self) -> bool:
        return self._peek()[:1] == "[" or self._peek().casefold() == "parallelperiod"

    def _read_set(self, start: int) -> Span | ToDate | LevelMembers:
        if self._peek() == "{":
            self._at += 1
            members = self._read_set(start)
            self._expect("}", start)
            return members
        if self._peek().casefold() == "periodstodate":
            return self._read_to_date(start)
        path = self._read_path()
        if self._peek() == "." and self._peek(1).casefold() == "members":
            self._at += 2
            return LevelMembers(path)
        first = self._read_member_at(path, start)
        self._expect(":", start)
        last = self._read_member(start)
        if not isinstance(first, Keyed | Current) or not isinstance(last, Keyed | Current):
            raise self._refusal(start)
        if type(first) is not type(last):
            raise self._refusal(start)
        return Span(first, last)

    def _read_to_date(self, start: int) -> ToDate:
        self._at += 1
        self._expect("(", start)
        level = self._read_path()
        path = None
        if self._peek() == ",":
            self._at += 1
            path = self._read_plain_current(start)
        self._expect(")", start)
        return ToDate(level, path)

    def _read_member(self, start: int) -> Coordinate:
        if self._peek().casefold() != "parallelperiod":
            return self._read_member_at(self._read_path(), start)
        self._at += 1
        self._expect("(", start)
        level, lag, path = self._read_path(), 1, None
        if self._peek() == ",":
            self._at += 1
            lag = self._read_number(start)
        if self._peek() == ",":
            self._at += 1
            path = self._read_plain_current(start)
        self._expect(")", start)
        return ParallelTo(level, lag, path)

    def _read_plain_current(self, start: int) -> Path:
        member = self._read_member(start)
        if not isinstance(member, Current) or member.lag:
            raise self._refusal(start)
        return member.path

    def _read_member_at(self, path: Path, start: int) -> Coordinate:
        """A member, by what follows its path."""
        if self._peek() == "." and self._peek(1) == "&" and path:
            self._at += 2
            key = self._read_bracket(start)
            return Keyed(path, key)
        if self._peek() != ".":
            if len(path) > 1 and path[-1].casefold() == "all":
                return AllOf(path[:-1])
            raise self._refusal(start)
        if self._peek(1).casefold() != "currentmember":
            raise self._refusal(start)
        self._at += 2
        member = Current(path)
        while self._peek() == ".":
            self._at += 1
            member = self._move_member(member, start)
        return member

    def _move_member(self, member: Current, start: int) -> Current:
        word = self._peek().casefold()
        self._at += 1
        if word in {"prevmember", "nextmember"}:
            return replace(member, lag=member.lag + (1 if word == "prevmember" else -1))
        if word not in {"lag", "lead"}:
            raise self._refusal(start)
        self._expect("(", start)
        number = self._read_number(start)
        self._expect(")", start)
        return replace(member, lag=member.lag + (number if word == "lag" else -number))

    def _read_number(self, start: int) -> int:
        sign = 1
        if self._peek() == "-":
            self._at, sign = self._at + 1, -1
        text = self._peek()
        if not (text.isascii() and text.isdigit()) or len(text) > _MOST_DIGITS:
            raise self._refusal(start)
        self._at += 1
        return sign * int(text)

    def _read_path(self) -> Path:
        start = self._at
        names = [self._read_bracket(start)]
        while self._peek() == "." and self._peek(1)[:1] == "[":
            self._at += 1
            names.append(self._read_bracket(start))
        return tuple(names)

    def _peek_path(self) -> Path:
        at = self._at
        path = self._read_path()
        self._at = at
        return path

    def _read_bracket(self, start: int) -> str:
        text = self._peek()
        if text[:1] != "[" or len(text) < 2:  # noqa: PLR2004 - both brackets
            raise self._refusal(start)
        self._at += 1
        return text[1:-1].replace("]]", "]").strip()

    def _expect(self, text: str, start: int) -> None:
        if self._peek() != text:
            raise self._refusal(start)
        self._at += 1

    def _peek(self, ahead: int = 0) -> str:
        place = self._at + ahead
        return self._tokens[place] if place < len(self._tokens) else ""

    def _refusal(self, start: int) -> MdxError:
        """The error that quotes a clause: up to its closing parenthesis, or up to the end of its names."""
        start = min(start, len(self._tokens) - 1)  # the clause may begin where the text ends
        return MdxError(" ".join(self._text[self._matches[start].start() : self._end_of(start)].split()))

    def _end_of(self, start: int) -> int:
        depth, last = 0, start
        for last, text in enumerate(self._tokens[start:], start):
            depth += {"(": 1, ")": -1}.get(text, 0)
            ahead = self._tokens[last + 1] if last + 1 < len(self._tokens) else ""
            if depth <= 0 and not (ahead in {".", "&"} or text in {".", "&"} or (ahead == "(" and text != ")")):
                break
        return self._matches[last].end()


def _is_measure(path: Path) -> bool:
    return len(path) == 2 and path[0].casefold() == "measures"  # noqa: PLR2004 - [Measures].[…]
