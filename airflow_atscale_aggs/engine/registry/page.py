"""Pages of lists: the next page begins where the last one ended, by the sort key and the id of its last row.

A cursor says where a page ended. It holds the list's name, its order, the key and the id, so that reading on costs the
same on every page and rows that come meanwhile move nothing (no OFFSET). It is text for URLs, and opaque: only
`read_cursor` reads it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Connection, Select, literal, or_, select, tuple_, union_all

from airflow_atscale_aggs.engine.errors import CursorError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

Row = TypeVar("Row")
Key = str | int | float | datetime

MOST_ROWS = 1000
"""The longest page; a longer one is cut to it."""

_MOST_SPLITS = 100
"""So many are read by one statement: SQLite puts no more than 500 SELECTs together, and reading each by itself takes
its time.
"""

_MOST_IDS = 30_000
"""SQLite takes no more than 32,766 values in one statement."""

_LONGEST_CURSOR = 8000
_DIGEST_BYTES = 6
_LARGEST_INTEGER = 2**63


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows of a list, in its order.

    Attributes:
        rows: at most as many as were asked for. There may be fewer although more follow, where a filter was tried on
            as many rows as one page may cost.
        next_cursor: continues after the last row that was looked at; None at the end of the list.
    """

    rows: tuple[Row, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """How many rows a list has. ``is_exact`` is False where counting stopped at `number` because there are more."""

    number: int
    is_exact: bool = True


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ended: the last row's key, None where it has none, and its id."""

    key: Key | None
    identity: str | int


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The order of a list: by a key, then by id in the same direction. Rows without a key come last either way.

    Attributes:
        subject: what the list is of, in plural; part of its cursors.
        name: of the key, for people and in cursors.
        key: what is sorted by.
        identity: unique.
        may_be_missing: some rows have no key.
    """

    subject: str
    name: str
    key: ColumnElement[Any]
    identity: ColumnElement[Any]
    descending: bool = False
    may_be_missing: bool = True

    @property
    def tag(self) -> str:
        """Names the order in cursors."""
        return f"{self.subject}:{self.name}:{'desc' if self.descending else 'asc'}"


def write_cursor(order: Order, position: Position) -> str:
    """The text that continues a list after a position."""
    key = position.key.isoformat() if isinstance(position.key, datetime) else position.key
    body = json.dumps([order.tag, key, position.identity], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_digest(body) + body).decode().rstrip("=")


def read_cursor(order: Order, cursor: str) -> Position:
    """Where a list is continued.

    Raises:
        CursorError: it is damaged, or it was made for another list or another order.
    """
    try:
        if len(cursor) > _LONGEST_CURSOR:
            raise CursorError(order.subject, "it is too long")
        content = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        digest, body = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        tag, key, identity = json.loads(body)
    except (ValueError, TypeError, RecursionError, binascii.Error):
        raise CursorError(order.subject, "it is damaged") from None
    if digest != _digest(body):
        raise CursorError(order.subject, "it is damaged")
    if tag != order.tag:
        raise CursorError(order.subject, "it was made for another list or another order")
    # Anybody may write a cursor: what is no value of the columns must not reach the database.
    if not _is_value(identity, order.identity.type.python_type):
        raise CursorError(order.subject, "it is damaged")
    if key is None and order.may_be_missing:
        return Position(None, identity)
    return Position(_read_key(order, key), identity)


def read_after(
    connection: Connection,
    query: Select[Any],
    order: Order,
    after: Position | None,
    most: int,
    *,
    splits: Sequence[ColumnElement[bool]] = (),
) -> list[Any]:
    """The next rows of a query, in order.

    Args:
        query: gives the order's key as ``page_key`` and its id as ``page_id``; see `with_position`.
        after: None: from the start.
        most: rows.
        splits: conditions of which exactly one holds for each row, where an index keeps the rows of each in order.
    """
    rows: list[Any] = []
    if after is None or after.key is not None:
        keyed = query.where(order.key.is_not(None)) if order.may_be_missing else query
        if after is not None:
            end = tuple_(literal(after.key, order.key.type), _id_literal(order, after))
            place = tuple_(order.key, order.identity)
            keyed = keyed.where(place < end if order.descending else place > end)
        rows += _read(connection, keyed, order, most, splits)
        after = None
    if order.may_be_missing and len(rows) < most:
        missing = query.where(order.key.is_(None))
        if after is not None:
            end_id = _id_literal(order, after)
            missing = missing.where(order.identity < end_id if order.descending else order.identity > end_id)
        rows += _read(connection, missing, order, most - len(rows), splits)
    return rows


def with_position(query: Select[Any], order: Order) -> Select[Any]:
    """A query that tells of each row where it stands in an order."""
    return query.add_columns(order.key.label("page_key"), order.identity.label("page_id"))


def position_of(row: Any) -> Position:
    """Where a row of `with_position` stands."""
    return Position(row.page_key, row.page_id)


def rows_asked(limit: int) -> int:
    """How many rows a page may have: at least 1, at most `MOST_ROWS`."""
    return max(1, min(limit, MOST_ROWS))


def is_storable(text: str) -> bool:
    """Whether a database can hold a text at all; one that cannot is in no row. PostgreSQL has no NUL in texts."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def contains(connection: Connection, column: ColumnElement[str], part: str) -> ColumnElement[bool]:
    """The condition that a column contains a text, in any case; `%` and `_` mean themselves.

    SQLite knows the case of ASCII letters only, but its LIKE disregards it by itself.
    """
    is_sqlite = connection.dialect.name == "sqlite"
    return column.contains(part, autoescape=True) if is_sqlite else column.icontains(part, autoescape=True)


def _read(
    connection: Connection, query: Select[Any], order: Order, most: int, splits: Sequence[ColumnElement[bool]]
) -> Sequence[Any]:
    """The first rows of a query in order."""
    parts = range(0, len(splits), _MOST_SPLITS)
    if len(parts) * most > _MOST_IDS:
        query, splits = query.where(or_(*splits)), ()
    if len(splits) > 1:
        ids = [
            identity
            for start in parts
            for identity in _first_ids(connection, query, order, most, splits[start : start + _MOST_SPLITS])
        ]
        query, splits = query.where(order.identity.in_(ids)), ()
    return connection.execute(_sorted(query.where(*splits), order, order.key, order.identity).limit(most)).all()


def _first_ids(
    connection: Connection, query: Select[Any], order: Order, most: int, splits: Sequence[ColumnElement[bool]]
) -> Sequence[Any]:
    """Ids of the first rows of a query of which one of the conditions holds."""
    places = query.with_only_columns(order.key.label("page_key"), order.identity.label("page_id"))
    firsts = [_sorted(places.where(split), order, order.key, order.identity).limit(most) for split in splits]
    merged = union_all(*(select(first.subquery()) for first in firsts)).subquery()
    return connection.scalars(
        _sorted(select(merged.c.page_id), order, merged.c.page_key, merged.c.page_id).limit(most)
    ).all()


def _sorted(query: Select[Any], order: Order, *columns: ColumnElement[Any]) -> Select[Any]:
    return query.order_by(*(column.desc() if order.descending else column.asc() for column in columns))


def _id_literal(order: Order, position: Position) -> ColumnElement[Any]:
    return literal(position.identity, order.identity.type)


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()[:_DIGEST_BYTES]


def _read_key(order: Order, key: object) -> Key:
    wanted = order.key.type.python_type
    if wanted is datetime and isinstance(key, str):
        try:
            moment = datetime.fromisoformat(key)
        except ValueError:
            raise CursorError(order.subject, "it is damaged") from None
        if moment.tzinfo is UTC:
            return moment
    elif isinstance(key, (str, int, float)) and _is_value(key, wanted):
        return key
    raise CursorError(order.subject, "it is damaged")


def _is_value(value: object, wanted: type[Any]) -> bool:
    """Whether a value of JSON is one of a column's."""
    if wanted is str:
        return isinstance(value, str) and is_storable(value)
    if wanted is float:
        return isinstance(value, float) and math.isfinite(value)
    return (
        wanted is int
        and isinstance(value, int)
        and not isinstance(value, bool)
        and -_LARGEST_INTEGER <= value < _LARGEST_INTEGER
    )
