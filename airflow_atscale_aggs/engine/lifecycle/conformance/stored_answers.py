"""Queries on the star's model, and the answers that every warehouse must give to them.

They stand in ``star/queries.sql`` and ``star/answers.json``. A unit test proves the answers by SELECTs written by hand.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.conformance.check_star import STAR_FOLDER

_NEAR = 1e-9
"""Relative distance of floating numbers that come out of another order of additions."""

_ALMOST = 1e-6

Answer = list[tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class StoredQuery:
    """One query.

    Attributes:
        sql: on the model.
        proof: a SELECT on the tables that gives the same.
        answer: its rows, in any order.
    """

    name: str
    sql: str
    proof: str
    answer: Answer


def read_queries() -> list[StoredQuery]:
    """All stored queries."""
    text = (STAR_FOLDER / "queries.sql").read_text(encoding="utf-8")
    answers = json.loads((STAR_FOLDER / "answers.json").read_text(encoding="utf-8"))
    return [_parse(block, answers) for block in text.split("-- query: ")[1:]]


def _parse(block: str, answers: dict[str, list[list[object]]]) -> StoredQuery:
    name, _, rest = block.partition("\n")
    sql, _, proof = rest.partition("-- equals\n")
    return StoredQuery(name, sql.strip(), proof.strip(), [tuple(row) for row in answers.get(name, [])])


def find_difference(rows: Sequence[Sequence[object]], stored: Sequence[Sequence[object]]) -> str:
    """What differs between an answer and the stored one, in half a sentence; empty when nothing does.

    >>> find_difference([(1, "a")], [("1", "a")]), find_difference([(1,)], [])
    ('', '1 rows instead of 0')
    """
    if len(rows) != len(stored):
        return f"{len(rows)} rows instead of {len(stored)}"
    found = sorted((tuple(map(plain, row)) for row in rows), key=_order)
    wanted = sorted((tuple(map(plain, row)) for row in stored), key=_order)
    for row, other in zip(found, wanted, strict=True):
        if len(row) != len(other) or not all(map(_is_same, row, other)):
            return f"{_shown(row)} instead of {_shown(other)}"
    return ""


def plain(value: object) -> object:
    """A value as it is stored: numbers as floating numbers, times as ISO 8601."""
    if isinstance(value, bool) or value is None:
        return None if value is None else float(value)
    if isinstance(value, (int, float, Decimal)):
        return float(value)
    if isinstance(value, datetime):
        # Some warehouses have no type for a day without a time.
        is_day = value.time() == value.min.time()
        return value.date().isoformat() if is_day else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    text = str(value)
    try:
        return float(text)
    except ValueError:
        return text


def _is_same(value: object, other: object) -> bool:
    if isinstance(value, float) and isinstance(other, float):
        return math.isclose(value, other, rel_tol=_NEAR, abs_tol=_ALMOST)
    return value == other


def _order(row: Sequence[object]) -> list[tuple[int, float, str]]:
    """NULL before texts before numbers, and numbers without the digits that may differ."""
    return [
        (2, round(value, 4), "") if isinstance(value, float) else (0 if value is None else 1, 0.0, str(value))
        for value in row
    ]


def _shown(row: Sequence[object]) -> str:
    texts = (f"{value:.12g}" if isinstance(value, float) else "NULL" if value is None else repr(value) for value in row)
    return f"({', '.join(texts)})"
