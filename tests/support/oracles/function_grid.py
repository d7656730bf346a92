"""Values that functions are tried on, and what warehouses answer: a value by row, or that it is an error."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

COLUMNS = {
    "id": "INTEGER",
    "t": "VARCHAR",
    "u": "VARCHAR",
    "i": "INTEGER",
    "j": "INTEGER",
    "l": "BIGINT",
    "s": "SMALLINT",
    "n": "DECIMAL(12,2)",
    "m": "DECIMAL(10,4)",
    "x": "DOUBLE PRECISION",
    "y": "DOUBLE PRECISION",
    "d": "DATE",
    "e": "DATE",
    "ts": "TIMESTAMP",
    "us": "TIMESTAMP",
    "p": "BOOLEAN",
    "q": "BOOLEAN",
}
_TEXTS = [
    None,
    "",
    " ",
    "a",
    "A",
    "b",
    "ab",
    "a_b",
    "a%b",
    "axb",
    "a\\b",
    "\\x",
    "100%",
    "Hello wORLD",
    "  pad  ",
    "éÀñ",
    "añb",
    "12",
    " -7 ",
    "1.5",
    "true",
    "YES",
    "2024-02-29",
    "a\nb",
    "aab",
    "abab",
    "a b c",
    "x-y_z",
    "%_",
    "日本",
    "a^$b",
    "ab|cd",
    "a.b",
    "O'Neil",
    "a,b",
    "aaa",
    "\t",
    "1e3",
    "off",
]
_INTEGERS = [
    None,
    0,
    1,
    2,
    3,
    -1,
    -2,
    -7,
    7,
    10,
    15,
    25,
    100,
    999,
    1000,
    12345,
    -12345,
    2147483647,
    -2147483647,
    5,
    1234567,
]
_DECIMALS = [
    "0",
    "0.01",
    "0.5",
    "1.5",
    "2.5",
    "-0.5",
    "-1.5",
    "-2.5",
    "1.25",
    "99.99",
    "-99.99",
    "999.99",
    "1234567.89",
    "0.1",
    "10",
    "-0.01",
    "1",
    "3",
    "2.68",
    "0.125",
    "100.5",
    "1.005",
]
_DOUBLES = [
    None,
    0.0,
    -0.0,
    0.5,
    1.5,
    2.5,
    3.5,
    -0.5,
    -2.5,
    0.1,
    1 / 3,
    2.675,
    1e15,
    123456789.125,
    -1234.5678,
    1e20,
    1e-5,
    math.nan,
    math.inf,
    -math.inf,
    3.0,
    1.005,
    1e16,
    1234567890123456.0,
    7.0,
]
_DATES = [
    None,
    "2024-02-29",
    "2024-01-01",
    "2023-12-31",
    "2024-12-30",
    "1969-12-31",
    "1970-01-01",
    "1900-03-01",
    "2000-01-01",
    "2001-01-01",
    "0011-01-01",
    "9997-12-31",
    "2021-01-03",
    "2026-01-01",
    "2024-01-31",
    "2024-03-31",
    "1899-12-31",
    "0099-12-31",
    "2024-07-04",
    "2023-10-11",
    "2020-12-31",
    "1000-01-01",
    "2024-11-22",
]
_TIMES = [
    "00:00:00",
    "23:59:59.999999",
    "12:00:00",
    "00:30:15.5",
    "13:14:15.123456",
    "01:02:03",
    "11:59:59",
    "12:34:56.000007",
]


def grid() -> list[dict[str, Any]]:
    """Rows of every type's edges, NULLs among them; values of different columns meet in many ways."""
    rows = []
    for number in range(78):
        day, other = _DATES[number % len(_DATES)], _DATES[(number * 5 + 3) % len(_DATES)]
        integer = _INTEGERS[number % len(_INTEGERS)]
        small = None if number % 13 == 5 else (number * 7) % 31 - 5
        rows.append(
            {
                "id": number,
                "t": _TEXTS[number % len(_TEXTS)],
                "u": _TEXTS[(number * 7 + 3) % len(_TEXTS)],
                "i": integer,
                "j": _INTEGERS[(number * 4 + 2) % len(_INTEGERS)],
                "l": None if number % 11 == 3 else (integer or 0) * 1_000_003,
                "s": small,
                "n": None if number % 9 == 4 else Decimal(_DECIMALS[number % len(_DECIMALS)]).quantize(Decimal("0.01")),
                "m": None if number % 10 == 7 else Decimal(_DECIMALS[(number * 3 + 1) % len(_DECIMALS)]) % 1000000,
                "x": _DOUBLES[number % len(_DOUBLES)],
                "y": _DOUBLES[(number * 3 + 1) % len(_DOUBLES)],
                "d": day and date.fromisoformat(day),
                "e": other and date.fromisoformat(other),
                "ts": day and datetime.fromisoformat(f"{day}T{_TIMES[number % len(_TIMES)]}"),
                "us": other and datetime.fromisoformat(f"{other}T{_TIMES[(number * 3) % len(_TIMES)]}"),
                "p": (None, True, False)[number % 3],
                "q": (True, None, False, False)[number % 4],
            }
        )
    return rows


