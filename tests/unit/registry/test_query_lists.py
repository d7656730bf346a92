"""Lists of the log of queries: filters, pages, and the figures of days."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_atscale_aggs.engine.registry.listings import QueryDay, QueryListing, QueryOutcome
from airflow_atscale_aggs.engine.registry.query_days import outcome_of
from airflow_atscale_aggs.engine.registry.query_lists import QueryFilter
from airflow_atscale_aggs.engine.registry.records import QueryRecord, QuerySource
from airflow_atscale_aggs.engine.registry.registry import Registry
from tests.support.query_records import make_query_record
from tests.support.registry_content import HOUR, LATER, MODEL, NOW, OTHER_MODEL, REVENUE, UNITS, make_deployment

_FACTS = QuerySource(fact="sales", fact_rows=100)
_REVENUE = QuerySource(fact="sales", aggregate="revenue", definition_id=REVENUE.id, rows=5, fact_rows=100)
_UNITS = QuerySource(fact="sales", aggregate="units", definition_id=UNITS.id, rows=7, fact_rows=100)


def _query(name: str, *sources: QuerySource, hours: int = 0, **others: object) -> QueryRecord:
    record = make_query_record(*sources, model_id=MODEL, fingerprint=name, asked_at=NOW + hours * HOUR, seconds=1.0)
    return replace(record, **{"shape": f"SELECT {name}", **others})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def log(module_registry: Registry) -> Registry:
    """Five queries of one model and one of another."""
    other = make_deployment(model_id=OTHER_MODEL, name="visits")
    module_registry.models.record_deployments([other], now=NOW)
    module_registry.queries.record(
        [
            _query("hit", _REVENUE, user="ann"),
            _query("miss", _FACTS, hours=1, user="bob"),
            _query("fallback", _FACTS, planned=(_UNITS,), fallback_reason="no such table", hours=2),
            _query("both 100%", _REVENUE, _UNITS, hours=2),
            _query("part", _REVENUE, _FACTS, hours=-1),
            _query("other", _FACTS, hours=3, model_id=OTHER_MODEL),
        ]
    )
    return module_registry


def _names(registry: Registry, **which: object) -> list[str]:
    page = registry.read.lists.queries.page(QueryFilter(**which))  # type: ignore[arg-type]
    return [row.query.fingerprint for row in page.rows]


@pytest.mark.parametrize(
    ("which", "names"),
    [
        ({}, ["other", "both 100%", "fallback", "miss", "hit", "part"]),
        ({"model_ids": [MODEL]}, ["both 100%", "fallback", "miss", "hit", "part"]),
        ({"model_ids": [MODEL, OTHER_MODEL], "asked_before": LATER}, ["hit", "part"]),
        ({"model_ids": []}, []),
        ({"asked_after": LATER}, ["other", "both 100%", "fallback", "miss"]),
        ({"outcomes": [QueryOutcome.HIT]}, ["both 100%", "hit"]),
        ({"outcomes": [QueryOutcome.PARTIAL]}, ["part"]),
        ({"outcomes": [QueryOutcome.MISS, QueryOutcome.FALLBACK]}, ["other", "fallback", "miss"]),
        ({"definition_id": UNITS.id}, ["both 100%"]),
        ({"definition_id": REVENUE.id}, ["both 100%", "hit", "part"]),
        ({"user": "ann"}, ["hit"]),
        ({"user": ""}, ["other", "both 100%", "fallback", "part"]),
        ({"user": "\0"}, []),
        ({"shape_contains": "select M"}, ["miss"]),
        ({"shape_contains": "0%"}, ["both 100%"]),
        ({"shape_contains": "_"}, []),
        ({"shape_contains": "\0"}, []),
    ],
    ids=str,
)
def test_filters(log: Registry, which: dict[str, object], names: list[str]) -> None:
    assert _names(log, **which) == names


def test_a_row_is_the_query_as_it_was_recorded_with_its_outcome(log: Registry) -> None:
    row = log.read.lists.queries.page(QueryFilter(user="ann")).rows[0]

    assert row.query == _query("hit", _REVENUE, user="ann")
    assert row.outcome is QueryOutcome.HIT
    assert log.read.lists.queries.get(row.id) == row
    assert log.read.lists.queries.get(10**9) is None


@pytest.mark.parametrize("which", [{}, {"model_ids": [MODEL, OTHER_MODEL]}, {"model_ids": [MODEL]}], ids=str)
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_pages_of_queries_together_are_the_whole_log(log: Registry, which: dict[str, object], limit: int) -> None:
    """Two were asked at the same moment."""
    chosen, visited, cursor = QueryFilter(**which), [], None  # type: ignore[arg-type]
    while True:
        page = log.read.lists.queries.page(chosen, limit=limit, cursor=cursor)
        visited += [row.query.fingerprint for row in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            break

    assert visited == _names(log, **which)
    assert len(page.rows) <= limit


def test_a_page_that_finds_little_says_where_to_look_on(log: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """One page looks at a bounded number of queries: here at one of each model."""
    for name, number in (("MOST_LOOKED_AT", 2), ("_FIRST_LOOK", 0), ("_LEAST_OF_PATH", 1)):
        monkeypatch.setattr(f"airflow_atscale_aggs.engine.registry.query_lists.{name}", number)
    page = log.read.lists.queries.page(QueryFilter(shape_contains="hit"))
    pages = [page]
    while page.next_cursor is not None:
        page = log.read.lists.queries.page(QueryFilter(shape_contains="hit"), cursor=page.next_cursor)
        pages.append(page)

    assert [row.query.fingerprint for page in pages for row in page.rows] == ["hit"]
    assert pages[0].rows == ()
    assert len(pages) == 5


def test_days_count_what_was_asked(any_registry: Registry) -> None:
    """A record that stands for several queries is several; days are those of UTC."""
    registry = any_registry
    registry.queries.record(
        [
            _query("a", _REVENUE, weight=3),
            _query("b", _FACTS, hours=11),
            _query("e", _REVENUE, _FACTS, hours=12),
            _query("c", _FACTS, hours=12, planned=(_UNITS,), fallback_reason="gone"),
            _query("d", _FACTS, model_id=OTHER_MODEL),
        ]
    )
    today, tomorrow = date(2026, 1, 1), date(2026, 1, 2)

    days = registry.read.lists.queries.days([MODEL], since=today)
    assert [replace(day, seconds_saved=0.0, savings_known=0) for day in days] == [
        QueryDay(model_id=MODEL, day=today, queries=4, hits=3, misses=1, seconds=4.0, rows_read=115, fact_rows=400),
        QueryDay(
            model_id=MODEL, day=tomorrow, queries=2, hits=1, fallbacks=1, seconds=2.0, rows_read=205, fact_rows=300
        ),
    ]
    assert [day.day for day in registry.read.lists.queries.days([MODEL], since=today + timedelta(days=1))] == [tomorrow]
    assert {day.model_id for day in registry.read.lists.queries.days(since=today)} == {MODEL, OTHER_MODEL}


_SOURCES = st.lists(st.sampled_from([_FACTS, _REVENUE, _UNITS]), max_size=3)
_LOGGED = st.builds(
    lambda sources, hours, user, fallback, model: replace(
        _query("q", *sources, hours=hours),
        user=user,
        shape=f"Asked by {user}",
        fallback_reason=fallback,
        model_id=model,
    ),
    _SOURCES,
    st.integers(0, 3),
    st.sampled_from(["ann", "bob"]),
    st.sampled_from(["", "gone"]),
    st.sampled_from([MODEL, OTHER_MODEL]),
)
_CHOSEN = st.builds(
    QueryFilter,
    model_ids=st.none() | st.lists(st.sampled_from([MODEL, OTHER_MODEL, "nobody"]), unique=True),
    outcomes=st.lists(st.sampled_from(QueryOutcome), unique=True),
    asked_before=st.none() | st.just(NOW + 2 * HOUR),
    asked_after=st.none() | st.just(NOW + HOUR),
    definition_id=st.none() | st.sampled_from([REVENUE.id, "nobody"]),
    user=st.none() | st.just("ann"),
    shape_contains=st.sampled_from(["", "BY ANN"]),
)


def _is_chosen(query: QueryRecord, which: QueryFilter) -> bool:
    return (
        (which.model_ids is None or query.model_id in which.model_ids)
        and (not which.outcomes or outcome_of(query) in which.outcomes)
        and (which.asked_before is None or query.asked_at < which.asked_before)
        and (which.asked_after is None or query.asked_at >= which.asked_after)
        and (which.definition_id is None or which.definition_id in {source.definition_id for source in query.actual})
        and (which.user is None or query.user == which.user)
        and which.shape_contains.lower() in query.shape.lower()
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(recorded=st.lists(_LOGGED, max_size=12), which=_CHOSEN, limit=st.integers(1, 4), looked_at=st.integers(1, 5))
def test_pages_are_what_filters_leave_of_the_log(
    any_registry: Registry, recorded: list[QueryRecord], which: QueryFilter, limit: int, looked_at: int
) -> None:
    """However few queries one page looks at, and however many were asked at the same moment."""
    lists = any_registry.read.lists.queries
    other = make_deployment(model_id=OTHER_MODEL, name="visits")
    any_registry.models.record_deployments([other], now=NOW)
    any_registry.queries.record([], forget_before=NOW + 1000 * HOUR)
    with pytest.MonkeyPatch.context() as patched:
        for name, number in (("MOST_LOOKED_AT", looked_at), ("_FIRST_LOOK", 0), ("_LEAST_OF_PATH", 1)):
            patched.setattr(f"airflow_atscale_aggs.engine.registry.query_lists.{name}", number)
        any_registry.queries.record(recorded)
        chosen = [query for query in recorded if _is_chosen(query, which)]
        visited: list[QueryListing] = []
        cursor: str | None = None
        while True:
            page = lists.page(which, limit=limit, cursor=cursor)
            assert len(page.rows) <= limit
            visited += page.rows
            cursor = page.next_cursor
            if cursor is None:
                break
        count = lists.count(which)

    assert [(row.query.asked_at, row.id) for row in visited] == sorted(
        ((row.query.asked_at, row.id) for row in visited), reverse=True
    )
    assert sorted((row.query for row in visited), key=repr) == sorted(chosen, key=repr)
    assert count.number == len(chosen) if count.is_exact else count.number <= len(chosen)
