"""What was asked of each model by day: counted when queries are recorded, and kept when the log forgets them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, date
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.registry.bulk import upsert
from airflow_atscale_aggs.engine.registry.listings import QueryDay, QueryOutcome
from airflow_atscale_aggs.engine.registry.records import QueryRecord, QuerySource
from airflow_atscale_aggs.engine.registry.tables import IS_FROM_FACT, instances, query_days

_SHORTEST = select(func.min(instances.c.seconds)).where(
    instances.c.model_id == bindparam("model"), instances.c.fact == bindparam("name"), IS_FROM_FACT
)
_COUNTED_AS = {
    QueryOutcome.HIT: "hits",
    QueryOutcome.PARTIAL: "hits",
    QueryOutcome.MISS: "misses",
    QueryOutcome.FALLBACK: "fallbacks",
}


def outcome_of(query: QueryRecord) -> QueryOutcome:
    """Where the answer of a query came from."""
    if query.fallback_reason:
        return QueryOutcome.FALLBACK
    from_aggregates = [bool(source.definition_id) for source in query.actual]
    if not any(from_aggregates):
        return QueryOutcome.MISS
    return QueryOutcome.HIT if all(from_aggregates) else QueryOutcome.PARTIAL


def count_days(queries: Iterable[QueryRecord], builds: Mapping[tuple[str, str], float]) -> tuple[QueryDay, ...]:
    """The figures of queries by day (UTC) and model, in the order of models and days.

    Seconds saved are an estimate, see `estimate_on_facts`. What the same query took on the facts at another time is not
    looked up here; judgements of definitions do (`lifecycle.retain.savings`).

    Args:
        builds: seconds of the shortest build from the fact itself, by (model id, fact); those that are not known are
            left out.
    """
    days: dict[tuple[str, date], _Counts] = {}
    for query in queries:
        day = query.asked_at.astimezone(UTC).date()
        place = (query.model_id, day)
        days[place] = days.get(place, _Counts()).with_query(query, builds)
    return tuple(QueryDay(model_id=model, day=day, **asdict(counts)) for (model, day), counts in sorted(days.items()))


def seconds_saved(query: QueryRecord, builds: Mapping[tuple[str, str], float]) -> float | None:
    """What aggregates saved of a query, as `count_days` estimates it.

    None where none answered it, or a fact of it was never built from. Negative where the facts would have been faster.
    """
    if _COUNTED_AS[outcome_of(query)] != "hits":
        return None
    on_facts = estimate_on_facts(query.actual, lambda fact: builds.get((query.model_id, fact)))
    return None if on_facts is None else on_facts - query.seconds


def estimate_on_facts(sources: Iterable[QuerySource], shortest: Callable[[str], float | None]) -> float | None:
    """How long the facts would take for a query; None when a fact of it was never built from.

    A build that reads a fact itself takes about as long as a query that does; where an index leads to a part of the
    rows, that part counts.

    Args:
        sources: the parts of the query.
        shortest: seconds of the shortest build of a fact from itself.
    """
    total = 0.0
    for source in sources:
        whole = shortest(source.fact)
        if whole is None:
            return None
        cost, rows = source.fact_cost, source.fact_rows
        total += whole * cost / rows if cost is not None and rows else whole
    return total


def shortest_builds(connection: Connection, queries: Iterable[QueryRecord]) -> dict[tuple[str, str], float]:
    """Seconds of the shortest build of each fact that hits were saved from reading; see `count_days`."""
    wanted = {
        (query.model_id, source.fact)
        for query in queries
        if any(source.definition_id for source in query.actual)
        for source in query.actual
    }
    found = {
        (model, fact): connection.scalar(_SHORTEST, {"model": model, "name": fact}) for model, fact in sorted(wanted)
    }
    return {place: seconds for place, seconds in found.items() if seconds is not None}


def add_days(connection: Connection, days: Iterable[QueryDay]) -> None:
    """Add the figures of queries to those of their days, in the transaction that is open."""
    rows = [asdict(day) for day in days]
    if rows:
        connection.execute(_upsert(connection.dialect.name), rows)


@dataclass(frozen=True, slots=True)
class _Counts:
    """Figures of one model's day; fields as in `QueryDay`."""

    queries: int = 0
    hits: int = 0
    misses: int = 0
    fallbacks: int = 0
    seconds: float = 0.0
    rows_read: int = 0
    fact_rows: int = 0
    seconds_saved: float = 0.0
    savings_known: int = 0

    def with_query(self, query: QueryRecord, builds: Mapping[tuple[str, str], float]) -> _Counts:
        """These and one query more."""
        weight, counted_as = query.weight, _COUNTED_AS[outcome_of(query)]
        saved = seconds_saved(query, builds)
        more: dict[str, Any] = {counted_as: getattr(self, counted_as) + weight}
        if saved is not None:
            more["seconds_saved"] = self.seconds_saved + weight * saved
            more["savings_known"] = self.savings_known + weight
        return replace(
            self,
            queries=self.queries + weight,
            seconds=self.seconds + weight * query.seconds,
            rows_read=self.rows_read + weight * sum(map(_rows_read, query.actual)),
            fact_rows=self.fact_rows + weight * sum(map(_rows_of_facts, query.actual)),
            **more,
        )


def rows_saved(query: QueryRecord) -> int | None:
    """About how many rows of facts were not read; None where no aggregate answered, or a figure is not known."""
    served = [source for source in query.actual if source.definition_id]
    if not served or any(source.rows is None or source.fact_rows is None for source in served):
        return None
    return sum(max(_rows_of_facts(source) - _rows_read(source), 0) for source in served)


def _rows_read(source: QuerySource) -> int:
    return (source.rows or 0) if source.definition_id else _rows_of_facts(source)


def _rows_of_facts(source: QuerySource) -> int:
    return (source.fact_rows if source.fact_cost is None else source.fact_cost) or 0


@functools.cache
def _upsert(dialect: str) -> Any:
    insert = upsert(dialect, query_days)
    counted = [column.name for column in query_days.c if not column.primary_key]
    more = {name: query_days.c[name] + insert.excluded[name] for name in counted}
    return insert.on_conflict_do_update(index_elements=["model_id", "day"], set_=more)