ERROR = "an error"
Fetch = Callable[[str], list[tuple[Any, ...]]]


def answers(
    fetch: Fetch, errors: tuple[type[BaseException], ...], expression: str, table: str, *, of_all: bool = False
) -> list[Any]:
    """What an expression is in each row, or of all rows; row by row where it is an error in some."""
    if of_all:
        return [_answer(fetch, errors, f"SELECT 0, {expression} AS v FROM {table}")]
    try:
        return [value for _, value in fetch(f"SELECT id, {expression} AS v FROM {table} ORDER BY id")]
    except errors:
        return [
            _answer(fetch, errors, f"SELECT id, {expression} AS v FROM {table} WHERE id = {row['id']}")
            for row in grid()
        ]


def _answer(fetch: Fetch, errors: tuple[type[BaseException], ...], sql: str) -> Any:
    try:
        return fetch(sql)[0][1]
    except errors:
        return ERROR


def type_class(value: Any) -> str:
    """What kind of value it is to whoever reads it."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float | Decimal):
        return "number"
    if isinstance(value, datetime | date):
        return "moment"
    return type(value).__name__


def is_same(value: Any, other: Any) -> bool:
    """Whether two answers are one: numbers to 15 digits, a date as the midnight it begins with."""
    if value is None or other is None or ERROR in (value, other):
        return value is other or value == other
    if type_class(value) != type_class(other):
        return False
    if isinstance(value, float | Decimal | int) and not isinstance(value, bool):
        return _is_same_number(value, other)
    if isinstance(value, date):
        return _moment(value) == _moment(other)
    if isinstance(value, timedelta):
        return bool(value == other)
    return bool(value == other)


def _moment(value: date) -> datetime:
    moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
    return moment.replace(tzinfo=None)


def _is_same_number(value: Any, other: Any) -> bool:
    first, second = float(value), float(other)
    if math.isnan(first) or math.isnan(second):
        return math.isnan(first) and math.isnan(second)
    return first == second or math.isclose(first, second, rel_tol=1e-14, abs_tol=1e-15)


@dataclass(frozen=True)
class Comparison:
    """How an expression of PostgreSQL fares on another warehouse.

    Attributes:
        outcome: same, stricter (an error where PostgreSQL answers some rows), never (an error in all of them), refused,
            or different.
        reason: of a refusal; of a difference: row, PostgreSQL's value, the other's.
    """

    expression: str
    outcome: str
    reason: str = ""


def compare_answers(expression: str, truth: Sequence[Any], other_answers: Sequence[Any]) -> Comparison:
    """Two warehouses' answers beside each other."""
    stricter, is_answered = "", False
    for row, value, other in zip(grid(), truth, other_answers, strict=False):
        if is_same(value, other):
            is_answered |= value not in (None, ERROR)
            continue
        difference = f"row {row}: {value!r}, not {other!r}"
        if other != ERROR or value is None:
            return Comparison(expression, "different", difference)
        stricter = difference
    outcome = "same" if not stricter else "stricter" if is_answered else "never"
    return Comparison(expression, outcome, stricter)
