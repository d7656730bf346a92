"""Puts the values of bind parameters into a text, as literals.

    ?  %s  $1               by their order, from a list
    :name  $name  %(name)s  by name, from a mapping

Inside a text, a quoted name or a comment there are no places for values. The SQL printer writes the literals, so no
value can change the statement.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from uuid import UUID

from sqlglot import TokenType, exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token

from airflow_atscale_aggs.engine.errors import UnreadableQueryError, UnsupportedQueryError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.sql.statements import sqlglot_dialect

Parameters = Sequence[object] | Mapping[str, object]

_ROWS = frozenset({"LIMIT", "OFFSET", "FETCH", "FIRST", "NEXT", "TOP"})
"""Words before a number of rows, which is no text."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a value goes: from start to end of the text; by number (from 0) or by name, None: the next one.

    Attributes:
        is_of_rows: it is a number of rows.
        is_in: it stands behind IN.
        is_listed: it stands in the parentheses behind IN.
    """

    start: int
    end: int
    text: str
    key: int | str | None
    is_of_rows: bool
    is_in: bool
    is_listed: bool


def with_values(sql: str, parameters: Parameters | None, dialect: str) -> str:
    """The text with literals in the places of its parameters; as it is without values.

    Args:
        dialect: a name that sqlglot knows; literals are spelled in it.

    Raises:
        UnreadableQueryError: the text cannot be taken to pieces.
        UnsupportedQueryError: values and places do not agree, or a value is of a type that has no literal.
    """
    if parameters is None or (not parameters and isinstance(parameters, Sequence)):
        return sql
    if isinstance(parameters, (str, bytes)):
        raise UnsupportedQueryError(str(parameters), "parameters are a list of values or a mapping", "Write [value].")
    try:
        tokens = sqlglot_dialect(dialect).tokenize(sql)
    except (SqlglotError, ValueError) as error:
        raise UnreadableQueryError(sql, " ".join(str(error).split())) from error
    places = list(_places(sql, tokens, by_name=isinstance(parameters, Mapping)))
    values = _values(places, parameters, sql)
    parts: list[str] = []
    end = 0
    for place, value in zip(places, values, strict=True):
        parts += [_plain(sql[end : place.start], places), _literal(value, place, dialect)]
        end = place.end
    return "".join([*parts, _plain(sql[end:], places)])


def _plain(text: str, places: Sequence[_Place]) -> str:
    """Text between places: where they are written with %, a percent sign is written twice."""
    return text.replace("%%", "%") if any(place.text.startswith("%") for place in places) else text


def _places(sql: str, tokens: Sequence[Token], *, by_name: bool) -> Iterator[_Place]:
    pattern = _BY_NAME if by_name else _BY_ORDER
    for number, token in enumerate(tokens):
        match = pattern.match(sql, token.start) if token.token_type in _STARTS else None
        if match is None or (match.group().startswith(":") and _SLICED.search(sql[: token.start])):
            continue
        name = next((group for group in match.groups() if group), None)
        key = name if name is None or by_name else int(name) - 1
        before = [neighbour.text.upper() for neighbour in tokens[max(number - 2, 0) : number]]
        is_of_rows, is_in = bool(_ROWS.intersection(before[-1:])), before[-1:] == ["IN"]
        yield _Place(match.start(), match.end(), match.group(), key, is_of_rows, is_in, before == ["IN", "("])


_STARTS = frozenset({TokenType.PLACEHOLDER, TokenType.PARAMETER, TokenType.COLON, TokenType.MOD})
_BY_ORDER = re.compile(r"\?|%s\b|\$(\d+)")
_BY_NAME = re.compile(r":([A-Za-z_]\w*)|\$([A-Za-z_]\w*)|%\((\w+)\)s\b")
_SLICED = re.compile(r"""[\w\]")]$""")
"""What stands right before the colon of a slice."""


def _values(places: Sequence[_Place], parameters: Parameters, sql: str) -> list[object]:
    if isinstance(parameters, Mapping):
        for place in places:
            if place.key not in parameters:
                names = ", ".join(f"`{name}`" for name in parameters)
                raise UnsupportedQueryError(place.text, f"no value has this name; there are {names}", "Give it one.")
        if not places:
            _refuse_count(sql, 0, len(parameters))
        return [parameters[str(place.key)] for place in places]
    if len({place.key is None for place in places}) > 1:
        raise UnsupportedQueryError(places[0].text, "the query has places with and without numbers", "Use one kind.")
    numbers = [number if place.key is None else place.key for number, place in enumerate(places)]
    wanted = max((int(number) + 1 for number in numbers), default=0)
    if wanted != len(parameters) or min((int(number) for number in numbers), default=0) < 0:
        _refuse_count(sql, wanted, len(parameters))
    return [parameters[int(number)] for number in numbers]


def _refuse_count(sql: str, wanted: int, given: int) -> None:
    shown = sql if len(sql) <= _LONGEST else f"{sql[:_LONGEST]}…"
    reason = f"it has {wanted} places for values, and {given} values were given"
    raise UnsupportedQueryError(
        shown, reason, "Give a list for `?`, `%s` and `$1`, a mapping for `:name` and `%(name)s`."
    )


def _literal(value: object, place: _Place, dialect: str) -> str:
    if place.is_of_rows and isinstance(value, str) and value.isdecimal():
        value = int(value)
    if (place.is_in or place.is_listed) and isinstance(value, (list, tuple, set, frozenset)):
        # Drivers spell a list there as SQL does.
        texts = [_expression(item, place).sql(dialect=dialect) for item in value]
        if not texts:
            raise UnsupportedQueryError(place.text, "the list behind IN is empty", "Leave the condition out.")
        return ", ".join(texts) if place.is_listed else f"({', '.join(texts)})"
    literal = _expression(value, place)
    text = literal.sql(dialect=dialect)
    # A minus sign must not meet another one before it.
    return f"({text})" if text.startswith("-") else text


def _expression(value: object, place: _Place) -> exp.Expr:
    if isinstance(value, (list, tuple, set, frozenset)):
        return exp.Array(expressions=[_expression(item, place) for item in value])
    if isinstance(value, UUID):
        value = str(value)
    is_known = value is None or isinstance(value, (bool, int, str, float, Decimal, date, datetime, time))
    is_infinite = isinstance(value, (float, Decimal)) and not math.isfinite(value)
    if not is_known or is_infinite or (isinstance(value, str) and "\x00" in value):
        reason = f"a value of type `{type(value).__name__}` has no literal, or not this one"
        raise UnsupportedQueryError(
            place.text, reason, "Give a number, a text, a date or time, a boolean, None, or a list."
        )
    if isinstance(value, Decimal):
        return exp.Literal.number(format(value, "f"))
    if isinstance(value, datetime):
        return exp.cast(exp.Literal.string(value.isoformat(sep=" ")), "timestamptz" if value.tzinfo else "timestamp")
    if isinstance(value, (date, time)):
        return exp.cast(exp.Literal.string(value.isoformat()), "date" if isinstance(value, date) else "time")
    return exp.convert(value)


_LONGEST = 200
