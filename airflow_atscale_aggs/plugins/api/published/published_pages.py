"""Pages by number, as AtScale's paths have them, of lists that are read by cursor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from airflow_atscale_aggs.engine.registry.page import MOST_ROWS, Page

Row = TypeVar("Row")
ReadPage = Callable[[int, str | None], Page[Row]]
"""Reads a page: at most so many rows, after a cursor."""


@dataclass(frozen=True, slots=True)
class PageOptions:
    """Which page is asked for. ``page`` counts from 1."""

    page: int
    size: int

    @property
    def offset(self) -> int:
        """Rows before the page."""
        return (self.page - 1) * self.size


def walk(read: ReadPage[Row], offset: int, size: int) -> list[Row]:
    """Some rows after others. The ones before are read and passed over, a thousand at a time."""
    rows: list[Row] = []
    cursor: str | None = None
    while len(rows) < size:
        page = read(min(offset + size, MOST_ROWS), cursor)
        rows += page.rows[offset : offset + size - len(rows)]
        offset = max(offset - len(page.rows), 0)
        cursor = page.next_cursor
        if cursor is None:
            break
    return rows
