"""What aggregates saved, by the log: seconds of queries, against what the facts would have taken."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_atscale_aggs.engine.lifecycle.retain.savings import Saving, average_savings, savings_of
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.registry.records import QueryRecord, QuerySource
from tests.support.query_records import make_query_record
from tests.support.stars.standing_star import definition, model_id, serving

_FACTS = QuerySource(fact="sales")
_CITY = QuerySource(fact="sales", aggregate="by_city", definition_id="city")
_MONTH = QuerySource(fact="visits", aggregate="by_month", definition_id="month")


def _query(fingerprint: str, seconds: float, *sources: QuerySource, weight: int = 1) -> QueryRecord:
    return make_query_record(*sources, fingerprint=fingerprint, seconds=seconds, weight=weight)


def test_the_same_query_on_the_facts_is_the_measure() -> None:
    """The median of its times, whatever a build takes."""
    log = [_query("a", 0.5, _CITY), *(_query("a", seconds, _FACTS) for seconds in (2.0, 3.0, 40.0))]

    assert savings_of(log, {"sales": 100.0}) == {"city": Saving(1, 2.5, 1.0)}


def test_a_build_stands_for_what_was_never_asked_of_the_facts() -> None:
    """And is marked as an estimate; an index would have read a part only."""
    by_index = QuerySource(fact="sales", definition_id="city", fact_rows=1000, fact_cost=100)
    log = [_query("a", 1.0, _CITY), _query("b", 0.5, by_index)]

    saving = savings_of(log, {"sales": 10.0})["city"]

    assert (saving.queries, saving.measured) == (2, 0.0)
    assert saving.seconds == pytest.approx((9.0 + 0.5) / 2)


def test_records_weigh_as_many_queries_as_they_stand_for() -> None:
    """Three of four were measured."""
    log = [_query("a", 1.0, _CITY, weight=3), _query("a", 2.0, _FACTS), _query("b", 1.0, _CITY)]

    assert savings_of(log, {"sales": 6.0}) == {"city": Saving(4, (3 * 1.0 + 5.0) / 4, 0.75)}


def test_aggregates_of_one_query_share_its_saving() -> None:
    """What the facts of both would take, less what it took."""
    log = [_query("a", 1.0, _CITY, _MONTH)]

    assert savings_of(log, {"sales": 4.0, "visits": 3.0}) == {"city": Saving(1, 3.0, 0.0), "month": Saving(1, 3.0, 0.0)}


def test_nothing_is_said_of_what_is_not_known() -> None:
    """No measure, no build from the facts; a slower aggregate saves less than nothing."""
    log = [_query("a", 1.0, _CITY), _query("b", 5.0, _MONTH), _query("b", 2.0, QuerySource(fact="visits"))]

    assert savings_of(log, {}) == {"month": Saving(1, -3.0, 1.0)}


def test_savings_are_those_of_the_log_and_the_builds_of_a_model(built_star: Workspace) -> None:
    city = definition(built_star, "by_city").definition.id
    used = QuerySource(fact="sales", aggregate="by_city", definition_id=city)
    log = [_query("a", 0.5, used), _query("a", 2.0, _FACTS), _query("b", 1.0, used)]
    model = model_id(built_star)
    built_star.registry.queries.record([replace(record, model_id=model) for record in log])
    build = serving(built_star, "by_day_and_shop").seconds
    assert build is not None

    (saving,) = average_savings(built_star.read, model).values()

    assert (saving.queries, saving.measured) == (2, 0.5)
    assert saving.seconds == pytest.approx((1.5 + build - 1.0) / 2)
    assert average_savings(built_star.read, "another model") == {}
