"""Lists of the log of queries, newest first, and what was asked by day."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from sqlalchemy import ColumnElement, select

from airflow_atscale_aggs.engine.registry import documents
from airflow_atscale_aggs.engine.registry.listings import QueryDay, QueryListing, QueryOutcome
from airflow_atscale_aggs.engine.registry.page import (
    Order,
    Page,
    Position,
    position_of,
    read_after,
    read_cursor,
    rows_asked,
    with_position,
    write_cursor,
)
from airflow_atscale_aggs.engine.registry.part import RegistryPart
from airflow_atscale_aggs.engine.registry.records import QueryRecord
from airflow_atscale_aggs.engine.registry.tables import queries

MOST_LOOKED_AT = 2_000
"""Queries that one page tries its filters on."""


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


def outcome_of(query: QueryRecord) -> QueryOutcome:
    """Where the answer of a query came from."""
    if query.fallback_reason:
        return QueryOutcome.FALLBACK
    from_aggregates = [bool(source.definition_id) for source in query.actual]
    if not any(from_aggregates):
        return QueryOutcome.MISS
    return QueryOutcome.HIT if all(from_aggregates) else QueryOutcome.PARTIAL


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
        query = with_position(select(queries).where(*_conditions(which)), _ORDER)
        with self.database.reading() as connection:
            rows = read_after(connection, query, _ORDER, after, MOST_LOOKED_AT + 1)
        found: list[QueryListing] = []
        last: Position | None = None
        for row in rows[:MOST_LOOKED_AT]:
            if len(found) == most:
                break
            last = position_of(row)
            listing = _listing(row)
            if _is_wanted(listing, which):
                found.append(listing)
        is_end = last is None or last == position_of(rows[-1])
        return Page(tuple(found), None if is_end or last is None else write_cursor(_ORDER, last))

    def get(self, query_id: int) -> QueryListing | None:
        """A query of the log by id; None where it is not there, or no more."""
        rows = self._rows(select(queries).where(queries.c.id == query_id))
        return _listing(rows[0]) if rows else None

    def days(self, model_ids: Collection[str] | None = None, *, since: date) -> tuple[QueryDay, ...]:
        """What was asked of each model on each day (UTC) from a day on, oldest first, then by model."""
        start = datetime.combine(since, time(), UTC)
        which = QueryFilter(model_ids=model_ids, asked_after=start)
        rows = self._rows(select(queries.c.document).where(*_conditions(which)))
        return _count_days(documents.decode_query(row[0]) for row in rows)


def _conditions(which: QueryFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if which.model_ids is not None:
        found.append(queries.c.model_id.in_(sorted(which.model_ids)))
    if which.asked_after is not None:
        found.append(queries.c.asked_at >= which.asked_after)
    if which.asked_before is not None:
        found.append(queries.c.asked_at < which.asked_before)
    return found


def _is_wanted(listing: QueryListing, which: QueryFilter) -> bool:
    query = listing.query
    return (
        (not which.outcomes or listing.outcome in which.outcomes)
        and (which.user is None or query.user == which.user)
        and which.shape_contains.casefold() in query.shape.casefold()
        and (which.definition_id is None or any(source.definition_id == which.definition_id for source in query.actual))
    )


def _listing(row: Any) -> QueryListing:
    query = documents.decode_query(row.document)
    return QueryListing(id=row.id, outcome=outcome_of(query), query=query)


def _count_days(log: Iterable[QueryRecord]) -> tuple[QueryDay, ...]:
    days: dict[tuple[date, str], dict[str, Any]] = {}
    for query in log:
        day = query.asked_at.astimezone(UTC).date()
        counts = days.setdefault((day, query.model_id), dict.fromkeys(_COUNTED, 0))
        outcome = outcome_of(query)
        counts["queries"] += query.weight
        counts[_COUNTED_AS[outcome]] += query.weight
        counts["seconds"] += query.weight * query.seconds
        for source in query.actual:
            counts["rows_read"] += query.weight * ((source.rows if source.definition_id else source.fact_rows) or 0)
            counts["fact_rows"] += query.weight * (source.fact_rows or 0)
    return tuple(QueryDay(model_id=model, day=day, **counts) for (day, model), counts in sorted(days.items()))


_COUNTED_AS = {
    QueryOutcome.HIT: "hits",
    QueryOutcome.PARTIAL: "hits",
    QueryOutcome.MISS: "misses",
    QueryOutcome.FALLBACK: "fallbacks",
}
_COUNTED = ("queries", "hits", "misses", "fallbacks", "seconds", "rows_read", "fact_rows")
