"""Values as drivers of Spark's thrift server give them, as DB-API wants them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from airflow_atscale_aggs.engine.warehouse.base import Row

_DATE = "DATE_TYPE"
"""Of a column's description: the thrift protocol's name of the type, whose values come as texts."""


def decode_dates(description: Sequence[Sequence[Any]] | None, rows: list[Row]) -> list[Row]:
    """The rows with dates as such, where they came as texts.

    >>> decode_dates([("a", "INT_TYPE"), ("d", "DATE_TYPE")], [(1, "2024-02-29"), (2, None)])
    [(1, datetime.date(2024, 2, 29)), (2, None)]
    """
    places = {number for number, column in enumerate(description or ()) if column[1] == _DATE}
    if not places:
        return rows
    return [tuple(_as_date(value) if place in places else value for place, value in enumerate(row)) for row in rows]


def _as_date(value: Any) -> Any:
    return date.fromisoformat(value) if isinstance(value, str) else value
