"""The log of queries, and the uses of aggregates that are counted from it and kept for ever."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from airflow_atscale_aggs.engine.errors import RegistryUnavailableError
from airflow_atscale_aggs.engine.registry.connection import RegistryDatabase
from airflow_atscale_aggs.engine.registry.query_records import QueryWriter
from airflow_atscale_aggs.engine.registry.records import QueryRecord, QuerySource, UsageRecord
from airflow_atscale_aggs.engine.registry.registry import Registry
from airflow_atscale_aggs.engine.registry.tables import query_sources
from tests.support.query_records import make_query_record
from tests.support.registry_content import HOUR, LATER, MODEL, NOW, REVENUE, UNITS

_FACTS = QuerySource(fact="sales")
_REVENUE = QuerySource(fact="sales", aggregate="revenue", definition_id=REVENUE.id)
_UNITS = QuerySource(fact="sales", aggregate="units", definition_id=UNITS.id)


def _query(name: str, *sources: QuerySource, hours: int = 0, seconds: float = 1.0, weight: int = 1) -> QueryRecord:
    return make_query_record(
        *sources, model_id=MODEL, fingerprint=name, asked_at=NOW + hours * HOUR, seconds=seconds, weight=weight
    )


def _fingerprints(registry: Registry, limit: int | None = None) -> list[str]:
    return [record.fingerprint for record in registry.read.queries.find(MODEL, limit=limit)]


def test_the_log_is_read_newest_first(registry: Registry) -> None:
    """Of queries of one moment the one that was recorded last comes first."""
    queries = [_query("a", hours=1), _query("b"), _query("c")]
    registry.queries.record(queries)

    assert _fingerprints(registry) == ["a", "c", "b"]
    assert _fingerprints(registry, limit=2) == ["a", "c"]
    assert registry.read.queries.find(MODEL)[0] == queries[0]
    assert registry.read.queries.find("another model") == ()


def test_uses_of_aggregates_are_counted_by_the_queries_that_a_record_stands_for(registry: Registry) -> None:
    """The facts are no aggregate; a query that was answered from two is a use of both."""
    registry.queries.record([_query("a", _REVENUE, seconds=2.0, weight=3), _query("b", _FACTS)])
    registry.queries.record([_query("c", _REVENUE, _UNITS, hours=1, seconds=0.5)])

    assert registry.read.queries.usages(MODEL) == (
        UsageRecord(definition_id=REVENUE.id, fact="sales", uses=4, seconds=6.5, last_used_at=LATER),
        UsageRecord(definition_id=UNITS.id, fact="sales", uses=1, seconds=0.5, last_used_at=LATER),
    )
    assert registry.read.queries.usages("another model") == ()


def test_an_older_query_that_is_recorded_later_is_not_the_last_use(registry: Registry) -> None:
    """Routers write their logs in batches, each at its own time."""
    registry.queries.record([_query("a", _REVENUE, hours=1), _query("b", _REVENUE)])
    registry.queries.record([_query("c", _REVENUE)])

    (usage,) = registry.read.queries.usages(MODEL)
    assert (usage.uses, usage.last_used_at) == (3, LATER)


def test_uses_are_counted_from_where_the_answer_came_and_not_from_where_it_was_meant_to(registry: Registry) -> None:
    record = make_query_record(_FACTS, model_id=MODEL)
    planned = QueryRecord(**{**{name: getattr(record, name) for name in QueryRecord.__slots__}, "planned": (_REVENUE,)})

    registry.queries.record([planned])

    assert registry.read.queries.usages(MODEL) == ()
    assert registry.read.queries.find(MODEL) == (planned,)


def test_a_definition_that_is_not_known_is_not_counted(registry: Registry) -> None:
    """The query is in the log all the same."""
    registry.queries.record([_query("a", QuerySource(fact="sales", definition_id="gone"), _UNITS)])

    assert [usage.definition_id for usage in registry.read.queries.usages(MODEL)] == [UNITS.id]
    assert _fingerprints(registry) == ["a"]


def test_old_queries_are_forgotten_and_their_uses_are_not(registry: Registry) -> None:
    registry.queries.record([_query("old", _REVENUE), _query("new", _REVENUE, hours=1)])

    registry.queries.record([], forget_before=LATER)

    assert _fingerprints(registry) == ["new"]
    assert [usage.uses for usage in registry.read.queries.usages(MODEL)] == [2]


def test_a_query_is_read_as_it_was_recorded(any_registry: Registry) -> None:
    """Whoever asked and what it was stand in columns; what no database holds of them is replaced."""
    queries = [
        replace(_query("a", _FACTS), user="ann", shape='SELECT "Größe"'),
        replace(_query("b", _REVENUE, _UNITS, hours=-1), user="a\0b", shape="SELECT '\0'"),
    ]
    any_registry.queries.record(queries)

    readable = replace(queries[1], user="a\ufffdb", shape="SELECT '\ufffd'")
    assert any_registry.read.queries.find(MODEL) == (queries[0], readable)


def test_nothing_stays_of_queries_of_several_aggregates_that_are_forgotten(any_registry: Registry) -> None:
    any_registry.queries.record([_query("old", _REVENUE, _UNITS), _query("new", _REVENUE, _UNITS, hours=2)])
    any_registry.queries.record([], forget_before=LATER)

    with any_registry.database.reading() as connection:
        kept = connection.execute(select(query_sources.c.definition_id, query_sources.c.asked_at)).all()
    assert sorted(map(tuple, kept)) == sorted((one.id, NOW + 2 * HOUR) for one in (REVENUE, UNITS))


def test_nobody_waits_for_a_log_that_cannot_be_written_now(registry: Registry) -> None:
    """Another writer holds the database."""
    database = RegistryDatabase(registry.database.name)
    with registry.database.writing(), pytest.raises(RegistryUnavailableError, match="database is locked"):
        QueryWriter(database).record([_query("a", _REVENUE)], patience=timedelta(0))
    database.dispose()

    assert _fingerprints(registry) == []


def test_whatever_keeps_the_log_from_being_written_is_one_kind_of_error(registry: Registry) -> None:
    """And nothing of the records stays."""
    naive = make_query_record(_FACTS, model_id=MODEL, asked_at=NOW.replace(tzinfo=None))

    with pytest.raises(RegistryUnavailableError, match=r"its log of queries: .*aware datetimes only"):
        registry.queries.record([_query("a", _REVENUE), naive])
    assert (_fingerprints(registry), registry.read.queries.usages(MODEL)) == ([], ())
