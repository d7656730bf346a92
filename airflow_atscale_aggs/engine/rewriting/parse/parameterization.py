"""Query parameterization: takes the compared values out of a query's text, so that one plan serves every such query.

    SELECT … WHERE "Year" = 2000 AND "State" IN ('TN', 'CA')
    SELECT … WHERE "Year" = ?1   AND "State" IN (?2, ?3)         the parameterized query; values: 2000, 'TN', 'CA'

Only values in comparisons are taken out, because a format, a unit or a position may change the plan. The query is
planned with marks in place of the values. Where a mark does not come out of planning as it went in, the query is
planned with its values.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.sql.functions.literals import ANY_MARK, mark_of

PARAMETERIZED_DIALECT = "postgres"
"""The only dialect whose queries are parameterized."""

_TOKEN = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\d+(?:\.\d+)?|\w+|<>|<=|>=|!=|[^\s\w]""")
_STRANGE = re.compile(r"[\\$?\x00]|--|/\*|\bescape\b", re.IGNORECASE)
"""What is not taken apart, and an escape, which says what the letters of a pattern mean."""
_BEFORE_VALUE = frozenset({"=", "<>", "!=", "<", ">", "<=", ">=", "LIKE", "ILIKE", "BETWEEN"})
_IN_LIST = frozenset({"(", ","})
_UPPER = 2
"""After BETWEEN … AND: the upper bound comes next."""
_MARK_LENGTH = 12

_MARKED = re.compile(r"'?791[789](\d{4})6007(?:\.5+)?'?")


@dataclass(frozen=True, slots=True)
class ParameterizedQuery:
    """A query's text and the values that were taken out of it.

    Attributes:
        key: the text without its values; equal for queries that differ in values alone.
        marked: the text with marks in place of the values.
        values: the values as they were written, each once.
    """

    key: str
    marked: str
    values: tuple[str, ...]


def parameterize(sql: str) -> ParameterizedQuery | None:
    """The parameterized query; None when the text has something that cannot be taken apart safely."""
    if _STRANGE.search(sql):
        return None
    key: list[str] = []
    marked: list[str] = []
    values: dict[str, int] = {}
    others: set[str] = set()
    before, in_list, between, end, taken = "", False, 0, 0, 0
    for match in _TOKEN.finditer(sql):
        part, start = match.group(), match.start()
        first = part[0]
        is_text = first == "'"
        if is_text and start == end and before[-1:].isalnum():
            # E'…', X'…': not a plain text.
            return None
        end = match.end()
        if (is_text or first.isdigit()) and (
            before in _BEFORE_VALUE or (in_list and before in _IN_LIST) or between == _UPPER
        ):
            # Equal values have one mark: BETWEEN 'a' AND 'a' has another key than BETWEEN 'a' AND 'b'.
            number = values.setdefault(part, len(values))
            mark, gap = _mark(part, number), sql[taken:start]
            key += (gap, f"\x00{mark[:4]}{'t' if is_text else 'n'}{number}{mark[_MARK_LENGTH:]}\x00")
            marked += (gap, f"'{mark}'" if is_text else mark)
            taken = end
        elif is_text:
            others.add(part)
        word = part.upper()
        in_list = (in_list and part != ")") or (before == "IN" and part == "(")
        if between or word == "BETWEEN":
            between = 1 if word == "BETWEEN" else _UPPER if word == "AND" and between == 1 else between % _UPPER
        before = word
    if not others.isdisjoint(values):
        # Equal texts of which one has no mark are planned as they are.
        return None
    rest = sql[taken:end]
    return ParameterizedQuery("".join((*key, rest)), "".join((*marked, rest)), tuple(values))


def _mark(value: str, number: int) -> str:
    """The mark of a value. A date's mark is a date as well, and a decimal's mark has as many digits after the point."""
    is_text = value[0] == "'"
    kind = mark_of(value[1:-1]) if is_text else ANY_MARK
    decimals = "" if is_text or "." not in value else "." + "5" * len(value.split(".")[1])
    return f"{kind}{number:04d}6007{decimals}"


def holds_mark(text: str) -> bool:
    """Whether a text would be taken for a mark, were it to stand in a plan's SQL."""
    return _MARKED.search(text) is not None


def restore_values(text: str, values: Sequence[str]) -> str:
    """A text for people with values in place of marks."""
    return _MARKED.sub(lambda match: values[int(match.group(1))] if int(match.group(1)) < len(values) else "…", text)


@dataclass(frozen=True, slots=True)
class SqlTemplate:
    """A plan's SQL with places for values.

    Attributes:
        texts: the SQL between the places; one more than places.
        places: number of the value for each place.
    """

    texts: tuple[str, ...]
    places: tuple[int, ...]

    def fill(self, values: Sequence[str]) -> str:
        """The SQL for these values."""
        if not self.places:
            return self.texts[0]
        pieces = [self.texts[0]]
        for text, place in zip(self.texts[1:], self.places, strict=True):
            pieces += [values[place], text]
        return "".join(pieces)


def find_template(sql: str, query: ParameterizedQuery) -> SqlTemplate | None:
    """Where the marks came out in a plan's SQL; None unless each came out, whole, as it went in."""
    texts: list[str] = []
    places: list[int] = []
    end = 0
    for match in _MARKED.finditer(sql):
        number = int(match.group(1))
        if number >= len(query.values):
            return None
        mark = _mark(query.values[number], number)
        is_text = query.values[number][0] == "'"
        if match.group() != (f"'{mark}'" if is_text else mark):
            return None
        texts.append(sql[end : match.start()])
        places.append(number)
        end = match.end()
    if set(places) != set(range(len(query.values))):
        return None
    return SqlTemplate((*texts, sql[end:]), tuple(places))
