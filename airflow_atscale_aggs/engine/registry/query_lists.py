"""Lists of the log of queries, newest first, and what was asked by day.

The log is long. A page is read from the indices that hold the times of the queries in question, newest first: those of
one definition, of some outcomes, or of whole models. What no index knows, such as a part of the query's text, is tried
on the newest of them only, and the page tells where to look on.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    false,
    func,
    literal,
    select,
    tuple_,
    union_all,
)

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.registry.listings import QueryDay, QueryListing, QueryOutcome
from airflow_atscale_aggs.engine.registry.page import (
    Count,
    Order,
    Page,
    Position,
    contains,
    is_storable,
    position_of,
    read_cursor,
    rows_asked,
    with_position,
    write_cursor,
)
from airflow_atscale_aggs.engine.registry.part import RegistryPart
from airflow_atscale_aggs.engine.registry.query_days import seconds_saved, shortest_builds
from airflow_atscale_aggs.engine.registry.query_records import query_record
from airflow_atscale_aggs.engine.registry.tables import IS_NO_HIT, models, queries, query_days, query_sources

MOST_LOOKED_AT = 5_000
"""Queries that one page tries its filters on, about."""

MOST_COUNTED = 10_000
"""Counting stops there."""

_FIRST_LOOK = 10
"""How many times as many queries as a page has are looked at first: mostly that is enough."""

_LEAST_OF_PATH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryFilter:
    """Which queries are listed; what is not given filters nothing.

    Attributes:
        model_ids: None: of all models; empty: none at all.
        outcomes: one of them; empty: any.
        asked_before, asked_after: before, or at or after.
        definition_id: answered from it, at least in part.
        user: who asked.
        shape_contains: a part of the query's text without its values, in any case.
    """

    model_ids: Collection[str] | None = None
    outcomes: Collection[QueryOutcome] = ()
    asked_before: datetime | None = None
    asked_after: datetime | None = None
    definition_id: str | None = None
    user: str | None = None
    shape_contains: str = ""


_ANY = QueryFilter()
_ORDER = Order(
    subject="queries",
    name="asked",
    key=queries.c.asked_at,
    identity=queries.c.id,
    descending=True,
    may_be_missing=False,
)


class QueryLists(RegistryPart):
    """Reads lists of queries."""

    __slots__ = ()

    def page(self, which: QueryFilter = _ANY, *, limit: int = 50, cursor: str | None = None) -> Page[QueryListing]:
        """Some queries of the log, newest first.

        A page may have fewer rows than `limit` although more follow, see `Page`.

        Args:
            limit: rows at most; more than `page.MOST_ROWS` are cut.
            cursor: of the page before; None: from the start.

        Raises:
            CursorError: the cursor does not continue such a list.
        """
        after = None if cursor is None else read_cursor(_ORDER, cursor)
        most = rows_asked(limit)
        with self.database.reading() as connection:
            search = _Search(connection, which, _paths(connection, which))
            for number in (most + 1,) if search.is_exact else (_FIRST_LOOK * (most + 1), MOST_LOOKED_AT):
                end = search.find_end(after, number, is_shared=not search.is_exact)
                rows = search.rows(after, end, most + 1)
                if len(rows) > most or end is None:
                    break
            listings = _listings(connection, rows[:most])
        if len(rows) > most:
            end = position_of(rows[most - 1])
        return Page(listings, None if end is None else write_cursor(_ORDER, end))

    def get(self, query_id: int) -> QueryListing | None:
        """A query of the log by id; None where it is not there, or no more."""
        with self.database.reading() as connection:
            rows = connection.execute(select(queries).where(queries.c.id == query_id)).all()
            return next(iter(_listings(connection, rows)), None)

    def count(self, which: QueryFilter = _ANY) -> Count:
        """How many queries there are; counting stops at `MOST_COUNTED`, or where `MOST_LOOKED_AT` were looked at."""
        with self.database.reading() as connection:
            search = _Search(connection, which, _paths(connection, which))
            if search.is_exact:
                number = search.count_all(MOST_COUNTED + 1)
                return Count(min(number, MOST_COUNTED), is_exact=number <= MOST_COUNTED)
            end = search.find_end(None, MOST_LOOKED_AT, is_shared=True)
            return Count(search.count(end), is_exact=end is None)

    def days(self, model_ids: Collection[str] | None = None, *, since: date) -> tuple[QueryDay, ...]:
        """What was asked of each model on each day (UTC) from a day on, oldest first, then by model.

        They know of queries that the log has forgotten.
        """
        query = select(query_days).where(query_days.c.day >= since)
        if model_ids is not None:
            query = query.where(query_days.c.model_id.in_(sorted(model_ids)))
        rows = self._rows(query.order_by(query_days.c.day, query_days.c.model_id))
        return tuple(QueryDay(**row._mapping) for row in rows)  # noqa: SLF001 - SQLAlchemy's public name


@dataclass(frozen=True, slots=True)
class _Path:
    """One index that leads to queries in question, newest first.

    Attributes:
        asked_at, identity: the columns of the index that tell where a query stands.
        conditions: on the columns before.
    """

    asked_at: ColumnElement[datetime]
    identity: ColumnElement[int]
    conditions: tuple[ColumnElement[bool], ...]

    def select(self, which: QueryFilter, after: Position | None, end: Position | None) -> Select[*tuple[Any, ...]]:
        """Where its queries stand, from after one position to another."""
        place = tuple_(self.asked_at, self.identity)
        found: Select[*tuple[Any, ...]] = select(self.asked_at.label("page_key"), self.identity.label("page_id"))
        found = found.where(*self.conditions)
        if after is not None:
            found = found.where(place < _place(after))
        if end is not None:
            found = found.where(place >= _place(end))
        if which.asked_after is not None:
            found = found.where(self.asked_at >= which.asked_after)
        if which.asked_before is not None:
            found = found.where(self.asked_at < which.asked_before)
        return found.order_by(self.asked_at.desc(), self.identity.desc())


def _place(position: Position) -> Any:
    return tuple_(literal(position.key, queries.c.asked_at.type), literal(position.identity, queries.c.id.type))


def _paths(connection: Connection, which: QueryFilter) -> tuple[_Path, ...]:
    """The shortest ways to the queries in question, which have none in common."""
    here = (queries.c.asked_at, queries.c.id)
    if which.definition_id is not None:
        shared = (query_sources.c.asked_at, query_sources.c.query_id)
        return (
            _Path(*here, (queries.c.definition_id == which.definition_id,)),
            _Path(*shared, (query_sources.c.definition_id == which.definition_id,)),
        )
    ids = connection.scalars(select(models.c.id)) if which.model_ids is None else which.model_ids
    of_models = [(queries.c.model_id == model_id,) for model_id in sorted(ids)]
    if which.outcomes and QueryOutcome.HIT not in which.outcomes:
        return tuple(
            _Path(*here, (*of_model, queries.c.outcome == str(outcome), IS_NO_HIT))  # type: ignore[arg-type]
            for of_model in of_models
            for outcome in sorted(set(which.outcomes))
        )
    return tuple(_Path(*here, of_model) for of_model in of_models)


class _Search:
    """Looks for queries along some paths."""

    def __init__(self, connection: Connection, which: QueryFilter, paths: Sequence[_Path]) -> None:
        self._connection, self._which, self._paths = connection, which, paths
        self._conditions = _conditions(connection, which)
        self.is_exact = not self._conditions
        """Whether every query of the paths is one in question."""

    def find_end(self, after: Position | None, number: int, *, is_shared: bool) -> Position | None:
        """Where looking at a number of queries ends; None where that is all there are.

        Args:
            is_shared: the paths have the number together, about; else each of them.
        """
        share = max(_LEAST_OF_PATH, number // max(1, len(self._paths))) if is_shared else number
        ends = []
        for chunk in self._chunks():
            # Two of each path: the last one that is looked at, and one that tells that there are more.
            lasts = [path.select(self._which, after, None).offset(share - 1).limit(2) for path in chunk]
            numbered = [select(literal(number).label("path"), found.subquery()) for number, found in enumerate(lasts)]
            by_path: dict[int, list[Position]] = {}
            for row in self._connection.execute(union_all(*numbered)):
                by_path.setdefault(row.path, []).append(position_of(row))
            ends += [max(found, key=_sort_key) for found in by_path.values() if len(found) > 1]
        return max(ends, key=_sort_key) if ends else None

    def rows(self, after: Position | None, end: Position | None, most: int) -> list[Any]:
        """The newest of the queries in question between two positions."""
        found: list[Any] = []
        for candidates in self._candidates(after, end):
            query = select(queries).where(queries.c.id.in_(candidates), *self._conditions)
            ordered = with_position(query, _ORDER).order_by(queries.c.asked_at.desc(), queries.c.id.desc())
            found += self._connection.execute(ordered.limit(most)).all()
        return sorted(found, key=lambda row: _sort_key(position_of(row)), reverse=True)[:most]

    def count(self, end: Position | None) -> int:
        """How many queries in question there are down to a position."""
        number = 0
        for candidates in self._candidates(None, end):
            query = select(func.count()).select_from(queries).where(queries.c.id.in_(candidates), *self._conditions)
            number += self._connection.scalar(query) or 0
        return number

    def count_all(self, most: int) -> int:
        """How many queries there are on the paths, where that is no more than some number."""
        number = 0
        for path in self._paths:
            found = path.select(self._which, None, None).order_by(None).limit(most - number).subquery()
            number += self._connection.scalar(select(func.count()).select_from(found)) or 0
            if number >= most:
                break
        return number

    def _candidates(self, after: Position | None, end: Position | None) -> list[CompoundSelect[Any]]:
        """The ids of all queries on the paths between two positions."""
        return [
            union_all(
                *(select(path.select(self._which, after, end).order_by(None).subquery().c.page_id) for path in chunk)
            )
            for chunk in self._chunks()
        ]

    def _chunks(self) -> list[Sequence[_Path]]:
        # SQLite puts no more than 500 SELECTs together.
        return [self._paths[start : start + 100] for start in range(0, len(self._paths), 100)]


def _sort_key(position: Position) -> tuple[Any, Any]:
    return position.key, position.identity


def _conditions(connection: Connection, which: QueryFilter) -> list[ColumnElement[bool]]:
    """What the paths do not say."""
    if not is_storable(f"{which.user or ''}{which.shape_contains}{which.definition_id or ''}"):
        return [false()]
    found: list[ColumnElement[bool]] = []
    if which.definition_id is not None and which.model_ids is not None:
        # A function of the column: the index of models would lead to all of theirs.
        found.append(func.coalesce(queries.c.model_id, "").in_(sorted(which.model_ids)))
    if which.outcomes and (which.definition_id is not None or QueryOutcome.HIT in which.outcomes):
        found.append(queries.c.outcome.in_(sorted(map(str, which.outcomes))))
    if which.user is not None:
        found.append(queries.c.user == which.user)
    if which.shape_contains:
        found.append(contains(connection, queries.c.shape, which.shape_contains))
    return found


def _listings(connection: Connection, rows: Sequence[Any]) -> tuple[QueryListing, ...]:
    records = [query_record(row) for row in rows]
    builds = shortest_builds(connection, records)
    return tuple(
        QueryListing(
            id=row.id, outcome=QueryOutcome(row.outcome), query=record, seconds_saved=seconds_saved(record, builds)
        )
        for row, record in zip(rows, records, strict=True)
    )
