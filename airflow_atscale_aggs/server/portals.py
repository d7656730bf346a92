"""What a session keeps between messages: prepared statements, portals, cursors. It is bounded by its size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Generic, TypeVar

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.server.answering import RowStream
from airflow_atscale_aggs.server.client_statements import Explain, Fetch, Query, Statement
from airflow_atscale_aggs.server.descriptions import Description
from airflow_atscale_aggs.server.messages import ResultColumn, error_response
from airflow_atscale_aggs.server.sql_errors import SqlError
from airflow_atscale_aggs.server.values import TEXT

PLAN = ResultColumn(name="QUERY PLAN", type_oid=TEXT)
_ITEM_BYTES = 1000
"""Roughly what a kept thing takes besides its texts."""

_COLUMN_BYTES = 200

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement of ours. Of one about a cursor, the description tells what FETCH gives, or nothing."""

    statement: Statement
    description: Description

    @property
    def columns(self) -> Sequence[ResultColumn] | None:
        """Of the rows that it gives; None: it gives none."""
        if isinstance(self.statement, Explain):
            return [PLAN]
        gives_rows = isinstance(self.statement, Query) or (
            isinstance(self.statement, Fetch) and not self.statement.is_move
        )
        return self.description.columns if gives_rows else None


@dataclass(slots=True)
class Cursor:
    """A query that is read in parts.

    Attributes:
        formats: of the values, once the first rows were asked for.
        rows: None: no row was asked for yet.
        count: of rows that were taken.
    """

    sql: str
    description: Description
    formats: Sequence[int]
    holds: bool = False
    rows: RowStream | None = None
    is_at_end: bool = False
    notices: bool = False
    count: int = 0

    @property
    def is_open(self) -> bool:
        """Whether the warehouse holds rows for it."""
        return self.rows is not None and not self.is_at_end

    async def close(self) -> None:
        """Stop its query."""
        if self.rows is not None:
            await self.rows.close()


@dataclass(slots=True)
class Portal:
    """A prepared statement with its values. ``cursor``: of a query, its rows."""

    prepared: Prepared
    values: Sequence[Any]
    cursor: Cursor


class Budget:
    """Bytes that a session may keep. ``most``: 0: any number."""

    def __init__(self, most: int) -> None:
        self._most, self._used = most, 0

    def take(self, size: int) -> None:
        """Keep so many more. Raises SqlError: they are too many."""
        if self._most and self._used + size > self._most:
            text = f"prepared statements, portals and cursors of a session take at most {self._most:,} bytes"
            hint = "Close those that are not needed, or raise --session-memory."
            raise SqlError(error_response("54000", text, H=hint))
        self._used += size

    def give(self, size: int) -> None:
        """Keep so many no longer."""
        self._used -= size


class Kept(Generic[_T]):
    """Things by name, within a budget."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._things: dict[str, tuple[_T, int]] = {}

    def put(self, name: str, thing: _T, size: int) -> None:
        """Keep something in place of what has its name. Raises SqlError: the budget is used up."""
        self.pop(name)
        self._budget.take(_ITEM_BYTES + size)
        self._things[name] = thing, _ITEM_BYTES + size

    def get(self, name: str) -> _T | None:
        """What has a name."""
        found = self._things.get(name)
        return None if found is None else found[0]

    def pop(self, name: str) -> _T | None:
        """Keep it no longer."""
        found = self._things.pop(name, None)
        if found is None:
            return None
        self._budget.give(found[1])
        return found[0]

    def pop_all(self) -> list[_T]:
        """Keep nothing."""
        return [thing for name in list(self._things) if (thing := self.pop(name)) is not None]

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._things))

    def values(self) -> list[_T]:
        """All things."""
        return [thing for thing, _ in self._things.values()]


def size_of_statement(prepared: Prepared, sql: str) -> int:
    """Bytes that a prepared statement takes, roughly."""
    return 2 * len(sql) + _COLUMN_BYTES * len(prepared.description.columns)


def size_of_portal(sql: str, values: Sequence[bytes | None]) -> int:
    """Bytes that a portal takes, roughly: its values stand in its text as well."""
    return len(sql) + sum(2 * len(value) for value in values if value is not None)
