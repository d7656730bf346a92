"""What was asked by day: counted once when queries are recorded, and never forgotten."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from airflow_atscale_aggs.engine.registry.listings import QueryDay, QueryOutcome
from airflow_atscale_aggs.engine.registry.query_days import (
    add_days,
    count_days,
    outcome_of,
    rows_saved,
    seconds_saved,
    shortest_builds,
)
from airflow_atscale_aggs.engine.registry.records import BuiltParts, QueryRecord, QuerySource
from airflow_atscale_aggs.engine.registry.registry import Registry
from tests.support.query_records import make_query_record
from tests.support.registry_content import HOUR, LATER, MODEL, NOW, REVENUE, UNITS, open_batch

_TODAY = date(2026, 1, 1)
_FACTS = QuerySource(fact="sales", fact_rows=100, fact_cost=40)
_REVENUE = replace(_FACTS, aggregate="revenue", definition_id=REVENUE.id, rows=5)
_VISITS = QuerySource(fact="visits", aggregate="seen", definition_id=UNITS.id, rows=7, fact_rows=10)
_BUILDS = {(MODEL, "sales"): 50.0, (MODEL, "visits"): 8.0}


def _query(*sources: QuerySource, fallback_reason: str = "", seconds: float = 1.0, weight: int = 1) -> QueryRecord:
    record = make_query_record(*sources, model_id=MODEL, asked_at=NOW, seconds=seconds, weight=weight)
    return replace(record, fallback_reason=fallback_reason)


@pytest.mark.parametrize(
    ("query", "outcome"),
    [
        (_query(_REVENUE), QueryOutcome.HIT),
        (_query(_REVENUE, _VISITS), QueryOutcome.HIT),
        (_query(_REVENUE, _FACTS), QueryOutcome.PARTIAL),
        (_query(_FACTS), QueryOutcome.MISS),
        (_query(), QueryOutcome.MISS),
        (_query(_FACTS, fallback_reason="gone"), QueryOutcome.FALLBACK),
    ],
)
def test_outcomes(query: QueryRecord, outcome: QueryOutcome) -> None:
    assert outcome_of(query) is outcome


@pytest.mark.parametrize(
    ("query", "figures"),
    [
        # A query reads what an index leads to: 40 of 100 rows take 40 % of the 50 seconds.
        (_query(_REVENUE), {"hits": 1, "rows_read": 5, "fact_rows": 40, "seconds_saved": 19.0, "savings_known": 1}),
        (
            _query(_REVENUE, weight=3),
            {"hits": 3, "rows_read": 15, "fact_rows": 120, "seconds_saved": 57.0, "savings_known": 3},
        ),
        # All rows of the other fact, whose cost is not known.
        (
            _query(_REVENUE, _VISITS),
            {"hits": 1, "rows_read": 12, "fact_rows": 50, "seconds_saved": 27.0, "savings_known": 1},
        ),
        # The facts would have been faster.
        (
            _query(_REVENUE, seconds=21.0),
            {"hits": 1, "rows_read": 5, "fact_rows": 40, "seconds_saved": -1.0, "savings_known": 1},
        ),
        (_query(replace(_REVENUE, fact="returns")), {"hits": 1, "rows_read": 5, "fact_rows": 40}),
        (_query(_FACTS), {"misses": 1, "rows_read": 40, "fact_rows": 40}),
        (_query(QuerySource(fact="sales")), {"misses": 1}),
        (_query(_FACTS, fallback_reason="gone"), {"fallbacks": 1, "rows_read": 40, "fact_rows": 40}),
    ],
)
def test_figures_of_one_query(query: QueryRecord, figures: dict[str, float]) -> None:
    (day,) = count_days([query], _BUILDS)

    weight = query.weight
    expected = QueryDay(model_id=MODEL, day=_TODAY, queries=weight, seconds=weight * query.seconds)
    assert day == replace(expected, **figures)  # type: ignore[arg-type]


def test_days_are_those_of_utc_and_of_each_model() -> None:
    berlin = timezone(timedelta(hours=2))
    late = replace(_query(_FACTS), asked_at=datetime(2026, 1, 2, 1, 30, tzinfo=berlin))
    other = replace(_query(_FACTS), model_id="m", asked_at=datetime(2026, 1, 2, 0, 0, tzinfo=UTC))

    days = count_days([other, late, _query(_FACTS)], {})

    assert [(day.model_id, day.day, day.queries) for day in days] == [
        *sorted([(MODEL, _TODAY, 2), ("m", date(2026, 1, 2), 1)])
    ]


def test_what_is_recorded_later_is_added_to_its_day(any_registry: Registry) -> None:
    """The log may forget it."""
    registry = any_registry
    registry.queries.record([_query(_REVENUE), _query(_FACTS)])
    registry.queries.record([replace(_query(_REVENUE), asked_at=NOW + HOUR)], forget_before=NOW + 30 * HOUR)

    assert registry.read.queries.find(MODEL) == ()
    (day,) = registry.read.lists.queries.days([MODEL], since=_TODAY)
    assert (day.queries, day.hits, day.misses, day.rows_read, day.savings_known) == (3, 2, 1, 50, 0)


def test_figures_that_are_added_are_sums(any_registry: Registry) -> None:
    figures = QueryDay(
        model_id=MODEL,
        day=_TODAY,
        queries=6,
        hits=1,
        misses=2,
        fallbacks=3,
        seconds=1.5,
        rows_read=7,
        fact_rows=8,
        seconds_saved=-2.5,
        savings_known=1,
    )
    with any_registry.database.writing() as connection:
        add_days(connection, [figures])
        add_days(connection, [figures])
        add_days(connection, [])

    (day,) = any_registry.read.lists.queries.days(since=_TODAY)
    counted = {name: getattr(figures, name) * 2 for name in QueryDay.__slots__ if name not in {"model_id", "day"}}
    assert day == replace(figures, **counted)


def test_the_shortest_build_from_the_fact_itself_tells_how_long_it_takes(any_registry: Registry) -> None:
    """Builds from aggregates do not; nothing is looked for where nothing was saved."""
    registry = any_registry
    for batch, source, seconds in (("a", "sales", 5.0), ("b", "sales", 4.0), ("c", "units", 1.0)):
        open_batch(registry, batch)
        claim = registry.attempts.claim(f"{batch}-revenue", owner="me", now=NOW)
        registry.attempts.finish(claim, BuiltParts(rows=1), seconds=seconds, source=source, now=NOW)
        registry.batches.activate(batch, owner="me", now=NOW, drop_after=LATER)

    with registry.database.reading() as connection:
        assert shortest_builds(connection, [_query(_REVENUE), _query(_VISITS)]) == {(MODEL, "sales"): 4.0}
        assert shortest_builds(connection, [_query(_FACTS)]) == {}
    registry.queries.record([_query(_REVENUE)])
    (day,) = registry.read.lists.queries.days([MODEL], since=_TODAY)
    assert (round(day.seconds_saved, 9), day.savings_known) == (0.6, 1)


@pytest.mark.parametrize(
    ("query", "rows", "seconds"),
    [
        (_query(_REVENUE, weight=3), 35, 19.0),
        (_query(_REVENUE, _FACTS), 35, 39.0),
        (_query(_REVENUE, seconds=21.0), 35, -1.0),
        (_query(replace(_REVENUE, rows=50)), 0, 19.0),
        (_query(replace(_REVENUE, rows=None)), None, 19.0),
        (_query(replace(_REVENUE, fact="returns")), 35, None),
        (_query(_FACTS), None, None),
        (_query(_FACTS, fallback_reason="gone"), None, None),
    ],
)
def test_what_one_query_was_saved(query: QueryRecord, rows: int | None, seconds: float | None) -> None:
    """Each time it was asked; nothing where only facts answered."""
    assert (rows_saved(query), seconds_saved(query, _BUILDS)) == (rows, seconds)
